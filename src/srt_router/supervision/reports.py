"""What the owner of a route tells of it: one log line and one event for each thing that happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from srt_router.monitoring.connections import ConnectionState
from srt_router.processes.child import Child
from srt_router.processes.cleanup import CleanupResult
from srt_router.routes.model import Route
from srt_router.supervision import events
from srt_router.supervision.event import ServerEvent
from srt_router.supervision.event_bus import EventBus
from srt_router.supervision.process_record import ProcessRecord, now_ms, pending
from srt_router.supervision.process_state import Ended, ProcessState
from srt_router.supervision.restart import Outcome
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.upgrade_events import RouteTakenOver

log = logging.getLogger("RouteManager")

_CALLS_AGAIN = (Outcome.UNANSWERED, Outcome.REJECTED, Outcome.PEER_LEFT)


class RouteReports:
    """The reports of one route."""

    def __init__(self, route: Callable[[], Route], bus: EventBus) -> None:
        self._route = route
        self._bus = bus

    def emit(self, event: ServerEvent) -> None:
        """Tell subscribers, without the passphrases of this route."""
        self._bus.emit(event, self._route().secrets())

    @property
    def _id(self) -> str:
        return self._route().id

    def status(self, before: RouteStatus, status: RouteStatus) -> None:
        """The route has another status."""
        log.info("Route %s is %s", self._id, status)
        self.emit(events.RouteStatusChanged(self._id, before, status))

    def refused(self, reasons: list[str], *, keeps_trying: bool) -> None:
        """A check before the start failed."""
        log.error("Route %s cannot start: %s", self._id, "; ".join(reasons))
        self.emit(events.StartRefused(self._id, reasons, keeps_trying))

    def started(self, reason: str) -> None:
        """The route was put on air."""
        self.emit(events.RouteStarted(self._id, reason))

    def adopted(self, records: Iterable[ProcessRecord]) -> None:
        """Processes of an earlier server were taken over, on air."""
        alive = [record for record in records if record.child]
        process_types, outdated = [one.spec.process_type for one in alive], pending(alive)
        log.info("Route %s is taken over on air: %s", self._id, ", ".join(process_types))
        if outdated:
            text = "Route %s: this version would restart %s; that waits until you say so (srt-router routes apply %s)"
            log.warning(text, self._id, ", ".join(outdated), self._id)
        self.emit(RouteTakenOver(self._id, process_types, outdated))

    def stopped(self, reason: str) -> None:
        """The last process of the route is dead."""
        self.emit(events.RouteStopped(self._id, reason))

    def process_started(self, record: ProcessRecord, child: Child) -> None:
        """A process lives; the next try of a caller is nothing to tell."""
        if record.state.last_outcome not in _CALLS_AGAIN:
            self.emit(events.ProcessStarted(self._id, record.spec.process_type, child.pid))

    def process_not_started(self, record: ProcessRecord, reason: str) -> None:
        """A process could not be started at all."""
        log.error("Route %s: %s", self._id, reason)
        self.emit(events.ProcessNotStarted(self._id, record.spec.process_type, reason))

    def process_ended(self, record: ProcessRecord, child: Child | None, event: Ended, before: ProcessState) -> None:
        """A process ended unasked; `before` is its state then, the record's the one that follows."""
        if event.outcome not in (Outcome.UNANSWERED, Outcome.REJECTED) or before.last_outcome is not event.outcome:
            log.warning("Route %s: %s", self._id, record.obituary(event))  # a caller that waits tells it once
        pause = 0.0 if record.state.retry_at is None else max(0.0, record.state.retry_at - time.monotonic())
        words = record.log.tail(1)
        told = events.ProcessEnded(
            route_id=self._id,
            process_type=record.spec.process_type,
            pid=child.pid if child else None,
            exit=str(event.exit),
            exit_code=event.exit.code,
            signal=event.exit.signal,
            outcome=event.outcome,
            pause_s=round(pause, 3),
            last_words=words[0] if words else None,
        )
        self.emit(told)
        now = time.monotonic()
        if record.state.restarts.crash_looping(now) and not before.restarts.crash_looping(now):
            self.emit(events.CrashLooping(self._id, record.spec.process_type, record.state.restarts.total))

    def connection(self, record: ProcessRecord, before: ConnectionState) -> None:
        """The connection of a process was `before` and is the record's now."""
        now, process_type = record.connection, record.spec.process_type
        came = now.connects > before.connects
        if before.connected and (came or not now.connected):
            connected_ms = None if before.since_ms is None else now_ms() - before.since_ms
            self.emit(events.PeerDisconnected(self._id, process_type, before.peer, connected_ms))
        if came:
            self.emit(events.PeerConnected(self._id, process_type, now.peer))
            if not now.connected:  # it came and went
                self.emit(events.PeerDisconnected(self._id, process_type, now.peer, None))
        if now.rejection and now.rejection != before.rejection:
            self.emit(events.PeerRejected(self._id, process_type, now.peer, now.rejection))


def route_edited(before: Route, after: Route) -> events.RouteEdited:
    """Which fields of a route are others now."""
    old, new = before.to_json(), after.to_json()
    differ = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    return events.RouteEdited(after.id, after.name, differ)


def orphans_cleaned_up(result: CleanupResult) -> events.OrphansCleanedUp:
    """What a cleanup did."""
    return events.OrphansCleanedUp(
        killed=list(result.killed),
        errors=[f"PID {error.pid}: {error.reason}" for error in result.errors],
        reported=[facts.pid for facts in result.reported],
        stale_files=list(result.stale_files),
    )
