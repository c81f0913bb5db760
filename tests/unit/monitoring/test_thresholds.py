"""When a number is worth a warning, and when that is over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.monitoring.thresholds import CALM, CLEARED_AFTER_S, RAISED_AFTER_S, Change, Metric, judge, sentence

LIMIT = 2.0


def run(values: Sequence[float | None], limit: float = LIMIT) -> list[tuple[int, Change]]:
    """One look a second; the changes with their time."""
    watched = CALM
    told: list[tuple[int, Change]] = []
    for second, value in enumerate(values):
        watched, change = judge(watched, value, limit, float(second))
        if change is not Change.NONE:
            told.append((second, change))
    return told


def test_a_number_that_stays_too_high_is_told_once() -> None:
    assert run([3.0] * 100) == [(RAISED_AFTER_S, Change.RAISED)]


def test_a_short_peak_is_nothing() -> None:
    assert run([3.0, 3.0, 3.0, 0.0] * 20) == []


def test_it_is_over_when_it_has_been_well_below_for_half_a_minute() -> None:
    low = [0.9] * (int(CLEARED_AFTER_S) + 1)
    assert run([3.0] * 4 + low) == [(3, Change.RAISED), (4 + CLEARED_AFTER_S, Change.CLEARED)]
    assert run([3.0] * 4 + [1.5] * 1000) == [(3, Change.RAISED)]  # below the limit, but not well below
    assert run([3.0] * 4 + ([0.0] * 29 + [1.0]) * 20) == [(3, Change.RAISED)]


def test_what_is_not_known_raises_nothing_and_ends_a_warning_in_the_end() -> None:
    assert run([None] * 100) == []
    assert run([3.0] * 4 + [None] * 40) == [(3, Change.RAISED), (4 + CLEARED_AFTER_S, Change.CLEARED)]


def test_without_a_limit_there_is_no_warning() -> None:
    assert run([1e9] * 100, limit=0.0) == []


def test_a_limit_that_is_taken_away_ends_the_warning() -> None:
    watched = CALM
    for second in range(5):
        watched, _ = judge(watched, 3.0, LIMIT, float(second))
    assert judge(watched, 3.0, 0.0, 6.0) == (CALM, Change.CLEARED)


@given(st.lists(st.none() | st.floats(0, 10), max_size=200))
def test_raised_and_cleared_take_turns_and_never_flutter(values: list[float | None]) -> None:
    told = run(values)
    assert [change for _, change in told] == ([Change.RAISED, Change.CLEARED] * len(told))[: len(told)]
    raised = [second for second, change in told if change is Change.RAISED]
    assert all(later - earlier >= CLEARED_AFTER_S for earlier, later in pairwise(raised))


@pytest.mark.parametrize("metric", Metric)
def test_a_warning_names_number_and_limit(metric: Metric) -> None:
    assert "7" in sentence(metric, 7.0, 3.0)
    assert "3" in sentence(metric, 7.0, 3.0)
