"""The stream monitor as the server sees it: kept alive, told which buses there are, and asked what it found.

One process for all routes (transport_stream/). It is started when the first stream flows, so a server
whose routes all wait has no use of it and no process more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import srt_router
from srt_router.errors import SpawnFailed
from srt_router.monitoring.output import Tail
from srt_router.processes.child import Child
from srt_router.processes.ending import end_all
from srt_router.processes.pidfiles import SUFFIX
from srt_router.processes.spawner import (
    CONFIG_SUFFIX,
    LOG_SUFFIX,
    STATS_SUFFIX,
    Spawner,
    remove_output,
    write_config,
)
from srt_router.processes.spec import ProcessSpec
from srt_router.processes.tag import SERVER, STREAM_MONITOR
from srt_router.routes.bus import Bus
from srt_router.supervision.carried_numbers import CarriedStream
from srt_router.supervision.inventory import KnownProcess
from srt_router.supervision.restart import Outcome, Restarts, next_restart
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services
from srt_router.supervision.stream_errors import QUIET_S, ErrorEpisodes
from srt_router.supervision.stream_results import BusResult, ResultsFile, StreamResults
from srt_router.supervision.stream_views import StreamItem, StreamLeg, StreamState, StreamSummary, item, summary
from srt_router.supervision.thumbnails import NothingOnAir, Thumbnail, Thumbnails, ThumbnailsOff

log = logging.getLogger("StreamMonitor")

_LOOK_S = 1.0
_SILENT_S = 15.0
"""A monitor that says nothing for so long is stuck. It is the last in the queue for a processor: have patience."""
_FRESH_S = 5.0
"""So long after its last sign of life, what it said is true."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which bus of which route."""

    route_id: str
    leg: StreamLeg


@dataclass(slots=True)
class _Watched:
    """One bus that should be watched."""

    place: Place
    episodes: ErrorEpisodes
    told: StreamSummary | None = None
    """The stream in short, as of the last look."""


class StreamMonitor:
    """Supervises the process. Everything here runs on the event loop; files are read in a worker thread."""

    def __init__(self, owners: Mapping[str, RouteOwner], services: Services) -> None:
        self._owners = owners
        self._services = services
        self._spawner = services.spawner
        self._spec = _spec(services.spawner)
        self._child: Child | None = None
        self._ending: asyncio.Task[object] | None = None
        self._restarts = Restarts()
        self._retry_at = 0.0
        self._started_at = self._heard_at = 0.0
        self._watched: dict[str, _Watched] = {}
        self._keys: dict[Place, str] = {}
        self._results = StreamResults()
        self._thumbnails = Thumbnails(services.spawner.run_dir.fd)
        self._file = ResultsFile(self._spec.name + STATS_SUFFIX, services.spawner.run_dir.fd)
        self._feeders: list[tuple[str, ProcessSpec]] = []
        self._buses: dict[Bus, Place] = {}
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self, thumbnail_share: float | None = None) -> None:
        """From now on the process is started when there is something to watch.

        Thumbnails may cost that share of one core; None: none are made.
        """
        self._thumbnails.share = thumbnail_share
        self._task = self._services.tasks.create_task(self._run(), name="stream monitor")

    # What others ask

    def items(self, route_id: str) -> list[StreamItem]:
        """What is on the buses of a route; nothing while it is off air."""
        fresh = self._fresh()
        places = (Place(route_id, leg) for leg in StreamLeg)
        keys = [key for place in places if (key := self._keys.get(place)) is not None]
        return [
            item(one.place.leg, self._results.buses.get(key), one.episodes.active, fresh=fresh)
            for key in keys
            for one in [self._watched[key]]
        ]

    def summary(self, route_id: str) -> StreamSummary | None:
        """The stream that came in, in short; None while nothing is known of it."""
        key = self._keys.get(Place(route_id, StreamLeg.SOURCE))
        return None if key is None else self._watched[key].told

    def continuity_errors(self, route_id: str) -> int | None:
        """Continuity errors of the stream that came in, since the bus was filled; None: nobody has looked."""
        key = self._keys.get(Place(route_id, StreamLeg.SOURCE), "")
        result = self._results.buses.get(key)
        return result.total.continuity_errors if result is not None and result.line and self._fresh() else None

    def thumbnail(self, route_id: str) -> Thumbnail:
        """The newest picture of what comes in.

        Raises ThumbnailsOff, NothingOnAir, ThumbnailPending (and has it made), NoPicture.
        """
        if self._thumbnails.share is None:
            raise ThumbnailsOff("no thumbnails are made here: THUMBNAILS or STREAM_MONITOR is switched off")
        key = self._keys.get(Place(route_id, StreamLeg.SOURCE))
        if key is None or not self._owners[route_id].wanted or not self._flows(key):
            raise NothingOnAir(f"there is no picture of route {route_id}: nothing comes in")
        return self._thumbnails.ask(key, route_id)

    def _flows(self, key: str) -> bool:
        group, _, port = key.partition(":")
        return self._services.taps.flow((group, int(port))) is True

    def keep(self, route_id: str) -> dict[str, CarriedStream]:
        """What the next server counts on from, by leg."""
        keys = ((leg, self._keys.get(Place(route_id, leg), "")) for leg in StreamLeg)
        return {leg: self._results.buses[key].keep() for leg, key in keys if key in self._results.buses}

    def resume(self, buses: Iterable[tuple[Bus, CarriedStream]]) -> None:
        """Count on from what an earlier server had counted."""
        self._results.before |= {f"{bus.group}:{bus.port}": kept for bus, kept in buses}

    def reset(self, route_id: str) -> None:
        """Count anew what is told as counted since the last reset."""
        for result in self._of(route_id):
            result.reset(_now_ms())

    @property
    def children(self) -> list[Child]:
        """The process, while it lives."""
        return [self._child] if self._child else []

    def known_processes(self) -> list[KnownProcess]:
        """The process as process lists show it; none where it was never started."""
        if self._child is None and not self._restarts.total:
            return []
        return [
            KnownProcess(
                route=SERVER,
                process_type=STREAM_MONITOR,
                pid=self._child.pid if self._child else None,
                restarts=self._restarts.total,
                command=" ".join(self._spec.argv),
                pid_file=self._spec.name + SUFFIX,
            )
        ]

    async def close(self) -> None:
        """End the process; it is not started again."""
        self._closing = True
        if self._task:
            self._task.cancel()
        await end_all(self.children)

    def _of(self, route_id: str) -> list[BusResult]:
        keys = (self._keys.get(Place(route_id, leg), "") for leg in StreamLeg)
        return [self._results.buses[key] for key in keys if key in self._results.buses]

    def _fresh(self) -> bool:
        return self._child is not None and self._heard_at > 0 and time.monotonic() - self._heard_at < _FRESH_S

    # Once a second

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the edge of a task: what is on air goes on without it
                log.exception("The stream monitor cannot be looked after")
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        now = feeders(self._owners.values())
        if now != self._feeders:
            self._buses = places(now)
            self._follow(self._buses)
            self._feeders = now
        if self._child is not None:
            self._configure()
            await self._read()
            self._judge()
        elif not self._closing and time.monotonic() >= self._retry_at and self._is_wanted(self._buses):
            self._start()

    def _is_wanted(self, buses: Mapping[Bus, Place]) -> bool:
        return self._restarts.total > 0 or any(self._services.taps.flow(bus) for bus in buses)

    def _follow(self, buses: Mapping[Bus, Place]) -> None:
        """Know which buses there are."""
        places = {f"{bus.group}:{bus.port}": place for bus, place in buses.items()}
        for key, one in list(self._watched.items()):
            if places.get(key) != one.place:
                for event in one.episodes.close():
                    self._services.events.emit(event)
                del self._watched[key]
                del self._keys[one.place]
                self._results.forget(key)
                self._thumbnails.forget(key)
                self._services.announce(one.place.route_id)
        for key, place in places.items():
            if key not in self._watched:
                self._watched[key] = _Watched(place, ErrorEpisodes(place.route_id, place.leg))
                self._keys[place] = key
                self._results.expect(key)
                self._thumbnails.begin(key)

    def _orders(self) -> str:
        orders: dict[str, object] = {"server": os.getpid(), "buses": _as_buses(self._watched)}
        if self._thumbnails.share is not None:
            orders["thumbnails"] = _as_buses(self._thumbnails.wanted(self._flows, time.monotonic()))
            orders["thumbnailShare"] = self._thumbnails.share
        return json.dumps(orders)

    def _configure(self) -> None:
        orders = self._orders()
        if orders == self._spec.config:
            return
        spec = self._spec = replace(self._spec, config=orders)
        write = partial(write_config, self._spawner.run_dir, spec)
        if error := self._spawner.unwritten.try_to(spec.name + CONFIG_SUFFIX, write):
            log.error("The stream monitor cannot be told of the buses: %s", error.strerror)

    async def _read(self) -> None:
        try:
            lines = await asyncio.to_thread(self._file.read)
        except OSError:
            return  # it has just ended, and its files are gone
        now = time.monotonic()
        news = self._results.take(lines, self._watched, _now_ms())
        await self._thumbnails.take(lines)
        if self._results.alive:
            self._heard_at = now
        fresh = self._fresh()
        for key, one in self._watched.items():
            result = self._results.buses.get(key)
            if result is None:
                continue
            if key in news or one.episodes.active:
                self._tell_errors(one, result, now, news=key in news)
            current = summary(result, one.episodes.active, fresh=fresh)
            if current != one.told:
                one.told = current
                self._services.announce(one.place.route_id)

    def _tell_errors(self, one: _Watched, result: BusResult, now: float, *, news: bool) -> None:
        """Tell of errors that began or ended."""
        counts = zip(result.active.items(), result.total.kinds, strict=True)
        seen = {kind: (count, active and news) for (kind, active), count in counts}
        for event in one.episodes.look(seen, now, max(QUIET_S, 2.0 * self._results.every)):
            log.info("%s", event.message)
            self._services.events.emit(event)

    # The process

    def _start(self) -> None:
        self._spec = replace(self._spec, config=self._orders())
        try:
            self._child = self._spawner.spawn(self._spec, self._ended)
        except (OSError, SpawnFailed) as error:
            log.error("The stream monitor cannot be started: %s", error)  # noqa: TRY400
            self._plan_restart(0.0)
            return
        self._started_at, self._heard_at = time.monotonic(), 0.0
        self._file = ResultsFile(self._spec.name + STATS_SUFFIX, self._spawner.run_dir.fd)
        log.info("Stream monitor started (PID %d)", self._child.pid)

    def _ended(self, child: Child) -> None:
        """Runs on the loop as soon as its death was seen."""
        self._child = None
        spawner, words = self._spawner, self._last_words()
        try:
            spawner.remove_pid_file(child)
        except OSError as error:
            log.error("Cannot remove the PID file of %s: %s", child.spec.name, error.strerror)  # noqa: TRY400
        spawner.unwritten.forget(child.spec.name + CONFIG_SUFFIX)
        remove_output(spawner.run_dir, child.spec)
        if not self._closing:
            pause = self._plan_restart(time.monotonic() - self._started_at)
            log.warning("The stream monitor ended (%s%s), starts again in %.1f s", child.exit, words, pause)
            for one in self._watched.values():
                if one.told is not None:
                    one.told = replace(one.told, state=StreamState.UNKNOWN)
                    self._services.announce(one.place.route_id)

    def _last_words(self) -> str:
        """The last line of its log, after a colon; empty where it said nothing."""
        try:
            tail = Tail(self._spec.name + LOG_SUFFIX, self._spawner.run_dir.fd)
        except OSError:
            return ""
        try:
            lines = tail.lines()
        finally:
            tail.close()
        return f": {lines[-1][:200]}" if lines else ""

    def _plan_restart(self, up_s: float) -> float:
        now = time.monotonic()
        self._restarts, pause = next_restart(
            self._restarts,
            Outcome.FAILED,
            up_s=up_s,
            now=now,
            jitter=random.random(),  # noqa: S311
        )
        self._retry_at = now + pause
        return pause

    def _judge(self) -> None:
        """End one that says nothing: it is started again."""
        child = self._child
        if child is None or time.monotonic() - max(self._started_at, self._heard_at) < _SILENT_S:
            return
        if self._ending is None or self._ending.done():
            log.warning("The stream monitor (PID %d) has said nothing for %g s: it is ended", child.pid, _SILENT_S)
            self._ending = self._services.tasks.create_task(end_all([child]), name="end of the stream monitor")


def feeders(owners: Iterable[RouteOwner]) -> list[tuple[str, ProcessSpec]]:
    """Route and process for every bus of a route that is on air: also while that process starts again."""
    return [
        (owner.route.id, spec)
        for owner in owners
        if owner.wanted
        for record in owner.processes.values()
        if (spec := record.child.spec if record.child else record.spec).feeds is not None and record.state.wanted
    ]


def places(feeders: Iterable[tuple[str, ProcessSpec]]) -> dict[Bus, Place]:
    """Every bus, and what it is."""
    return {Bus(*spec.feeds): Place(route_id, _leg(spec)) for route_id, spec in feeders if spec.feeds}


def _leg(spec: ProcessSpec) -> StreamLeg:
    return StreamLeg.TRANSCODE if "transcode" in spec.kinds else StreamLeg.SOURCE


def _as_buses(keys: Iterable[str]) -> list[tuple[str, int]]:
    return [(group, int(port)) for group, _, port in (key.partition(":") for key in keys)]


def _spec(spawner: Spawner) -> ProcessSpec:
    name = f"{SERVER}_{STREAM_MONITOR}"
    config = str(spawner.run_dir.path / (name + CONFIG_SUFFIX))
    program = Path(srt_router.__file__).parent / "transport_stream" / "__main__.py"
    return ProcessSpec(
        route_id=SERVER,
        process_type=STREAM_MONITOR,
        argv=(sys.executable, "-I", str(program), "--config", config),
        legs=(),
        config_path=config,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
