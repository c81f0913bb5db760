"""`/metrics`: everything that can be measured, for Prometheus. While nobody asks, nothing is done for it."""

from __future__ import annotations

import asyncio
import logging.handlers
import queue
import time
from collections import Counter

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from srt_router import __version__
from srt_router.alarms.model import Severity
from srt_router.alarms.service import Alarms
from srt_router.api import metric_tables as table
from srt_router.api.feed import LiveFeed
from srt_router.api.metric_families import MEDIA_TYPE, ProcessReading, Reading, RouteReading, ServerReading
from srt_router.processes import usage
from srt_router.storage.events import EventStore
from srt_router.supervision.backups import Backups
from srt_router.supervision.events import KINDS
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_state import RouteStatus

_AT_ONCE = 20
"""Routes in one turn of the loop."""
_FRESH_S = 1.0
"""Who asks within so long gets the same answer: the numbers change once a second."""


class Metrics:
    """Reads what there is, in turns, and puts it into words in a worker thread."""

    def __init__(
        self, manager: RouteManager, events: EventStore, alarms: Alarms, backups: Backups, feed: LiveFeed
    ) -> None:
        self._manager = manager
        self._events = events
        self._alarms = alarms
        self._backups = backups
        self._feed = feed
        self._own = CollectorRegistry()
        """Of the server's own process, under the names that every Prometheus knows."""
        ProcessCollector(registry=self._own)
        self._reading: asyncio.Task[Reading] | None = None
        self._read_at = 0.0

    async def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        reading = await self._current()
        return await asyncio.to_thread(lambda: reading.text().encode() + generate_latest(self._own))

    async def _current(self) -> Reading:
        now = time.monotonic()
        if self._reading is None or (self._reading.done() and now - self._read_at > _FRESH_S):
            self._reading, self._read_at = asyncio.create_task(self._read(), name="metrics"), now
        return await asyncio.shield(self._reading)

    async def _read(self) -> Reading:
        reading = Reading(self._server())
        owners = list(self._manager.monitor.owners.values())
        for number, owner in enumerate(owners, 1):
            if owner.route.id in self._manager.monitor.owners:
                reading.routes.append(self._route(owner))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        pids = [process.pid for route in reading.routes for process in route.processes if process.pid]
        reading.usage = await asyncio.to_thread(usage.quick_sample, pids)
        return reading

    def _route(self, owner: RouteOwner) -> RouteReading:
        route, manager = owner.route, self._manager
        health = manager.tally.of_routes.get(route.id, Counter())
        now = time.monotonic()
        return RouteReading(
            id=route.id,
            name=route.name,
            status=owner.status,
            wanted=owner.wanted,
            started_at=owner.started_ms,
            continuity_errors=manager.streams.continuity_errors(route.id),
            warnings=len(manager.monitor.warnings(route.id)),
            unhealthy=health["routeUnhealthy"],
            gave_up=health["routeGaveUp"],
            legs=manager.monitor.statistics(route.id).items,
            processes=[
                ProcessReading(
                    type=record.spec.process_type,
                    pid=record.pid,
                    restarts=record.state.restarts.total,
                    crash_looping=record.state.restarts.crash_looping(now),
                )
                for record in owner.processes.values()
            ],
        )

    def _server(self) -> ServerReading:
        manager, tally, last = self._manager, self._manager.tally, self._backups.newest
        statuses = Counter(manager.statuses())
        severities = Counter(alarm.severity for alarm in self._alarms.active())
        return ServerReading(
            version=__version__,
            values={
                table.ABLE.name: float(manager.able),
                table.FILE_ERRORS.name: len(manager.file_errors),
                table.STORAGE.name: float(self._events.database.trouble is None),
                table.EVENTS_WAITING.name: self._events.waiting,
                table.EVENTS_LOST.name: self._events.lost,
                table.LOG_WAITING.name: _log_lines_waiting(),
                table.ORPHANS_KILLED.name: tally.orphans_killed,
                table.LIVE_CLIENTS.name: self._feed.clients,
                table.LAST_BACKUP.name: None if last is None else last / 1000,
                table.BACKUP_FAILED.name: float(self._backups.trouble is not None),
            },
            by_label={
                table.ROUTES.name: {status: statuses[status] for status in RouteStatus},
                table.EVENTS.name: {kind: tally.events[kind] for kind in KINDS},
                table.ALARMS.name: {severity: severities[severity] for severity in Severity},
            },
            lags=list(tally.lags),
            lag_sum_s=tally.lag_sum_s,
        )


def metrics_api(metrics: Metrics) -> APIRouter:
    """The path `/metrics`."""
    api = APIRouter(tags=["metrics"])

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, summary="Metrics")
    async def read_metrics() -> Response:
        """For Prometheus, in its text format; from this machine without a sign-in."""
        return Response(await metrics.text(), headers={"Content-Type": MEDIA_TYPE})

    return api


def _log_lines_waiting() -> int:
    handlers = (one for one in logging.getLogger().handlers if isinstance(one, logging.handlers.QueueHandler))
    return sum(lines.qsize() for one in handlers if isinstance(lines := one.queue, queue.SimpleQueue))
