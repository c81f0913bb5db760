"""What an upgrade on air does, as facts for subscribers (docs/reference/events.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from srt_router.supervision.event import ProcessEvent, RouteEvent, ServerEvent


@dataclass(frozen=True, slots=True)
class UpgradeFailed(ServerEvent):
    """The program as it is installed now cannot take over; the server goes on as it is."""

    kind: ClassVar[str] = "upgradeFailed"
    reason: str

    def _say(self) -> str:
        return f"The installed program cannot take over: {self.reason}"


@dataclass(frozen=True, slots=True)
class RouteTakenOver(RouteEvent):
    """A new server has taken the route over while it was on air; its stream was not touched."""

    kind: ClassVar[str] = "routeTakenOver"
    process_types: list[str]
    """The processes that go on."""
    pending_restart: list[str]
    """Those of them that this version would start with another command line."""

    def _say(self) -> str:
        text = f"Route {self.route_id} was taken over on air: {', '.join(self.process_types)}"
        return f"{text}; waiting for a restart: {', '.join(self.pending_restart)}" if self.pending_restart else text


@dataclass(frozen=True, slots=True)
class PendingRestartApplied(ProcessEvent):
    """A process that waited for its restart after an upgrade has had it, and is up again."""

    kind: ClassVar[str] = "pendingRestartApplied"
    often: ClassVar[int | None] = None

    def _say(self) -> str:
        return f"Route {self.route_id}: {self.process_type} runs with its new command line"


@dataclass(frozen=True, slots=True)
class PendingRestartFailed(ProcessEvent):
    """A process that was restarted after an upgrade is not as it was before; those after it stay as they are."""

    kind: ClassVar[str] = "pendingRestartFailed"
    often: ClassVar[int | None] = None
    reason: str
    left: list[str]
    """The processes that were to follow."""

    def _say(self) -> str:
        rest = f"; these stay as they are: {', '.join(self.left)}" if self.left else ""
        return f"Route {self.route_id}: {self.process_type} was restarted, but {self.reason}{rest}"


UPGRADE_KINDS: tuple[type[ServerEvent], ...] = (
    UpgradeFailed,
    RouteTakenOver,
    PendingRestartApplied,
    PendingRestartFailed,
)
