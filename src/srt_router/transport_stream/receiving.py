"""Taking what passes on a bus, in batches, with the kernel's own time and losses of each datagram.

The sockets are IPv6 sockets that join an IPv4 group: they receive the same, and stand in another table of
the kernel (/proc/net/udp6). So nobody who looks who has joined a bus, or what was dropped on it, takes the
monitor for a destination. A kernel without IPv6 gets IPv4 sockets.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from srt_router.duplication.outputs import MESSAGE, VECTOR, Message, Vector, enlarge
from srt_router.transport_stream.framing import Bytes, Times

BATCH = 256  # datagrams per system call
CELL = 2048  # room for one: nothing on a bus is larger than 1,456 bytes
BUFFER_BYTES = 4_000_000
"""As every reader of a bus."""
_CONTROL_WORDS = 8  # room for a time stamp and a count of losses, in words of eight bytes
_CONTROL_BYTES = 8 * _CONTROL_WORDS
_WITH_LOSSES = 56
"""So long are time stamp and count of losses; a datagram before which nothing was lost has the first only."""
_TIMESTAMPNS, _RXQ_OVFL, _RCVBUFFORCE, _MULTICAST_ALL = 35, 40, 33, 49
_FAMILY = socket.AF_INET6
_OLDEST_S = 10.0
_DATAGRAM_BYTES, _KERNEL_BYTES = 1316, 2304
"""A datagram of seven packets, and what the kernel books for it in the buffer."""

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


class Arrived(NamedTuple):
    """Datagrams that came one after the other."""

    data: Bytes
    """All of them in a row. Valid until the next call."""
    lengths: NDArray[np.int64]
    times: Times
    """When each came, in monotonic seconds."""
    losses: NDArray[np.int64]
    """How many the socket had lost in all when each came."""
    more: bool
    """There may be more waiting."""


class Batch:
    """The memory of one system call, shared by all sockets."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, BATCH * CELL)
        self._anchor = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        base = ctypes.addressof(self._anchor)
        self._vectors = (Vector * BATCH)(*[Vector(base + CELL * index, CELL) for index in range(BATCH)])
        self._control = np.zeros((BATCH, _CONTROL_WORDS), np.int64)
        control, vectors = self._control.ctypes.data, ctypes.addressof(self._vectors)
        cells = [
            Message(0, 0, vectors + VECTOR * index, 1, control + _CONTROL_BYTES * index, _CONTROL_BYTES)
            for index in range(BATCH)
        ]
        self._messages = (Message * BATCH)(*cells)
        self._messages_at = ctypes.addressof(self._messages)
        self._cells = np.frombuffer(self._memory, np.uint8).reshape(BATCH, CELL)
        words = np.frombuffer(memoryview(self._messages).cast("B"), np.int64).reshape(BATCH, MESSAGE // 8)
        self._control_lengths, self._lengths = words[:, 5], words[:, 7]

    def receive(self, descriptor: int) -> Arrived | None:
        """What waits at a socket, BATCH datagrams at most; None when nothing does."""
        count: int = _recvmmsg(descriptor, self._messages_at, BATCH, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return None
        lengths = (self._lengths[:count] & 0xFFFFFFFF).copy()
        times, losses = self._read_control(count)
        self._control_lengths[:count] = _CONTROL_BYTES
        longest = int(lengths.max())
        if int(lengths.min()) == longest:
            data = self._cells[:count, :longest].reshape(-1)
        else:
            data = np.concatenate([self._cells[index, :length] for index, length in enumerate(lengths.tolist())])
        return Arrived(data, lengths, times, losses, count == BATCH)

    def _read_control(self, count: int) -> tuple[Times, NDArray[np.int64]]:
        """Each datagram's time stamp, turned into monotonic time, and the losses before it."""
        control, used = self._control[:count], self._control_lengths[:count]
        losses = np.where(used >= _WITH_LOSSES, control[:, 6] & 0xFFFFFFFF, 0)
        now, now_ns = time.monotonic(), time.time_ns()
        ago = (now_ns // 10**9 - control[:, 2]) + (now_ns % 10**9 - control[:, 3]) * 1e-9
        times = now - np.clip(np.where(used > 0, ago, 0.0), 0.0, _OLDEST_S)  # the wall clock may have been set
        return np.maximum.accumulate(times), losses


class BusSocket:
    """A member of one bus that never sends."""

    def __init__(self, group: str, port: int) -> None:
        """Bind and join. Raises OSError."""
        self._membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        self._socket, place = _new_socket(group, port)
        self._joined = False
        try:
            if self._socket.family is socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setsockopt(socket.IPPROTO_IP, _MULTICAST_ALL, 0)
            enlarge(self._socket, _RCVBUFFORCE, socket.SO_RCVBUF, BUFFER_BYTES)
            self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _RXQ_OVFL, 1)
            self._socket.bind(place)
            self.join()
        except OSError:
            self._socket.close()
            raise
        booked = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.capacity = booked * _DATAGRAM_BYTES // _KERNEL_BYTES
        """Bytes of stream that it can hold while nobody reads."""

    @property
    def descriptor(self) -> int:
        """For `Batch.receive`."""
        return self._socket.fileno()

    def join(self) -> None:
        """Become a member of the bus. Raises OSError."""
        if not self._joined:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, self._membership)
            self._joined = True

    def leave(self) -> None:
        """Be none for a while: nothing comes any more, and nothing is lost."""
        if self._joined:
            self._joined = False
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, self._membership)

    def close(self) -> None:
        """Leave the bus for good."""
        self._socket.close()


def _new_socket(group: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        sock = socket.socket(_FAMILY, kind)
    except OSError:
        return socket.socket(socket.AF_INET, kind), (group, port)
    return sock, (f"::ffff:{group}", port)
