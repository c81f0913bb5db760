"""What a server costs while it is left alone: memory, processor time, wake-ups, read from /proc."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

_NS = 1_000_000_000


@dataclass(frozen=True)
class Load:
    """Of one process over some seconds."""

    cpu_percent: float
    """Of one core, as the scheduler counted it."""
    switches_per_s: float
    """How often one of its threads went to sleep of its own will: as often it was woken."""
    rss_mb: float
    private_mb: float
    """Of that, what nobody shares with it."""
    threads: int
    descriptors: int


def load(pid: int, seconds: float) -> Load:
    """Look at a process for so long."""
    began, before = time.monotonic(), _counters(pid)
    time.sleep(seconds)
    passed, after = time.monotonic() - began, _counters(pid)
    memory = _memory_mb(pid)
    return Load(
        cpu_percent=100 * (after[0] - before[0]) / _NS / passed,
        switches_per_s=(after[1] - before[1]) / passed,
        rss_mb=memory["Rss"],
        private_mb=memory["Private_Clean"] + memory["Private_Dirty"],
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
    )


def _counters(pid: int) -> tuple[int, int]:
    """Nanoseconds on a processor and voluntary switches, of all threads that live."""
    used = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            used += int((task / "schedstat").read_text().split()[0])
            found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.MULTILINE)
            switches += int(found[1]) if found else 0
    return used, switches


def _memory_mb(pid: int) -> dict[str, float]:
    found = re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return {name: int(kb) * 1024 / 1e6 for name, kb in found}


def children(pid: int) -> list[int]:
    """The processes that it has started and that live."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
