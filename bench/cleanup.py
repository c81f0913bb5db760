"""How fast orphans are found and ended, beside what people use for it, in the same run.

    python -m bench.cleanup [--quick]

- 10 to 5,000 orphans that obey SIGTERM: to the last death, and until the way returns, knowing that all are dead: what
  the server does when it starts and `srt-router cleanup`, against `ps aux` with one `kill` after the other, `ps aux`
  with `xargs kill`, `pkill`, `cgroup.kill`, and a bare loop of kill(2) over known PIDs
- orphans that ignore SIGTERM
- who else is hit
- finding 25 orphans among up to 5,000 other processes, against `ps aux`, `pgrep` and a bare look at every name

A process of its own watches the deaths. Runs in namespaces of its own. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import plots
from bench.cleanup_ways import (
    BARE,
    CLASSIC,
    COMMAND,
    GROUP,
    KERNEL_NAME,
    NAME,
    NULL,
    OURS,
    PKILL,
    WAYS,
    XARGS,
    ControlGroup,
    Deaths,
    Job,
    Orphans,
    Way,
    end,
)
from bench.results import Cell, Table, save, spread
from srt_router.processes.limits import allow_many_files
from srt_router.processes.scan import Scanner
from tests.harness.isolate import is_isolated
from tests.harness.processes import alive

ROUNDS = {10: 5, 100: 5, 1000: 5, 5000: 3}
"""Orphans, and how often each way ends so many."""
QUICK = {10: 2, 100: 2, 1000: 1}
SLOW_ROUNDS = {10: 3, 100: 1, 1000: 1, 5000: 1}
"""Of the classic way, which takes a minute for 5,000."""
OTHERS = (500, 1000, 2000, 5000)
WANTED = 25
DEAF, DEAF_ONE_BY_ONE = 200, 5
SYSTEM_LIMIT = 1.5
"""Goal: the last death, in times of the bare loop's, for a thousand and more."""
GOAL_FROM = 1000
NOISE = 1.1
"""Of two medians in the same run."""
_LINGERS_S = 0.5
"""Who was hit and is no orphan may die after them."""


LAST_DEATH = (
    "Median (lowest to highest). `srt-router cleanup` is the whole command, with the start of its interpreter, which "
    "the server at its start has behind it. One by one: `kill`, then `kill -0` every 10 ms until that one is dead. "
    "`cgroup.kill` is SIGKILL: no stream says goodbye to its peer, and it reaches only those that were put into the "
    "group at their start. The bare loop is what the system can do: it knows the PIDs and looks at nobody."
)
RETURNED = (
    "Ours includes two more scans that must find nothing; `pkill` and `xargs kill` are followed by `pgrep` until it "
    "finds none, 10 ms apart."
)


@dataclass
class Took:
    """Milliseconds of one way for one number of orphans."""

    last_death: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)


Curve = dict[int, dict[str, Took]]


def main() -> int:
    """Measure, write, and answer 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, up to 1,000; nothing is written")
    chosen = parser.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.cleanup", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    with Path("/dev/null").open("w") as nowhere:
        logging.basicConfig(level=logging.INFO, stream=nowhere)  # as in the server, which writes a line for each
        allow_many_files()
        with contextlib.suppress(PermissionError):
            os.setsid()  # the leader of our session is outside of this namespace, which no real host looks like
        group = ControlGroup()
        try:
            return measure(Orphans(Path(tempfile.mkdtemp(prefix="cleanup-"))), group, quick=chosen.quick)
        finally:
            group.remove()


def measure(orphans: Orphans, group: ControlGroup, *, quick: bool) -> int:
    """All parts."""
    rounds = QUICK if quick else ROUNDS
    curve = {count: killing(orphans, group, count, times) for count, times in rounds.items()}
    deaf_table = deaf(orphans, group, 20 if quick else DEAF, 1 if quick else DEAF_ONE_BY_ONE)
    hit_table = who_else(orphans, group)
    found = finding(orphans, OTHERS[:1] if quick else OTHERS, 3 if quick else 7)
    tables = [*curve_tables(curve, group), deaf_table, hit_table, finding_table(found)]
    for table in tables:
        print(table.title, *table.rows, sep="\n  ", file=sys.stderr)
    missed = goals(curve, found)
    for goal in missed:
        print(f"missed: {goal}", file=sys.stderr)
    if not quick:
        save("cleanup", tables, command="bench/run cleanup", plots=draw(curve, found), versions=versions())
    return 1 if missed else 0


def killing(orphans: Orphans, group: ControlGroup, count: int, rounds: int) -> dict[str, Took]:
    """Each way ends so many, in turn."""
    found: dict[str, Took] = {}
    for number in range(rounds):
        for way in WAYS:
            if (way is GROUP and not group.path) or (way is CLASSIC and number >= SLOW_ROUNDS[count]):
                continue
            last_death, returned = one(orphans, group, way, count)
            took = found.setdefault(way.name, Took())
            took.last_death.append(last_death)
            took.returned.append(returned)
    for name, took in found.items():
        print(f"{count:5} orphans: {name:24} {spread(took.last_death)} ms", file=sys.stderr, flush=True)
    return found


def one(orphans: Orphans, group: ControlGroup, way: Way, count: int, *, is_deaf: bool = False) -> tuple[float, float]:
    """Milliseconds from the beginning to the last death and to the return. All of them are dead after it."""
    pids = orphans.make(count, deaf=is_deaf, group=group.path if way is GROUP else None)
    try:
        deaths = Deaths(pids)
        began = way.run(Job(orphans, group, pids))
        returned = time.monotonic()
        left = [pid for pid in pids if alive(pid)]
        assert not left, f"{way.name} returned and {len(left)} of {count} live"
        return (deaths.last() - began) * 1000, (returned - began) * 1000
    finally:
        end(pids)


def deaf(orphans: Orphans, group: ControlGroup, count: int, one_by_one: int) -> Table:
    """Those that ignore SIGTERM: the tools that send it need SIGKILL as well, after the same 3 s."""
    rows: list[list[Cell]] = []
    for way, many in ((OURS, count), (PKILL, count), (GROUP, count), (CLASSIC, one_by_one)):
        if way is GROUP and not group.path:
            continue
        last_death, _ = one(orphans, group, way, many, is_deaf=True)
        rows.append([way.name, many, round(last_death), round(last_death / many, 1)])
        print(f"{many:5} deaf orphans: {way.name:24} {last_death:.0f} ms", file=sys.stderr, flush=True)
    text = (
        "`pkill` here is `pkill -TERM`, up to 3 s of `pgrep`, `pkill -KILL`; `cgroup.kill` asks nobody and waits for "
        "nothing."
    )
    return Table("Orphans that ignore SIGTERM", ["way", "orphans", "last death, ms", "ms each"], rows, text)


def who_else(orphans: Orphans, group: ControlGroup) -> Table:
    """Ten orphans, and processes beside them that are none."""
    rows: list[list[Cell]] = []
    for way in WAYS:
        if way is BARE or (way is GROUP and not group.path):
            continue
        with orphans.bystanders() as others:
            one(orphans, group, way, 10)
            time.sleep(_LINGERS_S)
            hit = [what for what, pid in others.items() if not alive(pid)]
        assert not (hit and way in (OURS, COMMAND)), f"{way.name} hit {hit}"
        rows.append([way.name, " and ".join(hit) or "nobody"])
    return Table("Who else is hit", ["way", "hit"], rows)


@dataclass
class Search:
    """A way to find orphans."""

    name: str
    find: Callable[[], list[int]]
    took_ms: dict[int, list[float]] = field(default_factory=dict)


def finding(orphans: Orphans, others: tuple[int, ...], rounds: int) -> list[Search]:
    """Find the same few among more and more others; all searches must find exactly these."""
    scanner = Scanner(orphans.here.instance)

    def ours(*, quick: bool) -> list[int]:
        candidates, _ = scanner.candidates(quick=quick)
        return [facts.pid for pid in candidates if (facts := scanner.facts(pid))]

    searches = [
        Search("SRT Router, quick scan", lambda: ours(quick=True)),
        Search("SRT Router, thorough scan", lambda: ours(quick=False)),
        Search("ps aux", ps_aux),
        Search("pgrep", pgrep),
        Search("bare look at every name", every_name),
    ]
    wanted = orphans.make(WANTED)
    crowd: list[subprocess.Popen[bytes]] = []
    try:
        for count in others:
            crowd += [
                subprocess.Popen(["sleep", "86400"], stdin=NULL, stdout=NULL, stderr=NULL)
                for _ in range(count - len(crowd))
            ]
            for search in searches:
                assert sorted(search.find()) == sorted(wanted), f"{search.name} found others"
                search.took_ms[count] = []
            for _ in range(rounds):
                for search in searches:
                    search.took_ms[count].append(timed(search.find))
            print(
                f"{count} others: " + ", ".join(f"{s.name} {spread(s.took_ms[count])} ms" for s in searches),
                file=sys.stderr,
            )
    finally:
        for process in crowd:
            process.kill()
        for process in crowd:
            process.wait()
        end(wanted)
    return searches


def ps_aux() -> list[int]:
    """As scripts do it."""
    printed = subprocess.run(["ps", "aux"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 10) for line in printed.splitlines()[1:]]
    return [int(words[1]) for words in lines if NAME in words[10]]


def pgrep() -> list[int]:
    """By the name that the kernel keeps."""
    return [
        int(word) for word in subprocess.run(["pgrep", KERNEL_NAME], capture_output=True, check=True).stdout.split()
    ]


def every_name() -> list[int]:
    """The least that can be read of every process."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            fd = os.open(f"/proc/{entry.name}/comm", os.O_RDONLY)
            if os.read(fd, 32) == KERNEL_NAME.encode() + b"\n":
                found.append(int(entry.name))
            os.close(fd)
    return found


def timed(function: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1000


def curve_tables(curve: Curve, group: ControlGroup) -> list[Table]:
    """To the last death, and to the return; one row for each way."""
    counts = [f"{count:,}" for count in curve]
    tables = []
    for title, what, text in (
        ("the last death", lambda took: took.last_death, LAST_DEATH),
        ("the return, when the way knows that all are dead", lambda took: took.returned, RETURNED),
    ):
        rows = [_curve_row(way, curve, what, group) for way in WAYS]
        columns = ["way", *(f"{count}, ms" for count in counts), *(f"{count}, times ours" for count in counts)]
        tables.append(Table(f"Orphans that obey SIGTERM: milliseconds to {title}", columns, rows, text))
    return tables


def _curve_row(way: Way, curve: Curve, what: Callable[[Took], list[float]], group: ControlGroup) -> list[Cell]:
    found = [(ways.get(way.name), ways[OURS.name]) for ways in curve.values()]
    figures = [spread(what(took)) if took else "cannot here" for took, _ in found]
    times = [
        f"{statistics.median(what(took)) / statistics.median(what(ours)):.2f}" if took else group.why_not
        for took, ours in found
    ]
    return [way.name, *figures, *times]


def finding_table(searches: list[Search]) -> Table:
    """One row for each search."""
    counts = list(searches[0].took_ms)
    rows: list[list[Cell]] = []
    for search in searches:
        times = statistics.median(search.took_ms[counts[-1]]) / statistics.median(searches[0].took_ms[counts[-1]])
        rows.append([search.name, *(spread(took) for took in search.took_ms.values()), f"{times:.2f}"])
    columns = ["search", *(f"{count:,} others, ms" for count in counts), "times our quick scan"]
    text = (
        "The thorough scan reads the ownership tag of every process of our user: it also finds what has another name."
    )
    return Table(f"Finding {WANTED} orphans among others", columns, rows, text)


def goals(curve: Curve, searches: list[Search]) -> list[str]:
    """What was missed."""
    missed = []
    for count, ways in curve.items():
        ours = statistics.median(ways[OURS.name].last_death)
        missed += [
            f"{count} orphans: {other.name} is faster"
            for other in (PKILL, XARGS, CLASSIC)
            if ours > NOISE * statistics.median(ways[other.name].last_death)
        ]
        limit = SYSTEM_LIMIT * statistics.median(ways[BARE.name].last_death)
        if count >= GOAL_FROM and ours > limit:
            missed.append(f"{count} orphans: the last death after {ours:.1f} ms, goal {limit:.1f}")
    took = {search.name: statistics.median(list(search.took_ms.values())[-1]) for search in searches}
    quick = took.pop("SRT Router, quick scan")
    missed += [f"finding: {name} is faster" for name in ("ps aux", "pgrep") if took[name] < quick]
    return missed


def draw(curve: Curve, searches: list[Search]) -> list[str]:
    """Both curves."""
    last: dict[str, list[tuple[float, float]]] = {}
    for count, ways in curve.items():
        for name, took in ways.items():
            last.setdefault(name, []).append((count, statistics.median(took.last_death)))
    found = {
        search.name: [(count, statistics.median(took)) for count, took in search.took_ms.items()] for search in searches
    }
    title = f"Finding {WANTED} orphans"
    return [
        plots.lines("cleanup", "Ending orphans", "orphans", "last death, ms", last, log_x=True, log_y=True),
        plots.lines("finding", title, "other processes", "ms", found, log_x=True, log_y=True),
    ]


def versions() -> dict[str, str]:
    """Of the tools."""
    words = subprocess.run(["ps", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return {"procps": words[-1]}


if __name__ == "__main__":
    sys.exit(main())
