"""Two hundred routes, four hundred processes: how fast they start, how fast a dead one is replaced.

    python -m bench.scale [--routes 200] [--kills 200] [--json]

Compared, in the same run, with a bare loop of subprocess.Popen over the same command lines, and with
the least supervision there can be (bench/bare_supervisor.py). "Up" means
that every process has bound its sockets. Runs in namespaces of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.harness.isolate import is_isolated
from tests.harness.processes import media
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

FIRST_PORT = 30000


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--routes", type=int, default=200)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.scale", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    ratios, lags, helds, deaths, bare_deaths = [], [], [], [], []
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            figures = one_round(Path(folder), chosen.routes, chosen.kills)
        ratios.append(figures["server_s"] / figures["bare_s"])
        lags.append(figures["lag_ms"])
        helds.append(figures["held_ms"])
        deaths += figures["replaced_ms"]
        bare_deaths += figures["bare_replaced_ms"]
        print(
            f"{chosen.routes * 2} processes: bare loop {figures['bare_s']:.2f} s, server {figures['server_s']:.2f} s "
            f"(ratio {ratios[-1]:.2f}); loop late by {lags[-1]:.0f} ms at most, held {helds[-1]:.0f} ms at most",
            file=sys.stderr,
        )
    deaths.sort()
    bare_deaths.sort()
    result = {
        "processes": chosen.routes * 2,
        "start_ratio": statistics.median(ratios),
        "lag_ms": statistics.median(lags),
        "held_ms": statistics.median(helds),
        "replaced_p50_ms": statistics.median(deaths),
        "replaced_p99_ms": deaths[int(len(deaths) * 0.99)],
        "bare_replaced_p50_ms": statistics.median(bare_deaths),
        "bare_replaced_p99_ms": bare_deaths[int(len(bare_deaths) * 0.99)],
        "kills": len(deaths),
    }
    print(json.dumps(result) if chosen.json else "\n".join(f"{k}: {v:.2f}" for k, v in result.items()))
    replaced = result["replaced_p50_ms"] < 5 and result["replaced_p99_ms"] < 20
    return 0 if replaced and result["start_ratio"] <= 1.5 and result["held_ms"] < 50 else 1


def one_round(folder: Path, count: int, kills: int) -> dict[str, Any]:
    """One server and one bare loop."""
    ports = [FIRST_PORT + number for number in range(2 * count)]
    routes = [route(n + 1, listener(ports[2 * n]), listener(ports[2 * n + 1])) for n in range(count)]
    server = Server(folder, routes)
    report = folder / "loop.json"
    server.module = ["-m", "bench.watched_server", str(report)]
    server.launch()
    until(lambda: "Starting " in server.log(), 30)
    server_s = until_bound(ports)
    loop = json.loads(report.read_text())
    commands = [argv for pid in media() if (argv := command(pid))]
    replaced = kill_some(server.pid_dir, kills)
    server.stop()
    server.api.close()
    until(lambda: not media())
    bare_s = bare_loop(folder, commands, ports)
    bare_replaced = bare_supervisor(folder, commands, ports, kills)
    return {
        "server_s": server_s,
        "bare_s": bare_s,
        "replaced_ms": replaced,
        "bare_replaced_ms": bare_replaced,
        **loop,
    }


def bare_supervisor(folder: Path, commands: list[list[str]], ports: list[int], kills: int) -> list[float]:
    """The same kills under the least supervision there can be."""
    pid_dir = folder / "bare"
    pid_dir.mkdir()
    (folder / "commands.json").write_text(json.dumps(commands))
    argv = [sys.executable, "-m", "bench.bare_supervisor", str(pid_dir), str(folder / "commands.json")]
    with subprocess.Popen(argv) as supervisor:
        until(lambda: bound(ports) == len(ports), 30)
        took = kill_some(pid_dir, kills)
        supervisor.kill()
    for file in pid_dir.glob("*.pid"):
        os.kill(int(file.read_text().split("\n")[0]), signal.SIGKILL)
    until(lambda: not media())
    return took


def bare_loop(folder: Path, commands: list[list[str]], ports: list[int]) -> float:
    """The same command lines from a loop without anything else, watched in the same way as the server."""
    (folder / "commands.json").write_text(json.dumps(commands))
    argv = [sys.executable, "-m", "bench.bare_loop", str(folder / "commands.json")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loop:
        assert loop.stdout
        loop.stdout.readline()
        took = until_bound(ports)
    until(lambda: not media())
    return took


def until_bound(ports: list[int]) -> float:
    """Seconds from now until all ports are bound."""
    began = time.monotonic()
    while bound(ports) < len(ports):
        time.sleep(0.01)
    return time.monotonic() - began


def kill_some(pid_dir: Path, kills: int) -> list[float]:
    """SIGKILL one process after the other; milliseconds until its successor runs its program.

    Who looks stands in front of whom he looks at, or he would measure his own wait for a processor.
    """
    took = []
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    for file in random.sample(sorted(pid_dir.glob("*.pid")), kills):
        pid = int(file.read_text().split("\n")[0])
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while not successor(file, pid):
            time.sleep(0.0001)
        took.append((time.perf_counter() - began) * 1000)
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    return took


def successor(file: Path, before: int) -> int | None:
    """The PID in the file once it names another process that has executed srt-live-transmit."""
    try:
        pid = int(file.read_text().split("\n")[0])
        running = pid != before and Path(f"/proc/{pid}/exe").readlink().name == "srt-live-transmit"
    except (OSError, ValueError):
        return None
    return pid if running else None


def bound(ports: list[int]) -> int:
    """How many of the ports are bound."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return len({int(line.split()[1].partition(":")[2], 16) for line in lines} & set(ports))


def command(pid: int) -> list[str]:
    """The command line of a process."""
    return [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")]


if __name__ == "__main__":
    sys.exit(main())
