"""What the udpDuplicator is told: its command line and its config file."""

import json
import socket
from typing import NamedTuple

SOCKET_BUFFER = 4_000_000


class UsageError(Exception):
    """A command line that cannot be carried out."""


class Source(NamedTuple):
    """What ``--input`` names; an empty host is any address."""

    uri: str
    host: str
    port: int
    interface: str | None = None
    source: str | None = None
    rcvbuf: int = SOCKET_BUFFER


class Destination(NamedTuple):
    """Where datagrams go, and how; None leaves the default."""

    host: str
    port: int
    ttl: int | None = None
    tos: int | None = None
    interface: str | None = None


class Options(NamedTuple):
    """The command line."""

    source: Source
    bus: Destination | None
    config: str | None


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 address."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def is_multicast(host: str) -> bool:
    """Whether the host is an IPv4 multicast group."""
    return is_address(host) and 224 <= int(host.split(".")[0]) <= 239


def number(text: str, low: int, high: int) -> int:
    """The whole number in the text, or a UsageError."""
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise UsageError(f"{text!r} is not a number from {low} to {high}")
    return int(text)


def parse_source(uri: str) -> Source:
    """Read ``udp://HOST:PORT?interface=…&source=…&rcvbuf=…``; a parameter we do not know is refused."""
    place, _, query = uri.removeprefix("udp://").partition("?")
    host, colon, port = place.rpartition(":")
    if not (uri.startswith("udp://") and colon):
        raise UsageError(f"{uri!r} is not udp://HOST:PORT")
    given = dict(item.partition("=")[::2] for item in query.split("&") if item)
    source = Source(
        uri,
        host.removeprefix("@"),
        number(port, 1, 65535),
        given.pop("interface", None) or None,
        given.pop("source", None) or None,
        number(given.pop("rcvbuf", str(SOCKET_BUFFER)), 1, 2**30),
    )
    if given:
        raise UsageError(f"{uri!r}: unknown parameter {', '.join(given)}")
    return source


def parse_bus(text: str) -> Destination:
    """Read ``GROUP:PORT``: a multicast group that never leaves this machine."""
    host, _, port = text.rpartition(":")
    if not is_multicast(host):
        raise UsageError(f"{text!r} is not a multicast GROUP:PORT")
    return Destination(host, number(port, 1, 65535), ttl=0, interface="127.0.0.1")


def parse_arguments(words: list[str]) -> Options:
    """Read ``--input URI [--bus GROUP:PORT] [--config FILE]``, also with ``=``."""
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in ("--input", "--bus", "--config") or name in given:
            raise UsageError(f"unknown or repeated argument {word!r}")
        given[name] = value if equals else next(rest, "")
        if not given[name]:
            raise UsageError(f"{name} needs a value")
    if "--input" not in given or len(given) == 1:
        raise UsageError("usage: duplicator.py --input udp://HOST:PORT [--bus GROUP:PORT] [--config FILE]")
    bus = given.get("--bus")
    return Options(parse_source(given["--input"]), parse_bus(bus) if bus else None, given.get("--config"))


def parse_destination(entry: object) -> Destination:
    """Read one entry of the config file; a ValueError says what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError(f"not an object: {entry!r}")  # noqa: TRY004 - one kind of error: a broken file
    if unknown := entry.keys() - set(Destination._fields):
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
    for field, low, high in (("port", 1, 65535), ("ttl", 0, 255), ("tos", 0, 255)):
        value = entry.get(field)
        if value is None and field != "port":
            continue
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{field} {value!r} is not a number from {low} to {high}")
    host, interface = entry.get("host"), entry.get("interface")
    if not isinstance(host, str) or not host or ":" in host or not host.isascii():
        raise ValueError(f"host {host!r} is neither an IPv4 address nor a name")
    if interface is not None and (not isinstance(interface, str) or "\0" in interface):
        raise ValueError(f"interface {interface!r} is neither an IPv4 address nor a name")
    return Destination(host, entry["port"], entry.get("ttl"), entry.get("tos"), interface or None)


def parse_config(text: bytes) -> list[Destination]:
    """The destinations in a config file, each once; a ValueError says what is wrong with the file."""
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("destinations"), list):
        raise ValueError('not {"destinations": […]}')  # noqa: TRY004 - as above
    by_place = {(entry.host, entry.port): entry for entry in map(parse_destination, config["destinations"])}
    return list(by_place.values())
