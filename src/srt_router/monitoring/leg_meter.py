"""Totals, changes and rates of one leg, from its readings: pure, whoever calls it brings the time.

A reading that cannot follow the one before it (counters or clocks that went back within one life, more
than any network carries) is doubted: it counts only when the next one confirms it, and then from there on.
So nothing that stands in a file makes a negative rate or a total that never was.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from srt_router.monitoring.meter_state import MeterState
from srt_router.monitoring.readings import Counts, Reading

WINDOW_S = 10.0
"""The share of lost packets is that of so long."""

_RATE_S = 0.5
"""A rate is taken over no less."""
_PATIENCE_S = 3.0
"""A report that is late by so much, or by `_PATIENCE` times what lay between the two before, is missed."""
_PATIENCE = 3.0
_IMPOSSIBLE_BYTES_PER_S = 5e10
_NOTHING = Counts()


@dataclass(slots=True)
class LegMeter:
    """One leg, since its route was started."""

    countable: Counts = _NOTHING
    """Zeros for what is counted of such a leg, None for what nobody can know."""
    total: Counts = _NOTHING
    """Since the route was started."""
    change: Counts = _NOTHING
    """Since the last look; None where no report came meanwhile and nobody knows."""
    reading: Reading | None = None
    """The newest one."""
    bitrate: float | None = None
    """kb/s of the stream."""
    packet_rate: float | None = None
    """Packets per second."""
    loss_percent: float | None = None
    """Of the packets that should have come within the last `WINDOW_S`; also those that came when sent again."""
    fresh: bool = False
    """The newest reading still tells how things are."""
    at_process_start: Counts = _NOTHING
    at_reset: Counts = _NOTHING
    bus_drops: int | None = None
    """Datagrams of the bus that the kernel threw away, since the route was started."""
    bus_drops_change: int | None = None
    bus_drops_at_process_start: int | None = None
    bus_drops_at_reset: int | None = None
    _pid: int | None = None
    _past: bool = False
    """What the next report counts was counted before anybody looked."""
    _past_drops: bool = False
    _read_s: float = -math.inf
    _interval_s: float = 0.0
    _base: Reading | None = None
    """The rate is counted from there."""
    _doubted: Reading | None = None
    _delta: Counts | None = None
    """What was counted since the last look."""
    _drops: int | None = None
    """What was dropped since the last look."""
    _socket_drops: dict[int, int] = field(default_factory=dict)
    _window: deque[tuple[float, int, int]] = field(default_factory=deque)
    """Per look: when, packets expected, packets lost; below, their sums."""
    _expected: int = 0
    _lost: int = 0

    # What happened

    def carried_by(self, pid: int, *, taken_over: bool = False) -> None:
        """The process that carries this leg now; a new one counts anew.

        One that was `taken_over` has counted before anybody looked: that counts, but it did not happen just now.
        """
        if pid == self._pid:
            return
        self._pid = pid
        self._past = self._past_drops = taken_over
        self._read_s = -math.inf
        self._base = self.bitrate = self.packet_rate = None
        self.at_process_start = self.total
        self.bus_drops_at_process_start = self.bus_drops
        self._socket_drops.clear()

    def keep(self) -> MeterState:
        """What the meter of a next server begins with."""
        last = self.reading
        return MeterState.model_construct(
            pid=self._pid,
            life=last.life if last else None,
            at_s=last.at_s if last else 0.0,
            counts=last.counts if last else _NOTHING,
            interval_s=self._interval_s,
            total=self.total,
            at_process_start=self.at_process_start,
            at_reset=self.at_reset,
            bus_drops=self.bus_drops,
            bus_drops_at_process_start=self.bus_drops_at_process_start,
            bus_drops_at_reset=self.bus_drops_at_reset,
            socket_drops=dict(self._socket_drops),
        )

    def resume(self, kept: MeterState) -> None:
        """Count on from there. What has passed since then counts, but it did not happen just now."""
        self._pid = kept.pid
        if kept.life is not None:
            self.reading = Reading(kept.life, kept.at_s, kept.counts)
        self._interval_s = kept.interval_s
        self.total, self.at_process_start, self.at_reset = kept.total, kept.at_process_start, kept.at_reset
        self.bus_drops, self.bus_drops_at_reset = kept.bus_drops, kept.bus_drops_at_reset
        self.bus_drops_at_process_start = kept.bus_drops_at_process_start
        self._socket_drops = dict(kept.socket_drops)
        self._past = self._past_drops = True

    def reset(self) -> None:
        """Count anew what is shown as counted since the reset."""
        self.at_reset = self.total
        self.bus_drops_at_reset = self.bus_drops

    def read(self, reading: Reading, now_s: float) -> None:
        """Take in a new report, read at `now_s` (monotonic)."""
        last, doubted = self.reading, self._doubted
        if last is not None and last.life == reading.life and _follows(last, reading):
            self._interval_s = reading.at_s - last.at_s
            delta = _difference(reading.counts, last.counts)
        elif doubted is not None and doubted.life == reading.life and _follows(doubted, reading):
            delta, self._base = _difference(reading.counts, doubted.counts), doubted
        elif (last is not None and last.life == reading.life) or _impossible(reading.counts, reading.at_s):
            self._doubted = reading
            return
        else:
            delta, self._base = reading.counts, None
        self._doubted = None
        self._accept(reading, delta, now_s)

    def _accept(self, reading: Reading, delta: Counts, now_s: float) -> None:
        self.reading, self._read_s = reading, now_s
        self.total = _sum(self.total, delta)
        if self._past:
            self._past = False
        else:
            self._delta = delta if self._delta is None else _sum(self._delta, delta)
        if self._base is None:
            self._base, self.bitrate, self.packet_rate = reading, None, None
            return
        elapsed_s = reading.at_s - self._base.at_s
        if elapsed_s >= _RATE_S:
            moved = _difference(reading.counts, self._base.counts)
            self.bitrate = None if moved.bytes is None else moved.bytes * 8 / 1000 / elapsed_s
            self.packet_rate = None if moved.packets is None else moved.packets / elapsed_s
            self._base = reading

    def dropped(self, by_socket: dict[int, int]) -> None:
        """The kernel's counters of the sockets (by inode) with which its process reads the bus."""
        drops = 0
        for inode, count in by_socket.items():
            before = self._socket_drops.get(inode, 0)
            drops += count - before if count >= before else 0
        self._socket_drops = by_socket
        if self._past_drops:
            self._past_drops = False
        else:
            self._drops = drops + (self._drops or 0)
        self.bus_drops = drops + (self.bus_drops or 0)

    # What is known now

    def look(self, now_s: float, *, nothing_flows: bool) -> None:
        """Once a second, after what is new was read. `nothing_flows`: it is known that nothing does."""
        new, self._delta = self._delta, None
        self.bus_drops_change, self._drops = self._drops, None
        patience_s = max(_PATIENCE_S, _PATIENCE * self._interval_s)
        self.fresh = self.reading is not None and now_s - self._read_s <= patience_s
        if new is not None:
            self.change = new
        elif nothing_flows:
            self.total = _sum(self.total, self.countable)
            self.change = self.countable
            self.bitrate = None if self.countable.bytes is None else 0.0
            self.packet_rate = None if self.countable.packets is None else 0.0
            self._base, self._read_s, self.fresh = None, -math.inf, False
        else:
            self.change = _NOTHING
            if not self.fresh:
                self.bitrate = self.packet_rate = None
                self._base = None
        self._share_of_lost(new, now_s)

    def _share_of_lost(self, new: Counts | None, now_s: float) -> None:
        window = self._window
        if new is not None and new.packets is not None and new.lost is not None:
            expected = new.packets + (new.dropped or 0)
            window.append((now_s, expected, new.lost))
            self._expected += expected
            self._lost += new.lost
        while window and window[0][0] <= now_s - WINDOW_S:
            _, expected, lost = window.popleft()
            self._expected -= expected
            self._lost -= lost
        self.loss_percent = min(100.0, 100 * self._lost / self._expected) if self._expected else None

    @property
    def since_process_start(self) -> Counts:
        """Counted since the process that carries the leg was started."""
        return _difference(self.total, self.at_process_start)

    @property
    def since_reset(self) -> Counts:
        """Counted since the last reset, or since the route was started."""
        return _difference(self.total, self.at_reset)


def _follows(last: Reading, reading: Reading) -> bool:
    """Can the one be read after the other, within one life?"""
    elapsed_s = reading.at_s - last.at_s
    if elapsed_s <= 0:
        return False
    for now, before in zip(reading.counts, last.counts, strict=True):
        if now is not None and before is not None and now < before:
            return False
    return not _impossible(_difference(reading.counts, last.counts), elapsed_s)


def _impossible(delta: Counts, elapsed_s: float) -> bool:
    """More than any network carries."""
    return delta.bytes is not None and delta.bytes > _IMPOSSIBLE_BYTES_PER_S * max(elapsed_s, 1.0)


def _difference(now: Counts, before: Counts) -> Counts:
    """What came in between; what was not known before counts as nothing then."""
    a, b, c, d, e, f = now
    g, h, i, j, k, m = before
    return Counts(
        None if a is None else max(0, a - (g or 0)),
        None if b is None else max(0, b - (h or 0)),
        None if c is None else max(0, c - (i or 0)),
        None if d is None else max(0, d - (j or 0)),
        None if e is None else max(0, e - (k or 0)),
        None if f is None else max(0, f - (m or 0)),
    )


def _sum(total: Counts, delta: Counts) -> Counts:
    return Counts(*[a if b is None else b + (a or 0) for a, b in zip(total, delta, strict=True)])
