"""The warnings of one route: numbers beyond their thresholds, told when they begin and when they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from pydantic import ConfigDict

from srt_router.monitoring.leg_statistics import CAMEL
from srt_router.monitoring.thresholds import CALM, Change, Metric, Watched, judge, sentence
from srt_router.supervision.event import ServerEvent
from srt_router.supervision.health import Limits
from srt_router.supervision.health_events import WarningCleared, WarningRaised

WINDOW_S = 10.0
"""Counts are those of so long."""

Key = tuple[str, Metric]


@dataclass(frozen=True, slots=True)
class RouteWarning:
    """A number of a route that is beyond its threshold."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    leg: str | None
    """`source`, `destination:0`; None: it is about the stream of the route."""
    metric: Metric
    value: float
    """When the warning was raised."""
    threshold: float
    since: int
    """Milliseconds since the epoch."""
    message: str


@dataclass(slots=True)
class RecentSum:
    """The sum of what was counted within the last `WINDOW_S`."""

    _counts: deque[tuple[float, int]] = field(default_factory=deque)
    known: bool = False

    def add(self, count: int | None, now: float) -> float | None:
        """The sum with one more count; None while nobody has ever counted."""
        if count is not None:
            self.known = True
            if count:
                self._counts.append((now, count))
        while self._counts and self._counts[0][0] <= now - WINDOW_S:
            self._counts.popleft()
        return float(sum(count for _, count in self._counts)) if self.known else None


def threshold(limits: Limits, metric: Metric) -> float:
    """The limit of a number; 0: none."""
    match metric:
        case Metric.LOSS_PERCENT:
            return limits.warn_loss_percent
        case Metric.MS_RTT:
            return limits.warn_rtt_ms
        case Metric.CONTINUITY_ERRORS:
            return limits.warn_cc_errors
        case Metric.BUS_DROPS:
            return limits.warn_bus_drops


class Observation(NamedTuple):
    """One number of one leg, now."""

    series: str
    """Tells the leg from all others."""
    leg: str | None
    metric: Metric
    value: float | None


@dataclass(slots=True)
class RouteWarnings:
    """What is remembered of the numbers of one route."""

    route_id: str
    raised: dict[Key, RouteWarning] = field(default_factory=dict)
    """The warnings there are."""
    _watched: dict[Key, Watched] = field(default_factory=dict)

    def look(self, seen: Iterable[Observation], limits: Limits, now: float, now_ms: int) -> list[ServerEvent]:
        """Judge each number; the answer is what is to be told."""
        told: list[ServerEvent] = []
        present: set[Key] = set()
        known = self._watched
        for one in seen:
            _, _, metric, value = one
            limit = threshold(limits, metric)
            if not known and (value is None or not limit or value < limit):
                continue  # as good as always
            key = (one.series, metric)
            present.add(key)
            before = known.get(key, CALM)
            watched, change = judge(before, value, limit, now)
            if watched is CALM:
                self._watched.pop(key, None)
            else:
                self._watched[key] = watched
            if change is Change.RAISED:
                told.append(self._raise(key, one, watched.worst, limit, now_ms))
            elif change is Change.CLEARED:
                told += self._clear(key, now_ms)
        for key in [key for key in self._watched if key not in present]:  # that leg is no more
            told += self._clear(key, now_ms)
        return told

    def clear(self, now_ms: int) -> list[ServerEvent]:
        """The route is off air."""
        return [event for key in list(self._watched) for event in self._clear(key, now_ms)]

    def _raise(self, key: Key, seen: Observation, value: float, limit: float, now_ms: int) -> ServerEvent:
        value = round(value, 3)
        text = sentence(seen.metric, value, limit)
        message = f"{seen.leg}: {text}" if seen.leg else text
        self.raised[key] = RouteWarning(seen.leg, seen.metric, value, limit, now_ms, message)
        return WarningRaised(self.route_id, seen.leg, seen.metric, value, limit)

    def _clear(self, key: Key, now_ms: int) -> list[ServerEvent]:
        self._watched.pop(key, None)
        over = self.raised.pop(key, None)
        if over is None:
            return []
        return [WarningCleared(self.route_id, over.leg, over.metric, max(0, now_ms - over.since))]
