"""When a search for orphans may end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srt_router.processes.sweep import LIMIT_S, QUIET_SCANS, UNSETTLED_S, Sweep


def test_two_quiet_scans_in_a_row_are_needed() -> None:
    assert QUIET_SCANS == 2
    search = Sweep(began=0)
    assert not search.done(0.0, found=False, unsettled=())
    assert not search.done(0.1, found=True, unsettled=())  # the second one found something
    assert not search.done(0.2, found=False, unsettled=())
    assert search.done(0.3, found=False, unsettled=())


def test_a_process_amidst_its_exec_is_waited_for_but_not_for_ever() -> None:
    search = Sweep(began=0)
    assert not search.done(0.0, found=False, unsettled=[7])
    assert not search.done(UNSETTLED_S - 0.01, found=False, unsettled=[7])
    assert not search.done(UNSETTLED_S + 0.01, found=False, unsettled=[7])
    assert search.done(UNSETTLED_S + 0.02, found=False, unsettled=[7])


def test_its_number_counts_anew_when_it_was_settled_in_between() -> None:
    search = Sweep(began=0)
    search.done(0.0, found=False, unsettled=[7])
    search.done(UNSETTLED_S, found=True, unsettled=[])
    assert not search.done(UNSETTLED_S + 0.1, found=False, unsettled=[7])
    assert not search.done(UNSETTLED_S + 0.2, found=False, unsettled=[7])


def test_overdue() -> None:
    assert not Sweep(began=5).overdue(5 + LIMIT_S)
    assert Sweep(began=5).overdue(5 + LIMIT_S + 1)


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(2, 4))), max_size=30))
def test_it_never_ends_on_a_scan_that_found_something(scans: list[tuple[bool, set[int]]]) -> None:
    search = Sweep(began=0)
    quiet = 0
    for number, (found, unsettled) in enumerate(scans):
        quiet = 0 if found or unsettled else quiet + 1
        assert search.done(number * 0.01, found=found, unsettled=unsettled) == (quiet >= QUIET_SCANS)
