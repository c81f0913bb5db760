"""Streams that outlive the server: what it leaves for the next one, and what it takes over of the one before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping

from srt_router.processes.cleanup import PidManager
from srt_router.processes.spawner import LOG_SUFFIX
from srt_router.processes.survivors import close_all, survivors
from srt_router.routes.document import Parsed
from srt_router.routes.model import Route
from srt_router.supervision.adoption import Adoption, adoptions
from srt_router.supervision.carry_over import (
    Carried,
    CarryOver,
    carried_process,
    forget_carried,
    read_carried,
    read_routes_on_air,
)
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")


class Handover:
    """One server's part in it. Runs on the event loop."""

    def __init__(self, owners: Mapping[str, RouteOwner], services: Services) -> None:
        self._owners = owners
        self._services = services
        self._before = Carried()
        self._adoptions: dict[str, Adoption] = {}
        self._adopted: list[RouteOwner] = []
        self._carry_over = CarryOver(services.spawner.run_dir, self._gather)
        self._keeps = False

    # Taking over

    async def look(self, parsed: Parsed, pid_manager: PidManager) -> Parsed:
        """Find out what is taken over; the answer is what routes.json says, with what it cannot say for errors.

        A route that is on air and stands in a broken routes.json stays as it was in effect.
        """
        run_dir = self._services.spawner.run_dir
        self._before = await asyncio.to_thread(read_carried, run_dir)
        if parsed.errors:
            known = {route.id for route in parsed.routes}
            on_air = await asyncio.to_thread(read_routes_on_air, run_dir)
            kept = tuple(route for route in on_air if route.id not in known)
            parsed = Parsed((*parsed.routes, *kept), parsed.errors)
        found = await asyncio.to_thread(survivors, pid_manager.scanner)
        self._adoptions = await adoptions(parsed.routes, found, self._before, self._services)
        chosen = {one.pid for adoption in self._adoptions.values() for _, one, _ in adoption.processes}
        close_all(one for one in found if one.pid not in chosen)
        log.info("Found %d process(es) of the server before; %d are taken over on air", len(found), len(chosen))
        return parsed

    async def forget(self) -> None:
        """Take nothing over."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(forget_carried, self._services.spawner.run_dir)

    def adopt(self, owner: RouteOwner) -> None:
        """Let a new owner begin with what is taken over of its route, if anything is."""
        adoption = self._adoptions.pop(owner.route.id, None)
        if adoption is not None:
            owner.adopt(adoption)
            self._adopted.append(owner)

    def complete(self) -> None:
        """What is not taken over has been ended: start what is missing."""
        for owner in self._adopted:
            owner.complete()
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
        """Write what is new of it."""
        if self._keeps:
            await self._carry_over.save()

    async def save_routes(self, routes: Iterable[Route]) -> None:
        """The routes have changed."""
        await self._carry_over.save_routes(routes)

    def _gather(self) -> Carried:
        owners = self._owners.values()
        return Carried(
            wanted={owner.route.id: owner.wanted for owner in owners},
            started_ms={owner.route.id: owner.started_ms for owner in owners if owner.started_ms is not None},
            processes={
                record.spec.name: carried_process(
                    record, record.child, self._services.logs.position(record.spec.name + LOG_SUFFIX)
                )
                for owner in owners
                for record in owner.processes.values()
                if record.child is not None
            },
        )
