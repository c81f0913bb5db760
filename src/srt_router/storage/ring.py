"""The last ten minutes of one leg, second by second, in memory; and how seconds become longer slots."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SECONDS = 600


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that has a history."""

    name: str
    """As in JSON."""
    column: str
    """As in the database."""
    adds_up: bool
    """A count: a longer slot has the sum of its seconds. Others have their mean."""
    scale: float
    """The database has it times this, as a whole number."""


METRICS = (
    Metric("bitrate", "bitrate", False, 1),
    Metric("packets", "packets", True, 1),
    Metric("lost", "lost", True, 1),
    Metric("retransmitted", "retransmitted", True, 1),
    Metric("dropped", "dropped", True, 1),
    Metric("belated", "belated", True, 1),
    Metric("busDrops", "bus_drops", True, 1),
    Metric("msRTT", "ms_rtt", False, 100),
    Metric("mbpsBandwidth", "mbps_bandwidth", False, 100),
    Metric("bufferMs", "buffer_ms", False, 1),
    Metric("fps", "fps", False, 100),
    Metric("connected", "connected", False, 100),
    Metric("cpuPercent", "cpu_percent", False, 10),
    Metric("memoryBytes", "memory_bytes", False, 1 / 1024),
)
COLUMNS = tuple(metric.column for metric in METRICS)
NAMES = tuple(metric.name for metric in METRICS)
WIDTH = len(METRICS)

Values = Sequence[float | None]
"""One value per metric, in the order of METRICS; None: not known."""


class Ring:
    """Ten minutes of one leg. What is older, or was never put in, is a gap."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times = array("q", [-1]) * SECONDS
        self._values = array("f", [math.nan]) * (SECONDS * WIDTH)

    def put(self, t: int, values: Values) -> None:
        """Keep one second; `t` in seconds since the epoch."""
        at = t % SECONDS
        self._times[at] = t
        known = [math.nan if value is None else value for value in values]
        self._values[at * WIDTH : (at + 1) * WIDTH] = array("f", known)

    def at(self, t: int) -> list[float | None] | None:
        """One second; None: a gap."""
        at = t % SECONDS
        if self._times[at] != t:
            return None
        return [None if math.isnan(value) else value for value in self._values[at * WIDTH : (at + 1) * WIDTH]]

    def slot(self, t: int, seconds: int) -> list[float | None] | None:
        """`seconds` from `t` on as one; None: all of it is a gap."""
        rows = [
            self._values[at * WIDTH : (at + 1) * WIDTH]
            for second in range(t, t + seconds)
            if self._times[at := second % SECONDS] == second
        ]
        if not rows:
            return None
        columns = zip(*rows, strict=True)
        return [
            _one(metric, [value for value in column if not math.isnan(value)])
            for metric, column in zip(METRICS, columns, strict=True)
        ]


def together(rows: Sequence[Values]) -> list[float | None]:
    """Several slots as one."""
    columns: Iterator[tuple[float | None, ...]] = zip(*rows, strict=True)
    return [_one(metric, [v for v in column if v is not None]) for metric, column in zip(METRICS, columns, strict=True)]


def _one(metric: Metric, known: list[float]) -> float | None:
    if not known:
        return None
    return sum(known) if metric.adds_up else sum(known) / len(known)
