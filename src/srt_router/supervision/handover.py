"""Streams that outlive the server: what it leaves for the next one, and what it takes over of the one before.

Whether the next one is another process or this very one with another program makes no difference here, but that
children of our own tell how they have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from srt_router.processes.cleanup import PidManager
from srt_router.processes.spawner import LOG_SUFFIX
from srt_router.processes.survivors import Survivor, close_all, reap, survivors
from srt_router.routes.document import Parsed
from srt_router.routes.model import Route
from srt_router.supervision.adoption import Adoption, Found, adoptions
from srt_router.supervision.carried_numbers import KEEP_S, CarriedNumbers
from srt_router.supervision.carry_over import (
    Carried,
    CarryOver,
    carried_process,
    forget_carried,
    read_carried,
    read_numbers,
    read_routes_on_air,
    sign_of,
)
from srt_router.supervision.route_monitor import RouteMonitor
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services
from srt_router.supervision.stream_monitor import StreamMonitor

log = logging.getLogger("RouteManager")


class Handover:
    """One server's part in it. Runs on the event loop."""

    def __init__(
        self, owners: Mapping[str, RouteOwner], services: Services, monitor: RouteMonitor, streams: StreamMonitor
    ) -> None:
        self._owners = owners
        self._services = services
        self._monitor = monitor
        self._streams = streams
        self._before = Carried()
        self._adoptions: dict[str, Adoption] = {}
        self._adopted: list[tuple[RouteOwner, Adoption]] = []
        self._carry_over = CarryOver(services.spawner.run_dir, self._gather, self._sign)
        self._keeps = False
        self._numbers_at = 0.0
        self._read_s = self._began_s = self._done_s = 0.0

    # Taking over

    async def look(self, parsed: Parsed, pid_manager: PidManager) -> Parsed:
        """Find out what is taken over; the answer is what routes.json says, with what it cannot say for errors.

        A route that is on air and stands in a broken routes.json stays as it was in effect.
        """
        run_dir = self._services.spawner.run_dir
        self._before = await asyncio.to_thread(read_carried, run_dir)
        numbers = await asyncio.to_thread(read_numbers, run_dir)
        if parsed.errors:
            known = {route.id for route in parsed.routes}
            on_air = await asyncio.to_thread(read_routes_on_air, run_dir)
            kept = tuple(route for route in on_air if route.id not in known)
            parsed = Parsed((*parsed.routes, *kept), parsed.errors)
        began_s = time.monotonic()
        found = await asyncio.to_thread(self._look, pid_manager)
        self._began_s = self._done_s = time.monotonic()
        self._read_s = self._began_s - began_s
        self._adoptions = await adoptions(parsed.routes, found, self._services)
        chosen = {one.pid for adoption in self._adoptions.values() for _, one, _ in adoption.processes}
        close_all(one for one in found.survivors if one.pid not in chosen)
        self._count_on(numbers)
        many = len(found.survivors)
        log.info("Found %d process(es) of the server before; %d are taken over on air", many, len(chosen))
        return parsed

    def _look(self, pid_manager: PidManager) -> Found:
        """In a worker thread: it reads all of /proc."""
        alive: list[Survivor] = survivors(pid_manager.scanner)
        known = [one.pid for one in self._before.processes.values() if one.pid is not None]
        named = pid_manager.pid_files.named() if alive else {}
        return Found(alive, self._before, reap(known, {one.pid for one in alive}), named)

    def _count_on(self, numbers: CarriedNumbers) -> None:
        for route_id, adoption in self._adoptions.items():
            kept = numbers.routes.get(route_id)
            if kept is not None and kept.started_ms == adoption.started_ms:
                self._monitor.before[route_id] = kept
                buses = {"source": adoption.context.bus, "transcode": adoption.context.transcoded_bus}
                streams = ((buses.get(leg), stream) for leg, stream in kept.streams.items())
                self._streams.resume((bus, stream) for bus, stream in streams if bus is not None)

    async def forget(self) -> None:
        """Take nothing over."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(forget_carried, self._services.spawner.run_dir)

    def adopt(self, owner: RouteOwner) -> None:
        """Let a new owner begin with what is taken over of its route, if anything is."""
        adoption = self._adoptions.pop(owner.route.id, None)
        if adoption is not None:
            owner.adopt(adoption)
            self._adopted.append((owner, adoption))
            self._done_s = time.monotonic()

    def complete(self) -> None:
        """What is not taken over has been ended: start what is missing."""
        for owner, adoption in self._adopted:
            owner.complete(adoption)
        if self._adopted:
            processes = sum(len(adoption.processes) for _, adoption in self._adopted)
            times = [1000 * each for each in (self._read_s, self._done_s - self._began_s)]
            log.info(
                "Read the process table in %.0f ms, then took %d process(es) over in %.0f ms",
                times[0],
                processes,
                times[1],
            )
        self._adopted.clear()

    def is_to_start(self, route: Route) -> bool:
        """At the start of the server: as operators left it, else as its `autoStart` says."""
        return self._before.wanted.get(route.id, route.auto_start)

    def names(self) -> frozenset[str]:
        """The processes that go on: their files in RUN_DIR stay."""
        return frozenset(record.spec.name for owner in self._owners.values() for record in owner.processes.values())

    # Leaving

    def begin(self) -> None:
        """From now on keep what the next server needs: every route has got its order."""
        self._keeps = True

    def end(self) -> None:
        """Keep nothing more: what comes now is the end of this server, and no operator's wish."""
        self._keeps = False

    async def save(self) -> None:
        """Write what is new of it, and now and then what was counted."""
        if not self._keeps:
            return
        await self._carry_over.save()
        if time.monotonic() - self._numbers_at >= KEEP_S or self._monitor.was_reset:
            await self.save_numbers()

    async def save_numbers(self) -> None:
        """Write what was counted."""
        if not self._keeps:
            return
        self._numbers_at, self._monitor.was_reset = time.monotonic(), False
        routes = await self._monitor.keep()
        for route_id in routes:
            if streams := self._streams.keep(route_id):
                routes[route_id] = routes[route_id].model_copy(update={"streams": streams})
        await self._carry_over.save_numbers(CarriedNumbers.model_construct(routes=routes))

    async def save_routes(self, routes: Iterable[Route]) -> None:
        """The routes have changed."""
        await self._carry_over.save_routes(routes)

    def _sign(self) -> object:
        position = self._services.logs.position
        return [
            (owner.route.id, owner.wanted, owner.started_ms, *self._signs(owner, position))
            for owner in self._owners.values()
        ]

    def _signs(self, owner: RouteOwner, position: Callable[[str], int]) -> Iterator[tuple[object, ...]]:
        return (
            sign_of(record, position(record.spec.name + LOG_SUFFIX))
            for record in owner.processes.values()
            if record.state.wanted
        )

    def _gather(self) -> Carried:
        owners = self._owners.values()
        return Carried.model_construct(
            wanted={owner.route.id: owner.wanted for owner in owners},
            started_ms={owner.route.id: owner.started_ms for owner in owners if owner.started_ms is not None},
            processes={
                record.spec.name: carried_process(record, self._services.logs.position(record.spec.name + LOG_SUFFIX))
                for owner in owners
                for record in owner.processes.values()
                if record.state.wanted
            },
        )
