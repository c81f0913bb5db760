"""From a route to its processes. The only place that knows which engine carries a route."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from srt_router.processes.spec import Leg, Peer, ProcessSpec
from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.ffmpeg import transcode_argv
from srt_router.routes.model import DEFAULT_TTL, Route, SrtDestination, SrtEndpoint, UdpDestination, UdpSource
from srt_router.routes.pattern import test_pattern
from srt_router.routes.transcode import Transcode
from srt_router.routes.uri import bus_in, bus_out, duplicator_bus_in, duplicator_source, srt_uri

STATS_EVERY_PACKETS = 100
"""Packets between two reports of srt-live-transmit: about one a second at 1 Mb/s, six at 6 Mb/s."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What a plan needs beside the route."""

    bus: Bus
    """What the source feeds. Without a transcode the destinations join it."""
    run_dir: str
    """Where files of live processes are kept."""
    engine: Engine
    transcoded_bus: Bus | None = None
    """What ffmpeg feeds, and the destinations join, where there is a transcode."""

    def output_bus(self, route: Route) -> Bus:
        """Return the bus that the destinations of a route join."""
        if route.transcode is None:
            return self.bus
        if self.transcoded_bus is None:
            raise ValueError(f"the transcode of {route.id} needs a second bus")
        return self.transcoded_bus


def plan(route: Route, context: PlanContext, running: Sequence[ProcessSpec] = ()) -> list[ProcessSpec]:
    """Return the processes of a route in the order of a safe start: who reads a bus before who feeds it.

    `running` are the specs of what runs now. They decide only which of several destinations on one port
    keeps which name, so that the end of one does not rename, and thereby restart, the others.
    """
    processes = _srt_destinations(route, context, running)
    udp = [
        (index, destination)
        for index, destination in enumerate(route.destinations)
        if isinstance(destination, UdpDestination) and destination.enabled
    ]
    alone = isinstance(route.source, UdpSource) and route.transcode is None
    if udp and not alone:
        processes.append(_udp_destinations(route, context, udp))
    if route.transcode is not None:
        processes.append(_transcode(route, route.transcode, context))
    if isinstance(route.source, UdpSource):
        processes.append(_udp_source(route, route.source, context, udp if alone else ()))
    else:
        processes.append(_srt_source(route, route.source, context))
    if route.test_source and not isinstance(route.source, UdpSource):
        processes.append(test_pattern(route, route.source, clock=context.engine.clock))
    return processes


def _srt_live_transmit(end: SrtEndpoint, source: str, target: str, *, chunk: int | None) -> tuple[str, ...]:
    """Return the command line.

    Callers run without auto-reconnect, which storms on a wrong passphrase. Rendezvous does not storm (a try
    takes 3 s, whatever its end), and two sides that pause between tries might never meet.

    Reports count since the connection was made (-f), so that a report that is not read costs no numbers.
    """
    reconnect = "no" if end.mode == "caller" else "yes"
    options = [f"-a:{reconnect}", f"-s:{STATS_EVERY_PACKETS}", "-f", "-pf:json", "-ll:note", "-lfa:conn"]
    if chunk is not None:
        # The tool overwrites the payload size with its chunk (1456 bytes) unless that is 1316 or less.
        options.append(f"-chunk:{chunk}")
    return ("srt-live-transmit", *options, source, target)


def _srt_source(route: Route, source: SrtEndpoint, context: PlanContext) -> ProcessSpec:
    uri = srt_uri(source, context.engine, receiving=True)
    return ProcessSpec(
        route_id=route.id,
        process_type="srt",
        argv=_srt_live_transmit(source, uri, bus_out(context.bus), chunk=None),
        legs=(Leg("source"),),
        peer=Peer(source.mode),
        feeds=(context.bus.group, context.bus.port),
    )


def _srt_destinations(route: Route, context: PlanContext, running: Sequence[ProcessSpec]) -> list[ProcessSpec]:
    bus = context.output_bus(route)
    wanted: list[ProcessSpec] = []
    for index, end in enumerate(route.destinations):
        if isinstance(end, SrtDestination) and end.enabled:
            uri = srt_uri(end, context.engine, receiving=False)
            wanted.append(
                ProcessSpec(
                    route_id=route.id,
                    process_type=f"srtOut:{end.port}",
                    argv=_srt_live_transmit(end, bus_in(bus), uri, chunk=end.payloadsize),
                    legs=(Leg("destination", index),),
                    peer=Peer(end.mode),
                    joins=(bus.group, bus.port),
                )
            )
    return _told_apart(wanted, running)


def _told_apart(wanted: Sequence[ProcessSpec], running: Sequence[ProcessSpec]) -> list[ProcessSpec]:
    """Give each process its own name: the one it runs under already, or the next free `base.N`."""
    names: dict[int, str] = {}
    for position, spec in enumerate(wanted):
        for other in running:
            free = other.process_type not in names.values()
            if free and _is_named_after(other, spec) and other.spec_hash == spec.spec_hash:
                names[position] = other.process_type
                break
    for position, spec in enumerate(wanted):
        if position not in names:
            candidates = [spec.process_type, *(f"{spec.process_type}.{n}" for n in range(2, len(wanted) + 2))]
            names[position] = next(name for name in candidates if name not in names.values())
    return [replace(spec, process_type=names[position]) for position, spec in enumerate(wanted)]


def _is_named_after(running: ProcessSpec, spec: ProcessSpec) -> bool:
    base, _, suffix = running.process_type.partition(".")
    return running.route_id == spec.route_id and base == spec.process_type and (not suffix or suffix.isdigit())


def _transcode(route: Route, transcode: Transcode, context: PlanContext) -> ProcessSpec:
    """Return the ffmpeg process between the two buses."""
    target = context.output_bus(route)
    return ProcessSpec(
        route_id=route.id,
        process_type="ffmpeg",
        argv=transcode_argv(transcode, context.bus, target, context.engine),
        legs=(Leg("transcode"),),
        joins=(context.bus.group, context.bus.port),
        feeds=(target.group, target.port),
    )


Numbered = Sequence[tuple[int, UdpDestination]]
"""Destinations with their positions in the route's list."""


def _udp_source(route: Route, source: UdpSource, context: PlanContext, destinations: Numbered) -> ProcessSpec:
    """Return the process that takes a UDP source onto the bus; without a transcode it serves destinations as well."""
    ends = ("--input", duplicator_source(source), "--bus", str(context.bus))
    spec = _duplicator(route, context, "udpDuplicator", ends, destinations)
    return replace(spec, legs=(Leg("source"), *spec.legs), feeds=(context.bus.group, context.bus.port))


def _udp_destinations(route: Route, context: PlanContext, destinations: Numbered) -> ProcessSpec:
    """Return the process of all UDP destinations; where another takes in a UDP source, it is the second."""
    bus = context.output_bus(route)
    process_type = "udpDuplicator.2" if isinstance(route.source, UdpSource) else "udpDuplicator"
    spec = _duplicator(route, context, process_type, ("--input", duplicator_bus_in(bus)), destinations)
    return replace(spec, joins=(bus.group, bus.port))


def _duplicator(
    route: Route, context: PlanContext, process_type: str, ends: tuple[str, ...], destinations: Numbered
) -> ProcessSpec:
    path = f"{context.run_dir}/{route.id}_{process_type}.json"
    return ProcessSpec(
        route_id=route.id,
        process_type=process_type,
        argv=(context.engine.python, "-I", "-S", context.engine.duplicator, *ends, "--config", path),
        legs=tuple(Leg("destination", index) for index, _ in destinations),
        config_path=path,
        config=_duplicator_config([destination for _, destination in destinations]),
        demanded=("udpDuplicator", *ends, "--config", path),
    )


def _duplicator_config(destinations: Sequence[UdpDestination]) -> str:
    entries = [
        {
            "host": destination.host,
            "port": destination.port,
            "ttl": destination.ttl or DEFAULT_TTL,
            "tos": destination.tos,
            "interface": destination.interface,
        }
        for destination in destinations
    ]
    return json.dumps({"destinations": entries}) + "\n"
