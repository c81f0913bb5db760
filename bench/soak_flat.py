"""What must not grow, looked at from outside, and what "flat" means.

A figure is looked at when nothing goes on, after every tenth of the work. The first looks are warm-up. Through the
others a straight line is laid (least squares). A count (descriptors, tasks, processes, files) is flat when the line
rises by less than one half of a piece from its first to its last point. A size (memory, database) is flat when the line
rises by less than what `Limit` allows, or by less than four standard errors of its slope: a size that only jumps about
has no slope. Limits that are not about slopes (`most`) hold for each single look: threads are made when they are
needed, for pools that have a size, and log files grow until they are compressed.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import children
from tests.harness.processes import media
from tests.harness.server import Server
from tests.harness.wait import until

WARM_UP = 3
"""Looks that do not count: what is made on first use is made, and every bounded history has come to its bound."""


@dataclass(frozen=True)
class Limit:
    """How much a figure may rise from the first look that counts to the last."""

    rise: float
    most: float = math.inf
    """Never more than that at all."""
    counted: bool = False
    """Pieces, not a size: any rise counts, however it jumps about."""


COUNT = Limit(0.5, counted=True)
LIMITS = {
    "descriptors": COUNT,
    "sockets": COUNT,
    "inotify watches": COUNT,
    "asyncio tasks": COUNT,
    "children": COUNT,
    "media processes": COUNT,
    "sessions": COUNT,
    "files in PID_DIR": COUNT,
    "files in RUN_DIR": COUNT,
    "threads": Limit(math.inf, most=12 + min(32, (os.cpu_count() or 1) + 4)),
    "files in DATA_DIR": COUNT,
    "files in LOG_DIR": Limit(math.inf, most=3),
    "MB in RUN_DIR": Limit(0.2),
    "MB in LOG_DIR": Limit(math.inf, most=1.5),
    "gateway.db, MB": Limit(0.2),
    "MB of the server, private": Limit(1.5),
    "MB of its helpers, private": Limit(1.5),
    "thousands of Python objects": Limit(3.0),
}


@dataclass(frozen=True)
class Judgement:
    """One figure over all looks."""

    name: str
    values: list[float]
    """All of them, warm-up included."""
    warm_up: int
    rise: float
    """Of the line, from the first look that counts to the last."""
    noise: float
    """Four standard errors of that."""
    grows: bool

    @property
    def allowed(self) -> float:
        """How much the line may rise."""
        return LIMITS[self.name].rise


def judge(name: str, values: Sequence[float], warm_up: int = WARM_UP) -> Judgement:
    """Does it grow?"""
    limit, counted = LIMITS[name], values[warm_up:]
    slope, error = _line(counted)
    rise, noise = slope * (len(counted) - 1), 4 * error * (len(counted) - 1)
    grows = rise >= limit.rise and (limit.counted or rise > noise)
    return Judgement(name, list(values), warm_up, rise, noise, grows or max(values) > limit.most)


def _line(values: Sequence[float]) -> tuple[float, float]:
    """Slope of the straight line through them, a step apart, and its standard error."""
    count = len(values)
    if count < 3:
        return 0.0, 0.0
    middle, mean = (count - 1) / 2, sum(values) / count
    width = sum((x - middle) ** 2 for x in range(count))
    slope = sum((x - middle) * (y - mean) for x, y in enumerate(values)) / width
    rest = sum((y - mean - slope * (x - middle)) ** 2 for x, y in enumerate(values))
    return slope, math.sqrt(rest / (count - 2) / width)


def look(server: Server, report: Path, log_dir: Path) -> dict[str, float]:
    """All figures now. Nothing may go on."""
    assert server.process
    pid = server.process.pid
    sessions = server.api.get("/api/auth/sessions").json()["items"]  # first: now our connection is open for certain
    report.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    until(report.exists, 20, "the probe's answer")
    held = json.loads(report.read_text())
    kinds = _descriptors(pid)
    helpers = [one for one, program in media().items() if program not in ("srt-live-transmit", "ffmpeg")]
    return {
        "descriptors": sum(kinds.values()),
        "sockets": kinds.get("socket", 0),
        "inotify watches": _watches(pid),
        "asyncio tasks": held["tasks"],
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
        "children": len(children(pid)),
        "media processes": len(media()),
        "sessions": len(sessions),
        "files in PID_DIR": len(_files(server.pid_dir)),
        "files in RUN_DIR": len(_files(server.run_dir)),
        "files in DATA_DIR": len(_files(server.data_dir)),
        "files in LOG_DIR": len(_files(log_dir)),
        "MB in RUN_DIR": _size_mb(server.run_dir),
        "MB in LOG_DIR": _size_mb(log_dir),
        "gateway.db, MB": (server.data_dir / "gateway.db").stat().st_size / 1e6,
        "MB of the server, private": _private_mb(pid),
        "MB of its helpers, private": sum(map(_private_mb, helpers)),
        "thousands of Python objects": held["objects"] / 1000,
    }


def _descriptors(pid: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kind = fd.readlink().name.partition(":")[0]
        except OSError:
            continue
        found[kind] = found.get(kind, 0) + 1
    return found


def _watches(pid: int) -> int:
    found = 0
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found += info.read_text().count("inotify wd:")
        except OSError:
            continue
    return found


def _private_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.MULTILINE)) * 1024 / 1e6


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in _files(folder)) / 1e6
