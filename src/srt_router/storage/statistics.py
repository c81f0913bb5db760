"""The history of statistics: every second for ten minutes in memory, longer slots for a day and a month on disk.

Slots are made from the seconds in memory and written once a minute, all legs in one transaction. What is not
written yet is found in memory, so a graph always reaches to now. A crash costs the last minute of the slots.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from srt_router.storage import statistics_rows
from srt_router.storage.database import Database, Refused, Unavailable
from srt_router.storage.ring import NAMES, SECONDS, Ring, Values, together
from srt_router.storage.statistics_rows import KEPT_S, Row

RESOLUTIONS = (1, 10, 60, 600, 3600)
"""Seconds of a slot; the last two are made of minutes when they are asked for."""
MAX_SLOTS = 50_000
"""Slots in one answer."""

_WRITE_S = 60.0
_PRUNE_S = 600.0
_PENDING = 60_000
"""Rows that wait for a database that cannot be written; the oldest are lost first."""
_CLOCK_S = 60.0
"""A wall clock that moved by so much more than time did was set: nothing is pruned by it for now."""
_FORGET_S = 2 * SECONDS

Key = tuple[str, str]
"""A route and a leg."""


@dataclass(slots=True)
class _Series:
    """One leg in memory."""

    number: int
    """Spreads the work of closing slots over the seconds."""
    first_t: int
    """A slot that had begun before is another server's as well: ours is kept beside it, from this second on."""
    ring: Ring = field(default_factory=Ring)
    closed: dict[int, int] = field(default_factory=dict)
    """By resolution: where the first slot begins that is not closed yet."""
    last_t: int = 0

    def close(self, upto: int, resolution: int) -> list[tuple[int, list[float | None]]]:
        """The slots that have ended before `upto`."""
        end = upto // resolution * resolution
        start = self.closed.get(resolution, end)
        start = min(start, end)  # the clock was set back
        self.closed[resolution] = end
        start = max(start, end - SECONDS // resolution * resolution)
        return self.slots(range(start, end, resolution))

    def slots(self, starts: range) -> list[tuple[int, list[float | None]]]:
        """The slots that begin there, without gaps."""
        found = ((t, self.ring.slot(t, starts.step)) for t in starts)
        return [
            (self.first_t if t < self.first_t < t + starts.step else t, values)
            for t, values in found
            if values is not None
        ]

    def not_closed(self, resolution: int) -> list[tuple[int, list[float | None]]]:
        """The slots that have not been closed yet, the one that goes on included."""
        end = self.last_t // resolution * resolution + resolution
        start = max(self.closed[resolution], end - SECONDS // resolution * resolution)
        return self.slots(range(start, end, resolution))


@dataclass(frozen=True, slots=True)
class Columns:
    """A part of the history, ready to be drawn."""

    resolution: int
    """Seconds of a slot."""
    t: list[int]
    """Milliseconds since the epoch at which each slot begins, without a gap."""
    values: dict[str, list[float | None]]
    """By metric; None: not known."""


@dataclass(slots=True)
class StatisticsStore:
    """The statistics of one server. Everything here runs on the event loop."""

    database: Database
    routes: Callable[[], Collection[str] | None] = field(default=lambda: None)
    """The routes there are; None while that is not known for sure."""
    lost: int = 0
    """Slots that were neither written nor kept in memory."""
    _series: dict[Key, _Series] = field(default_factory=dict)
    _pending: dict[int, deque[Row]] = field(default_factory=lambda: {resolution: deque() for resolution in KEPT_S})
    _numbers: int = 0

    def add(self, t: int, route: str, leg: str, values: Values) -> None:
        """Keep one second (`t`: seconds since the epoch) of one leg; values in the order of METRICS."""
        series = self._series.get((route, leg))
        if series is None:
            self._numbers += 1
            series = self._series[route, leg] = _Series(self._numbers, t)
            series.closed = {resolution: t // resolution * resolution for resolution in KEPT_S}
        series.ring.put(t, values)
        series.last_t = t
        for resolution in KEPT_S:
            if t % resolution == series.number % resolution:
                self._close((route, leg), series, t, resolution)

    def _close(self, key: Key, series: _Series, upto: int, resolution: int) -> None:
        pending = self._pending[resolution]
        pending.extend(Row(*key, t, values) for t, values in series.close(upto, resolution))
        while len(pending) > _PENDING:
            pending.popleft()
            self.lost += 1

    # Reading

    async def find(self, key: Key, metrics: Sequence[str], span: tuple[int, int], resolution: int) -> Columns:
        """The history of one leg from `span[0]` until before `span[1]` (seconds since the epoch)."""
        first = span[0] // resolution * resolution
        if resolution == 1:
            slots = self._seconds(key, span)
        else:
            slots = await self._slots(key, (first, span[1]), min(resolution, 60))
        if any(t % resolution for t in slots):  # of longer slots, or of one with a restart of the server in it
            slots = await asyncio.to_thread(_longer, slots, resolution)
        times = range(first, span[1], resolution)
        at = [NAMES.index(name) for name in metrics]
        found = [slots.get(t) for t in times]
        values = {NAMES[i]: [None if slot is None else _short(slot[i]) for slot in found] for i in at}
        return Columns(resolution, [t * 1000 for t in times], values)

    def _seconds(self, key: Key, span: tuple[int, int]) -> dict[int, Values]:
        series = self._series.get(key)
        if series is None:
            return {}
        return {t: values for t in range(*span) if (values := series.ring.at(t)) is not None}

    async def _slots(self, key: Key, span: tuple[int, int], resolution: int) -> dict[int, Values]:
        rows: list[Row] = []
        with contextlib.suppress(Unavailable):  # `trouble` of the database tells it
            rows = await self.database.read(partial(statistics_rows.select, key=key, span=span, resolution=resolution))
        slots = {row.t: row.values for row in rows}
        slots |= {row.t: row.values for row in self._pending[resolution] if (row.route, row.leg) == key}
        series = self._series.get(key)
        if series is not None:
            slots |= dict(series.not_closed(resolution))
        return slots

    # Writing

    async def run(self) -> None:
        """Write slots once a minute and remove what is too old, until cancelled."""
        pruned, seen = time.monotonic(), _clocks()
        while True:
            await asyncio.sleep(_WRITE_S)
            await self.flush()
            self._forget(time.time())
            if time.monotonic() - pruned >= _PRUNE_S:
                pruned, before, seen = time.monotonic(), seen, _clocks()
                if abs((seen[0] - before[0]) - (seen[1] - before[1])) < _CLOCK_S:
                    await self.prune(int(seen[0]))

    async def flush(self) -> bool:
        """Write what is not written yet; False where that cannot be done."""
        batch = {resolution: list(rows) for resolution, rows in self._pending.items()}
        if not any(batch.values()):
            return True
        try:
            await self.database.write(partial(statistics_rows.insert, rows=batch))
        except Unavailable as error:
            if isinstance(error, Refused):  # trying again does not help, and the last minutes are enough
                for rows in self._pending.values():
                    rows.clear()
            return False
        for resolution, written in batch.items():
            pending = self._pending[resolution]
            last = written[-1] if written else None
            while last is not None and pending:
                if pending.popleft() is last:
                    break
        return True

    async def close(self) -> None:
        """Write the slots that have ended and those that go on: the server stops."""
        for key, series in self._series.items():
            for resolution in KEPT_S:
                rows = series.not_closed(resolution)
                series.closed[resolution] = series.last_t // resolution * resolution + resolution
                self._pending[resolution].extend(Row(*key, t, values) for t, values in rows)
        await self.flush()

    async def prune(self, now_t: int) -> None:
        """Remove what is too old, and what routes left that are no more."""
        with contextlib.suppress(Unavailable):
            routes = self.routes()
            await self.database.write(partial(statistics_rows.prune, now_t=now_t, routes=routes))

    def _forget(self, now: float) -> None:
        """Legs of which nothing came for long have nothing left in memory."""
        for key in [key for key, series in self._series.items() if abs(now - series.last_t) > _FORGET_S]:
            for resolution in KEPT_S:
                self._close(key, self._series[key], self._series[key].last_t + resolution, resolution)
            del self._series[key]


def resolution_for(span: tuple[int, int], now_t: int) -> int:
    """The finest one that reaches back to the start of a span and gives not too many slots."""
    seconds, back = span[1] - span[0], now_t - span[0]
    for resolution, most, reach in ((1, SECONDS, SECONDS), (10, 3600 * 6, KEPT_S[10]), (60, KEPT_S[10], KEPT_S[60])):
        if seconds <= most and back <= reach:
            return resolution
    return 600 if seconds <= 7 * KEPT_S[10] else 3600


def _longer(slots: dict[int, Values], resolution: int) -> dict[int, Values]:
    groups: dict[int, list[Values]] = {}
    for t, values in slots.items():
        groups.setdefault(t // resolution * resolution, []).append(values)
    return {t: together(group) for t, group in groups.items()}


def _short(value: float | None) -> float | None:
    """As many digits as mean something."""
    return None if value is None else round(value, 3)


def _clocks() -> tuple[float, float]:
    return time.time(), time.monotonic()


def every(names: Iterable[str]) -> list[str]:
    """The metrics of that name, each once, in the order in which they are kept."""
    wanted = set(names)
    return [name for name in NAMES if name in wanted]
