"""Is a process that lives also making progress?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srt_router.supervision.health import Limits, Look, Verdict, Watch, look_at

LIMITS = Limits()
MOVES, QUIET, WAITS = Look(True, True), Look(True, False), Look(False, False)


NEW = Watch()


def run(looks: list[Look], watch: Watch = NEW, start: float = 0.0) -> tuple[Watch, list[tuple[float, Verdict]]]:
    """One look a second; the verdicts that ask for something, with their time."""
    found: list[tuple[float, Verdict]] = []
    for number, seen in enumerate(looks):
        watch, verdict = look_at(watch, seen, start + number, LIMITS.bandwidth_s, LIMITS)
        if verdict is not Verdict.NONE:
            found.append((start + number, verdict))
    return watch, found


def test_waiting_is_healthy_for_ever() -> None:
    assert run([WAITS] * 100_000) == (Watch(), [])


def test_three_restarts_at_thirty_seconds_each_then_it_is_given_up() -> None:
    watch, found = run([QUIET] * 200)
    assert found == [
        (30, Verdict.RESTART),
        (61, Verdict.RESTART),
        (92, Verdict.RESTART),
        (123, Verdict.GIVE_UP),
    ]
    assert watch.given_up


def test_what_was_given_up_is_tried_again_after_five_minutes() -> None:
    _, found = run([QUIET] * 500)
    assert found[3:5] == [(123, Verdict.GIVE_UP), (423, Verdict.RESTART)]
    never = Limits(retry_after_s=0)
    watch = Watch(given_up_at=0.0)
    assert look_at(watch, QUIET, 1e9, 30, never) == (watch, Verdict.NONE)


def test_what_was_given_up_is_not_restarted_while_nobody_is_there() -> None:
    assert run([WAITS] * 1000, Watch(given_up_at=0.0))[1] == []


def test_data_ends_the_failure() -> None:
    watch, found = run([QUIET] * 124 + [MOVES])
    assert found[-1] == (124, Verdict.RECOVERED)
    assert not watch.given_up


def test_a_start_does_not_restore_the_budget_and_half_a_minute_of_data_does() -> None:
    watch, _ = run([QUIET] * 31)
    assert watch.attempts == 1
    assert run([MOVES] * 30, watch)[0].attempts == 1
    assert run([MOVES] * 31, watch)[0].attempts == 0
    assert run([MOVES] * 20 + [QUIET] + [MOVES] * 20, watch)[0].attempts == 1


def test_a_gap_shorter_than_the_patience_is_nothing() -> None:
    assert run(([QUIET] * 29 + [MOVES]) * 20)[1] == []


def test_silence_counts_from_the_last_data() -> None:
    """What moved in one look moved up to a second before it: the verdict comes 30 to 31 s after the last data."""
    assert run([MOVES] * 5 + [QUIET] * 31)[1] == [(34, Verdict.RESTART)]
    assert run([WAITS] * 5 + [QUIET] * 31)[1] == [(35, Verdict.RESTART)]
    early = [look_at(Watch(moved_at=0.0, moving_since=0.0), QUIET, 1.0, 30, LIMITS)[0]]
    assert look_at(early[0], QUIET, 29.9, 30, LIMITS)[1] is Verdict.RESTART
    assert look_at(early[0], QUIET, 29.0, 30, LIMITS)[1] is Verdict.NONE


@given(st.lists(st.sampled_from([MOVES, QUIET, WAITS]), max_size=600))
def test_never_more_attempts_than_allowed_without_half_a_minute_of_data(looks: list[Look]) -> None:
    watch, spent = Watch(), 0
    for number, seen in enumerate(looks):
        watch, verdict = look_at(watch, seen, number, LIMITS.bandwidth_s, LIMITS)
        spent = 0 if watch.attempts == 0 else spent + (verdict is Verdict.RESTART)
        assert watch.attempts <= LIMITS.attempts
        assert spent <= LIMITS.attempts + 1
        if seen is not QUIET:
            assert verdict in (Verdict.NONE, Verdict.RECOVERED)
