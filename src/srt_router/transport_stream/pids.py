"""What is counted per PID: packets, continuity errors, scrambling, clocks. Vectorised: no Python per packet.

A PID gets a slot when it is first seen, so that a usual stream of ten PIDs needs little memory, and one with
all 8,192 of them a bounded amount.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from srt_router.transport_stream.framing import PACKET_BYTES, Bytes, Packets, Times

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PIDS = 8192
NULL_PID = 0x1FFF
_FIRST_SLOTS = 16


class Seen(NamedTuple):
    """What one stretch of packets holds, for whoever looks deeper; one element per packet."""

    slots: Ints
    """-1 for a packet that says that it is damaged."""
    payload: Flags
    broken: Flags
    """Something is missing in front of it on its PID."""
    repeated: Flags
    """A copy of the packet before it on its PID, as is allowed once."""
    errors_at: Times
    """When each continuity error came."""


class PidTable:
    """The PIDs of one stream."""

    def __init__(self) -> None:
        self.packets = 0
        self.transport_errors = 0
        self.continuity_errors = 0
        self._slot_of = np.full(PIDS, -1, np.int16)
        self.count = 0
        """PIDs seen so far: slots 0 to count - 1 are in use."""
        self._allocate(_FIRST_SLOTS)

    def _allocate(self, size: int) -> None:
        self.pid = np.zeros(size, np.int64)
        self.packets_of = np.zeros(size, np.int64)
        self.errors_of = np.zeros(size, np.int64)
        self.scrambled_of = np.zeros(size, np.int64)
        self.seen_at = np.full(size, -np.inf)
        self._counter = np.full(size, -1, np.int8)
        self._repeated = np.zeros(size, bool)
        self._last = np.zeros((size, PACKET_BYTES), np.uint8)

    def slot(self, pid: int) -> int:
        """The slot of a PID; -1 while it was never seen."""
        return int(self._slot_of[pid])

    def packets_with(self, pid: int) -> int:
        """Packets of one PID so far."""
        slot = self.slot(pid)
        return int(self.packets_of[slot]) if slot >= 0 else 0

    def forget_counters(self) -> None:
        """Something was not seen: whatever comes next on each PID follows on nothing."""
        self._counter[:] = -1
        self._repeated[:] = False

    def update(self, packets: Packets) -> Seen:
        """Count one stretch of packets."""
        rows, times = packets.rows, packets.times
        high, flags = rows[:, 1], rows[:, 3]
        pids = (high & 0x1F).astype(np.int64) << 8 | rows[:, 2]
        damaged = (high & 0x80) != 0
        slots = self._slots(pids, damaged)
        self.packets += len(rows)
        self._count(slots, flags, times)
        payload = ((flags & 0x10) != 0) & (slots >= 0)
        discontinuity = ((flags & 0x20) != 0) & (rows[:, 4] > 0) & ((rows[:, 5] & 0x80) != 0) & (slots >= 0)
        return self._follow(rows, times, slots, payload, discontinuity & (pids != NULL_PID))

    def _slots(self, pids: Ints, damaged: Flags) -> Ints:
        slots = self._slot_of[pids].astype(np.int64)
        if damaged.any():
            self.transport_errors += int(np.count_nonzero(damaged))
            slots[damaged] = -1
            new = (slots < 0) & ~damaged
        else:
            new = slots < 0
        if new.any():
            for pid in np.unique(pids[new]).tolist():
                self._add(pid)
            slots[new] = self._slot_of[pids[new]]
        return slots

    def _add(self, pid: int) -> None:
        if self.count == len(self.pid):
            self._grow()
        self._slot_of[pid] = self.count
        self.pid[self.count] = pid
        self.count += 1

    def _grow(self) -> None:
        names = ("pid", "packets_of", "errors_of", "scrambled_of", "seen_at", "_counter", "_repeated", "_last")
        old = {name: getattr(self, name) for name in names}
        self._allocate(2 * self.count)
        for name, values in old.items():
            getattr(self, name)[: self.count] = values[: self.count]

    def _count(self, slots: Ints, flags: NDArray[np.uint8], times: Times) -> None:
        if len(slots) and slots.min() < 0:
            good = slots >= 0
            slots, flags, times = slots[good], flags[good], times[good]
        self.packets_of += np.bincount(slots, minlength=len(self.pid))
        self.seen_at[slots] = times  # of a slot that stands there often, the last one stays
        scrambled = flags >= 0x40
        if scrambled.any():
            self.scrambled_of += np.bincount(slots[scrambled], minlength=len(self.pid))

    # Continuity

    def _follow(self, rows: Bytes, times: Times, slots: Ints, payload: Flags, discontinuity: Flags) -> Seen:
        broken, repeated = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        null = self.slot(NULL_PID)
        index = np.flatnonzero((payload & (slots != null)) | discontinuity)
        if not len(index):
            return Seen(slots, payload, broken, repeated, times[:0])
        index = index[np.argsort(slots[index], kind="stable")]
        here, counters = slots[index], (rows[index, 3] & 0x0F).astype(np.int8)
        first = np.ones(len(index), bool)
        first[1:] = here[1:] != here[:-1]
        before = np.empty_like(counters)
        before[1:] = counters[:-1]
        before[first] = self._counter[here[first]]
        step = (counters - before) & 0x0F
        odd = (step != 1) & (before >= 0) & ~discontinuity[index]
        copies = np.zeros(len(index), bool)
        if odd.any():
            same = odd & (step == 0)
            if same.any():
                copies = self._copies(rows, index, here, first, same)
                after_copy = np.empty_like(copies)
                after_copy[1:] = copies[:-1]
                after_copy[first] = self._repeated[here[first]]
                repeated[index[copies & ~after_copy]] = True
                odd &= ~(copies & ~after_copy)
            self._count_errors(here[odd])
        broken[index[odd | (before < 0) | discontinuity[index]]] = True
        last = np.ones(len(index), bool)
        last[:-1] = first[1:]
        self._counter[here[last]] = counters[last]
        self._repeated[here[last]] = copies[last]
        self._last[here[last]] = rows[index[last]]
        return Seen(slots, payload, broken, repeated, times[index[odd]])

    def _count_errors(self, slots: Ints) -> None:
        self.continuity_errors += len(slots)
        self.errors_of += np.bincount(slots, minlength=len(self.pid))

    def _copies(self, rows: Bytes, index: Ints, here: Ints, first: Flags, same: Flags) -> Flags:
        """Which of those with the counter of the packet before it are copies of it, a PCR aside."""
        at = np.flatnonzero(same)
        now = _without_pcr(rows[index[at]])
        before = rows[index[np.maximum(at - 1, 0)]]
        starts = first[at]
        before[starts] = self._last[here[at[starts]]]
        copies = np.zeros(len(index), bool)
        copies[at] = (now == _without_pcr(before)).all(axis=1)
        return copies


def has_pcr(rows: Bytes) -> Flags:
    """Which packets carry a program clock reference."""
    found: Flags = ((rows[:, 3] & 0x20) != 0) & (rows[:, 4] >= 7) & ((rows[:, 5] & 0x10) != 0)
    return found


def _without_pcr(rows: Bytes) -> Bytes:
    blank = rows.copy()
    blank[has_pcr(rows), 6:12] = 0
    return blank
