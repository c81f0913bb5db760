"""The legs of a route: their names for people, and the names under which their history is kept."""

from __future__ import annotations

from collections import Counter

from srt_router.monitoring.leg_statistics import LegIdentity
from srt_router.processes.spec import Leg, ProcessSpec
from srt_router.routes.model import Route, SrtDestination, SrtEndpoint, SrtSource, UdpDestination


def legs(route: Route) -> list[Leg]:
    """Source, transcode if there is one, destinations, in this order."""
    middle = [Leg("transcode")] if route.transcode else []
    return [Leg("source"), *middle, *(Leg("destination", index) for index in range(len(route.destinations)))]


def name(leg: Leg) -> str:
    """`source`, `transcode`, `destination:0`."""
    return f"{leg.kind}:{leg.index}" if leg.kind == "destination" else leg.kind


def identity(route: Route, leg: Leg, spec: ProcessSpec | None = None) -> LegIdentity:
    """Who a leg is; `spec` is the process that carries it, if there is one."""
    return LegIdentity(name(leg), series(route, leg, spec), _latency_wanted(route, leg))


def udp_target(route: Route, leg: Leg) -> tuple[str, int] | None:
    """Host and port of a UDP destination."""
    if leg.kind != "destination" or leg.index >= len(route.destinations):
        return None
    end = route.destinations[leg.index]
    return (end.host, end.port) if isinstance(end, UdpDestination) else None


def series(route: Route, leg: Leg, spec: ProcessSpec | None = None) -> str:
    """The name of a leg's history. That of a destination follows it when others come and go."""
    if leg.kind != "destination" or leg.index >= len(route.destinations):
        return name(leg)
    end = route.destinations[leg.index]
    if isinstance(end, UdpDestination):
        return f"udp:{end.host}:{end.port}"
    if spec is not None:
        return spec.process_type
    return _expected(route)[leg.index]


def _expected(route: Route) -> dict[int, str]:
    """The process types of the SRT destinations, as a route that starts now would have them."""
    seen: Counter[int] = Counter()
    found = {}
    for index, end in enumerate(route.destinations):
        if isinstance(end, SrtDestination):
            seen[end.port] += end.enabled
            found[index] = f"srtOut:{end.port}" + (f".{seen[end.port]}" if seen[end.port] > 1 else "")
    return found


def _latency_wanted(route: Route, leg: Leg) -> int | None:
    if leg.kind == "source":
        end: object = route.source
    elif leg.kind == "destination" and leg.index < len(route.destinations):
        end = route.destinations[leg.index]
    else:
        return None
    if not isinstance(end, SrtEndpoint):
        return None
    special = end.rcvlatency if isinstance(end, SrtSource) else end.peerlatency
    return end.latency if special is None else special
