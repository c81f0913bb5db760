"""The bus of a route: which multicast group on the loopback interface its processes talk over."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from typing import NamedTuple

from srt_router.routes.addresses import BUS_NETWORK, BUS_PORTS

_CANDIDATES = 10_000
_ANYWHERE = ("0.0.0.0", "::", "*", "")  # noqa: S104


class Bus(NamedTuple):
    """A multicast group and port on the loopback interface."""

    group: str
    port: int

    def __str__(self) -> str:
        return f"{self.group}:{self.port}"


class NoBusLeft(RuntimeError):  # noqa: N818 - said as it is
    """No free bus was found; with 20 million to choose from, something else is wrong."""


def allocate(instance: str, key: str, taken: Container[Bus], *occupied: Container[tuple[str, int]]) -> Bus:
    """Return the bus of a route: the same for the same input, so that a restarted server finds it again.

    `key` is `{route_id}/A`. `taken` are the buses of other routes. `occupied` are local UDP sockets,
    (address, port): those in use in the kernel, and those that routes are configured to bind. One bound
    to any address occupies its port for all groups, since Linux gives it the multicast datagrams that
    others have joined (IP_MULTICAST_ALL), and a bus port is never shared: a group is told apart by both.
    """
    for attempt in range(_CANDIDATES):
        bus = _candidate(instance, key, attempt)
        addresses = (bus.group, *_ANYWHERE)
        held = any((address, bus.port) in sockets for sockets in occupied for address in addresses)
        if bus not in taken and not held:
            return bus
    raise NoBusLeft(f"no free multicast group and port for the bus {key}")


def _candidate(instance: str, key: str, attempt: int) -> Bus:
    text = f"{len(instance)}:{instance}/{key}#{attempt}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    number, port = divmod(number, len(BUS_PORTS))
    number, last = divmod(number, 254)
    third = number % 256
    first, second = BUS_NETWORK.network_address.packed[:2]
    return Bus(f"{first}.{second}.{third}.{last + 1}", BUS_PORTS[port])
