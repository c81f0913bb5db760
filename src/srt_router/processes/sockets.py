"""The kernel's table of UDP sockets: who holds a port, who has joined a bus, what was dropped.

UDP ports never conflict by themselves (srt-live-transmit sets SO_REUSEADDR), so this table is the only
way to find a silent thief.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from srt_router.processes import proc

Members = Counter[bytes]
"""Sockets by local address and port, as the kernel writes them."""

ANY = "0.0.0.0"  # noqa: S104 - named to be compared with, not to be bound


@dataclass(frozen=True, slots=True)
class UdpSocket:
    """One line of /proc/net/udp or udp6."""

    address: str
    """Local address; `0.0.0.0` or `::` for any."""
    port: int
    inode: int
    drops: int
    """Datagrams the kernel threw away because the receive buffer was full."""
    queued: int
    """Bytes waiting in the receive buffer."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a socket."""

    pid: int
    program: str
    route: str | None
    """The route in its ownership tag, if it carries one."""

    def __str__(self) -> str:
        """`srt-live-transmit (PID 4711, route route_1)`."""
        route = f", {self.route}" if self.route else ""
        return f"{self.program} (PID {self.pid}{route})"


def udp_sockets() -> list[UdpSocket]:
    """Every UDP socket of this network namespace."""
    return _table("/proc/net/udp") + _table("/proc/net/udp6")


def bound_udp() -> Members:
    """How many sockets are bound to each IPv4 address and port: the quick look, for `joined`."""
    return Counter(words[1] for line in proc.read_table("/proc/net/udp").splitlines() if (words := line.split(None, 2)))


def joined(members: Members, group: str, port: int) -> int:
    """How many sockets are bound to a multicast group and port."""
    return members[b"%08X:%04X" % (struct.unpack("=I", socket.inet_aton(group))[0], port)]


def bus_drops(table: bytes, buses: Collection[tuple[str, int]]) -> dict[int, int]:
    """By inode of each socket that is bound to one of these groups and ports: datagrams it had no room for."""
    keys = {b"%08X:%04X" % (struct.unpack("=I", socket.inet_aton(group))[0], port) for group, port in buses}
    found: dict[int, int] = {}
    for line in table.split(b"\n"):
        at = line.find(b": ") + 2
        if line[at : at + 13] in keys:
            words = line.split()
            if len(words) >= 13 and words[9].isdigit() and words[12].isdigit():
                found[int(words[9])] = int(words[12])
    return found


def inodes(pid: int) -> frozenset[int]:
    """The sockets that a process has open; none when it is gone."""
    return frozenset(int(link[8:-1]) for link in _descriptors(pid) if link.startswith("socket:["))


def holders(inodes: Collection[int], among: Iterable[int] | None = None) -> dict[int, list[Holder]]:
    """Which processes have these sockets open.

    Walks every process, unless it is told which ones to look `among`: for error messages, not for a loop.
    """
    targets = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[Holder]] = {inode: [] for inode in inodes}
    for pid in proc.pids() if among is None else among:
        held = {targets[link] for link in _descriptors(pid) if link in targets}
        if held:
            environment = proc.environ(pid) or {}
            holder = Holder(pid, proc.program(pid) or "?", environment.get("SRT_ROUTER_ROUTE"))
            for inode in held:
                found[inode].append(holder)
    return found


def overlap(one: str, other: str) -> bool:
    """Do two local addresses compete for a port? A wildcard competes with every address of its family."""
    a, b = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if a.version != b.version:
        return (a.version == 6 and a.is_unspecified) or (b.version == 6 and b.is_unspecified)
    return a == b or a.is_unspecified or b.is_unspecified


def _table(path: str) -> list[UdpSocket]:
    lines = proc.read_table(path).decode("ascii", "replace").splitlines()[1:]
    return [found for line in lines if (found := _parse(line.split()))]


def _parse(words: list[str]) -> UdpSocket | None:
    if len(words) < 13:
        return None
    address, _, port = words[1].partition(":")
    queued = words[4].partition(":")[2]
    return UdpSocket(_address(address), int(port, 16), int(words[9]), int(words[12]), int(queued, 16))


def _address(text: str) -> str:
    """Addresses stand there as 32-bit words in the machine's byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return str(ipaddress.ip_address(packed))


def _descriptors(pid: int) -> Iterator[str]:
    """What the descriptors of a process point at."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            yield os.readlink(f"{folder}/{name}")  # noqa: PTH115
