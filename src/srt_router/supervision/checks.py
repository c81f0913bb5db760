"""What is looked at before a route starts: its own configuration, its ports, the programs it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from srt_router.processes import sockets
from srt_router.processes.sockets import UdpSocket
from srt_router.processes.spawner import find_program
from srt_router.processes.spec import ProcessSpec
from srt_router.routes.conflicts import ListeningPort, listening_ports
from srt_router.routes.errors import field_path
from srt_router.routes.model import Route


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


def name_holders(taken: Iterable[tuple[ListeningPort, UdpSocket]]) -> list[str]:
    """A sentence for each port that is taken. Walks /proc to find who holds it: for a thread."""
    return [f"{field_path(port.location)}: UDP port {port.port} is taken by {_holder(found)}" for port, found in taken]


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


def _holder(found: UdpSocket) -> str:
    names = [str(holder) for holder in sockets.holders(found.inode)]
    return " and ".join(names) or "a process we may not see (another user or container)"
