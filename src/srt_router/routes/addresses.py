"""Hosts, addresses and interfaces: what may stand in an endpoint, and which of them are the same."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn

from pydantic_core import PydanticCustomError

BUS_NETWORK = ipaddress.IPv4Network("239.255.0.0/16")
"""Where the groups of the router's own buses are (RFC 2365: the IPv4 local scope)."""
BUS_PORTS = range(20000, 30000)
"""The ports of the router's own buses."""

_LINK_CONTROL = ipaddress.IPv4Network("224.0.0.0/24")
_RESERVED = ipaddress.IPv4Network("240.0.0.0/4")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NIC = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,14}")
_NUMBER_LIKE = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def refuse(message: str) -> NoReturn:
    """Refuse a value inside a pydantic validator; the message must not contain the value of a secret."""
    raise PydanticCustomError("route", "{message}", {"message": message})


def text(value: object) -> str:
    """Return the value if it is text, refuse it otherwise."""
    if not isinstance(value, str):
        refuse("must be text")
    return value


def ip(value: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a text is, None where it is none."""
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def ipv4(value: str) -> IPv4Address | None:
    """Return the IPv4 address that a text is, None where it is none."""
    address = ip(value)
    return address if isinstance(address, IPv4Address) else None


def is_multicast(host: str | None) -> bool:
    """Tell whether a host is an IPv4 multicast group."""
    address = ipv4(host) if host else None
    return address is not None and address.is_multicast


def is_loopback(host: str) -> bool:
    """Tell whether a host is certainly this machine: 127/8, ::1 or `localhost`."""
    address = ip(host)
    return address.is_loopback if address else host.lower() == "localhost"


def normal(host: str) -> str:
    """Return the one spelling of a host, so that two spellings of the same compare equal."""
    address = ip(host)
    return str(address) if address else host.lower()


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def on_bus(host: str, port: int) -> bool:
    """Tell whether an address belongs to the range of the router's own buses."""
    address = ipv4(host)
    return address is not None and address in BUS_NETWORK and port in BUS_PORTS


def srt_host(value: object) -> str:
    """Check the peer of an SRT caller: an IPv4 or IPv6 address of one machine, or a host name (RFC 1123)."""
    host = text(value)
    address = ip(host)
    if address is None:
        return _host_name(host)
    if getattr(address, "scope_id", None):
        refuse("must not name a zone (the part from '%' on): it cannot be carried in an SRT address")
    if address.is_unspecified:
        refuse("must be the address of the peer; this one means 'any address'")
    if address.is_multicast or (isinstance(address, IPv4Address) and address in _RESERVED):
        refuse("must be the address of one machine: SRT is unicast")
    return host


def _host_name(host: str) -> str:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        refuse(
            "must be an IPv4 address, an IPv6 address or a host name of letters, digits, hyphens and dots "
            "(no brackets, no port, no leading hyphen)"
        )
    if _NUMBER_LIKE.fullmatch(labels[-1]):
        refuse("looks like an IPv4 address but is none")
    return host


def adapter(value: object) -> str:
    """Check a local address to bind: IPv4 or IPv6, also 0.0.0.0 and ::."""
    address = ip(text(value))
    if address is None or getattr(address, "scope_id", None):
        refuse("must be an IPv4 or IPv6 address of this machine, not a name")
    if address.is_multicast or (isinstance(address, IPv4Address) and address in _RESERVED):
        refuse("must be the address of a network interface of this machine")
    return str(address)


def udp_source_host(value: object) -> str:
    """Check where a UDP source listens: a local IPv4 address to bind, or a multicast group."""
    address = _udp_address(text(value))
    if address in _LINK_CONTROL:
        refuse("is in 224.0.0.0/24, which is kept for routing protocols; use 239.0.0.0/8")
    return str(address)


def udp_destination_host(value: object) -> str:
    """Check where a UDP destination sends: the IPv4 address of a machine, or a multicast group."""
    address = _udp_address(text(value))
    if address.is_unspecified:
        refuse("must be the address of the receiver; 0.0.0.0 is nobody")
    if address in _LINK_CONTROL:
        refuse("is in 224.0.0.0/24, which is kept for routing protocols and never leaves the link")
    return str(address)


def _udp_address(host: str) -> IPv4Address:
    address = ip(host)
    if isinstance(address, IPv6Address):
        refuse("must be an IPv4 address: UDP over IPv6 is not supported, neither here nor by the tools behind")
    if address is None:
        refuse("must be an IPv4 address, not a name: a name could change its address while on air")
    if address in _RESERVED:
        refuse("is a broadcast or reserved address (240.0.0.0/4)")
    return address


def ssm_source(value: object) -> str:
    """Check the sender of a source-specific multicast (RFC 4607): the IPv4 address of one machine."""
    address = ipv4(text(value))
    if address is None:
        refuse("must be the IPv4 address of the sender")
    if address.is_multicast or address.is_unspecified or address in _RESERVED:
        refuse("must be the IPv4 address of one machine: the sender of the multicast")
    return str(address)


def interface(value: object) -> str:
    """Check a network interface: its name (at most 15 characters) or its IPv4 address."""
    name = text(value)
    address = ip(name)
    if isinstance(address, IPv6Address):
        refuse("must be an IPv4 address or the name of a network interface")
    if address is not None:
        if address.is_multicast or address.is_unspecified or address in _RESERVED:
            refuse("must be the IPv4 address of a network interface of this machine")
        return str(address)
    return device(name)


def device(value: object) -> str:
    """Check the name of a network interface, at most 15 letters, digits and `._-`."""
    name = text(value)
    if name in {".", ".."} or not _NIC.fullmatch(name):
        refuse("must be the name of a network interface: at most 15 letters, digits, '.', '_' or '-'")
    if _NUMBER_LIKE.fullmatch(name.rsplit(".", 1)[-1]) and name.count(".") == 3:
        refuse("looks like an IPv4 address but is none")
    return name
