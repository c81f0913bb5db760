"""What is looked at before a route starts: its own configuration, its ports, the programs it needs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from srt_router.processes import sockets
from srt_router.processes.sockets import Holder, UdpSocket
from srt_router.processes.spawner import find_program
from srt_router.processes.spec import ProcessSpec
from srt_router.routes.conflicts import ListeningPort, listening_ports
from srt_router.routes.errors import field_path
from srt_router.routes.model import Route

_WALK_EVERY_S = 60.0
_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class PortTable:
    """One look at the kernel's UDP sockets, shared by all routes that start together."""

    by_port: dict[int, list[UdpSocket]] = field(default_factory=dict)
    occupied: frozenset[tuple[str, int]] = frozenset()
    """Every local address and port in use."""

    @classmethod
    def look(cls) -> PortTable:
        """Read the table now."""
        found = sockets.udp_sockets()
        by_port: dict[int, list[UdpSocket]] = {}
        for one in found:
            by_port.setdefault(one.port, []).append(one)
        return cls(by_port, frozenset((one.address, one.port) for one in found))

    def holding(self, address: str, port: int) -> UdpSocket | None:
        """A socket that competes for this address and port."""
        for found in self.by_port.get(port, ()):
            if sockets.overlap(address, found.address):
                return found
        return None


def taken_ports(route: Route, table: PortTable) -> list[tuple[ListeningPort, UdpSocket]]:
    """The ports that this route needs for itself and somebody holds."""
    wanted = listening_ports(route)
    return [(port, found) for port in wanted if (found := table.holding(port.address, port.port))]


class HolderBook:
    """Names who holds a port. A route that is refused is looked at again and again: the holder is found once.

    Whom it knows it only looks at again; all processes are walked for a socket whose holder is not known,
    and at most every `_WALK_EVERY_S` for one whose holder cannot be seen.
    """

    def __init__(self) -> None:
        self._known: dict[int, list[int]] = {}
        self._walked: dict[int, float] = {}

    def sentences(self, taken: Iterable[tuple[ListeningPort, UdpSocket]]) -> list[str]:
        """A sentence for each port that is taken. May walk /proc: for a thread."""
        taken = list(taken)
        found = self._holders({socket.inode for _, socket in taken})
        return [
            f"{field_path(port.location)}: UDP port {port.port} is taken by {_names(found[socket.inode])}"
            for port, socket in taken
        ]

    def _holders(self, inodes: set[int]) -> dict[int, list[Holder]]:
        now = time.monotonic()
        suspects = {pid for inode in inodes for pid in self._known.get(inode, ())}
        found = sockets.holders(inodes, among=suspects)
        unknown = {i for i in inodes if not found[i] and now - self._walked.get(i, -math.inf) >= _WALK_EVERY_S}
        if unknown:
            found |= sockets.holders(unknown)
            self._walked = {inode: at for inode, at in self._walked.items() if now - at < _WALK_EVERY_S}
            self._walked |= dict.fromkeys(unknown, now)
        self._known |= {inode: [one.pid for one in found[inode]] for inode in inodes}
        while len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        return found


def missing_programs(specs: Sequence[ProcessSpec]) -> list[str]:
    """Which programs of a plan are not installed."""
    programs = dict.fromkeys(spec.argv[0] for spec in specs)
    return [f"{name} is not installed (apt install srt-tools ffmpeg)" for name in programs if not _there(name)]


def _there(program: str) -> bool:
    try:
        find_program(program)
    except FileNotFoundError:
        return False
    return True


def _names(holders: list[Holder]) -> str:
    return " and ".join(map(str, holders)) or "a process we may not see (another user or container)"
