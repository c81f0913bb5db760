"""What alarms tell as events; docs/alarms.md tells how they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from srt_router.supervision.event import ServerEvent


@dataclass(frozen=True, slots=True)
class AlarmEvent(ServerEvent):
    """Something about one alarm."""

    alarm_id: str
    rule_id: str
    rule: str
    """Name of the rule."""
    severity: str
    route_id: str | None
    """None: not of one route."""
    seen: str
    """What was seen, in a sentence."""

    @property
    def route(self) -> str | None:
        """The route that it is about."""
        return self.route_id

    def _words(self) -> str:
        return f"{self.rule}: route {self.route_id}: {self.seen}" if self.route_id else f"{self.rule}: {self.seen}"


@dataclass(frozen=True, slots=True)
class AlarmRaised(AlarmEvent):
    """An alarm begins: the condition of a rule has held for long enough."""

    kind: ClassVar[str] = "alarmRaised"

    def _say(self) -> str:
        return f"Alarm ({self.severity}): {self._words()}"


@dataclass(frozen=True, slots=True)
class AlarmCleared(AlarmEvent):
    """An alarm is over."""

    kind: ClassVar[str] = "alarmCleared"
    because: str
    """`recovered`, or what became of the rule or the route."""

    def _say(self) -> str:
        return f"Alarm over: {self._words()}"


@dataclass(frozen=True, slots=True)
class AlarmDeliveryFailed(ServerEvent):
    """A receiver cannot be reached (told once until it can), or messages to it were given up."""

    kind: ClassVar[str] = "alarmDeliveryFailed"
    receiver_id: str
    receiver: str
    """Its name."""
    error: str
    given_up: int
    """So many messages will never arrive; 0: it is tried again."""

    def _say(self) -> str:
        end = f"; {self.given_up} message(s) are given up" if self.given_up else "; it is tried again"
        return f"Alarms cannot be delivered to {self.receiver}: {self.error}{end}"


ALARM_KINDS: tuple[type[ServerEvent], ...] = (AlarmRaised, AlarmCleared, AlarmDeliveryFailed)
