"""The network interfaces of this machine."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import ClassVar

import psutil
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an interface."""

    address: str
    version: int
    """4 or 6."""
    prefix: int | None
    """Length of the network part, in bits; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    name: str
    up: bool
    loopback: bool
    multicast: bool
    mtu: int
    """Bytes."""
    speed_mbps: int | None
    """None where the driver does not say."""
    mac: str | None
    addresses: list[Address] = field(default_factory=list)


def interfaces() -> list[Interface]:
    """Every interface, by name, with its addresses. Reads the kernel's lists: for a thread."""
    stats = psutil.net_if_stats()
    found = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        known = stats.get(name)
        flags = known.flags.split(",") if known else []
        mac = next((one.address for one in addresses if one.family is psutil.AF_LINK), None)
        found.append(
            Interface(
                name=name,
                up=bool(known and known.isup),
                loopback="loopback" in flags,
                multicast="multicast" in flags or "loopback" in flags,
                mtu=known.mtu if known else 0,
                speed_mbps=(known.speed or None) if known else None,
                mac=mac if mac and mac.strip("0:") else None,
                addresses=[
                    _address(one.address, one.netmask)
                    for one in addresses
                    if one.family in (socket.AF_INET, socket.AF_INET6)
                ],
            )
        )
    return found


def _address(text: str, netmask: str | None) -> Address:
    plain = text.partition("%")[0]  # link-local addresses name their interface behind it
    version = ipaddress.ip_address(plain).version
    return Address(text, version, _prefix(netmask))


def _prefix(netmask: str | None) -> int | None:
    if netmask is None:
        return None
    return int(ipaddress.ip_address(netmask.partition("/")[0])).bit_count()
