"""How fast orphans are found and ended, beside the tools that people use for it, in the same run.

    python3 tests/harness/isolate.py .venv/bin/python bench/orphans.py [--quick]

- 1,000 orphans that exit on SIGTERM: from the start of the cleanup to the last death, and to its return
  (which includes two more scans that must find nothing); against `pkill` to the last death
- 200 orphans that ignore SIGTERM: the whole cleanup
- finding 25 orphans among 5,000 processes, against parsing `ps aux`

Each is the median of several runs; a process of its own watches the deaths. Prints JSON, one line per part.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from srt_router.processes.cleanup import PidManager
from srt_router.processes.limits import allow_many_files
from srt_router.processes.ownership import Rules, Scope
from srt_router.processes.priority import raise_priority
from srt_router.processes.scan import Scanner
from tests.harness.isolate import is_isolated
from tests.process.bystanders import Installation, runs

NULL = subprocess.DEVNULL
Processes = list[subprocess.Popen[bytes]]

_WATCH = """
import os, select, sys, time
poll, left = select.epoll(), set()
for word in sys.stdin.readline().split():
    fd = os.pidfd_open(int(word))
    poll.register(fd, select.EPOLLIN)
    left.add(fd)
print("ready", flush=True)
while left:
    for fd, _ in poll.poll():
        poll.unregister(fd)
        left.discard(fd)
print(time.monotonic(), flush=True)
"""


class Deaths:
    """Watches processes; tells when the last one died."""

    def __init__(self, processes: Processes) -> None:
        self._watcher = subprocess.Popen(
            [sys.executable, "-c", _WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        self._out = self._watcher.stdout
        self._watcher.stdin.write(" ".join(str(process.pid) for process in processes) + "\n")
        self._watcher.stdin.flush()
        assert self._out.readline() == "ready\n"

    def last(self) -> float:
        at = float(self._out.readline())
        self._watcher.wait()
        return at


class Bench:
    def __init__(self, folder: Path) -> None:
        self.here = Installation(folder / "here")
        self.program = str(folder / "srt-live-transmit")
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self.program)

    def orphans(self, count: int, *, deaf: bool = False) -> Processes:
        """Processes of this installation whose server is gone."""
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN) if deaf else None
        tag = self.here.tag()
        made = [
            subprocess.Popen(
                [self.program, "86400"],
                env=tag,
                stdin=NULL,
                stdout=NULL,
                stderr=NULL,
                start_new_session=True,
                restore_signals=False,
            )
            for _ in range(count)
        ]
        if deaf:
            signal.signal(signal.SIGTERM, before)
        while not all(runs(process.pid) == "srt-live-transmit" for process in made[-20:]):
            time.sleep(0.01)
        time.sleep(0.3)
        return made

    def cleanup(self) -> tuple[int, int, float]:
        """The whole of it, on a running loop as in the server: how many died, threads, and when it began."""
        manager = PidManager(self.here.pid_files, Scanner(self.here.instance))
        normal = os.getpriority(os.PRIO_PROCESS, 0)
        raise_priority()  # as the server does when it starts

        async def clean() -> tuple[int, int, float]:
            began = time.monotonic()
            result = await manager.cleanup_orphans(Rules(Scope.HOST, first_start=False))
            assert not result.errors
            return len(result.killed), threading.active_count(), began

        try:
            return asyncio.run(clean())
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, normal)


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1000


def median(values: list[float]) -> float:
    return round(statistics.median(values), 1)


def end(processes: Processes) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def killing(bench: Bench, count: int, runs_wanted: int) -> dict[str, object]:
    ours, returned, pkill, threads = [], [], [], 0
    for _ in range(runs_wanted):
        orphans = bench.orphans(count)
        deaths = Deaths(orphans)
        killed, most, began = bench.cleanup()
        returned.append((time.monotonic() - began) * 1000)
        ours.append((deaths.last() - began) * 1000)
        assert killed == count
        threads = max(threads, most)
        end(orphans)

        orphans = bench.orphans(count)
        deaths = Deaths(orphans)
        began = time.monotonic()
        subprocess.run(["pkill", "-TERM", "srt-live-transm"], check=True)
        pkill.append((deaths.last() - began) * 1000)
        end(orphans)
    return {
        "part": "kill",
        "orphans": count,
        "lastDeathMs": median(ours),
        "returnedMs": median(returned),
        "pkillLastDeathMs": median(pkill),
        "timesFaster": round(statistics.median(pkill) / statistics.median(ours), 2),
        "threads": threads,
    }


def deaf(bench: Bench, count: int) -> dict[str, object]:
    orphans = bench.orphans(count, deaf=True)
    took = timed(bench.cleanup)
    assert all(process.poll() is not None for process in orphans)
    end(orphans)
    return {"part": "ignore SIGTERM", "orphans": count, "wholeCleanupMs": round(took)}


def ps_aux() -> list[int]:
    """As scripts do it."""
    printed = subprocess.run(["ps", "aux"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 10) for line in printed.splitlines()[1:]]
    return [int(words[1]) for words in lines if "srt-live-transmit" in words[10]]


def finding(bench: Bench, count: int, runs_wanted: int) -> dict[str, object]:
    others = [subprocess.Popen(["sleep", "86400"], stdin=NULL, stdout=NULL, stderr=NULL) for _ in range(count - 25)]
    orphans = bench.orphans(25)
    scanner = Scanner(bench.here.instance)

    def found(*, quick: bool) -> list[int]:
        candidates, _ = scanner.candidates(quick=quick)
        return [facts.pid for pid in candidates if (facts := scanner.facts(pid))]

    wanted = sorted(process.pid for process in orphans)
    assert sorted(found(quick=True)) == sorted(found(quick=False)) == sorted(ps_aux()) == wanted
    quick, thorough, ps = [], [], []
    for _ in range(runs_wanted):
        quick.append(timed(lambda: found(quick=True)))
        thorough.append(timed(lambda: found(quick=False)))
        ps.append(timed(ps_aux))
    end(others + orphans)
    return {
        "part": "find",
        "processes": count,
        "ms": median(quick),
        "thoroughMs": median(thorough),
        "psAuxMs": median(ps),
        "timesFaster": round(statistics.median(ps) / statistics.median(quick), 2),
        "thoroughTimesFaster": round(statistics.median(ps) / statistics.median(thorough), 2),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    wanted = parser.parse_args()
    if not is_isolated():
        sys.exit("this kills processes: run it through tests/harness/isolate.py")
    logging.basicConfig(level=logging.INFO, stream=Path("/dev/null").open("w"))  # noqa: SIM115 - as in the server
    allow_many_files()
    with contextlib.suppress(PermissionError):
        os.setsid()  # the leader of our session is outside of this namespace, which no real host looks like
    bench = Bench(Path(tempfile.mkdtemp(prefix="orphans-")))
    print(json.dumps(finding(bench, 5000, 5 if wanted.quick else 15)), flush=True)
    print(json.dumps(killing(bench, 1000, 3 if wanted.quick else 7)), flush=True)
    print(json.dumps(deaf(bench, 200)), flush=True)


if __name__ == "__main__":
    main()
