"""Marked datagrams: sent at a known moment, recognised where they come out."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence

_TS_PACKET = 188
_PER_DATAGRAM = 7
DATAGRAM_BYTES = _TS_PACKET * _PER_DATAGRAM
_PID = 0x1ABC
_MARK = struct.Struct(">4sIQ")
"""Magic, number, monotonic nanoseconds."""
_MAGIC = b"SRTR"
_LAST_S = 1.0
"""So long what was sent last is waited for."""
_AT = 4
"""Where the mark stands: behind the header of the first transport stream packet."""


def marked(number: int, now_ns: int) -> bytes:
    """A datagram that every receiver takes for transport stream, and that says when it was sent."""
    counter = number * _PER_DATAGRAM
    packets = bytearray()
    for index in range(_PER_DATAGRAM):
        header = bytes((0x47, _PID >> 8, _PID & 0xFF, 0x10 | (counter + index) & 0xF))
        packets += header + b"\xff" * (_TS_PACKET - len(header))
    _MARK.pack_into(packets, _AT, _MAGIC, number & 0xFFFFFFFF, now_ns)
    return bytes(packets)


def sent_at(datagram: bytes) -> tuple[int, int] | None:
    """Number and monotonic nanoseconds of a marked datagram; None for any other."""
    if len(datagram) < _AT + _MARK.size:
        return None
    magic, number, at = _MARK.unpack_from(datagram, _AT)
    return (number, at) if magic == _MAGIC else None


def send_and_receive(
    port: int, outputs: Sequence[socket.socket], *, per_second: int, seconds: float
) -> list[list[float]]:
    """Send marked datagrams to a UDP port of loopback, and take them in where they come out.

    The answer: for each output, the milliseconds that each datagram took which arrived there. Waits one second for the
    last ones.
    """
    taken: list[list[float]] = [[] for _ in outputs]
    index = {output.fileno(): number for number, output in enumerate(outputs)}
    poll = select.epoll()
    for output in outputs:
        output.setblocking(False)
        poll.register(output, select.EPOLLIN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, poll:
        target = ("127.0.0.1", port)  # not connected: nobody may listen there yet
        begin = time.monotonic()
        number = 0
        while (now := time.monotonic()) < begin + seconds + _LAST_S:
            due = begin + number / per_second
            if now >= due and now < begin + seconds:
                sender.sendto(marked(number, time.monotonic_ns()), target)
                number += 1
                continue
            pause_s = due - now if now < begin + seconds else _LAST_S / 10
            for fd, _ in poll.poll(pause_s):
                _take(outputs[index[fd]], taken[index[fd]])
    return taken


def _take(output: socket.socket, times_ms: list[float]) -> None:
    while True:
        try:
            datagram = output.recv(65536)
        except BlockingIOError:
            return
        now = time.monotonic_ns()
        if found := sent_at(datagram):
            times_ms.append((now - found[1]) / 1e6)
