"""The status of a route, from what its processes do: a pure reading, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from srt_router.monitoring.connections import Connection
from srt_router.supervision.process_state import Phase
from srt_router.supervision.restart import Outcome


class RouteStatus(StrEnum):
    """What a route does, as people and scripts are told."""

    STOPPED = "stopped"
    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    DEGRADED = "degraded"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class ProcessView:
    """What decides of one process."""

    feeds: bool
    """It carries the source or the transcode: without it nothing is on air."""
    phase: Phase
    connection: Connection
    last_outcome: Outcome | None
    ever_up: bool
    """It was up before, since the route was started."""
    given_up: bool = False
    """It moves no data, and its restarts are spent."""
    rejected: bool = False
    """Its peer refuses it: the passphrase is wrong."""
    undelivered: bool = False
    """A UDP destination gets nothing."""


def route_status(*, wanted: bool, refused: bool, processes: Sequence[ProcessView]) -> RouteStatus:
    """The status; `refused`: a check before the start failed, and it is tried again."""
    alive = [p for p in processes if p.phase in (Phase.STARTING, Phase.UP, Phase.ENDING)]
    if not wanted:
        return RouteStatus.STOPPING if alive else RouteStatus.STOPPED
    if refused:
        return RouteStatus.FAILED
    feeding = [p for p in processes if p.feeds]
    if not feeding or any(_never_up(p) for p in feeding):
        return RouteStatus.STARTING
    if any(_down(p) for p in feeding):
        return RouteStatus.RESTARTING
    if any(p.given_up for p in feeding):
        return RouteStatus.FAILED
    if any(not _has_data(p) for p in feeding):
        return RouteStatus.WAITING
    if any(p.undelivered for p in processes) or any(_fails(p) for p in processes if not p.feeds):
        return RouteStatus.DEGRADED
    return RouteStatus.RUNNING


def _never_up(process: ProcessView) -> bool:
    return process.phase in (Phase.DOWN, Phase.STARTING) and not process.ever_up


def _down(process: ProcessView) -> bool:
    """Not there, and not because its peer is away: a caller that waits for its peer comes and goes."""
    waiting = process.last_outcome in (Outcome.UNANSWERED, Outcome.PEER_LEFT, Outcome.REJECTED)
    return process.phase is not Phase.UP and not waiting


def _fails(destination: ProcessView) -> bool:
    return _down(destination) or destination.given_up or destination.rejected


def _has_data(process: ProcessView) -> bool:
    return process.phase is Phase.UP and process.connection is not Connection.WAITING
