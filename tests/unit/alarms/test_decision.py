"""When an alarm is raised and when it ends: the pure decision, walked by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from srt_router.alarms.decision import QUIET, AlarmState, Decision, step


@dataclass(frozen=True)
class Patience:
    hold_off: float = 10.0
    recover_after: float = 5.0


RULE = Patience()
ACTIVE = AlarmState(active=True)


def walk(
    looks: list[tuple[float, bool | None]], rule: Patience = RULE, state: AlarmState = QUIET
) -> tuple[AlarmState, list[tuple[float, Decision]]]:
    """The state at the end, and what was decided when."""
    decided: list[tuple[float, Decision]] = []
    for now, seen in looks:
        state, decision = step(state, seen, now, rule)
        if decision is not Decision.NONE:
            decided.append((now, decision))
    return state, decided


def every_second(seen: bool | None, first: float, last: float) -> list[tuple[float, bool | None]]:
    return [(first + second, seen) for second in range(int(last - first) + 1)]


def test_raised_when_it_has_held_for_the_hold_off() -> None:
    _, decided = walk(every_second(True, 100, 120))
    assert decided == [(110, Decision.RAISE)]


def test_without_hold_off_at_once() -> None:
    assert walk([(0, True)], Patience(hold_off=0))[1] == [(0, Decision.RAISE)]


def test_a_break_starts_the_hold_off_anew() -> None:
    _, decided = walk([*every_second(True, 0, 9), (10, False), *every_second(True, 11, 30)])
    assert decided == [(21, Decision.RAISE)]


def test_ends_when_it_has_been_gone_for_the_whole_time() -> None:
    _, decided = walk([*every_second(False, 0, 4), (5, True), *every_second(False, 6, 30)], state=ACTIVE)
    assert decided == [(11, Decision.CLEAR)]


def test_the_time_of_what_is_unknown_does_not_count() -> None:
    looks = [*every_second(True, 0, 5), *every_second(None, 6, 1000), *every_second(True, 1001, 1010)]
    assert walk(looks)[1] == [(1006, Decision.RAISE)]


looks = st.lists(st.tuples(st.floats(-1e6, 1e6), st.sampled_from([True, False, None])), max_size=60)
rules = st.builds(Patience, st.floats(0, 100), st.floats(0, 100))


@given(looks, rules, st.booleans())
def test_raise_and_clear_alternate_whatever_the_clock_does(
    walked: list[tuple[float, bool | None]], rule: Patience, active: bool
) -> None:
    state = AlarmState(active=active)
    for now, seen in walked:
        before = state
        state, decision = step(state, seen, now, rule)
        if decision is Decision.RAISE:
            assert (before.active, state.active, seen) == (False, True, True)
        elif decision is Decision.CLEAR:
            assert (before.active, state.active, seen) == (True, False, False)
        else:
            assert state.active is before.active


@given(st.lists(st.floats(-1e6, 1e6)), rules, st.booleans())
def test_the_unknown_neither_raises_nor_clears(moments: list[float], rule: Patience, active: bool) -> None:
    state, decided = walk([(now, None) for now in moments], rule, AlarmState(active=active))
    assert (state.active, decided) == (active, [])


@given(st.lists(st.floats(0, 50), min_size=1, max_size=40), st.floats(0.1, 100))
def test_never_before_the_hold_off_has_passed_forwards(steps: list[float], hold_off: float) -> None:
    """A clock that jumps back adds nothing; what passes forwards counts."""
    state, now, forwards, raised_after = QUIET, 0.0, 0.0, None
    for number, one in enumerate(steps):
        state, decision = step(state, True, now, Patience(hold_off=hold_off))
        if decision is Decision.RAISE:
            raised_after = forwards
            break
        back = number % 3 == 2
        now += -one if back else one
        forwards += 0 if back else one
    assert raised_after is None or raised_after >= hold_off * (1 - 1e-9)


@given(st.lists(st.sampled_from([True, False]), max_size=100), st.integers(0, 5), st.integers(0, 5))
def test_as_a_reader_of_the_documentation_would_do_it(seen: list[bool], hold_off: int, recover_after: int) -> None:
    active, run, expected = False, 0, []
    for second, holds in enumerate(seen):
        run = run + 1 if holds is not active else 0
        if run > (recover_after if active else hold_off):
            active, run = holds, 0
            expected.append((float(second), Decision.RAISE if holds else Decision.CLEAR))
    looks = [(float(second), holds) for second, holds in enumerate(seen)]
    assert walk(list(looks), Patience(hold_off, recover_after))[1] == expected
