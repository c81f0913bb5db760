"""The server with a probe inside:  python -m bench.probed_server REPORT [compressed]

It is started as `srt-router serve` starts it, and costs nothing more until it is asked. SIGUSR1: what it holds is
written into REPORT (asyncio tasks, objects of Python). SIGRTMIN: a look at the event loop every 5 ms begins; when it
comes again, REPORT says how late each look was (`late_ms`: also when the processors are busy elsewhere) and how long
the loop's thread had worked in one go meanwhile (`held_ms`: the server's own doing).

`compressed`: what is kept for hours and days in the history is kept for seconds, and of what is kept by number there
is less, so that a run of minutes sees the end of all of it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import signal
import sys
import time
from functools import lru_cache, partial
from pathlib import Path

from srt_router.upgrading import Life

_PERIOD_S = 0.005
EVENTS_KEPT = 3000
BACKUPS_KEPT = 5
SPECS_KEPT = 100
"""Command lines whose hash is remembered: each restart of a route makes new ones."""
FILE_BYTES = 16_000
"""Of the log and the statistics of one process, before they are emptied."""
SECONDS_KEPT = 40
"""Of statistics in memory, and of what a route left that is no more."""


class _Probe:
    def __init__(self, report: Path) -> None:
        self._report = report
        self._watch: asyncio.Task[None] | None = None
        self._late: list[float] = []
        self._held: list[float] = []

    def tell(self) -> None:
        """Write what is held."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free, but not given back, is no leak
        self._write({"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects()), "garbage": len(gc.garbage)})

    def toggle(self) -> None:
        """Begin to watch the loop, or end it and write what was seen."""
        if self._watch is None:
            self._late, self._held = [], []
            self._watch = asyncio.create_task(self._look(), name="probe")
            self._write({"watching": True})
        else:
            self._watch.cancel()
            self._watch = None
            self._write({"late_ms": self._late, "held_ms": self._held})

    async def _look(self) -> None:
        while True:
            wall, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_PERIOD_S)
            self._late.append(round(max(0.0, time.perf_counter() - wall - _PERIOD_S) * 1000, 3))
            self._held.append(round((time.thread_time() - used) * 1000, 3))

    def _write(self, found: object) -> None:
        temporary = self._report.with_suffix(".tmp")
        temporary.write_text(json.dumps(found))
        temporary.rename(self._report)


def compress() -> None:
    """Let hours of history pass in a minute: all its limits are reached."""
    from srt_router import history
    from srt_router.alarms import service
    from srt_router.monitoring import output
    from srt_router.monitoring import statistics as reports
    from srt_router.processes import spec
    from srt_router.storage import backup_folder, events, ring, statistics, statistics_rows
    from srt_router.supervision import stream_results

    few = partial(events.EventStore, limits=events.Limits(count=EVENTS_KEPT))
    backup_folder.BackupFolder.prune.__defaults__ = (BACKUPS_KEPT,)
    defaults = output.Tail.__init__.__kwdefaults__
    assert defaults is not None
    assert "max_bytes" in defaults
    defaults["max_bytes"] = FILE_BYTES
    for place, name, value in (
        (history, "EventStore", few),
        (ring, "SECONDS", SECONDS_KEPT),
        (statistics, "SECONDS", SECONDS_KEPT),
        (reports, "_FILE_BYTES", FILE_BYTES),
        (stream_results, "_MAX_BYTES", 4 * FILE_BYTES),
        (service, "PAST_KEPT", 50),
        (spec, "_hash", lru_cache(SPECS_KEPT)(spec._hash.__wrapped__)),
        (statistics_rows, "REMOVED_KEPT_S", SECONDS_KEPT),
    ):
        assert hasattr(place, name)
        setattr(place, name, value)
    events._PRUNE_EVERY_S = 5.0
    statistics._FORGET_S = SECONDS_KEPT
    statistics._WRITE_S, statistics._PRUNE_S = 2.0, 6.0
    statistics_rows.KEPT_S |= {10: SECONDS_KEPT, 60: 2 * SECONDS_KEPT}


def main() -> None:
    """Run the server with the probe inside."""
    report, *more = sys.argv[1:]
    from srt_router import main as server
    from srt_router.cli.app import main as command
    from srt_router.signals import Stop

    if more:
        compress()
    serve = server._serve

    async def probed(life: Life) -> Stop:
        probe, loop = _Probe(Path(report)), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, probe.tell)
        loop.add_signal_handler(signal.SIGRTMIN, probe.toggle)
        return await serve(life)

    server._serve = probed
    sys.argv = ["srt-router", "serve"]
    command()


if __name__ == "__main__":
    main()
