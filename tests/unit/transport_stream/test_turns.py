"""Whose thumbnail is made next: everybody in turn, and never more processor time than the share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srt_router.transport_stream.turns import PAUSE_S, Turns


def test_who_has_waited_longest_is_next() -> None:
    turns = Turns(1.0)
    turns.follow(["a", "b", "c"])
    order = []
    for now in range(6):
        key = turns.next(now * 10, ())
        assert key is not None
        order.append(key)
        turns.made(key, now * 10)
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_none_is_worked_on_twice_at_a_time_or_too_often() -> None:
    turns = Turns(1.0)
    turns.follow(["a", "b"])
    assert turns.next(0, ["a"]) == "b"
    assert turns.next(0, ["a", "b"]) is None
    turns.made("a", 0)
    turns.made("b", 0)
    assert turns.next(PAUSE_S - 0.1, ()) is None
    assert turns.next(PAUSE_S, ()) == "a"


def test_what_shows_no_picture_is_asked_less_often_until_it_does() -> None:
    turns = Turns(1.0)
    turns.follow(["a"])
    now, pauses = 0.0, []
    for _ in range(6):
        turns.failed("a", now)
        due = next(second for second in range(1, 100) if turns.next(now + second, ()))
        pauses.append(due)
        now += due
    assert pauses == [4, 8, 16, 32, 60, 60]
    turns.made("a", now)
    turns.failed("a", now)
    assert turns.next(now + PAUSE_S, ()) == "a"


def test_whom_nobody_follows_has_no_turn() -> None:
    turns = Turns(1.0)
    turns.follow(["a", "b"])
    turns.follow(["b"])
    turns.made("a", 0)
    turns.failed("a", 0)
    assert turns.next(0, ()) == "b"


@given(
    st.floats(0.01, 1.0),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 30.0)), min_size=2, max_size=40),
)
def test_the_share_is_kept_over_any_stretch(share: float, runs: list[tuple[float, float]]) -> None:
    """From the start of any program to the start of any later one, no more than the share was used."""
    turns, now, starts = Turns(share), 0.0, []
    for cpu_s, idle_s in runs:
        while not turns.may_run(now):
            now += 0.2
        starts.append((now, cpu_s))
        turns.ran(now, cpu_s)
        now += max(cpu_s, 0.01) + idle_s
    for first in range(len(starts)):
        for last in range(first + 1, len(starts)):
            used = sum(cpu_s for _, cpu_s in starts[first:last])
            assert used <= share * (starts[last][0] - starts[first][0]) + 1e-6
