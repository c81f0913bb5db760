"""Months of a gateway in minutes: what grows?

    bench/run soak [-- --minutes N] [-- --quick]

A real server with real srt-live-transmit and ffmpeg. In ten parts: SRT peers come and go, operators edit, order, sign
in, watch and back up, routes.json is edited by hand, processes are killed, all at once; after each part everything goes
back to how it was at the beginning, and whatever could grow is looked at (`bench.soak_flat` says what counts as flat).
What the history keeps for days it keeps for seconds here (`bench.probed_server`), so that pruning is seen many times.
At the end the server is killed and started again, and ends. Runs in namespaces of its own; ends with status 1 where
something grows, is left over, or went wrong.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import plots
from bench.results import Cell, Table, save
from bench.soak_flat import LIMITS, WARM_UP, Judgement, judge, look
from bench.soak_work import PASSWORD, Soak, base_routes
from tests.harness.isolate import is_isolated
from tests.harness.processes import media
from tests.harness.server import Server
from tests.harness.wait import until

PARTS, QUICK_PARTS = 10, 4
QUICK_MINUTES = 0.25
LOG_FILES = 2
SETTLING_S = 8.0
"""So long takes what follows each part of the work."""
_ROUNDS_S = 2.2
_NOT_CLOSED = ("01", "08")
"""ESTABLISHED, CLOSE_WAIT"""
Look = dict[str, float]


def main() -> int:
    """Soak, write down, and answer 1 where something grows."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--show", action="store_true", help="print what was found, and keep nothing")
    options.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.soak", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    minutes = QUICK_MINUTES if chosen.quick else chosen.minutes
    print(f"seed {chosen.seed}", file=sys.stderr)
    if chosen.quick:
        print("too short for sizes to come to their bounds: only counts are judged", file=sys.stderr)
    parts = QUICK_PARTS if chosen.quick else PARTS
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), Plan(minutes, parts, chosen.seed, keep=not (chosen.quick or chosen.show)))


@dataclass(frozen=True)
class Plan:
    """One run."""

    minutes: float
    parts: int
    seed: int
    keep: bool

    @property
    def whole(self) -> bool:
        """Long enough for every bounded history to come to its bound."""
        return self.parts == PARTS


def soak(folder: Path, plan: Plan) -> int:
    """One run. The answer is the exit status."""
    report, log_dir = folder / "probe.json", folder / "logs"
    settings = {"LOG_DIR": str(log_dir), "LOG_FILE_MB": "1", "LOG_FILES": str(LOG_FILES), "ADMIN_PASSWORD": PASSWORD}
    server = Server(folder / "server", base_routes(), **settings)
    server.module = ["-m", "bench.probed_server", str(report), "compressed"]
    server.patience_s = 60
    looks: list[Look] = []
    with server.start():
        work = Soak(server, plan.seed)
        for part in range(plan.parts):
            work.work(max(2.0, plan.minutes * 60 / plan.parts - SETTLING_S))
            if work.failures:
                break
            work.settle()
            looks.append(settled(server, report, log_dir))
            say(f"{part + 1} of {plan.parts}", looks[-1], work)
        wrong = list(dict.fromkeys(work.failures))
        wrong += wrong or after_kill(server, work, report, log_dir, looks[-1])
    wrong += left_over(server)
    names = [name for name, limit in LIMITS.items() if limit.counted or plan.whole]
    warm_up = WARM_UP if plan.whole else 1
    judgements = [judge(name, [one[name] for one in looks], warm_up) for name in names] if len(looks) > warm_up else []
    wrong += [f"{one.name} grows: {one.values}" for one in judgements if one.grows]
    tables = [growth(judgements), deeds(work)]
    for table in tables:
        print(f"\n{table.title}")
        for row in table.rows:
            print(" | ".join(str(cell) for cell in row))
    if plan.keep and judgements:
        save("soak", tables, command=f"bench/run soak -- --minutes {plan.minutes:g}", plots=pictures(looks))
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


def settled(server: Server, report: Path, log_dir: Path) -> Look:
    """How it is when nothing goes on: nobody is connected, and what is looked after once a second has been twice."""
    until(lambda: connections(server) <= 1, 60, "every client to be gone")
    deadline, before = time.monotonic() + 20, look(server, report, log_dir)
    while True:
        time.sleep(_ROUNDS_S)
        now = look(server, report, log_dir)
        same = all(now[name] == before[name] for name, limit in LIMITS.items() if limit.counted)
        if same or time.monotonic() > deadline:
            return now
        before = now


def connections(server: Server) -> int:
    """Connections at the server's port that it has not closed; one of them is this program's."""
    port = f":{server.api.base_url.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(port) and line[3] in _NOT_CLOSED for line in lines)


def say(how_far: str, found: Look, work: Soak) -> None:
    """How far it has come."""
    words = ", ".join(f"{name} {value:g}" for name, value in found.items())
    print(f"{how_far}, {sum(work.done.values())} done: {words}", file=sys.stderr, flush=True)


def after_kill(server: Server, work: Soak, report: Path, log_dir: Path, before: Look) -> list[str]:
    """The server is killed and started again: as many files and processes as before."""
    server.kill()
    server.start()
    work.settle()
    now = settled(server, report, log_dir)
    names = ("media processes", "children", "files in PID_DIR", "files in DATA_DIR", "sessions")
    return [f"after kill -9: {name} {before[name]:g}, then {now[name]:g}" for name in names if now[name] > before[name]]


def left_over(server: Server) -> list[str]:
    """What an ended server has left behind, and what it complained of."""
    wrong = [f"left in PID_DIR: {file.name}" for file in server.pid_dir.iterdir()]
    wrong += [f"left in RUN_DIR: {file.name}" for file in server.run_dir.glob("route_*")]
    try:
        until(lambda: not media(), 5)
    except AssertionError:
        wrong.append(f"left running: {media()}")
    log = server.log()
    wrong += [f"in the log: {words}" for words in ("Traceback", "never retrieved", "was never awaited") if words in log]
    return wrong


def growth(judgements: list[Judgement]) -> Table:
    """Each figure, from the first look that counts to the last."""
    rows: list[list[Cell]] = [
        [
            one.name,
            round(one.values[one.warm_up], 2),
            round(one.values[-1], 2),
            round(max(one.values), 2),
            f"{one.rise:+.2f}",
            "" if LIMITS[one.name].counted else f"{one.noise:.2f}",
            f"{one.allowed:g}" if LIMITS[one.name].most == math.inf else f"at most {LIMITS[one.name].most:g}",
            "grows" if one.grows else "flat",
        ]
        for one in judgements
    ]
    return Table(
        "What could grow",
        ["figure", f"after part {WARM_UP + 1}", "at the end", "most", "line rises by", "±", "allowed", ""],
        rows,
        f"{PARTS} looks, each when nothing goes on; the first {WARM_UP} are warm-up. Through the others a straight "
        "line is laid; a count must not rise by half a piece from its first to its last point, a size not by more than "
        "is allowed and than four standard errors (±). Threads are made when they are needed, and log files grow until "
        "they are compressed: both have a bound instead. Memory is what nobody shares, after the allocator gave back "
        "what it can. Helpers are the stream monitor and the duplicators.",
    )


def deeds(work: Soak) -> Table:
    """How much was done."""
    rows: list[list[Cell]] = [[name, count] for name, count in sorted(work.done.items(), key=lambda item: -item[1])]
    return Table("What went on", ["work", "times"], rows)


def pictures(looks: list[Look]) -> list[str]:
    """The curves."""

    def curves(*names: str) -> dict[str, list[tuple[float, float]]]:
        return {name: [(at, one[name]) for at, one in enumerate(looks, 1)] for name in names}

    x = f"part of the run (1 to {WARM_UP} are warm-up)"
    counts = ("descriptors", "asyncio tasks", "threads", "media processes", "files in RUN_DIR", "files in DATA_DIR")
    sizes = ("MB of the server, private", "MB of its helpers, private", "gateway.db, MB", "MB in LOG_DIR")
    return [
        plots.lines("soak-counts", "What the server holds", x, "pieces", curves(*counts)),
        plots.lines("soak-sizes", "Memory and files", x, "MB", curves(*sizes)),
    ]


if __name__ == "__main__":
    sys.exit(main())
