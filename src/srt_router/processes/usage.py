"""What processes use: processor time, memory, age. Everything from /proc, for many processes in one go."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from srt_router.processes import proc

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

INTERVAL_S = 0.2
"""How long the processor load is watched where one figure is wanted now. The kernel counts it in
nanoseconds per thread, so this is enough for a figure good to a tenth of a percent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process, looked at once."""

    pid: int
    at_ns: int
    """Monotonic nanoseconds of the look."""
    start_ticks: int
    """Tells a process from its successor under the same PID."""
    cpu_ns: int
    """Processor time of its live threads."""
    cpu_total_s: float
    """Processor seconds since its start, ended threads included; in steps of 10 ms."""
    memory_bytes: int
    """Resident memory."""
    age_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses, as it is shown."""

    cpu_percent: float
    """Of one core."""
    memory_bytes: int
    age_s: float


def sample(pids: Iterable[int]) -> dict[int, Sample]:
    """Look at these processes; those that are gone are left out."""
    uptime_s = _uptime_s()
    return {found.pid: found for pid in pids if (found := _sample(pid, uptime_s))}


def since_start(now: Mapping[int, Sample]) -> dict[int, Usage]:
    """Processor load averaged over the life of each process, as `ps aux` shows it."""
    return {
        pid: Usage(
            cpu_percent=100 * one.cpu_total_s / max(one.age_s, 0.01), memory_bytes=one.memory_bytes, age_s=one.age_s
        )
        for pid, one in now.items()
    }


def between(before: Mapping[int, Sample], now: Mapping[int, Sample]) -> dict[int, Usage]:
    """Processor load between two looks; a process that is new has its average since its start."""
    found = since_start(now)
    for pid, after in now.items():
        first = before.get(pid)
        if first is None or first.start_ticks != after.start_ticks or after.at_ns <= first.at_ns:
            continue
        used_ns = max(0, after.cpu_ns - first.cpu_ns)  # a thread that ended takes its time with it
        percent = 100 * used_ns / (after.at_ns - first.at_ns)
        found[pid] = Usage(cpu_percent=percent, memory_bytes=after.memory_bytes, age_s=after.age_s)
    return found


def quick_sample(pids: Iterable[int]) -> dict[int, Sample]:
    """The same as `sample`, for many processes again and again: processor time in steps of 10 ms only."""
    uptime_s = _uptime_s()
    return {found.pid: found for pid in pids if (found := _sample(pid, uptime_s, exact=False))}


def measure(pids: Iterable[int], interval_s: float = INTERVAL_S) -> dict[int, Usage]:
    """The load over a short interval, which this waits for: not on an event loop."""
    before = sample(pids)
    time.sleep(interval_s)
    return between(before, sample(before))


def _sample(pid: int, uptime_s: float, *, exact: bool = True) -> Sample | None:
    at_ns = time.monotonic_ns()
    stat = proc.stat(pid)
    if stat is None or stat.dead:
        return None
    scheduled = _scheduled_ns(pid) if exact else None
    return Sample(
        pid=pid,
        at_ns=at_ns,
        start_ticks=stat.start_ticks,
        cpu_ns=int(stat.cpu_s * 1e9) if scheduled is None else scheduled,
        cpu_total_s=stat.cpu_s,
        memory_bytes=stat.rss_pages * _PAGE_BYTES,
        age_s=max(0.0, uptime_s - stat.start_ticks / _CLOCK_TICKS),
    )


def _scheduled_ns(pid: int) -> int | None:
    """Processor nanoseconds of all live threads; None where the kernel does not keep them."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - half the time of iterdir
    except OSError:
        return None
    total = 0
    for thread in threads:
        words = (proc.read(f"/proc/{pid}/task/{thread}/schedstat", 128) or b"").split()
        if not words:
            return None
        total += int(words[0])
    return total


def _uptime_s() -> float:
    words = (proc.read("/proc/uptime", 128) or b"0").split()
    return float(words[0])
