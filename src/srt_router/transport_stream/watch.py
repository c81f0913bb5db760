"""One bus that is watched: its socket, its analyser, and what the sampling leaves out."""

from __future__ import annotations

import time
from collections.abc import Callable

from srt_router.transport_stream.analyser import Analyser, Report
from srt_router.transport_stream.framing import Packets
from srt_router.transport_stream.receiving import Batch, BusSocket

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.2
"""Between two reads of one bus: each costs the same however much it brings, and the buffer must not fill."""
_FILL = 0.25
"""How full the buffer may be when it is read, at the usual rate: key frames come in bursts."""
_MAPS_PATIENCE = 3
"""Seconds until a stream is probed of which not every program has shown its map."""
_PROBE_PAUSE_S = 10.0
"""Between two probes of one stream: its tables may change all the time."""
_MOST_READS = 16
"""In a row, before other buses have their turn."""


class BusWatch:
    """Follows one bus."""

    def __init__(self, group: str, port: int, now: float) -> None:
        """Join. Raises OSError."""
        self.key = f"{group}:{port}"
        self.since_ms = time.time_ns() // 1_000_000
        self.analyser = Analyser()
        self.missed = 0
        """Datagrams that our own socket lost, or that had no room."""
        self.due = now
        self.told_tables = 0
        self.structure: object = None
        """What was on the stream when it was probed last."""
        self._probed_at: float | None = None
        self._mapped = 0
        self._socket = BusSocket(group, port)
        self._losses = self._bytes = self._missed_before = self._came = 0
        self._opened_at: float | None = now
        self._observed_s = 0.0
        self._was_idle = False
        self._read_at = now

    # Reading

    def read(self, batch: Batch, now: float, seen: Callable[[Packets], None] | None) -> None:
        """Take what waits, and say when to come again; `seen` gets the packets that were found."""
        if self._opened_at is None:
            return
        before = self._bytes
        for _ in range(_MOST_READS):
            arrived = batch.receive(self._socket.descriptor)
            if arrived is None:
                break
            self._came += len(arrived.lengths)
            self._bytes += len(arrived.data)
            for start, end, lost in _unbroken(arrived.losses.tolist(), self._losses):
                if lost:
                    self.missed += lost
                    self.analyser.gap()
                low, high = int(arrived.lengths[:start].sum()), int(arrived.lengths[:end].sum())
                found = self.analyser.feed(arrived.data[low:high], arrived.times[start:end], arrived.lengths[start:end])
                if seen:
                    for packets in found:
                        seen(packets)
            self._losses = int(arrived.losses[-1])
            if not arrived.more:
                break
        self.due = now + self._pause(self._bytes - before, now)

    def _pause(self, came: int, now: float) -> float:
        last, self._read_at = self._read_at, now
        rate = came / (now - last) if now > last else 0.0
        if rate <= 0:
            return LONGEST_PAUSE_S
        return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, _FILL * self._socket.capacity / rate))

    # Windows

    @property
    def looking(self) -> bool:
        """Is it looked at in this window?"""
        return self._opened_at is not None

    def close_window(self, now: float) -> None:
        """Look no more for a while. Raises OSError."""
        if self._opened_at is not None:
            self._observed_s += now - self._opened_at
            self._opened_at = None
            self._socket.leave()

    def open_window(self, batch: Batch, now: float) -> None:
        """Look again. What still waits is of the window before. Raises OSError."""
        if self._opened_at is None:
            while (arrived := batch.receive(self._socket.descriptor)) is not None:
                self._losses = int(arrived.losses[-1])
            self.analyser.gap()
            self._socket.join()
            self._opened_at = self.due = now

    # Telling

    def still_idle(self, now: float) -> bool:
        """Nothing came since the last report, and that was said already: there is nothing to report."""
        if self._came or not self._was_idle:
            return False
        self._observed_s = 0.0
        if self._opened_at is not None:
            self._opened_at = now
        return True

    def report(self, now: float, every: int) -> tuple[Report, dict[str, object]]:
        """How the stream was since the last report, and how much of it was seen."""
        if self._opened_at is not None:
            self._observed_s += now - self._opened_at
            self._opened_at = now
        lost, self._missed_before = self.missed - self._missed_before, self.missed
        whole = self._came + lost
        seen: dict[str, object] = {
            "sampled": every > 1 or lost > 0,
            "coverage": round((self._came / whole if whole else 1.0) / every, 4),
            "missed": self.missed,
        }
        report = self.analyser.report(self._observed_s)
        self._was_idle = self._came == 0
        self._observed_s, self._came = 0.0, 0
        return report, seen

    def may_probe(self, now: float) -> bool:
        """Is there something new on the stream, as far as its tables are known? Asked once a second."""
        tables = self.analyser.tables
        maps = dict(tables.programs)
        self._mapped = self._mapped + 1 if maps else 0
        whole = len(maps) == len(tables.map_pids) or self._mapped > _MAPS_PATIENCE
        rested = self._probed_at is None or now - self._probed_at >= _PROBE_PAUSE_S
        if not maps or not whole or not rested or self.structure == maps:
            return False
        self.structure, self._probed_at = maps, now
        return True

    def start_anew(self, now: float) -> None:
        """Forget the stream: another begins here."""
        self.analyser, self.since_ms = Analyser(), time.time_ns() // 1_000_000
        self.told_tables = 0
        self.due = now + LONGEST_PAUSE_S

    def close(self) -> None:
        """Leave the bus."""
        self._socket.close()


def _unbroken(losses: list[int], before: int) -> list[tuple[int, int, int]]:
    """Stretches of datagrams in front of which the socket lost some: first, end, how many."""
    if losses[-1] == before:
        return [(0, len(losses), 0)]
    found: list[tuple[int, int, int]] = []
    start, lost = 0, losses[0] - before
    for number in range(1, len(losses)):
        if losses[number] != losses[number - 1]:
            found.append((start, number, lost))
            start, lost = number, losses[number] - losses[number - 1]
    return [*found, (start, len(losses), lost)]
