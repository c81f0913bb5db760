"""The RouteMonitor: once a second it reads what every process of every route reports, and keeps the numbers.

Thin: what a report says is in monitoring/readings.py, what follows from it in monitoring/leg_meter.py. Routes
take their turns in small groups, so that nothing else on the loop waits long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

from srt_router.errors import RouteNotFound
from srt_router.monitoring.bus_drops import BusDrops
from srt_router.monitoring.leg_statistics import CAMEL, LegNumbers, LegStatistics, ProcessUse
from srt_router.monitoring.statistics import Sample
from srt_router.processes import usage
from srt_router.processes.spawner import STATS_SUFFIX
from srt_router.storage.statistics import StatisticsStore
from srt_router.supervision import route_legs
from srt_router.supervision.carried_numbers import CarriedRoute
from srt_router.supervision.health import Limits
from srt_router.supervision.health_events import WarningRaised
from srt_router.supervision.process_record import ProcessRecord, now_ms
from srt_router.supervision.route_numbers import Look, RouteNumbers, history_values, reports_drops
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_warnings import RouteWarning
from srt_router.supervision.series_clock import SeriesClock
from srt_router.supervision.services import Services

log = logging.getLogger("RouteMonitor")

_AT_ONCE = 5
"""Routes in one turn of the loop."""
_USE_S = 5.0
"""Processor time and memory are looked at so often."""


@dataclass(frozen=True, slots=True)
class Report:
    """The newest report of a process, as it is."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    at: int
    """Milliseconds since the epoch at which it was read."""
    values: dict[str, object]
    """In the words of the tool."""


@dataclass(frozen=True, slots=True)
class ProcessStatistics:
    """One process of a route."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    type: str
    pid: int | None
    cpu_percent: float | None
    """Of one core, over the last seconds."""
    memory_bytes: int | None
    """Resident memory."""
    report: Report | None


@dataclass(frozen=True, slots=True)
class RouteStatistics:
    """The numbers of one route."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    items: list[LegStatistics]
    """Each leg."""
    processes: list[ProcessStatistics]
    reset_at: int | None
    """Milliseconds since the epoch of the last reset; None: the counters count since the route was started."""


@dataclass(slots=True)
class RouteMonitor:
    """The numbers of all routes. Everything here runs on the event loop."""

    owners: Mapping[str, RouteOwner]
    services: Services
    limits: Limits
    history: StatisticsStore | None = None
    """Where each second is kept."""
    continuity_errors: Callable[[str], int | None] = field(default=lambda _route: None)
    """Continuity errors counted so far in the stream of a route; None where nobody counts."""
    before: dict[str, CarriedRoute] = field(default_factory=dict)
    """What an earlier server had counted of routes that were taken over."""
    was_reset: bool = False
    """Something was, since this was last kept for the next server."""
    _routes: dict[str, RouteNumbers] = field(default_factory=dict)
    _clock: SeriesClock = field(default_factory=SeriesClock)
    _bus_drops: BusDrops = field(default_factory=BusDrops)
    _used: dict[int, usage.Sample] = field(default_factory=dict)
    _uses: dict[int, ProcessUse] = field(default_factory=dict)
    _used_at: float = 0.0

    # Once a second

    def pause_s(self) -> float:
        """Seconds until the next look is due."""
        return self._clock.pause_s(time.monotonic())

    async def look(self) -> None:
        """One look at everything."""
        now_s = time.monotonic()
        second = self._clock.second(now_s, time.time())
        owners = list(self.owners.values())
        names = {record.spec.name + STATS_SUFFIX for owner in owners for record in owner.processes.values()}
        self.services.statistics.keep(names)
        self.services.taps.look({bus for owner in owners for bus in owner.live_buses()})
        await asyncio.sleep(0)
        look = Look(now_s, self.services.taps, await self._look_at_kernel(owners, now_s), self._uses)
        for route_id in self._routes.keys() - self.owners.keys():
            self._end(route_id)
        for number, owner in enumerate(owners, 1):
            try:
                self._look_at(owner, look, second)
            except Exception:  # noqa: BLE001 - numbers that cannot be had take nothing off air
                log.exception("Route %s: its statistics cannot be read", owner.route.id)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _look_at_kernel(self, owners: list[RouteOwner], now_s: float) -> dict[int, dict[int, int]]:
        """Drops by PID; and every few seconds what the processes use. In a worker thread: it reads much of /proc."""
        alive = [r for owner in owners for r in owner.processes.values() if r.pid]
        readers = {r.pid: r.spec.joins for r in alive if r.pid and r.spec.joins and not reports_drops(r.spec)}
        pids = [r.pid for r in alive if r.pid] if now_s - self._used_at >= _USE_S else []
        drops, used = await asyncio.to_thread(lambda: (self._bus_drops.look(readers), usage.quick_sample(pids)))
        if pids:
            found = usage.between(self._used, used).items()
            self._uses = {pid: ProcessUse(use.cpu_percent, use.memory_bytes) for pid, use in found}
            self._used, self._used_at = used, now_s
        return drops

    def _look_at(self, owner: RouteOwner, look: Look, second: int) -> None:
        route_id = owner.route.id
        numbers = self._routes.get(route_id)
        if numbers is not None and numbers.started_ms != owner.started_ms:
            self._end(route_id)
            numbers = None
        if owner.started_ms is None or route_id not in self.owners:
            return
        if numbers is None:
            numbers = self._routes[route_id] = RouteNumbers(route_id, owner.started_ms)
            numbers.resume(self.before.pop(route_id, None))
        numbers.follow(owner.route, owner.processes)
        at_ms = now_ms()
        for record in owner.processes.values():
            name = record.spec.name + STATS_SUFFIX
            self.services.statistics.read_one(name, at_ms, look.now_s)
            numbers.look(record, self.services.statistics.sample(name), look)
            self._keep(route_id, numbers, record, second)
        self._warn(owner, numbers, look.now_s, at_ms)

    def _keep(self, route_id: str, numbers: RouteNumbers, record: ProcessRecord, second: int) -> None:
        if self.history is None:
            return
        carrier = numbers.carriers[record.spec.process_type]
        for metered in carrier.legs:
            self.history.add(second, route_id, metered.identity.series, history_values(metered, record, carrier.use))

    def _warn(self, owner: RouteOwner, numbers: RouteNumbers, now_s: float, at_ms: int) -> None:
        seen = numbers.observations(self.continuity_errors(owner.route.id), now_s)
        told = numbers.warnings.look(seen, self.limits, now_s, at_ms)
        for event in told:
            if isinstance(event, WarningRaised):
                log.warning("%s", event.message)
            self.services.events.emit(event, owner.route.secrets())
        if told:
            self.services.announce(owner.route.id)

    def _end(self, route_id: str) -> None:
        """The route is off air."""
        if told := self._routes.pop(route_id).warnings.clear(now_ms()):
            for event in told:
                self.services.events.emit(event)
            if route_id in self.owners:
                self.services.announce(route_id)

    async def keep(self) -> dict[str, CarriedRoute]:
        """What the next server begins with, by route."""
        kept = {}
        for number, (route_id, numbers) in enumerate(list(self._routes.items()), 1):
            kept[route_id] = numbers.keep()
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return kept

    # What there is

    def numbers(self, route_id: str) -> list[LegNumbers]:
        """Each leg of a route, as all clients see it every second. Raises RouteNotFound."""
        owner, found = self._owner(route_id), self._routes.get(route_id)
        legs = []
        for leg in route_legs.legs(owner.route):
            carried = found.carried(leg, owner.processes) if found else None
            if carried is None:
                who = route_legs.identity(owner.route, leg)
                legs.append(LegNumbers(who.leg, latency_wanted=who.latency_wanted))
            else:
                legs.append(LegNumbers(**carried.numbers()))  # type: ignore[arg-type]
        return legs

    def statistics(self, route_id: str) -> RouteStatistics:
        """Everything there is about a route. Raises RouteNotFound."""
        owner, found = self._owner(route_id), self._routes.get(route_id)
        legs = []
        for leg in route_legs.legs(owner.route):
            carried = found.carried(leg, owner.processes) if found else None
            if carried is None:
                who = route_legs.identity(owner.route, leg)
                legs.append(LegStatistics(who.leg, latency_wanted=who.latency_wanted))
            else:
                legs.append(LegStatistics(**carried.numbers(), **carried.details()))  # type: ignore[arg-type]
        processes = [self._process(record) for record in owner.processes.values()]
        return RouteStatistics(legs, processes, found.reset_at if found else None)

    def reset(self, route_id: str) -> None:
        """Count anew what is shown as counted since the reset. Raises RouteNotFound."""
        self._owner(route_id)
        if found := self._routes.get(route_id):
            found.reset(now_ms())
            self.was_reset = True

    def warnings(self, route_id: str) -> list[RouteWarning]:
        """What is beyond its threshold on a route."""
        found = self._routes.get(route_id)
        return list(found.warnings.raised.values()) if found else []

    def series(self, route_id: str, leg: str) -> str | None:
        """The name under which the history of a leg is kept; None: the route has none of that name."""
        owner, found = self._owner(route_id), self._routes.get(route_id)
        for one in route_legs.legs(owner.route):
            if route_legs.name(one) == leg:
                carried = found.carried(one, owner.processes) if found else None
                return carried.identity.series if carried else route_legs.series(owner.route, one)
        return None

    def _process(self, record: ProcessRecord) -> ProcessStatistics:
        use = self._uses.get(record.pid or 0)
        sample = self.services.statistics.sample(record.spec.name + STATS_SUFFIX)
        return ProcessStatistics(
            record.spec.process_type,
            record.pid,
            round(use.cpu_percent, 1) if use else None,
            use.memory_bytes if use else None,
            _report(sample),
        )

    def _owner(self, route_id: str) -> RouteOwner:
        owner = self.owners.get(route_id)
        if owner is None:
            raise RouteNotFound(f"there is no route {route_id}")
        return owner


def _report(sample: Sample | None) -> Report | None:
    return None if sample is None else Report(sample.at_ms, dict(sample.values))
