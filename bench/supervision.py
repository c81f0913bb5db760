"""Starting, replacing and stopping hundreds of processes, against supervisord, circus, PM2 and s6, in one run.

    bench/run supervision [-- --quick] [-- --only NAME]

Everybody runs the same commands: those that our server runs for its routes (idle listeners of srt-live-transmit). A
bare loop is the lower bound. Each is started from nothing each time, in namespaces of this bench's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import supervisors_tables
from bench.supervisors import Adopting, Bare, Ours, Supervisor, stand_in
from bench.supervisors_measure import Effort, Figures, crash, life, one, start, stop, tried
from bench.supervisors_peers import S6, Circus, Pm2, S6Whole, Supervisord, set_up
from tests.harness.isolate import is_isolated

LIVES: tuple[type[Supervisor], ...] = (Ours, Bare, S6, Supervisord, Circus, Pm2)
CRASHES: tuple[type[Supervisor], ...] = (Ours, Adopting, Bare, S6, S6Whole, Supervisord, Circus, Pm2)
"""All of s6 is killed only above processes that hold no port: above others it starts each again every second, against
the one that has the port, and nothing else runs on the machine any more, this bench included."""
_VERSIONS = "SUPERVISION_BENCH_VERSIONS"


def main() -> int:
    """Measure, write down, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=0, help="500; 50 with --quick")
    options.add_argument("--rounds", type=int, default=0, help="1: every start and stop in it is from nothing")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--only", default="", help="names of those to be measured, separated by commas")
    chosen = options.parse_args()
    if not is_isolated():
        environment = {**os.environ, _VERSIONS: json.dumps(set_up())}
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.supervision", *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode
    count = chosen.processes or (50 if chosen.quick else 500)
    rounds = chosen.rounds or 1
    effort = Effort(20, 3, 1, 10) if chosen.quick else Effort(100, 10, 4, 12)
    wanted = [name.casefold() for name in chosen.only.split(",") if name]
    with tempfile.TemporaryDirectory(prefix="stand-in") as folder:
        found = measure(Bench(count, effort, Path(folder), wanted), rounds)
    versions = {**json.loads(os.environ[_VERSIONS]), **_here()}
    if wanted:
        supervisors_tables.show(found, count)
        return 0
    supervisors_tables.keep(found, count, versions)
    missed = supervisors_tables.missed(found)
    for line in missed:
        print(f"MISSED: {line}", file=sys.stderr)
    return 1 if missed and not chosen.quick else 0


class Bench:
    """What stays the same through a run."""

    def __init__(self, count: int, effort: Effort, folder: Path, wanted: list[str]) -> None:
        real = shutil.which("srt-live-transmit")
        assert real, "srt-live-transmit is not installed"
        self.count, self.effort = count, effort
        self.stand_in = stand_in(folder / "programs", real)
        self.commands: list[list[str]] = []
        self._wanted = wanted

    def wants(self, kind: type[Supervisor]) -> bool:
        """Our server is always measured: the commands are what it runs."""
        return not self._wanted or kind is Ours or any(name in kind.name.casefold() for name in self._wanted)


def measure(bench: Bench, rounds: int) -> dict[type[Supervisor], Figures]:
    """All of it. The order turns round from round to round."""
    found = {kind: Figures() for kind in CRASHES if bench.wants(kind)}
    for number in range(rounds):
        for kind in LIVES if number % 2 == 0 else LIVES[::-1]:
            if kind in found:
                live(bench, kind, found[kind])
                stop_deaf(bench, kind, found[kind])
    for kind in found:
        figures = found[kind]
        if kind is not S6Whole:
            with (
                tried(figures, kind.name, f"SIGKILL of the supervisor of {bench.count}"),
                one(kind, bench.count, bench.commands, None) as supervisor,
            ):
                figures.after = crash(supervisor, bench.effort, figures)
        with (
            tried(figures, kind.name, f"SIGKILL of the supervisor of {bench.count} that hold no port"),
            one(kind, bench.count, bench.commands, bench.stand_in) as supervisor,
        ):
            figures.after_without_ports = crash(supervisor, bench.effort, figures)
    return found


def live(bench: Bench, kind: type[Supervisor], figures: Figures) -> None:
    """Start, idle, kills, stop."""
    with (
        tried(figures, kind.name, f"{bench.count} processes started, killed, stopped"),
        one(kind, bench.count, bench.commands, None) as supervisor,
    ):
        ran = life(supervisor, bench.effort, figures)
        assert not bench.commands or [words[1:] for words in ran] == [words[1:] for words in bench.commands]
        bench.commands = bench.commands or ran


def stop_deaf(bench: Bench, kind: type[Supervisor], figures: Figures) -> None:
    """Every second one ignores SIGTERM."""
    with (
        tried(figures, kind.name, f"{bench.count} stopped of which every second one ignores SIGTERM"),
        one(kind, bench.count, bench.commands, bench.stand_in) as supervisor,
    ):
        start(supervisor)
        figures.deaf_stop_s.append(stop(supervisor))


def _here() -> dict[str, str]:
    tool = subprocess.run(["srt-live-transmit", "-version"], capture_output=True, text=True, check=False).stderr
    return {
        "srt-live-transmit": next((word for word in tool.split() if word[:1].isdigit()), "unknown"),
        "Python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
