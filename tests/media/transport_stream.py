"""Judging MPEG transport streams: is one intact, and is what came out what was sent in?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PACKET_BYTES = 188
DATAGRAM_BYTES = 7 * PACKET_BYTES
NULL_PID = 0x1FFF

_SYNC = 0x47
_NEEDLES = (65536, DATAGRAM_BYTES, PACKET_BYTES)
_BLOCK_BYTES = 1 << 20
_MAX_DIFFERENCES = 1000


@dataclass(frozen=True)
class Report:
    """What `check` found in a transport stream."""

    packets: int
    sync_errors: int
    """How often the stream was not where a packet should begin, a cut last packet included."""
    continuity_errors: dict[int, int]
    """Errors per PID; PIDs without any are absent."""
    pids: dict[int, int]
    """Packets per PID."""

    @property
    def clean(self) -> bool:
        """True when there are packets and nothing is wrong with them."""
        return self.packets > 0 and not self.sync_errors and not self.continuity_errors

    @property
    def continuity_total(self) -> int:
        """Continuity errors of all PIDs together."""
        return sum(self.continuity_errors.values())


def check(stream: bytes | Path) -> Report:
    """Look for lost sync and for breaks in the continuity counters of every PID."""
    data = stream.read_bytes() if isinstance(stream, Path) else stream
    packets, sync_errors = _aligned_packets(data)
    walk = _ContinuityWalk(packets)
    walk.run()
    errors = {pid: number for pid, number in enumerate(walk.errors) if number}
    pids = {pid: number for pid, number in enumerate(walk.seen) if number}
    return Report(len(packets) // PACKET_BYTES, sync_errors, errors, pids)


def _aligned_packets(data: bytes) -> tuple[bytes, int]:
    """Return the whole packets of `data`, one after the other, and how often sync was lost."""
    whole = len(data) - len(data) % PACKET_BYTES
    if data[0:whole:PACKET_BYTES].count(_SYNC) == whole // PACKET_BYTES:
        return (data, 0) if whole == len(data) else (data[:whole], 1)
    pieces, errors, position = [], 0, 0
    while position < len(data):
        syncs = data[position::PACKET_BYTES]
        good = len(syncs) - len(syncs.lstrip(b"\x47"))
        end = position + good * PACKET_BYTES
        if end > len(data):
            pieces.append(data[position : end - PACKET_BYTES])
            return b"".join(pieces), errors + 1
        pieces.append(data[position:end])
        if end == len(data):
            break
        errors += 1
        position = _next_sync(data, end + 1)
    return b"".join(pieces), errors


def _next_sync(data: bytes, start: int) -> int:
    """Find the next position at which two packets in a row seem to begin; the end if there is none."""
    while (start := data.find(b"\x47", start)) >= 0:
        following = start + PACKET_BYTES
        if following >= len(data) or data[following] == _SYNC:
            return start
        start += 1
    return len(data)


class _ContinuityWalk:
    """Walks over all packets once; the usual case is kept to a handful of operations per packet."""

    def __init__(self, packets: bytes) -> None:
        self.packets = packets
        self.errors = [0] * 8192
        self.seen = [0] * 8192
        self.expected = [-1] * 8192
        self.previous = [-1] * 8192
        self.repeated_at: dict[int, int] = {}

    def run(self) -> None:
        """Fill `errors` and `seen`."""
        packets, seen, expected, previous = self.packets, self.seen, self.expected, self.previous
        columns = (packets[1::PACKET_BYTES], packets[2::PACKET_BYTES], packets[3::PACKET_BYTES])
        for index, high, low, flags in zip(count(), *columns, strict=False):
            pid = (high & 0x1F) << 8 | low
            seen[pid] += 1
            if flags & 0x10 and flags & 0x0F == expected[pid]:
                expected[pid] = (flags + 1) & 0x0F
                previous[pid] = index
            elif pid != NULL_PID and flags & 0x30:
                self._unusual(pid, index, flags)

    def _unusual(self, pid: int, index: int, flags: int) -> None:
        counter, has_payload = flags & 0x0F, bool(flags & 0x10)
        last = (self.expected[pid] - 1) & 0x0F
        if self.expected[pid] < 0 or self._discontinuity_announced(index, flags):
            pass
        elif not has_payload:
            self.errors[pid] += counter != last
        elif counter == last and self._is_allowed_duplicate(pid, index):
            self.repeated_at[pid] = index
        else:
            self.errors[pid] += 1
        self.expected[pid] = (counter + 1) & 0x0F
        self.previous[pid] = index

    def _discontinuity_announced(self, index: int, flags: int) -> bool:
        at = index * PACKET_BYTES
        return bool(flags & 0x20 and self.packets[at + 4] and self.packets[at + 5] & 0x80)

    def _is_allowed_duplicate(self, pid: int, index: int) -> bool:
        """A packet may be sent twice, not three times, and only its PCR may differ."""
        before = self.previous[pid]
        if self.repeated_at.get(pid) == before:
            return False
        return self._without_pcr(before) == self._without_pcr(index)

    def _without_pcr(self, index: int) -> bytes:
        packet = self.packets[index * PACKET_BYTES : (index + 1) * PACKET_BYTES]
        has_pcr = packet[3] & 0x20 and packet[4] and packet[5] & 0x10
        return packet[:6] + packet[12:] if has_pcr else packet


@dataclass(frozen=True)
class Difference:
    """One place where what was received leaves what was sent."""

    kind: str
    """`missing`: sent and not received; `repeated`: received again or out of order; `foreign`: never sent."""
    received_at: int
    sent_at: int
    length: int
    """Bytes missing, jumped back or foreign."""


@dataclass(frozen=True)
class Comparison:
    """Where a received stream lies in the one that was sent, and how it differs."""

    offset: int | None
    """Where in the sent stream the received one begins; None when it was not found there."""
    length: int
    """Bytes received."""
    sent_length: int
    differences: tuple[Difference, ...] = field(default=())

    @property
    def identical(self) -> bool:
        """True when something was received, and all of it is one contiguous stretch of what was sent."""
        return self.offset is not None and not self.differences

    @property
    def first_difference(self) -> int | None:
        """Position in the received stream of the first byte that is not as sent."""
        if self.offset is None:
            return 0
        return self.differences[0].received_at if self.differences else None

    @property
    def missing_bytes(self) -> int:
        """Bytes lost in the middle."""
        return sum(one.length for one in self.differences if one.kind == "missing")

    @property
    def missing_at_end(self) -> int:
        """Bytes sent after the last one received; meaningful when `identical`."""
        return self.sent_length - (self.offset or 0) - self.length

    def __str__(self) -> str:
        if self.offset is None:
            return f"{self.length} bytes received, not found in the {self.sent_length} bytes sent"
        place = f"{self.length} bytes from byte {self.offset} of {self.sent_length}"
        if self.identical:
            return f"identical: {place}"
        first = self.differences[0]
        return (
            f"{place}: {len(self.differences)} differences, {self.missing_bytes} bytes missing; first: "
            f"{first.length} bytes {first.kind} at byte {first.received_at} of what was received"
        )


def compare(sent: bytes | Path, received: bytes | Path) -> Comparison:
    """Compare a received stream, byte for byte, with the one sent; it may begin anywhere in it."""
    sent = sent.read_bytes() if isinstance(sent, Path) else sent
    received = received.read_bytes() if isinstance(received, Path) else received
    offset = _find(sent, received, 0, 0)
    if offset is None:
        return Comparison(None, len(received), len(sent))
    return Comparison(offset, len(received), len(sent), tuple(_differences(sent, received, offset)))


def _find(sent: bytes, received: bytes, at: int, start: int) -> int | None:
    """Find in `sent`, from `start` on, what was received from `at` on; short needles survive a near loss."""
    for size in _NEEDLES:
        needle = received[at : at + size]
        if needle and (found := sent.find(needle, start)) >= 0:
            return found
    return None


def _differences(sent: bytes, received: bytes, offset: int) -> Iterator[Difference]:
    sent_at, received_at = offset, 0
    for _ in range(_MAX_DIFFERENCES):
        same = _same_bytes(sent, sent_at, received, received_at)
        if received_at + same == len(received):
            return
        # The packets on both sides of a gap may begin alike: go back to where this one begins.
        same -= (received_at + same) % PACKET_BYTES
        sent_at, received_at = sent_at + same, received_at + same
        found = _find(sent, received, received_at, sent_at + 1)
        if found is not None:
            yield Difference("missing", received_at, sent_at, found - sent_at)
            sent_at = found
        elif (found := _find(sent, received, received_at, 0)) is not None:
            yield Difference("repeated", received_at, sent_at, sent_at - found)
            sent_at = found
        else:
            length = min(PACKET_BYTES, len(received) - received_at)
            yield Difference("foreign", received_at, sent_at, length)
            sent_at, received_at = sent_at + length, received_at + length


def _same_bytes(left: bytes, left_at: int, right: bytes, right_at: int) -> int:
    """Count the bytes that are equal from both positions on."""
    same, block = 0, _BLOCK_BYTES
    while block:
        piece = right[right_at + same : right_at + same + block]
        if piece and left[left_at + same : left_at + same + len(piece)] == piece:
            same += len(piece)
        else:
            block //= 2
    return same
