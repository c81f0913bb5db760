"""From bytes to packets: finds where packets begin, keeps to it, and notices when it is lost.

TR 101 290, 1.1 and 1.2: five sync bytes in a row are a lock, two wrong ones in a row its loss. Packets of
188 bytes, of 204 (the last 16 are parity and dropped), and either of them behind an RTP header.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Times = NDArray[np.float64]

PACKET_BYTES = 188
SYNC_BYTE = 0x47
PACKET_SIZES = (PACKET_BYTES, 204)
SYNCS_TO_LOCK = 5
_HUNTED_IN_VAIN = 20 * 204
"""So many bytes without a lock are no transport stream."""
_RTP_HEADER = 12
_RTP_MP2T = 33


class StreamFormat(StrEnum):
    """How packets are laid out."""

    UNKNOWN = "unknown"
    TS188 = "ts188"
    TS204 = "ts204"
    RTP = "rtp"
    """188-byte packets behind RTP headers."""


class Packets(NamedTuple):
    """Whole packets, one row each, and when each of them came."""

    rows: Bytes
    times: Times
    after_loss: bool = False
    """The lock was lost and found again just before: what was counted before it leads nowhere."""


class Framer:
    """Cuts one stream into packets."""

    def __init__(self) -> None:
        self.locked = False
        self.sync_losses = 0
        self.sync_byte_errors = 0
        self._size = PACKET_BYTES
        self._rtp = False
        self._rest = np.zeros(0, np.uint8)
        self._hunted = 0
        self._loss_told = False
        self._lost = False

    @property
    def format(self) -> StreamFormat:
        """What the stream was last seen to be."""
        if not self.locked:
            return StreamFormat.UNKNOWN
        if self._rtp:
            return StreamFormat.RTP
        return StreamFormat.TS188 if self._size == PACKET_BYTES else StreamFormat.TS204

    @property
    def in_vain(self) -> bool:
        """Bytes come, and no packets can be found in them."""
        return self._loss_told and not self.locked

    def reset(self) -> None:
        """Something was not seen, and that is not the stream's fault: find the next packet anew, in silence."""
        self._rest = np.zeros(0, np.uint8)
        self._hunted = 0
        if self.locked:
            self.locked = self._lost = False

    def cut(self, data: Bytes, lengths: NDArray[np.int64], times: Times) -> list[Packets]:
        """The whole packets up to the end of `data`, in stretches that lie without a gap in between.

        `lengths` are those of the datagrams that `data` is made of, `times` when each of them came.
        """
        if len(data) == 0:
            return []
        data, lengths = self._without_rtp(data, lengths)
        if self.locked and not len(self._rest) and self._size == PACKET_BYTES:
            packets = _whole_packets(data, lengths, times)
            if packets is not None:
                return [packets]
        return self._cut_slowly(data, lengths, times)

    # Datagrams behind RTP headers

    def _without_rtp(self, data: Bytes, lengths: NDArray[np.int64]) -> tuple[Bytes, NDArray[np.int64]]:
        if self.locked and not self._rtp:
            return data, lengths
        starts = np.cumsum(lengths) - lengths
        headed = _has_rtp_header(data, starts, lengths)
        if not self.locked:
            self._rtp = bool(headed.any())
        if not self._rtp:
            return data, lengths
        keep = np.ones(len(data), bool)
        for start in starts[headed]:
            keep[start : start + _RTP_HEADER] = False
        return data[keep], lengths - _RTP_HEADER * headed

    # With what was left over, or after something went wrong

    def _cut_slowly(self, data: Bytes, lengths: NDArray[np.int64], times: Times) -> list[Packets]:
        left_over = len(self._rest)
        buffer = np.concatenate((self._rest, data))
        ends = np.cumsum(lengths) + left_over
        found: list[Packets] = []
        at = 0
        after_loss = False
        while True:
            if not self.locked:
                after_loss = self._lost
                at = self._hunt(buffer, at)
                if not self.locked:
                    break
            rows, offsets, at = self._follow(buffer, at)
            if len(rows):
                index = np.searchsorted(ends, offsets, side="right")
                found.append(Packets(rows, times[np.minimum(index, len(times) - 1)], after_loss))
            if self.locked:
                break
        self._rest = buffer[at:].copy()
        return found

    def _follow(self, buffer: Bytes, at: int) -> tuple[Bytes, NDArray[np.int64], int]:
        """The packets from `at` on, where each begins, and where to go on; the lock may be lost there."""
        size = self._size
        count = (len(buffer) - at) // size
        rows = buffer[at : at + count * size].reshape(count, size)[:, :PACKET_BYTES]
        wrong = rows[:, 0] != SYNC_BYTE
        limit = count
        if wrong.any():
            twice = np.flatnonzero(wrong[:-1] & wrong[1:])
            if len(twice):
                limit = int(twice[0])
                self.sync_byte_errors += 2
                self._lose()
            elif wrong[-1]:
                limit = count - 1  # the next packet tells whether the lock is lost
            self.sync_byte_errors += int(np.count_nonzero(wrong[:limit]))
            good = np.flatnonzero(~wrong[:limit])
            return rows[good], at + good * size, at + limit * size
        return rows, at + np.arange(count) * size, at + limit * size

    def _lose(self) -> None:
        self.sync_losses += 1
        self.locked, self._lost, self._loss_told, self._hunted = False, True, True, 0

    def _hunt(self, buffer: Bytes, at: int) -> int:
        """Look for a lock: where the next packets begin, or from where on to look again."""
        here = buffer[at:] == SYNC_BYTE
        starts = {size: start for size in PACKET_SIZES if (start := _lock_at(here, size)) is not None}
        if starts:
            self._size = min(starts, key=lambda size: (starts[size], size))
            self.locked, self._lost, self._loss_told, self._hunted = True, False, False, 0
            return at + starts[self._size]
        keep = min(len(here), SYNCS_TO_LOCK * max(PACKET_SIZES))
        self._hunted += len(here) - keep
        if self._hunted > _HUNTED_IN_VAIN and not self._loss_told:
            self._loss_told = self._lost = True
            self.sync_losses += 1
        return len(buffer) - keep


def _whole_packets(data: Bytes, lengths: NDArray[np.int64], times: Times) -> Packets | None:
    """The usual case: every datagram holds whole packets, and each begins as it should."""
    counts, rest = np.divmod(lengths, PACKET_BYTES)
    if rest.any():
        return None
    rows = data.reshape(-1, PACKET_BYTES)
    if (rows[:, 0] != SYNC_BYTE).any():
        return None
    return Packets(rows, np.repeat(times, counts))


def _has_rtp_header(data: Bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which datagrams are RTP (version 2, no extension, payload MP2T) with a packet behind the header."""
    last = len(data) - 1
    long_enough = lengths > _RTP_HEADER
    first, second = data[np.minimum(starts, last)], data[np.minimum(starts + 1, last)]
    behind = data[np.minimum(starts + _RTP_HEADER, last)]
    fits = ((lengths - _RTP_HEADER) % PACKET_BYTES == 0) & (behind == SYNC_BYTE)
    headed: NDArray[np.bool_] = long_enough & (first == 0x80) & ((second & 0x7F) == _RTP_MP2T) & fits
    return headed


def _lock_at(here: NDArray[np.bool_], size: int) -> int | None:
    """The first place from which five sync bytes stand `size` bytes apart."""
    count = len(here) - (SYNCS_TO_LOCK - 1) * size
    if count <= 0:
        return None
    row = here[:count].copy()
    for step in range(1, SYNCS_TO_LOCK):
        row &= here[step * size : step * size + count]
    first = int(row.argmax())
    return first if row[first] else None
