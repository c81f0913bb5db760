"""How soon a stream flows again at its destination after `kill -9` of a leg, and how much of that is ours.

    python -m bench.recovery [--kills 10] [--json]

One route with an SRT source, an SRT and a UDP destination, a real sender and real receivers that call again
when they lose their peer. Our part ends when the successor has bound its socket; the rest is SRT's: a peer
that was killed says no goodbye, and the other side finds out by its own time-out. Runs in namespaces of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

GOAL_MS = 100.0
"""Our part, median."""
STREAM_S = 300
LEGS = {"srt": (4000, "udp"), "srtOut:4001": (4001, "srt"), "udpDuplicator": (None, "udp")}
"""The port that shows the successor, and the destination at which the stream is awaited."""


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=10, help="of each leg")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.recovery", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.kills)
    if chosen.json:
        print(json.dumps(found))
    else:
        for leg, took in found.items():
            print(
                f"{leg:14} our part {took['own_ms']:6.1f} ms median, {took['own_worst_ms']:6.1f} worst; "
                f"flowing again {took['flowing_ms']:7.1f} ms median, {took['flowing_worst_ms']:7.1f} worst"
            )
    return 0 if all(took["own_ms"] < GOAL_MS for took in found.values()) else 1


def measure(folder: Path, kills: int) -> dict[str, dict[str, float]]:
    """Kill each leg so often, one at a time, and wait each time until all flows again."""
    stream = make(HD_6_MBPS, STREAM_S)
    found = {}
    with (
        UdpReceiver("127.0.0.1", 5001, folder / "udp.ts") as unicast,
        Server(folder / "server", [route(1, listener(4000), listener(4001), udp(5001))]) as server,
        SrtReceiver(SrtUrl(4001, "caller"), folder / "srt.ts", reconnect=True) as client,
        SrtSender(stream, SrtUrl(4000, "caller"), reconnect=True),
    ):
        files = {"udp": unicast.file, "srt": client.file}
        until(lambda: all(size(file) > 100_000 for file in files.values()), 30)
        for leg, (port, destination) in LEGS.items():
            own, flowing = [], []
            for _ in range(kills):
                calls = len(client.all_events("connected"))
                # what the client holds in its buffer arrives all the same: it counts what comes after its next call
                back = partial(called_again, client, calls if destination == "srt" else -1)
                one, other = kill(server, leg, port, files[destination], back)
                own.append(one * 1000)
                flowing.append(other * 1000)
                server.post("/api/routes/route_1/restart")  # or the next end would count as one of many, with a pause
                until(lambda: all(grows(file) for file in files.values()), 30)
            found[leg] = {
                "own_ms": statistics.median(own),
                "own_worst_ms": max(own),
                "flowing_ms": statistics.median(flowing),
                "flowing_worst_ms": max(flowing),
            }
    return found


def kill(server: Server, leg: str, port: int | None, file: Path, back: Callable[[], bool]) -> tuple[float, float]:
    """Seconds from the kill to the successor's socket, and to new bytes at the destination."""
    pid_file = server.pid_dir / f"route_1_{leg}.pid"
    pid = int(pid_file.read_text().split("\n")[0])
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    before = size(file)
    while port is None and size(file) != before:  # what was on its way already
        before = size(file)
        time.sleep(0.002)
    own = wait(began, lambda: there(pid_file, pid, port))
    wait(began, back)
    at = size(file)
    return own, wait(began, lambda: size(file) > at)


def called_again(client: SrtReceiver, calls: int) -> bool:
    """It has been connected more often than that."""
    return len(client.all_events("connected")) > calls


def wait(began: float, holds: Callable[[], bool]) -> float:
    """Seconds since `began` at which it holds."""
    while not holds():
        if time.perf_counter() - began > 60:
            raise AssertionError("nothing flows again after a minute")
        time.sleep(0.001)
    return time.perf_counter() - began


def there(pid_file: Path, before: int, port: int | None) -> bool:
    """The successor has bound its socket; a process without a port of its own has joined its bus."""
    try:
        pid = int(pid_file.read_text().split("\n")[0])
        if pid == before:
            return False
        inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}  # noqa: PTH115
    except (OSError, ValueError):
        return False
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if f"socket:[{words[9]}]" in inodes and (port is None or int(words[1].partition(":")[2], 16) == port):
            return True
    return False


def size(file: Path) -> int:
    """Bytes that have arrived."""
    return file.stat().st_size if file.exists() else 0


def grows(file: Path) -> bool:
    """Something arrives."""
    before = size(file)
    time.sleep(0.1)
    return size(file) > before


if __name__ == "__main__":
    sys.exit(main())
