"""When each datagram of a transport stream leaves: as its PCRs say, the packets of a frame in one burst."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.media.transport_stream import DATAGRAM_BYTES, PACKET_BYTES

_PCR_WRAP = 300 << 33
_PCR_HZ = 27_000_000


@dataclass(frozen=True)
class Burst:
    """Datagrams that leave at once."""

    at_s: float
    """Seconds since the first burst."""
    start: int
    end: int

    def datagrams(self, data: bytes) -> Iterator[bytes]:
        """Return the burst's bytes in pieces of one datagram."""
        for start in range(self.start, self.end, DATAGRAM_BYTES):
            yield data[start : min(start + DATAGRAM_BYTES, self.end)]


def bursts(data: bytes) -> list[Burst]:
    """Cut a stream where its clock ticks; a datagram with two ticks in it leaves at the later one."""
    cuts = [(0.0, 0)]
    for at_s, position in _clock_ticks(data):
        start = position - position % DATAGRAM_BYTES
        if start == cuts[-1][1]:
            cuts[-1] = (at_s, start)
        else:
            cuts.append((at_s, start))
    ends = [start for _, start in cuts[1:]] + [len(data)]
    return [Burst(at_s, start, end) for (at_s, start), end in zip(cuts, ends, strict=True)]


def _clock_ticks(data: bytes) -> Iterator[tuple[float, int]]:
    """Yield the time and position of each PCR of the first PID that has one."""
    clock_pid, elapsed, last = None, 0, 0
    for index, flags in enumerate(data[3::PACKET_BYTES]):
        at = index * PACKET_BYTES
        if not (flags & 0x20 and data[at + 4] and data[at + 5] & 0x10):
            continue
        pid = data[at + 1 : at + 3]
        pcr = _pcr(data[at + 6 : at + 12])
        if clock_pid is None:
            clock_pid, last = pid, pcr
        if pid == clock_pid:
            elapsed += (pcr - last) % _PCR_WRAP
            last = pcr
            yield elapsed / _PCR_HZ, at


def _pcr(field: bytes) -> int:
    value = int.from_bytes(field, "big")
    return (value >> 15) * 300 + (value & 0x1FF)


class Pacer:
    """Waits for the moment at which a burst is due, and knows how late it was at worst."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self.worst_delay_s = 0.0

    def wait(self, at_s: float) -> None:
        """Return at `at_s` seconds since this pacer was made."""
        ahead_s = self._start_s + at_s - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        late_s = time.monotonic() - self._start_s - at_s
        self.worst_delay_s = max(self.worst_delay_s, late_s)

    def elapsed_s(self) -> float:
        """Seconds since this pacer was made."""
        return time.monotonic() - self._start_s
