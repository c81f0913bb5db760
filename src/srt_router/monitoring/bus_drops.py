"""What the kernel threw away on the buses, per process: one look at /proc/net/udp serves all of them.

A bus has several readers on one address and port. Which socket is whose stands in /proc/PID/fd, which is
read once for each process, when it has opened its socket. Runs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from srt_router.processes import proc, sockets

_LOOKS = 30
"""A process that has no socket on its bus by then (a caller that never reached its peer) is looked at rarely."""


@dataclass(slots=True)
class BusDrops:
    """Remembers which sockets are whose."""

    _sockets: dict[int, frozenset[int]] = field(default_factory=dict)
    _looked: dict[int, int] = field(default_factory=dict)

    def look(self, readers: Mapping[int, tuple[str, int]]) -> dict[int, dict[int, int]]:
        """By PID of the readers of a bus (group and port): drops by socket, where its socket is known."""
        if not readers:
            return {}
        drops = sockets.bus_drops(proc.read_table("/proc/net/udp"), set(readers.values()))
        for memory in (self._sockets, self._looked):
            for gone in [pid for pid in memory if pid not in readers]:
                del memory[gone]
        found = {}
        for pid in readers:
            own = {inode: drops[inode] for inode in self._of(pid, drops) if inode in drops}
            if own:
                found[pid] = own
            else:
                self._sockets.pop(pid, None)  # it has opened another one
        return found

    def _of(self, pid: int, drops: Mapping[int, int]) -> frozenset[int]:
        known = self._sockets.get(pid)
        if known is not None:
            return known
        looks = self._looked[pid] = self._looked.get(pid, 0) + 1
        if looks > _LOOKS and looks % _LOOKS:
            return frozenset()
        own = sockets.inodes(pid) & drops.keys()
        if own:
            self._sockets[pid] = own
        return own
