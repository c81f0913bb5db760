"""Looks ahead of an edit: what it would start and end, and what stands in its way on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from srt_router.processes import sockets
from srt_router.processes.child import Child
from srt_router.processes.ending import GRACE_S
from srt_router.processes.sockets import Holder
from srt_router.processes.spec import ProcessSpec
from srt_router.routes.bus import Bus
from srt_router.routes.conflicts import ListeningPort, listening_ports
from srt_router.routes.engine import Engine
from srt_router.routes.errors import FieldError
from srt_router.routes.ffmpeg import missing_encoder
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision.checks import PortTable, missing_programs
from srt_router.supervision.effects import Effects, ProcessEffect, effects_on, restarted
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services

_PATIENCE_S = GRACE_S + 1.0
"""So long an edit waits for a process that is being ended and holds a port."""
_ANY_BUSES = (Bus("239.255.0.0", 20000), Bus("239.255.0.1", 20001))
"""Stand in for those that a route gets when it starts."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Routes that are to be put on air, taken off air, or both, once an edit is done."""

    start: frozenset[str] = frozenset()
    stop: frozenset[str] = frozenset()
    restart: frozenset[str] = frozenset()


NO_ORDERS = Orders()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything that an edit means for what is on air."""

    effects: Effects
    obstacles: list[FieldError]
    """Why it cannot be done as things are; fields of the whole document, `routes[0].source.port`, or of one route."""


_Planned = tuple[Sequence[ProcessSpec], list[FieldError]]
"""The processes of a route, and what they need that is not there."""


_Needed = tuple[Route, ListeningPort]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A port that is needed, and held."""

    route: Route
    port: ListeningPort
    holders: Sequence[Holder]

    def obstacle(self, *, several: bool) -> FieldError:
        """What is said of it; with `several` routes in question, also of which one."""
        who = " and ".join(map(str, self.holders)) or "a process we may not see (another user or container)"
        whose = f' (route "{self.route.name}", {self.route.id})' if several else ""
        return FieldError(self.port.location, f"UDP port {self.port.port} is taken by {who}{whose}")


class Foresight:
    """Looks at the owners; changes nothing."""

    def __init__(self, owners: Mapping[str, RouteOwner], services: Services) -> None:
        self._owners = owners
        self._services = services

    async def look(self, before: Sequence[Route], after: Sequence[Route], orders: Orders = NO_ORDERS) -> Outlook:
        """What happens if the routes become `after`, and the orders are carried out then."""
        old, new = ({route.id: route for route in routes} for routes in (before, after))
        starts = {route_id for route_id in orders.start | orders.restart if not self._on_air(route_id)}
        starts |= {route.id for route in after if route.id not in old and route.auto_start}
        found: list[ProcessEffect] = []
        obstacles: list[FieldError] = []
        needed: list[_Needed] = []
        for route_id in old.keys() - new.keys():
            found += effects_on(route_id, self._running(route_id), ())
        for route in after:
            if route.id in orders.stop:
                found += effects_on(route.id, self._running(route.id), ())
            elif route.id in starts:
                specs, missing = await self._first_plan(route)
                found += effects_on(route.id, (), specs)
                obstacles += missing
                needed += [(route, port) for port in listening_ports(route)]
            elif route.id in orders.restart:
                specs, missing = await self._first_plan(route)
                found += restarted(effects_on(route.id, self._running(route.id), specs))
                obstacles += missing
                needed += [(route, port) for port in _new_ports(old[route.id], route)]
            elif self._on_air(route.id) and old.get(route.id) != route:
                running = self._running(route.id)
                specs, missing = await self._next_plan(route, running)
                found += effects_on(route.id, running, specs)
                obstacles += missing
                needed += [(route, port) for port in _new_ports(old[route.id], route)]
        obstacles += await self._held(needed, old)
        return Outlook(Effects.of(found), obstacles)

    def _on_air(self, route_id: str) -> bool:
        owner = self._owners.get(route_id)
        return owner is not None and owner.wanted

    def _running(self, route_id: str) -> list[ProcessSpec]:
        owner = self._owners.get(route_id)
        records = owner.processes.values() if owner else ()
        return [record.spec for record in records if record.state.wanted]

    async def _first_plan(self, route: Route) -> _Planned:
        engine = await self._services.engine_for(route.transcode)
        source, transcoded = _ANY_BUSES
        specs = plan(route, PlanContext(source, "/run", engine, transcoded))
        return specs, _missing(route, specs, engine)

    async def _next_plan(self, route: Route, running: Sequence[ProcessSpec]) -> _Planned:
        context = self._owners[route.id].context
        if context is None:  # it was refused, and is looked at again
            return running, []
        context = replace(context, engine=await self._services.engine_for(route.transcode))
        specs = plan(route, context, running)
        stays = {spec.spec_hash for spec in running}
        return specs, _missing(route, [spec for spec in specs if spec.spec_hash not in stays], context.engine)

    async def _held(self, needed: Sequence[_Needed], old: Mapping[str, Route]) -> list[FieldError]:
        """The ports among those needed that somebody holds, but for those that are being, or will be, set free."""
        children, ending = self._children()
        looks = await self._look_at(needed)
        if any(not look.holders for look in looks):  # it was just let go, or nobody may see who has it
            looks = await self._look_at(needed)
        now, ending_now = self._children()
        ending |= ending_now | (children.keys() - now.keys())  # it has died since
        children |= now
        own = [port for route in old.values() if self._on_air(route.id) for port in listening_ports(route)]
        several = len({route.id for route, _ in needed}) > 1
        obstacles: list[FieldError] = []
        waits: set[int] = set()
        for look in looks:
            pids = {holder.pid for holder in look.holders}
            if pids and pids <= ending:
                waits |= pids
            elif not (pids and pids <= children.keys() and any(look.port.overlaps(one) for one in own)):
                obstacles.append(look.obstacle(several=several))
        if waits and not obstacles:
            deaths = [asyncio.ensure_future(children[pid].ended()) for pid in waits]
            await asyncio.wait(deaths, timeout=_PATIENCE_S)
        return obstacles

    def _children(self) -> tuple[dict[int, Child], set[int]]:
        """Our live processes by PID, and which of them are ending."""
        records = [record for owner in self._owners.values() for record in owner.processes.values() if record.child]
        children = {record.child.pid: record.child for record in records if record.child}
        return children, {record.child.pid for record in records if record.child and _is_ending(record)}

    async def _look_at(self, needed: Sequence[_Needed]) -> list[_Taken]:
        """Which of these ports are held now, and by whom."""
        if not needed:
            return []
        table = await asyncio.to_thread(PortTable.look)
        found = [(route, port, table.holding(port.address, port.port)) for route, port in needed]
        inodes = {socket.inode for _, _, socket in found if socket}
        holders = await asyncio.to_thread(sockets.holders, inodes) if inodes else {}
        return [_Taken(route, port, holders[socket.inode]) for route, port, socket in found if socket]


def _is_ending(record: ProcessRecord) -> bool:
    """Its process ends soon, by our own doing: it is not wanted any more, or not as it is."""
    if record.child is None:
        return False
    replaced = record.child.spec.spec_hash != record.spec.spec_hash
    return replaced or record.state.phase is Phase.ENDING or not record.state.wanted


def _missing(route: Route, specs: Sequence[ProcessSpec], engine: Engine) -> list[FieldError]:
    """What processes that are to start need, and this machine has not."""
    missing = [FieldError((), reason) for reason in missing_programs(specs)]
    if any(spec.process_type == "ffmpeg" for spec in specs) and (why := missing_encoder(route.transcode, engine)):
        field, _, reason = why.partition(": ")
        missing.append(FieldError(tuple(field.split(".")), reason))
    return missing


def _new_ports(before: Route, after: Route) -> list[ListeningPort]:
    """What a route on air binds that it did not bind before."""
    known = {(port.address, port.port, port.device) for port in listening_ports(before)}
    return [port for port in listening_ports(after) if (port.address, port.port, port.device) not in known]
