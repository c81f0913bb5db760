"""Looks once a second whether every process of every route makes progress, and restarts what stalls.

What a look sees comes from where it cannot lie: datagrams on the bus are counted by the kernel, reports
of a process come only while it moves packets, frames are counted by ffmpeg itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from srt_router.monitoring.statistics import Sample
from srt_router.processes.spec import Peer
from srt_router.settings import Settings
from srt_router.supervision.event import ServerEvent
from srt_router.supervision.health import Limits, Look, Verdict, look_at
from srt_router.supervision.health_events import RouteGaveUp, RouteRecovered, RouteRestarting, RouteUnhealthy
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.taps import BusTaps

log = logging.getLogger("HealthChecker")

_AT_ONCE = 25
"""Routes in one turn of the loop."""
_REPORTS_OWED = 3
"""A destination whose client is there reports every 100 packets that it sends, as the source does for what
it receives. So many reports behind what fills its bus, it owes some."""


@dataclass(slots=True)
class HealthChecker:
    """Decides by `health.look_at`, acts through the owners."""

    limits: Limits
    taps: BusTaps
    sample: Callable[[ProcessRecord], Sample | None]
    """The newest report of a process."""
    emit: Callable[[ServerEvent], None]
    _reported: dict[tuple[str, str], Sample | None] = field(default_factory=dict)
    _owed: dict[tuple[str, str], int] = field(default_factory=dict)
    _frames: dict[tuple[str, str], object] = field(default_factory=dict)
    _fed: dict[tuple[str, str], Sample | None] = field(default_factory=dict)
    _hundreds: dict[tuple[str, int], int] = field(default_factory=dict)

    async def look(self, owners: Iterable[RouteOwner]) -> None:
        """One look at everything, some routes per turn of the loop."""
        seen: set[tuple[str, str]] = set()
        self._hundreds.clear()
        now = time.monotonic()
        for number, owner in enumerate(list(owners), 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
                now = time.monotonic()
            self._filled(owner)
            for record in list(owner.processes.values()):
                seen.add((owner.route.id, record.spec.process_type))
                self._look_at(owner, record, now)
        for memory in (self._reported, self._owed, self._frames, self._fed):
            for gone in memory.keys() - seen:
                del memory[gone]

    def _look_at(self, owner: RouteOwner, record: ProcessRecord, now: float) -> None:
        patience_s = self.limits.fps_s if "transcode" in record.spec.kinds else self.limits.bandwidth_s
        before = record.undelivered
        look = self._seen(owner, record)
        if record.undelivered != before:
            for trouble in record.undelivered:
                log.warning("Route %s: %s", owner.route.id, trouble)
            owner.touch()
        if look is None:
            return
        watch, verdict = look_at(record.watch, look, now, patience_s, self.limits)
        if watch is not record.watch:
            record.watch = watch
        if verdict is not Verdict.NONE:
            self._act(owner, record, verdict, patience_s)

    def _act(self, owner: RouteOwner, record: ProcessRecord, verdict: Verdict, patience_s: float) -> None:
        route_id = owner.route.id
        nothing = "FPS 0" if "transcode" in record.spec.kinds else "no bandwidth"
        reason = f"{nothing} for {patience_s:g}s"
        match verdict:
            case Verdict.RESTART:
                attempts = record.watch.attempts
                log.warning("Route %s unhealthy: %s", route_id, reason)
                self.emit(RouteUnhealthy(route_id, reason))
                log.warning("Restarting route %s (attempt %d)", route_id, attempts)
                self.emit(RouteRestarting(route_id, attempts))
                owner.renew(record.spec.process_type)
            case Verdict.GIVE_UP:
                attempts = record.watch.attempts
                log.error("Route %s gave up after %d attempts", route_id, attempts)
                self.emit(RouteGaveUp(route_id, attempts))
                owner.touch()
            case Verdict.RECOVERED:
                log.info("Route %s moves data again", route_id)
                self.emit(RouteRecovered(route_id, record.spec.process_type))
                owner.touch()

    # What is seen of each kind of process

    def _seen(self, owner: RouteOwner, record: ProcessRecord) -> Look | None:
        key = (owner.route.id, record.spec.process_type)
        up = record.state.phase is Phase.UP
        kinds = record.spec.kinds
        if "transcode" in kinds:
            return self._transcode(key, record, up)
        if record.spec.peer is Peer.NONE:
            return self._reporter(key, record, up)
        if "source" in kinds:
            flow = self._flow(record.spec.feeds)
            return None if flow is None else Look(up and record.connection.connected, flow)
        if "destination" in kinds:
            return self._destination(key, record, up)
        return None

    def _filled(self, owner: RouteOwner) -> None:
        """How many hundreds of packets have come onto each bus of this route since the last look."""
        for record in owner.processes.values():
            if record.spec.feeds is not None:
                key = (owner.route.id, record.spec.process_type)
                newest = self.sample(record)
                srt = record.spec.peer is not Peer.NONE
                came = newest is not self._fed.get(key) if srt else bool(self._flow(record.spec.feeds))
                self._fed[key] = newest
                self._hundreds[record.spec.feeds] = 1 if came else 0

    def _flow(self, bus: tuple[str, int] | None) -> bool | None:
        return None if bus is None else self.taps.flow(bus)

    def _reporter(self, key: tuple[str, str], record: ProcessRecord, up: bool) -> Look:
        """The duplicator reports every second, whatever flows: its silence is its own."""
        new = self._new_report(key, record)
        if new:
            record.undelivered = tuple(undelivered(self._reported[key]))
        return Look(up, new)

    def _destination(self, key: tuple[str, str], record: ProcessRecord, up: bool) -> Look:
        moved = self._new_report(key, record)
        came = self._hundreds.get(record.spec.joins or ("", 0), 0)
        connected = up and record.connection.connected
        self._owed[key] = 0 if moved or not connected else self._owed.get(key, 0) + came
        return Look(self._owed[key] >= _REPORTS_OWED, moved)

    def _transcode(self, key: tuple[str, str], record: ProcessRecord, up: bool) -> Look:
        sample = self.sample(record)
        frames = sample.values.get("frame", sample.values.get("totalSize")) if sample else None  # sound alone
        moved = frames is not None and frames != self._frames.get(key) and frames != 0
        since = record.state.up_since
        if sample is not None and since is not None and sample.at_s < since:
            moved = False  # the last words of the process before
        self._frames[key] = frames
        return Look(up and bool(self._flow(record.spec.joins)), moved)

    def _new_report(self, key: tuple[str, str], record: ProcessRecord) -> bool:
        sample = self.sample(record)
        new = sample is not None and sample is not self._reported.get(key)
        self._reported[key] = sample
        return new


def limits_of(settings: Settings) -> Limits:
    """How patient the checker is, by the settings."""
    return Limits(
        bandwidth_s=settings.health_bandwidth_s,
        fps_s=settings.health_fps_s,
        attempts=settings.health_attempts,
        retry_after_s=settings.retry_failed_after,
        warn_loss_percent=settings.warn_loss_percent,
        warn_rtt_ms=settings.warn_rtt_ms,
        warn_cc_errors=settings.warn_cc_errors,
        warn_bus_drops=settings.warn_bus_drops,
    )


def undelivered(sample: Sample | None) -> list[str]:
    """Which outputs of the duplicator fail, in sentences."""
    outputs = sample.values.get("outputs") if sample else None
    if not isinstance(outputs, list):
        return []
    return [
        f"udp://{output.get('host')}:{output.get('port')} gets nothing: {output['error']}"
        for output in outputs
        if isinstance(output, dict) and output.get("error")
    ]
