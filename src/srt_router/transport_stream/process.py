"""The stream monitor's process: one loop over all buses, a report a second, and an end with its server."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from srt_router.transport_stream.analyser import State
from srt_router.transport_stream.budget import Budget
from srt_router.transport_stream.framing import Packets
from srt_router.transport_stream.lines import Line, probe_line, report_line, tables_line, thumbnail_line
from srt_router.transport_stream.orders import Orders, OrdersFile
from srt_router.transport_stream.probe import Probe, Prober
from srt_router.transport_stream.receiving import Batch
from srt_router.transport_stream.thumbnails import Thumbnail, ThumbnailMaker
from srt_router.transport_stream.turns import Turns
from srt_router.transport_stream.watch import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, BusWatch

NICE = 10
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_TELL_S = 1.0
_NAME = b"streamMonitor"


class Monitor:
    """Watches the buses that its orders name."""

    def __init__(self, config: str) -> None:
        """Read the orders. Raises ValueError when they are of no use."""
        self._file = OrdersFile(config)
        orders = self._file.read()
        if orders is None:
            raise ValueError(f"config {config}: {self._file.trouble}")
        self._orders = orders
        self._batch = Batch()
        self._budget = Budget(orders.share)
        self._watches: dict[tuple[str, int], BusWatch] = {}
        self._failed: dict[tuple[str, int], str] = {}
        stem = config.removesuffix(".json")
        _remove_left_overs(stem)
        self._prober = Prober(f"{stem}.probe", self._tell_probe)
        self._thumbnails = ThumbnailMaker(f"{stem}.thumbnail", self._tell_thumbnail, Turns(orders.thumbnail_share))
        self._window = 0
        self._upset: set[str] = set()
        """Buses with a stream that the analyser could not cope with: told once."""
        self._cpu_s = time.process_time()
        self._told_at = time.monotonic()
        self._torn = False
        self._follow(orders, self._told_at)

    def run(self) -> NoReturn:
        """Work until the server is gone; a signal ends the process."""
        next_tell = time.monotonic() + _TELL_S
        while True:
            now = time.monotonic()
            if os.getppid() != self._orders.server:
                sys.exit(0)
            if (orders := self._file.read()) is not None:
                self._follow(orders, now)
            for watch in self._watches.values():
                if watch.looking and watch.due <= now + SHORTEST_PAUSE_S / 2:
                    self._read(watch, now)
            self._prober.look(now)
            self._thumbnails.look(now)
            if now >= next_tell:
                self._tell(now)
                next_tell = max(next_tell + _TELL_S, now)
            dues = (watch.due for watch in self._watches.values() if watch.looking)
            wake = min(next_tell, min(dues, default=next_tell))
            time.sleep(min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S / 4, wake - time.monotonic())))

    def close(self) -> None:
        """Leave nothing behind."""
        self._prober.close()
        self._thumbnails.close()

    def _read(self, watch: BusWatch, now: float) -> None:
        try:
            watch.read(self._batch, now, self._capture_of(watch.key))
        except Exception:  # noqa: BLE001 - one stream that we do not understand must not hide all others
            watch.start_anew(now)
            if watch.key not in self._upset:
                self._upset.add(watch.key)
                say(f"ERROR: the stream on bus {watch.key} cannot be analysed: {traceback.format_exc()}")

    # Orders

    def _follow(self, orders: Orders, now: float) -> None:
        """Watch what is to be watched; what stays keeps its counters."""
        self._orders = orders
        for gone in self._watches.keys() - set(orders.buses):
            watch = self._watches.pop(gone)
            self._prober.forget(watch.key)
            self._thumbnails.forget(watch.key)
            watch.close()
        for bus in orders.buses:
            if bus not in self._watches:
                self._join(bus, now)
        self._thumbnails.follow([f"{group}:{port}" for group, port in orders.thumbnails], orders.thumbnail_share)

    def _join(self, bus: tuple[str, int], now: float) -> None:
        try:
            self._watches[bus] = BusWatch(*bus, now)
            self._failed.pop(bus, None)
        except OSError as error:
            why = error.strerror or str(error)
            if self._failed.get(bus) != why:
                self._failed[bus] = why
                say(f"ERROR: cannot join bus {bus[0]}:{bus[1]}: {why}")

    # Reports

    def _tell(self, now: float) -> None:
        wall_ms = time.time_ns() / 1e6
        lines: list[Line] = []
        coverage = self._coverage()
        for watch in self._watches.values():
            if not watch.looking:
                continue
            self._read(watch, now)
            if watch.still_idle(now):
                continue
            report, seen = watch.report(now, self._budget.every)
            line = report_line(watch.key, report, since_ms=watch.since_ms, wall_ms_at_0=wall_ms - now * 1000)
            lines.append(line | seen | {"at": round(wall_ms)})
            lines += self._tables(watch, report.state, now)
        cpu_s = time.process_time()
        share = (cpu_s - self._cpu_s) / max(now - self._told_at, 0.001)
        self._cpu_s, self._told_at = cpu_s, now
        self._budget.spent(share, coverage)
        lines.append({"at": round(wall_ms), "cpu": round(share, 4), "every": self._budget.every})
        self._write(lines)
        self._next_window(now)
        for bus in self._orders.buses:  # those that could not be joined before
            if bus not in self._watches:
                self._join(bus, now)

    def _coverage(self) -> float:
        looking = sum(watch.looking for watch in self._watches.values())
        return looking / len(self._watches) if self._watches else 1.0

    def _tables(self, watch: BusWatch, state: State, now: float) -> list[Line]:
        tables = watch.analyser.tables
        if state is State.SILENT:
            watch.structure = None  # what comes after a silence may be another picture under the same map
        if state not in (State.OK, State.ERRORS):
            return []
        if self._orders.probe and watch.may_probe(now):
            self._prober.ask(watch.key)
        if watch.told_tables == tables.changes:
            return []
        watch.told_tables = tables.changes
        return [tables_line(watch.key, tables)]

    def _capture_of(self, key: str) -> Callable[[Packets], None] | None:
        wanted = self._prober.wants(key) or self._thumbnails.wants(key)
        return partial(self._capture, key) if wanted else None

    def _capture(self, key: str, packets: Packets) -> None:
        data = packets.rows.tobytes()
        if self._prober.wants(key):
            self._prober.take(key, data)
        if self._thumbnails.wants(key):
            self._thumbnails.take(key, data)

    def _tell_probe(self, key: str, probe: Probe) -> None:
        self._write([probe_line(key, probe, time.time_ns() // 1_000_000)])

    def _tell_thumbnail(self, key: str, thumbnail: Thumbnail) -> None:
        self._write([thumbnail_line(key, thumbnail)])

    def _write(self, lines: list[Line]) -> None:
        """Append lines; a full disk costs lines, never more."""
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
        text = b"\n" * self._torn + text
        with contextlib.suppress(OSError):
            self._torn = os.write(1, text) != len(text)

    # Windows

    def _next_window(self, now: float) -> None:
        self._window += 1
        for number, watch in enumerate(self._watches.values()):
            with contextlib.suppress(OSError):  # it stays as it is, and the next window tries again
                if self._budget.looks_at(number, self._window):
                    watch.open_window(self._batch, now)
                else:
                    watch.close_window(now)


def _remove_left_overs(stem: str) -> None:
    """Remove what a predecessor captured when it died."""
    folder, name = os.path.split(stem)
    for path in Path(folder).glob(f"{name}.*.tmp"):
        path.unlink(missing_ok=True)


def say(text: str) -> None:
    """Write one line to the log; nobody's full disk stops the work."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def prepare() -> None:
    """Name, place in the queue and end of the process."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NAME, _NAME, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # `run` sees to one that died before this
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def main(words: list[str]) -> int:
    """Run the process; returns only when it cannot start."""
    if len(words) != 2 or words[0] != "--config":
        say("ERROR: usage: python -m srt_router.transport_stream --config FILE")
        return 1
    prepare()
    try:
        monitor = Monitor(words[1])
    except ValueError as error:
        say(f"ERROR: {error}")
        return 1
    try:
        monitor.run()
    finally:
        monitor.close()
