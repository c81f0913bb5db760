"""The events of a route's health: what stalls, what moves again, what is worth a warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from srt_router.monitoring.thresholds import Metric, sentence
from srt_router.supervision.event import OFTEN, RouteEvent, ServerEvent


@dataclass(frozen=True, slots=True)
class RouteUnhealthy(RouteEvent):
    """The health checker found no progress where there should be some."""

    kind: ClassVar[str] = "routeUnhealthy"
    reason: str

    def _say(self) -> str:
        return f"Route {self.route_id} unhealthy: {self.reason}"


@dataclass(frozen=True, slots=True)
class RouteRestarting(RouteEvent):
    """The health checker restarts what stalled."""

    kind: ClassVar[str] = "routeRestarting"
    attempts: int

    def _say(self) -> str:
        return f"Restarting route {self.route_id} (attempt {self.attempts})"


@dataclass(frozen=True, slots=True)
class RouteGaveUp(RouteEvent):
    """The health checker's attempts are used up; the route is `failed`."""

    kind: ClassVar[str] = "routeGaveUp"
    attempts: int

    def _say(self) -> str:
        return f"Route {self.route_id} gave up after {self.attempts} attempts"


@dataclass(frozen=True, slots=True)
class RouteRecovered(RouteEvent):
    """What was unhealthy moves data again."""

    kind: ClassVar[str] = "routeRecovered"
    process_type: str

    def _say(self) -> str:
        return f"Route {self.route_id} is healthy again: {self.process_type} moves data"


@dataclass(frozen=True, slots=True)
class WarningRaised(RouteEvent):
    """A number of the route is beyond its threshold. Nothing is restarted for that."""

    kind: ClassVar[str] = "warningRaised"
    often: ClassVar[int | None] = OFTEN
    leg: str | None
    """`source`, `destination:0`; None: it is about the stream of the route."""
    metric: Metric
    value: float
    threshold: float

    def _say(self) -> str:
        where = f"{self.leg}: " if self.leg else ""
        return f"Route {self.route_id}: {where}{sentence(self.metric, self.value, self.threshold)}"

    def _same(self) -> tuple[object, ...]:
        return (self.leg, self.metric)


@dataclass(frozen=True, slots=True)
class WarningCleared(RouteEvent):
    """A warning is over: the number is well below its threshold again, or the leg is no more."""

    kind: ClassVar[str] = "warningCleared"
    often: ClassVar[int | None] = OFTEN
    leg: str | None
    metric: Metric
    lasted_ms: int
    """Milliseconds from `warningRaised` on."""

    def _say(self) -> str:
        where = f"{self.leg}: " if self.leg else ""
        return f"Route {self.route_id}: {where}{self.metric} is back below its limit"

    def _same(self) -> tuple[object, ...]:
        return (self.leg, self.metric)


HEALTH_KINDS: tuple[type[ServerEvent], ...] = (
    RouteUnhealthy,
    RouteRestarting,
    RouteGaveUp,
    RouteRecovered,
    WarningRaised,
    WarningCleared,
)
