"""Which live processes of an earlier server are what the routes demand now: those stay on air untouched."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from srt_router.monitoring.connections import ConnectionState
from srt_router.processes.child import Adopted, Child
from srt_router.processes.pidfiles import SUFFIX, PidDirectory
from srt_router.processes.spawner import LOG_SUFFIX
from srt_router.processes.spec import ProcessSpec
from srt_router.processes.survivors import Survivor
from srt_router.routes.addresses import BUS_NETWORK, BUS_PORTS
from srt_router.routes.bus import Bus
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision.carry_over import Carried, CarriedProcess
from srt_router.supervision.configuring import configure
from srt_router.supervision.health import Watch
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase, ProcessState
from srt_router.supervision.restart import Restarts
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")

_SPEC = re.compile(r"[0-9]{1,6}-[0-9a-f]{16}")
"""SRT_ROUTER_SPEC: the format, and the hash."""


@dataclass(slots=True)
class Adoption:
    """What the owner of one route takes over."""

    context: PlanContext
    started_ms: int
    """Milliseconds since the epoch at which the route was put on air."""
    processes: list[tuple[ProcessSpec, Survivor, CarriedProcess | None]] = field(default_factory=list)


async def adoptions(
    routes: Iterable[Route], found: Iterable[Survivor], carried: Carried, services: Services
) -> dict[str, Adoption]:
    """By route, what is taken over. Whoever is in none of them is no process that a route demands."""
    by_route: dict[str, list[Survivor]] = {}
    for one in found:
        if not _SPEC.fullmatch(one.tag.spec) or read_buses(one.tag.buses) is None:
            continue  # it carries our tag, but no server of ours has planned it
        by_route.setdefault(one.tag.route, []).append(one)
    chosen = {}
    for route in routes:
        theirs = by_route.get(route.id, [])
        if not theirs or carried.wanted.get(route.id) is False:
            continue
        adoption = await _adoption(route, theirs, carried, services)
        if adoption is not None:
            chosen[route.id] = adoption
    return chosen


async def _adoption(route: Route, found: list[Survivor], carried: Carried, services: Services) -> Adoption | None:
    text, _ = Counter(one.tag.buses for one in found).most_common(1)[0]
    buses = read_buses(text)
    if buses is None or not services.buses.take_over(route.id, buses):
        return None
    context = PlanContext(
        bus=buses[0],
        run_dir=str(services.spawner.run_dir.path),
        engine=await services.engine_for(route.transcode),
        transcoded_bus=buses[1],
    )
    started_ms = carried.started_ms.get(route.id) or min(one.started_ms for one in found)
    adoption = Adoption(context, started_ms)
    theirs = [one for one in found if one.tag.buses == text]
    for spec in plan(route, context):
        if (one := choose(spec, theirs, services.spawner.pid_files)) is not None:
            known = carried.processes.get(spec.name)
            adoption.processes.append((spec, one, known if known and known.nonce == one.tag.nonce else None))
    return adoption if adoption.processes else None


def choose(spec: ProcessSpec, found: Iterable[Survivor], pid_files: PidDirectory) -> Survivor | None:
    """The process that is the one demanded: of several the one that the PID file names, else the youngest."""
    fitting = [one for one in found if one.tag.process == spec.process_type and fits(one.tag.spec, spec)]
    if not fitting:
        return None
    named = pid_files.read(spec.name + SUFFIX).pid if len(fitting) > 1 else None
    return max(fitting, key=lambda one: (one.pid == named, one.started_ms, one.pid))


def fits(tagged: str, spec: ProcessSpec) -> bool:
    """Is a process with this SRT_ROUTER_SPEC the one demanded?

    One of another format was started by another version: it does what its route demanded then, stays on
    air, and is said to wait for a restart.
    """
    return tagged == spec.spec_hash or outdated(tagged, spec)


def outdated(tagged: str, spec: ProcessSpec) -> bool:
    """It was started by a version that made other command lines."""
    return tagged.partition("-")[0] != spec.spec_hash.partition("-")[0]


def buses_text(context: PlanContext | None) -> str:
    """The buses of a route as they stand in the tags of its processes."""
    if context is None:
        return ""
    return ",".join(str(bus) for bus in (context.bus, context.transcoded_bus) if bus is not None)


def read_buses(text: str) -> tuple[Bus, Bus] | None:
    """The two buses in a tag; None where it holds no such thing."""
    found = []
    for word in text.split(","):
        group, _, port = word.partition(":")
        if not port.isascii() or not port.isdigit() or int(port) not in BUS_PORTS or not _is_ours(group):
            return None
        found.append(Bus(group, int(port)))
    return (found[0], found[1]) if len(found) == 2 else None


def _is_ours(group: str) -> bool:
    try:
        return ipaddress.ip_address(group) in BUS_NETWORK
    except ValueError:
        return False


def take_over(
    adoption: Adoption,
    services: Services,
    on_exit: Callable[[Child], None],
    read_log: Callable[[ProcessRecord, list[str]], None],
) -> dict[str, ProcessRecord]:
    """The processes of a route by type: watched, with their PID files, and their logs read on from where they stand."""
    records = {}
    for spec, one, carried in adoption.processes:
        record = records[spec.process_type] = adopted_record(spec, one, carried)
        if record.child is not None:
            services.spawner.adopt(record.child, on_exit)
        if spec.config is not None:
            configure(services.spawner, record)
        log_file = spec.name + LOG_SUFFIX
        services.logs.follow(log_file, partial(read_log, record), carried.log_at if carried else 0)
        asyncio.get_running_loop().call_soon(services.logs.drain, log_file)
    return records


def adopted_record(spec: ProcessSpec, one: Survivor, carried: CarriedProcess | None) -> ProcessRecord:
    """A process as its owner knows it, as if it had started it itself."""
    if one.child:
        child: Child = Child(spec, one.pid, one.tag.nonce, pidfd=one.pin.fd)
        child.started_ms = one.started_ms
    else:
        child = Adopted(spec, one.pin, one.tag.nonce, one.started_ms)
    up_s = max(0.0, time.time() - one.started_ms / 1000)
    now = time.monotonic()
    known = carried or CarriedProcess(nonce=one.tag.nonce)
    record = ProcessRecord(
        spec,
        ProcessState(True, Phase.UP, Restarts(total=known.restarts), up_since=now - up_s),
        child,
    )
    record.ever_up = True
    record.outdated = outdated(one.tag.spec, spec)
    record.started(child)
    if carried is not None:
        record.connection = ConnectionState(
            carried.connection, carried.since_ms, carried.peer, carried.connects, carried.rejection
        )
        record.connected_this_life = carried.connected_this_life
        record.rejection = carried.rejection
        record.watch = Watch(attempts=carried.attempts, given_up_at=now if carried.gave_up else None)
    return record


def wanted_again(routes: Iterable[Route], carried: Carried) -> Mapping[str, bool]:
    """Which routes are to be on air: as operators left them, else as `autoStart` says."""
    return {route.id: carried.wanted.get(route.id, route.auto_start) for route in routes}
