"""Program clock references: how often they come, and how evenly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from srt_router.transport_stream.framing import Bytes, Times

_HZ = 27_000_000
_WRAP = 300 << 33
_JUMP_S = 0.5
"""Two references further apart are no interval: the clock was set anew."""
_MOST_CLOCKS = 256


class ClockReport(NamedTuple):
    """One PID's clock since the last report."""

    interval_ms: float
    """The longest time between two references, by the clock itself. TR 101 290 allows 40 ms, DVB 100 ms."""
    jitter_ms: float
    """How unevenly they came: the spread of arrival against clock. What the way here did to it is in it."""


@dataclass(slots=True)
class Clock:
    """The clock of one PID."""

    _last: int | None = None
    _last_at: float = 0.0
    _drift: float = 0.0
    """Arrival minus clock, in seconds since the last report."""
    _lowest: float = 0.0
    _highest: float = 0.0
    _longest: float = 0.0
    _intervals: int = 0

    def tick(self, value: int, at: float, *, fresh: bool) -> None:
        """A reference (27 MHz) came at `at`; `fresh`: it says itself that the clock is another one."""
        last, last_at = self._last, self._last_at
        self._last, self._last_at = value, at
        if last is None or fresh:
            return
        interval = ((value - last) % _WRAP) / _HZ
        if interval > _JUMP_S:
            return
        self._drift += at - last_at - interval
        self._lowest, self._highest = min(self._lowest, self._drift), max(self._highest, self._drift)
        self._longest = max(self._longest, interval)
        self._intervals += 1

    def lose(self) -> None:
        """Something was not seen: the next reference follows on nothing."""
        self._last = None

    def report(self) -> ClockReport | None:
        """What was seen since the last report; None without two references."""
        if not self._intervals:
            return None
        found = ClockReport(round(self._longest * 1000, 3), round((self._highest - self._lowest) * 1000, 3))
        self._drift = self._lowest = self._highest = self._longest = 0.0
        self._intervals = 0
        return found


@dataclass(slots=True)
class Clocks:
    """The clocks of one stream."""

    _clocks: dict[int, Clock] = field(default_factory=dict)

    def take(self, rows: Bytes, times: Times) -> None:
        """Read packets that all carry a reference."""
        for packet, at in zip(rows[:, 1:12].tolist(), times.tolist(), strict=True):
            pid = (packet[0] & 0x1F) << 8 | packet[1]
            field_ = int.from_bytes(bytes(packet[5:11]), "big")
            clock = self._clocks.get(pid)
            if clock is None:
                if len(self._clocks) >= _MOST_CLOCKS:
                    continue
                clock = self._clocks[pid] = Clock()
            clock.tick((field_ >> 15) * 300 + (field_ & 0x1FF), at, fresh=bool(packet[4] & 0x80))

    def lose(self) -> None:
        """Something was not seen."""
        for clock in self._clocks.values():
            clock.lose()

    def report(self) -> dict[int, ClockReport]:
        """By PID, of those with references since the last report."""
        return {pid: found for pid, clock in self._clocks.items() if (found := clock.report())}
