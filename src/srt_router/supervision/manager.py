"""All routes of this server: one owner each, kept equal to routes.json and to what operators ask for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator

from srt_router.errors import RouteNotFound, StartRefused
from srt_router.monitoring.log_watcher import LogWatcher
from srt_router.monitoring.statistics import Sample, StatisticsReader
from srt_router.processes.cleanup import CleanupResult, PidManager, left_alone
from srt_router.processes.ending import end_all
from srt_router.processes.loop_share import in_turns
from srt_router.processes.ownership import Rules
from srt_router.processes.pidfiles import SUFFIX
from srt_router.processes.spawner import STATS_SUFFIX, Spawner
from srt_router.redaction import redact
from srt_router.routes.conflicts import listening_ports
from srt_router.routes.document import Parsed
from srt_router.routes.engine import Engine
from srt_router.routes.errors import FieldError
from srt_router.routes.model import Route
from srt_router.storage.statistics import StatisticsStore
from srt_router.supervision.applying import Applying
from srt_router.supervision.buses import BusBook
from srt_router.supervision.checks import PortTable
from srt_router.supervision.event_bus import EventBus
from srt_router.supervision.events import RouteAdded, RouteRemoved, RoutesFileRefused, RoutesFileTakenOver
from srt_router.supervision.foresight import Foresight
from srt_router.supervision.handover import Handover
from srt_router.supervision.health import Limits
from srt_router.supervision.health_checker import HealthChecker
from srt_router.supervision.inventory import KnownProcess
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase
from srt_router.supervision.reports import orphans_cleaned_up, route_edited
from srt_router.supervision.route_monitor import RouteMonitor
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.services import Services
from srt_router.supervision.stream_monitor import StreamMonitor
from srt_router.supervision.tally import Tally
from srt_router.supervision.views import RouteView, holds_until, route_view

log = logging.getLogger("RouteManager")

_STARTING_ONLY_S = 5.0
"""So long at most does a look at what runs wait for what starts."""
_STARTED_LOOK_S = 0.02
_HELD_S = 0.5
"""A source waits for its destinations to join the bus, mostly for some 20 ms."""


class RouteManager:
    """Owns the owners. Everything here runs on the event loop."""

    def __init__(self, spawner: Spawner, engine: Engine, tasks: asyncio.TaskGroup, limits: Limits) -> None:
        self.file_errors: tuple[FieldError, ...] = ()
        """What is wrong with routes.json at the moment; empty when nothing is."""
        self.events = EventBus()
        self.tally = Tally()
        self.events.subscribe(self.tally.count)
        self._owners: dict[str, RouteOwner] = {}
        self._closing = False
        self._listeners: list[Callable[[str], None]] = []
        self._change_listeners: list[Callable[[str], None]] = []
        self._run_dir_fd = spawner.run_dir.fd
        self._statistics = StatisticsReader(self._run_dir_fd)
        self._services = Services(
            spawner=spawner,
            logs=LogWatcher(self._run_dir_fd),
            statistics=self._statistics,
            buses=BusBook(spawner.instance.id),
            engine=engine,
            tasks=tasks,
            announce=self._announce,
            changed=self._changed,
            events=self.events,
        )
        self._health = HealthChecker(
            limits=limits, taps=self._services.taps, sample=self._sample, emit=self.events.emit
        )
        self.monitor = RouteMonitor(self._owners, self._services, limits)
        self.streams = StreamMonitor(self._owners, self._services)
        self.monitor.continuity_errors = self.streams.continuity_errors
        self._looking = asyncio.Event()
        self._looking.set()
        self._statistics_task = tasks.create_task(self._read_statistics(), name="statistics")
        self.foresight = Foresight(self._owners, self._services)
        self.handover = Handover(self._owners, self._services, self.monitor, self.streams)
        self.applying = Applying(self._owners, self._services)
        self.on_look: Callable[[], None] | None = None
        """Called each time after every route was looked at: proof that this server does its work."""

    def hardware_from(self, trial: asyncio.Task[frozenset[str]]) -> None:
        """Routes that may encode in hardware wait for this trial before they start; no other does."""
        self._services.encoders = trial

    def keep_statistics(self, store: StatisticsStore) -> None:
        """Keep the numbers of every leg there. Routes that are no more lose theirs after a while."""
        self.monitor.history = store
        store.routes = lambda: None if self.file_errors else frozenset(self._owners)

    # Routes as configured

    async def apply(self, parsed: Parsed, *, first: bool = False) -> None:
        """Take a newly read routes.json over.

        At the start of the server every valid route counts. Later a file with any error changes nothing:
        what was on air stays on air, as it was.
        """
        if self._closing:
            return
        self.file_errors = parsed.errors
        for error in parsed.errors:
            log.error("routes.json: %s", error)
        if parsed.errors:
            self.events.emit(RoutesFileRefused([str(error) for error in parsed.errors]))
        if parsed.errors and not first:
            log.error("routes.json is not taken over until this is mended; everything stays as it was")
            return
        await self.change_to(parsed.routes, by_hand=not first, start=not first)

    async def change_to(self, routes: Iterable[Route], *, by_hand: bool = False, start: bool = True) -> None:
        """Make these the routes there are; they stand in routes.json already, put there `by_hand` or by us.

        Only what differs is touched: no process whose command line stays the same ends. New routes with
        autoStart go on air, unless `start` says that this comes later.
        """
        if self._closing:
            return  # what was written counts from the next start of the server
        wanted = {route.id: route for route in routes}
        ports = (port for route in wanted.values() for port in listening_ports(route, include_disabled=True))
        self._services.buses.configured = frozenset((port.address, port.port) for port in ports)
        gone = [self._owners.pop(route_id) for route_id in list(self._owners) if route_id not in wanted]
        await asyncio.gather(*(self._remove(owner) for owner in gone))
        if self._closing:
            return  # the server was asked to stop meanwhile
        added = [self._add(route) for route in wanted.values() if route.id not in self._owners]
        for route_id in wanted:  # in the order of the file
            self._owners[route_id] = self._owners.pop(route_id)
        edited = []
        for owner, route in zip(list(self._owners.values()), wanted.values(), strict=True):
            if owner.route != route:
                log.info("Route %s was changed", route.id)
                edited.append(route.id)
                self.events.emit(route_edited(owner.route, route))
                await owner.change(route)
        await self.handover.save_routes(wanted.values())
        if not start:
            return
        if by_hand:
            ids = [[owner.route.id for owner in owners] for owners in (added, gone)]
            self.events.emit(RoutesFileTakenOver(len(wanted), ids[0], edited, ids[1]))
        for owner in added:
            self.events.emit(RouteAdded(owner.route.id, owner.route.name))
        await self.auto_start(added)

    def _add(self, route: Route) -> RouteOwner:
        owner = self._owners[route.id] = RouteOwner(route, self._services)
        self.handover.adopt(owner)
        self._announce(route.id)
        return owner

    async def _remove(self, owner: RouteOwner) -> None:
        log.info("Route %s was removed", owner.route.id)
        await owner.close("removed")
        self.events.emit(RouteRemoved(owner.route.id, owner.route.name))
        self._services.buses.forget(owner.route.id)
        self._announce(owner.route.id)

    # What operators ask for

    async def start(self, route_id: str) -> None:
        """Put a route on air. Raises RouteNotFound, StartRefused."""
        await self._owner(route_id).start()
        await self.handover.save()

    async def stop(self, route_id: str) -> None:
        """Take a route off air; returns when its processes are dead. Raises RouteNotFound."""
        await self._owner(route_id).stop()
        await self.handover.save()

    async def restart(self, route_id: str) -> None:
        """Stop and start a route. Raises RouteNotFound, StartRefused."""
        await self._owner(route_id).restart()
        await self.handover.save()

    async def auto_start(self, owners: Iterable[RouteOwner] | None = None) -> None:
        """Start the routes (all, unless told) with `autoStart`; a refused one is looked at until it can start."""
        if owners is None:
            chosen = [one for one in self._owners.values() if self.handover.is_to_start(one.route) and not one.wanted]
        else:
            chosen = [owner for owner in owners if owner.route.auto_start]
        if not chosen:
            return
        log.info("Starting %d route(s) with autoStart", len(chosen))
        table = None
        with contextlib.suppress(OSError):  # then each looks for itself, and says what is wrong
            table = await asyncio.to_thread(PortTable.look)
        starts = await in_turns(owner.start(table, keep_trying=True) for owner in chosen)
        for answer in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, StartRefused):
                raise answer

    @contextlib.contextmanager
    def starting_only(self) -> Iterator[None]:
        """Look at nothing meanwhile, for some seconds at most: hundreds of starts need the processors themselves."""
        self._looking.clear()
        again = asyncio.get_running_loop().call_later(_STARTING_ONLY_S, self._looking.set)
        try:
            yield
        finally:
            again.cancel()
            self._looking.set()

    async def started(self) -> None:
        """Return once each process that was to start was tried; one that waits for another is not waited for long."""
        busy_at = time.monotonic()
        while any(record.state.phase is Phase.STARTING for record in self._records()):
            if self._services.spawner.share.busy:
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at > _HELD_S:
                return
            await asyncio.sleep(_STARTED_LOOK_S)

    def _records(self) -> Iterator[ProcessRecord]:
        return (record for owner in self._owners.values() for record in owner.processes.values())

    async def stop_all(self) -> None:
        """Take every route off air, all at once; no route comes or starts any more."""
        await self.handover.save()
        self.handover.end()
        self._closing = True
        self.applying.close()
        stops = await in_turns([owner.close("serverStopping") for owner in self._owners.values()])
        await asyncio.gather(self.streams.close(), *stops)
        self._rest()

    async def leave(self) -> None:
        """End supervision and nothing else: every route stays on air, for the next server."""
        self._services.spawner.close()
        await self.handover.save()
        await self.handover.save_numbers()
        self.handover.end()
        self._closing = True
        self.applying.close()
        for owner in self._owners.values():
            owner.leave()
        await self.streams.close()
        self._rest()

    def _rest(self) -> None:
        """Nothing is left to be looked at."""
        self._statistics_task.cancel()
        if self._services.encoders:
            self._services.encoders.cancel()
        self._services.logs.close()

    async def end_everything(self) -> None:
        """End every process without its owner's help: for a server whose own tasks have crashed."""
        self._services.spawner.close()
        await end_all([*self.streams.children, *(record.child for record in self._records() if record.child)])

    async def cleanup(self, pid_manager: PidManager, rules: Rules) -> CleanupResult:
        """End every orphan; the processes of routes on air are no orphans."""
        log.info("Cleaning up orphaned processes...")
        result = await pid_manager.cleanup_orphans(rules, self.pids)
        if result.reported:
            log.warning(left_alone(result.reported, rules))
        log.info("Orphan cleanup: %d processes killed, %d errors", len(result.killed), len(result.errors))
        self.events.emit(orphans_cleaned_up(result))
        return result

    # What there is

    def configured(self) -> list[Route]:
        """Every route as it is configured, in the order of routes.json."""
        return [owner.route for owner in self._owners.values()]

    def configuration(self, route_id: str) -> Route:
        """One route as it is configured. Raises RouteNotFound."""
        return self._owner(route_id).route

    def routes(self) -> list[RouteView]:
        """Every route, in the order of routes.json."""
        return [self.route(route_id) for route_id in self._owners]

    def status(self, route_id: str) -> RouteStatus | None:
        """The status of a route; None if there is none."""
        owner = self._owners.get(route_id)
        return owner.status if owner else None

    def on_air(self, route_id: str) -> bool:
        """Whether the route should run: it was started, and not stopped since."""
        owner = self._owners.get(route_id)
        return owner is not None and owner.wanted

    def statuses(self) -> list[RouteStatus]:
        """The status of every route."""
        return [owner.status for owner in self._owners.values()]

    @property
    def able(self) -> bool:
        """False when routes.json held nothing that could be used: there is nothing to keep on air."""
        return bool(self._owners) or not self.file_errors

    def route(self, route_id: str) -> RouteView:
        """One route. Raises RouteNotFound."""
        return route_view(self._owner(route_id), self.monitor.warnings(route_id), self.streams.summary(route_id))

    def route_holds_until(self, route_id: str) -> float:
        """Monotonic seconds at which `route` changes by the mere passing of time. Raises RouteNotFound."""
        return holds_until(self._owner(route_id))

    def route_ids(self) -> list[str]:
        """Every route, in the order of routes.json."""
        return list(self._owners)

    def pids(self) -> frozenset[int]:
        """The PIDs of every live process of every route, and of the server's own."""
        own = [child.pid for child in self.streams.children]
        return frozenset([*own, *(record.pid for record in self._records() if record.pid)])

    @property
    def engine(self) -> Engine:
        """The programs that carry routes."""
        return self._services.engine

    @property
    def encoders(self) -> frozenset[str] | None:
        """The hardware encoders that work here; None while they are being tried."""
        trial = self._services.encoders
        if trial is None:
            return self._services.engine.encoders
        return trial.result() if trial.done() and not trial.cancelled() else None

    def known_processes(self) -> list[KnownProcess]:
        """Every process that should run, with what only its owner knows of it."""
        return [
            KnownProcess(
                route=owner.route.id,
                process_type=record.spec.process_type,
                pid=record.pid,
                restarts=record.state.restarts.total,
                command=redact(" ".join(record.spec.argv), owner.route.secrets()),
                pid_file=record.spec.name + SUFFIX,
            )
            for owner in self._owners.values()
            for record in owner.processes.values()
        ] + self.streams.known_processes()

    def subscribe(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a route's id whenever something about it has changed that clients are to be told of."""
        self._listeners.append(listener)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a route's id as soon as `route` would give another answer; it must be quick.

        That it was added, removed, or has another place in the list is not said: `route_ids` tells.
        """
        self._change_listeners.append(listener)

    def _owner(self, route_id: str) -> RouteOwner:
        owner = self._owners.get(route_id)
        if owner is None:
            raise RouteNotFound(f"there is no route {route_id}")
        return owner

    def _changed(self, route_id: str) -> None:
        for listener in self._change_listeners:
            listener(route_id)

    def _announce(self, route_id: str) -> None:
        self._changed(route_id)  # warnings and streams are announced only
        for listener in self._listeners:
            listener(route_id)

    def _sample(self, record: ProcessRecord) -> Sample | None:
        return self._statistics.sample(record.spec.name + STATS_SUFFIX)

    async def _read_statistics(self) -> None:
        while True:
            await self._looking.wait()
            await self.monitor.look()
            await asyncio.sleep(0)  # between these, everything else on the loop has its turn
            await self._health.look(self._owners.values())
            self._services.spawner.unwritten.retry()
            await asyncio.sleep(0)
            await self.handover.save()
            if self.on_look is not None:
                self.on_look()
            pause_s = self.monitor.pause_s()
            due = time.monotonic() + pause_s
            await asyncio.sleep(pause_s)
            self.tally.late(time.monotonic() - due)
