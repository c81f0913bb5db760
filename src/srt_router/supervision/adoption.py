"""Which live processes of an earlier server are what the routes demand now: those stay on air untouched."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

from srt_router.monitoring.connections import ConnectionState
from srt_router.processes.child import Adopted, Child, Exit
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
from srt_router.supervision.messages import Complete, Happened, Message
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Due, Ended, Phase, ProcessState
from srt_router.supervision.restart import Restarts
from srt_router.supervision.services import Services

_AT_ONCE = 0.0
"""When a process that waited for its next start is due: now."""
_SPEC = re.compile(r"[0-9]{1,6}-[0-9a-f]{16}")
"""SRT_ROUTER_SPEC: the format, and the hash."""


@dataclass(slots=True)
class Adoption:
    """What the owner of one route takes over."""

    context: PlanContext
    started_ms: int
    """Milliseconds since the epoch at which the route was put on air."""
    processes: list[tuple[ProcessSpec, Survivor, CarriedProcess | None]] = field(default_factory=list)
    missing: list[tuple[ProcessSpec, CarriedProcess, Exit]] = field(default_factory=list)
    """Processes that live no more though nobody asked for it, or that waited for their next start."""
    pid_files: Mapping[str, int] = field(default_factory=dict)
    """What each PID file names, by process name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier server has left."""

    survivors: list[Survivor]
    carried: Carried
    exits: Mapping[int, Exit]
    """How some of those that live no more have ended, by PID."""
    pid_files: Mapping[str, int]
    """What each PID file names, by process name: read in one go, since every open() on the loop would be felt."""


async def adoptions(routes: Iterable[Route], found: Found, services: Services) -> dict[str, Adoption]:
    """By route, what is taken over. Whoever is in none of them is no process that a route demands."""
    by_route: dict[str, list[Survivor]] = {}
    for one in found.survivors:
        if not _SPEC.fullmatch(one.tag.spec) or read_buses(one.tag.buses) is None:
            continue  # it carries our tag, but no server of ours has planned it
        by_route.setdefault(one.tag.route, []).append(one)
    chosen = {}
    for route in routes:
        theirs = by_route.get(route.id, [])
        if not theirs or found.carried.wanted.get(route.id) is False:
            continue
        adoption = await _adoption(route, theirs, found, services)
        if adoption is not None:
            chosen[route.id] = adoption
    return chosen


async def _adoption(route: Route, alive: list[Survivor], found: Found, services: Services) -> Adoption | None:
    text, _ = Counter(one.tag.buses for one in alive).most_common(1)[0]
    buses = read_buses(text)
    if buses is None or not services.buses.take_over(route.id, buses):
        return None
    context = PlanContext(
        bus=buses[0],
        run_dir=str(services.spawner.run_dir.path),
        engine=await services.engine_for(route.transcode),
        transcoded_bus=buses[1],
    )
    started_ms = found.carried.started_ms.get(route.id) or min(one.started_ms for one in alive)
    adoption = Adoption(context, started_ms, pid_files=found.pid_files)
    theirs = [one for one in alive if one.tag.buses == text]
    nonces = {one.tag.nonce for one in alive}
    for spec in plan(route, context):
        known = found.carried.processes.get(spec.name)
        if (one := choose(spec, theirs, found.pid_files)) is not None:
            adoption.processes.append((spec, one, known if known and known.nonce == one.tag.nonce else None))
        elif known is not None and known.nonce not in nonces:
            adoption.missing.append((spec, known, found.exits.get(known.pid or 0, Exit(None, None))))
    return adoption if adoption.processes else None


def choose(spec: ProcessSpec, found: Iterable[Survivor], pid_files: Mapping[str, int]) -> Survivor | None:
    """The process that is the one demanded: of several the one that the PID file names, else the youngest."""
    fitting = [one for one in found if one.tag.process == spec.process_type and fits(one.tag.spec, spec)]
    if not fitting:
        return None
    named = pid_files.get(spec.name)
    return max(fitting, key=lambda one: (one.pid == named, one.started_ms, one.pid))


def fits(tagged: str, spec: ProcessSpec) -> bool:
    """Is a process with this SRT_ROUTER_SPEC the one demanded?

    One of another format was started by another version: it does what its route demanded then, stays on
    air, and is said to wait for a restart.
    """
    return tagged.partition("-")[2] == spec.spec_hash.partition("-")[2] or outdated(tagged, spec)


def outdated(tagged: str, spec: ProcessSpec) -> bool:
    """It was started by a version that made other command lines, this one among them."""
    theirs, ours = tagged.partition("-"), spec.spec_hash.partition("-")
    return theirs[0] != ours[0] and theirs[2] != ours[2]


def buses_text(context: PlanContext | None) -> str:
    """The buses of a route as they stand in the tags of its processes."""
    if context is None:
        return ""
    return ",".join(str(bus) for bus in (context.bus, context.transcoded_bus) if bus is not None)


@lru_cache(maxsize=4096)  # all processes of a route name the same
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


def take_over(adoption: Adoption, services: Services, on_exit: Callable[[Child], None]) -> dict[str, ProcessRecord]:
    """The processes of a route by type: watched, and with their PID files. `follow_logs` is still to come."""
    records = {}
    for spec, one, carried in adoption.processes:
        record = records[spec.process_type] = adopted_record(spec, one, carried)
        if record.child is not None:
            services.spawner.adopt(record.child, on_exit, adoption.pid_files.get(spec.name))
        if spec.config is not None:
            configure(services.spawner, record)
        services.logs.expect(spec.name + LOG_SUFFIX, carried.log_at if carried else 0)
    for spec, carried, _ in adoption.missing:
        records[spec.process_type] = _record(spec, carried, Phase.UP if carried.nonce else Phase.BACKOFF)
    return records


def follow_logs(
    adoption: Adoption,
    services: Services,
    processes: Mapping[str, ProcessRecord],
    read_log: Callable[[ProcessRecord, list[str]], None],
) -> None:
    """Read the logs of what was taken over, on from where they stand."""
    for spec, _, carried in adoption.processes:
        log_file = spec.name + LOG_SUFFIX
        listener = partial(read_log, processes[spec.process_type])
        services.logs.follow(log_file, listener, carried.log_at if carried else 0)
        asyncio.get_running_loop().call_soon(services.logs.drain, log_file)


def late_news(adoption: Adoption, processes: Mapping[str, ProcessRecord]) -> list[Message]:
    """What their owner is told at last: what has happened while no server lived, and to start what is missing."""
    news: list[Message] = []
    for spec, carried, end in adoption.missing:
        record = processes.get(spec.process_type)
        if record is None or record.child is not None:
            continue
        event = Ended(end, record.ended(end)) if carried.nonce else Due(_AT_ONCE)
        news.append(Happened(spec.process_type, event))
    return [*news, Complete()]


def adopted_record(spec: ProcessSpec, one: Survivor, carried: CarriedProcess | None) -> ProcessRecord:
    """A process as its owner knows it, as if it had started it itself."""
    if one.child:
        child: Child = Child(spec, one.pid, one.tag.nonce, pidfd=one.pin.fd)
        child.started_ms = one.started_ms
    else:
        child = Adopted(spec, one.pin, one.tag.nonce, one.started_ms)
    up_s = max(0.0, time.time() - one.started_ms / 1000)
    record = _record(spec, carried or CarriedProcess(), Phase.UP, time.monotonic() - up_s)
    record.outdated = outdated(one.tag.spec, spec)
    known = record.connection
    record.started(child)
    if carried is not None:
        record.connection = known
        record.connected_this_life = carried.connected_this_life
    return record


def _record(spec: ProcessSpec, carried: CarriedProcess, phase: Phase, up_since: float | None = None) -> ProcessRecord:
    """What an earlier server knew of a process."""
    restarts = Restarts(carried.pause_s, carried.failures, carried.restarts)
    retry_at = _AT_ONCE if phase is Phase.BACKOFF else None
    record = ProcessRecord(spec, ProcessState(True, phase, restarts, up_since, retry_at, carried.outcome))
    record.ever_up = True
    record.connection = ConnectionState(
        connection=carried.connection,
        since_ms=carried.since_ms,
        peer=carried.peer,
        peer_latency_ms=carried.peer_latency_ms,
        peer_version=carried.peer_version,
        connects=carried.connects,
        rejection=carried.rejection,
    )
    record.rejection = carried.rejection
    record.watch = Watch(attempts=carried.attempts, given_up_at=carried.given_up_at)
    if carried.exit_ms is not None:
        record.last_exit, record.last_exit_ms = Exit(carried.exit_code, carried.exit_signal), carried.exit_ms
        record.last_exit_asked = carried.exit_asked
    return record
