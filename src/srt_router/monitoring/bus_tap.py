"""Counts the datagrams on a bus without reading one: a member of the group that lets nothing in.

A socket filter refuses every datagram, and the kernel counts what it refused. No copy, no wake-up, no
buffer that could fill: it disturbs nobody, and the count is exact whatever the rate.
"""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
"""Index of the drop counter in what SO_MEMINFO returns (linux/sock_diag.h)."""
_MEMINFO_LENGTH = 9
_COUNTER_RANGE = 1 << 32
_IP_MULTICAST_ALL = 49
_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""The classic BPF instruction `ret 0`: accept zero bytes of the datagram."""


class BusTap:
    """One tap on one bus."""

    def __init__(self, group: str, port: int) -> None:
        """Join the bus. Raises OSError (too many open files)."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._join(group, port)
        except OSError:
            self._socket.close()
            raise
        self._last = self._counter()
        self.datagrams = 0
        """Datagrams that passed on the bus since the tap was opened, as of the last `look`."""

    def _join(self, group: str, port: int) -> None:
        program = ctypes.create_string_buffer(_RETURN_NOTHING)
        filter_ = struct.pack("HxxxxxxP", 1, ctypes.addressof(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        self._socket.bind((group, port))
        member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    def look(self) -> int:
        """The datagrams since the last look."""
        now = self._counter()
        passed = (now - self._last) % _COUNTER_RANGE
        self._last = now
        self.datagrams += passed
        return passed

    def _counter(self) -> int:
        raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _MEMINFO_LENGTH)
        return int(struct.unpack_from("I", raw, 4 * _MEMINFO_DROPS)[0])

    def close(self) -> None:
        """Leave the bus."""
        self._socket.close()
