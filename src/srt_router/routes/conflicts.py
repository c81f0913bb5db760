"""Collisions: routes that could not run side by side, or that would feed themselves.

The book of ports is kept here, since the kernel keeps none for UDP: sockets with SO_REUSEADDR share a
port without an error, and one of them silently takes all packets, or two streams mix. What is merely
configured counts too, so that a start never fails for something that could have been said before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from srt_router.routes.addresses import ip, is_loopback, is_multicast, normal
from srt_router.routes.errors import FieldError, Location, field_path
from srt_router.routes.model import Route, SrtDestination, SrtEndpoint, SrtSource, UdpDestination, UdpSource


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A local UDP port that a route binds for itself alone."""

    kind: str
    """`srt` or `udp`."""
    address: str
    """Local IP address; 0.0.0.0 and :: are any."""
    port: int
    location: Location
    """The field of the route that asks for it."""
    device: str | None = None
    v6only: bool = False

    def overlaps(self, other: ListeningPort) -> bool:
        """Tell whether the two cannot be bound at the same time."""
        if self.port != other.port:
            return False
        if self.device and other.device and self.device != other.device:
            return False
        return any(
            mine and theirs and (mine == theirs or "any" in (mine, theirs))
            for mine, theirs in zip(self._by_family(), other._by_family(), strict=True)
        )

    def _by_family(self) -> tuple[str, str]:
        """Return what is bound of IPv4 and of IPv6: an address, `any` or nothing."""
        address = ip(self.address)
        if address is None or address.version == 4:
            return ("any" if self.address == "0.0.0.0" else self.address, "")  # noqa: S104
        if address.is_unspecified:
            return ("" if self.v6only else "any", "any")
        return ("", str(address))


def listening_ports(route: Route, *, include_disabled: bool = False) -> list[ListeningPort]:
    """Return the local ports that a route binds: SRT listeners, fixed local ports, UDP unicast sources.

    A multicast group is not among them, since it may be read by many.
    """
    found: list[ListeningPort] = []
    if isinstance(route.source, UdpSource):
        if not is_multicast(route.source.host):
            found.append(_udp_port(route.source))
    else:
        found += _srt_port(route.source, ("source",))
    for index, destination in enumerate(route.destinations):
        if isinstance(destination, SrtDestination) and (destination.enabled or include_disabled):
            found += _srt_port(destination, ("destinations", index))
    return found


def _udp_port(source: UdpSource) -> ListeningPort:
    return ListeningPort("udp", source.host or "0.0.0.0", source.port, ("source", "port"))  # noqa: S104


def _srt_port(end: SrtEndpoint, location: Location) -> list[ListeningPort]:
    port, field = end.port, "port"
    if end.mode == "caller" or end.local_port is not None:
        if end.local_port is None:
            return []
        port, field = end.local_port, "localPort"
    peer = ip(end.host) if end.host else None
    anywhere = "::" if peer is not None and peer.version == 6 else "0.0.0.0"  # noqa: S104
    only = end.ipv6only == 1 or (end.mode != "listener" and end.ipv6only is None)
    device = end.bindtodevice
    return [ListeningPort("srt", end.adapter or anywhere, port, (*location, field), device, only)]


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a thing in the book is, as it is said to people."""

    route: Route
    location: Location

    def said_to(self, route: Route) -> str:
        path = field_path(self.location[:-1])
        return path if route is self.route else f'{path} of route "{self.route.name}" ({self.route.id})'


class Book:
    """The ports, targets and ids of many routes, to check one more against all at once."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._ids: dict[str, Route] = {}
        self._ports: dict[int, list[tuple[ListeningPort, _Owner]]] = defaultdict(list)
        self._targets: dict[tuple[str, int], _Owner] = {}
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Enter a route."""
        self._ids[route.id] = route
        for port in listening_ports(route, include_disabled=True):
            self._ports[port.port].append((port, _Owner(route, port.location)))
        for target, location in _udp_targets(route):
            self._targets.setdefault(target, _Owner(route, location))

    def conflicts(self, route: Route) -> list[FieldError]:
        """Return what is wrong with a route by itself and beside those in the book."""
        found: list[FieldError] = []
        if route.id in self._ids:
            found.append(FieldError(("id",), f'is already the id of route "{self._ids[route.id].name}"'))
        found += self._port_conflicts(route)
        found += self._target_conflicts(route)
        found += _twin_callers(route)
        found += _self_feeding(route)
        return found

    def _port_conflicts(self, route: Route) -> Iterator[FieldError]:
        mine: list[tuple[ListeningPort, _Owner]] = []
        for port in listening_ports(route, include_disabled=True):
            owner = next((o for p, o in (*mine, *self._ports.get(port.port, ())) if p.overlaps(port)), None)
            if owner is not None:
                yield FieldError(port.location, f"{port.port} is already taken by {owner.said_to(route)}")
            mine.append((port, _Owner(route, port.location)))

    def _target_conflicts(self, route: Route) -> Iterator[FieldError]:
        mine: dict[tuple[str, int], _Owner] = {}
        for target, location in _udp_targets(route):
            owner = mine.get(target) or self._targets.get(target)
            if owner is not None:
                place = f"{target[0]}:{target[1]}"
                who = owner.said_to(route)
                yield FieldError(location, f"{place} is already sent to by {who}; two streams would mix")
            mine.setdefault(target, _Owner(route, location))


def conflicts(route: Route, others: Iterable[Route]) -> list[FieldError]:
    """Return what is wrong with a route beside the others (without its own former self)."""
    return Book(others).conflicts(route)


def _udp_targets(route: Route) -> Iterator[tuple[tuple[str, int], Location]]:
    for index, destination in enumerate(route.destinations):
        if isinstance(destination, UdpDestination):
            yield (destination.host, destination.port), ("destinations", index, "port")


def _twin_callers(route: Route) -> Iterator[FieldError]:
    """Find two destinations that call the same peer; a different stream id makes them different."""
    seen: dict[tuple[str, int, str | None], int] = {}
    for index, end in enumerate(route.destinations):
        if not isinstance(end, SrtDestination) or end.host is None:
            continue
        peer = (normal(end.host), end.port, end.stream_id)
        if peer in seen:
            message = f"{end.host}:{end.port} is already called by destinations[{seen[peer]}]"
            yield FieldError(("destinations", index, "port"), message)
        seen.setdefault(peer, index)


def _self_feeding(route: Route) -> Iterator[FieldError]:
    """Find destinations that send the route its own source."""
    source = route.source
    for index, destination in enumerate(route.destinations):
        loop = False
        if isinstance(source, UdpSource) and isinstance(destination, UdpDestination):
            loop = source.port == destination.port and _hears(source.host, destination.host)
        elif isinstance(source, SrtSource) and isinstance(destination, SrtDestination):
            loop = _calls(destination, source) or _calls(source, destination)
        if loop:
            message = "is the route's own source: the stream would feed itself"
            yield FieldError(("destinations", index, "port"), message)


def _hears(bound: str | None, sent_to: str) -> bool:
    if bound in (None, "0.0.0.0"):  # noqa: S104
        return is_loopback(sent_to)
    return bound == sent_to


def _calls(caller: SrtEndpoint, listener: SrtEndpoint) -> bool:
    if caller.mode != "caller" or listener.mode != "listener" or caller.host is None:
        return False
    if caller.port != listener.port:
        return False
    own = {address for address in (caller.adapter, listener.adapter) if address}
    return is_loopback(caller.host) or normal(caller.host) in own
