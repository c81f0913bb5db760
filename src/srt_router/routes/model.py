"""A route and its ends: the contract of routes.json and of the API."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, SecretStr, StrictBool, model_validator

from srt_router.routes import addresses
from srt_router.routes.addresses import is_multicast, on_bus, refuse, text
from srt_router.routes.fields import (
    INT32,
    MASK,
    DestinationId,
    Label,
    ListOf,
    Note,
    Port,
    Problem,
    StreamId,
    Whole,
    raise_problems,
)
from srt_router.routes.srt_options import Model, SrtOptions, passphrase_of, to_camel
from srt_router.routes.transcode import AudioEncode, MatrixCell, Transcode, VideoEncode

MAX_DESTINATIONS = 64
DEFAULT_TTL = 64
"""Hops of a UDP destination that names none, multicast too, as hardware encoders have it. The kernel's own
default for multicast, 1, ends at the first router: the stream plays on the bench and is dark in the plant.
A larger TTL leaks nothing: routers forward a group only to where it was joined."""


class SrtEndpoint(SrtOptions):
    """An SRT source, or the SRT part of a destination."""

    type: Literal["srt"]
    mode: Literal["listener", "caller", "rendezvous"]
    host: Annotated[str, BeforeValidator(addresses.srt_host)] | None = None
    """The peer: an address or a name. Callers and rendezvous need it, listeners have none."""
    port: Port
    """The port to listen on, or the peer's port; from 1024 on."""
    adapter: Annotated[str, BeforeValidator(addresses.adapter)] | None = None
    """Local address to bind; none: any IPv4 address."""
    local_port: Annotated[int, Whole(1024, 65535)] | None = None
    """Local port of a caller or rendezvous; none: any free port, or the peer's (rendezvous)."""
    stream_id: StreamId | None = None
    """Sent by a caller. At a listener it is only a note: srt-live-transmit cannot check it."""

    @model_validator(mode="after")
    def _check_endpoint(self) -> SrtEndpoint:
        found = [*self.option_problems(), *self._address_problems()]
        if self.port < 1024:
            found.append(("port", "must be between 1024 and 65535: srt-live-transmit refuses lower ports"))
        elif on_bus(self.adapter or "", self.port):
            found.append(("adapter", "is in the range of the router's own buses"))
        raise_problems(self, found)
        return self

    def _address_problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.mode == "listener":
            if self.host is not None:
                found.append(("host", "must not be given for a listener; the address to listen on is 'adapter'"))
            if self.local_port is not None:
                found.append(("localPort", "must not be given for a listener; it listens on 'port'"))
        elif self.host is None:
            found.append(("host", f"is required for a {self.mode}"))
        if self.mode == "rendezvous" and self.stream_id is not None:
            found.append(("streamId", "must not be given for rendezvous: only a caller sends one"))
        host, local = (addresses.ip(value) if value else None for value in (self.host, self.adapter))
        if host and local and host.version != local.version:
            found.append(("adapter", "must be of the same IP version as 'host'"))
        return found


class SrtSource(SrtEndpoint):
    """A source that comes in over SRT."""


class SrtDestination(SrtEndpoint):
    """A destination that goes out over SRT."""

    id: DestinationId | None = None
    name: Label | None = None
    enabled: StrictBool = True
    """False: configured, but no process runs for it."""


class UdpSource(Model):
    """A source that comes in over UDP, unicast or multicast."""

    type: Literal["udp"]
    host: Annotated[str, BeforeValidator(addresses.udp_source_host)] | None = None
    """A multicast group, or the local IPv4 address to bind; none: any address."""
    port: Port
    interface: Annotated[str, BeforeValidator(addresses.interface)] | None = None
    """Where a group is joined: IPv4 address or name of a network interface."""
    source_address: Annotated[str, BeforeValidator(addresses.ssm_source)] | None = None
    """The only sender that is heard (source-specific multicast)."""
    rcvbuf: Annotated[int, Whole(4096, INT32, "bytes")] | None = None
    """Socket buffer in bytes; needs net.core.rmem_max of at least that."""

    @model_validator(mode="after")
    def _check_endpoint(self) -> UdpSource:
        found: list[Problem] = []
        if self.source_address is not None and not is_multicast(self.host):
            found.append(("sourceAddress", "needs a multicast group in 'host' (224.0.1.0 to 239.255.255.255)"))
        if on_bus(self.host or "", self.port):
            found.append(("host", BUS_REFUSED))
        raise_problems(self, found)
        return self


BUS_REFUSED = "is in the range of the router's own buses (239.255.0.0/16 with ports 20000 to 29999)"


class UdpDestination(Model):
    """A destination that goes out over UDP, unicast or multicast."""

    type: Literal["udp"]
    host: Annotated[str, BeforeValidator(addresses.udp_destination_host)]
    """IPv4 address of the receiver, or a multicast group."""
    port: Port
    ttl: Annotated[int, Whole(1, 255)] | None = None
    """Hops; none: 64, see DEFAULT_TTL."""
    tos: Annotated[int, Whole(0, 255)] | None = None
    """Type of service byte; DSCP times 4."""
    interface: Annotated[str, BeforeValidator(addresses.interface)] | None = None
    """Where it leaves: IPv4 address or name of a network interface."""
    id: DestinationId | None = None
    name: Label | None = None
    enabled: StrictBool = True
    """False: configured, but nothing is sent to it."""

    @model_validator(mode="after")
    def _check_endpoint(self) -> UdpDestination:
        raise_problems(self, [("host", BUS_REFUSED)] if on_bus(self.host, self.port) else [])
        return self


Source = Annotated[SrtSource | UdpSource, Field(discriminator="type")]
Destination = Annotated[SrtDestination | UdpDestination, Field(discriminator="type")]


def _route_id(value: object) -> str:
    route_id = text(value)
    digits = route_id.removeprefix("route_")
    if digits == route_id or not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        refuse("must be 'route_' and 1 to 20 digits")
    return route_id


class RouteInput(Model):
    """A route without its id, as a client sends it to create or to change one."""

    name: Label
    auto_start: StrictBool = False
    """Start the route with the server."""
    source: Source
    transcode: Transcode | None = None
    """What is made of the stream on its way; none: it passes unchanged."""
    destinations: Annotated[tuple[Destination, ...], ListOf, Field(max_length=MAX_DESTINATIONS)] = ()
    test_source: StrictBool = False
    """The router itself calls the source's listener with a test pattern."""
    description: Note | None = None
    """For people: notes, contacts, several lines."""
    tags: Annotated[tuple[Label, ...], ListOf, Field(max_length=64)] = ()
    """For people and programs: what routes are found and grouped by."""

    @model_validator(mode="after")
    def _check_destination_ids(self) -> RouteInput:
        ids = [end.id for end in self.destinations]
        twice = {one for one in ids if one is not None and ids.count(one) > 1}
        if twice:
            raise_problems(self, [("destinations", f"must not have an id twice: {', '.join(sorted(twice))}")])
        return self

    @model_validator(mode="after")
    def _check_test_source(self) -> RouteInput:
        if self.test_source:
            source = self.source
            if not isinstance(source, SrtSource) or source.mode != "listener":
                raise_problems(self, [("testSource", "needs a source that is an SRT listener, which it can call")])
            elif source.bindtodevice is not None:
                raise_problems(self, [("testSource", "cannot reach a listener that has 'bindtodevice'")])
        return self

    def secrets(self) -> frozenset[str]:
        """Return all passphrases in the clear, for redaction."""
        ends = (self.source, *self.destinations)
        found = (passphrase_of(end) for end in ends if isinstance(end, SrtOptions))
        return frozenset(secret for secret in found if secret)

    def to_json(self, *, hide_secrets: bool = False) -> dict[str, object]:
        """Return the route as it stands in routes.json; with passphrases masked for everybody else."""
        return _to_json(self, hide_secrets)


class Route(RouteInput):
    """One source and its destinations."""

    id: Annotated[str, BeforeValidator(_route_id), Field(pattern=r"^route_[0-9]{1,20}$")]

    @classmethod
    def of(cls, route_id: str, route: RouteInput) -> Route:
        """Return a client's route with the id that the server gave it."""
        fields = {name: getattr(route, name) for name in route.model_fields_set if name != "id"}
        return cls(id=route_id, **fields)


def new_route_id(taken: Collection[str], now_ms: int | None = None) -> str:
    """Return an id that is not taken: `route_` and milliseconds since the epoch."""
    stamp = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    while f"route_{stamp}" in taken:
        stamp += 1
    return f"route_{stamp}"


class NewIds:
    """Ids for many new routes at once: each begins where the one before was found."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self._next_ms = time.time_ns() // 1_000_000

    def next(self) -> str:
        """An id that is not taken; it is from now on."""
        new = new_route_id(self.taken, self._next_ms)
        self._next_ms = int(new.removeprefix("route_")) + 1
        self.taken.add(new)
        return new


def new_destination_id(taken: Collection[str], now_ms: int | None = None) -> str:
    """Return an id that no destination of the route has: `dest_` and milliseconds since the epoch."""
    stamp = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    while f"dest_{stamp}" in taken:
        stamp += 1
    return f"dest_{stamp}"


def part_to_json(part: Model) -> dict[str, object]:
    """Return a part of a route, such as its transcode, as it stands in routes.json; passphrases in the clear."""
    return _to_json(part, hide_secrets=False)


_ALWAYS = ("id", "name", "auto_start", "source", "transcode", "destinations")
_AS_WRITTEN = frozenset({"type", "mode", "latency"})


def _to_json(model: Model, hide_secrets: bool) -> dict[str, object]:
    """Write what a route needs, what its author wrote (type, mode, latency), and what is not default."""
    fields = type(model).model_fields
    first = [name for name in _ALWAYS if name in fields] if isinstance(model, RouteInput) else []
    written: dict[str, object] = {}
    for name in [*first, *(name for name in _given(model) if name not in first)]:
        written[to_camel(name)] = _value_to_json(getattr(model, name), hide_secrets)
    return written


def _given(model: Model) -> list[str]:
    fields = type(model).model_fields
    names = [name for name in _ORDER if name in fields] + [name for name in fields if name not in _ORDER]
    return [
        name
        for name in names
        if name in model.model_fields_set and (name in _AS_WRITTEN or getattr(model, name) != fields[name].default)
    ]


_ORDER = ("id", "type", "name", "enabled", "mode", "host", "port", "latency", "passphrase", "stream_id")


def _value_to_json(value: object, hide_secrets: bool) -> object:
    if isinstance(value, Model):
        return _to_json(value, hide_secrets)
    if isinstance(value, tuple):
        return [_value_to_json(item, hide_secrets) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, SecretStr):
        return MASK if hide_secrets else value.get_secret_value()
    return value


def json_names() -> Mapping[type[Model], frozenset[str]]:
    """Return the JSON names of each part of a route, to suggest the one that was meant."""
    models: tuple[type[Model], ...] = (Route, SrtSource, SrtDestination, UdpSource, UdpDestination)
    models += (Transcode, VideoEncode, AudioEncode, MatrixCell)
    return {model: frozenset(map(to_camel, model.model_fields)) for model in models}
