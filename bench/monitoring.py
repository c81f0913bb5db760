"""What monitoring costs: hundreds of processes that report every second, an hour of reports, a hundred watchers.

    python -m bench.monitoring [--processes 300] [--seconds 30] [--clients 100] [--json]

The server is the real one. In the place of srt-live-transmit stand processes that sleep; this program writes
their reports and logs for them, and a datagram onto each bus every second. An hour of reports is written in
100 seconds. Runs in namespaces of its own; the last line says which goals were missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

GOALS = {"cpu_percent": 5.0, "rss_mb": 150.0, "cpu_with_clients_percent": 15.0, "growth_mb": 3.0, "growth_fds": 0}
FIRST_PORT = 10000
HOUR_S, HOUR_REPORTS = 100, 36
PER_ROUTE = 3
STAND_IN = """#!/bin/sh
[ "$1" = -version ] && exec {real} "$@"
exec sleep 1000000
"""
REPORT = (
    '{{"sid":{sid},"timepoint":"2026-11-23T03:22:13.388005+0000","time":{time},'
    '"window":{{"flow":8192,"congestion":8192,"flight":3}},'
    '"link":{{"rtt":23.086,"bandwidth":312.18,"maxBandwidth":1000}},'
    '"send":{{"packets":{n},"packetsUnique":{n},"packetsLost":{lost},"packetsDropped":0,"packetsRetransmitted":{lost},'
    '"packetsFilterExtra":0,"bytes":{size},"bytesUnique":{size},"bytesDropped":0,"byteAvailBuf":12288000,"msBuf":4,'
    '"mbitRate":6.1,"sendPeriod":12}},'
    '"recv":{{"packets":{n},"packetsUnique":{n},"packetsLost":{lost},"packetsDropped":0,"packetsRetransmitted":{lost},'
    '"packetsBelated":0,"packetsFilterExtra":0,"packetsFilterSupply":0,"packetsFilterLoss":0,"bytes":{size},'
    '"bytesUnique":{size},"bytesLost":0,"bytesDropped":0,"byteAvailBuf":12208500,"msBuf":120,"mbitRate":6.1,'
    '"msTsbPdDelay":120}}}}\n'
)


@dataclass
class Reporters:
    """Writes what hundreds of processes would write."""

    files: list[int]
    buses: list[tuple[str, int]]
    reports: int = 1
    """Per process and second."""
    written: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        """Report every second until `end`."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        """Stop reporting."""
        self._ended.set()

    def _run(self) -> None:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        datagram = (b"\x47\x1f\xff\x10" + bytes(184)) * 7
        due, clock_ms = time.monotonic(), 0
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += 1.0
            for bus in self.buses:
                out.sendto(datagram, bus)
            reports = self.reports
            lines = [self._line(clock_ms + 1000 * (n + 1) // reports) for n in range(reports)]
            clock_ms += 1000
            for sid, file in enumerate(self.files):
                os.write(file, "".join(lines).replace("SID", str(1000 + sid)).encode())
            self.written += reports
        out.close()

    def _line(self, time_ms: int) -> str:
        packets = time_ms * 580 // 1000
        return REPORT.format(sid="SID", time=time_ms, n=packets, lost=packets // 200, size=packets * 1360)


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--processes", type=int, default=300)
    options.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    options.add_argument("--clients", type=int, default=100)
    options.add_argument("--json", action="store_true")
    options.add_argument("--watch", nargs=2, metavar=("URL", "TOKEN"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.watch:
        url, token = chosen.watch
        return asyncio.run(watch(url, token, chosen.clients))
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.monitoring", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), chosen.processes, chosen.seconds, chosen.clients)
    missed = [name for name, goal in GOALS.items() if figures[name] > goal]
    figures["missed"] = missed
    print(json.dumps(figures) if chosen.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))
    return 1 if missed else 0


def measure(folder: Path, processes: int, seconds: float, clients: int) -> dict[str, Any]:
    """One server, from a quiet second to a hundred watchers."""
    stand_in(folder / "bin")
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    count = processes // PER_ROUTE
    ports = iter(range(FIRST_PORT, FIRST_PORT + processes))
    ends = [[listener(next(ports)) for _ in range(PER_ROUTE)] for _ in range(count)]
    routes = [route(n + 1, *ends[n]) for n in range(count)]
    with Server(folder / "server", routes, STREAM_MONITOR="false") as server:
        assert server.process
        pid = server.process.pid
        until(lambda: len(server.pid_files()) == processes, 60, "all stand-ins to run")
        reporters = Reporters(open_files(server), buses(server))
        thread = reporters.start()
        last = f"route_{count}"
        until(lambda: numbers(server, last).get("bitrate"), 60, "numbers of the last route")
        time.sleep(10)  # the first seconds pay for opening files
        figures: dict[str, Any] = {"processes": processes, "cpu_percent": cpu_percent(pid, seconds)}
        figures |= an_hour(server, pid, reporters)
        with watchers(server, clients) as watching:
            assert watching.stdout
            assert watching.stdout.readline() == b"there\n"
            time.sleep(3)
            figures["cpu_with_clients_percent"] = cpu_percent(pid, seconds)
        figures["rss_mb"] = rss_mb(pid)
        reporters.end()
        thread.join()
    return figures


def an_hour(server: Server, pid: int, reporters: Reporters) -> dict[str, Any]:
    """An hour of reports; what has grown between its first and its second half."""
    before = reporters.written
    reporters.reports = HOUR_REPORTS
    time.sleep(HOUR_S / 2)
    half_mb, half_fds = rss_mb(pid), fds(pid)
    until(lambda: reporters.written - before >= HOUR_S * HOUR_REPORTS, HOUR_S, "an hour of reports")
    reporters.reports = 1
    time.sleep(3)
    largest = max(file.stat().st_size for file in server.run_dir.glob("*.stats"))
    return {
        "hour_reports": reporters.written - before,
        "growth_mb": round(rss_mb(pid) - half_mb, 2),
        "growth_fds": fds(pid) - half_fds,
        "largest_file_kb": round(largest / 1000, 1),
    }


def stand_in(folder: Path) -> None:
    """Something that is called srt-live-transmit, is started and ended as it is, and does nothing."""
    found = subprocess.run(["sh", "-c", "command -v srt-live-transmit"], check=True, capture_output=True, text=True)
    folder.mkdir()
    file = folder / "srt-live-transmit"
    file.write_text(STAND_IN.format(real=found.stdout.strip()))
    file.chmod(0o755)


def open_files(server: Server) -> list[int]:
    """The statistics file of every process, opened as the process has it; and a peer in each log."""
    flags = os.O_WRONLY | os.O_APPEND
    for name in server.pid_files():
        with (server.run_dir / f"{name}.log").open("a") as log:
            log.write("Accepted SRT source connection\n")
    return [os.open(server.run_dir / f"{name}.stats", flags) for name in server.pid_files()]


def buses(server: Server) -> list[tuple[str, int]]:
    """The bus of each route, as its processes are ordered: the command line of a stand-in does not name it."""
    items = server.api.get("/api/routes").json()["items"]
    text = "".join(server.api.get(f"/api/routes/{one['id']}").text for one in items)
    found = {(group, int(port)) for group, port in re.findall(r"udp://(239\.255\.\d+\.\d+):(\d+)", text)}
    assert len(found) == len(items), f"{len(found)} buses of {len(items)} routes"
    return sorted(found)


def numbers(server: Server, route_id: str) -> dict[str, Any]:
    """The source of a route."""
    items: list[dict[str, Any]] = server.api.get(f"/api/routes/{route_id}/stats").json()["items"]
    return items[0]


def cpu_percent(pid: int, seconds: float) -> float:
    """Of one core, over so long."""
    began, used = time.monotonic(), ticks(pid)
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    return round(100 * (ticks(pid) - used) / os.sysconf("SC_CLK_TCK") / elapsed, 2)


def ticks(pid: int) -> int:
    """Processor time used so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def rss_mb(pid: int) -> float:
    """Resident memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1000


def fds(pid: int) -> int:
    """Open descriptors."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def watchers(server: Server, clients: int) -> subprocess.Popen[bytes]:
    """A process with so many clients of the live feed; it says when each has heard something."""
    url = f"{server.api.base_url}api/live".replace("http:", "ws:")
    token = server.signed_in()["Authorization"]
    argv = [sys.executable, "-m", "bench.monitoring", "--clients", str(clients), "--watch", url, token]
    return Watchers(argv, stdout=subprocess.PIPE)


class Watchers(subprocess.Popen[bytes]):
    """Ends when nobody needs it any more."""

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.communicate()


async def watch(url: str, token: str, clients: int) -> int:
    """Read everything that the server tells, and do nothing with it."""
    from websockets.asyncio.client import connect

    waiting = [clients]

    async def one() -> None:
        headers = {"Authorization": token}
        async with connect(url, max_size=None, proxy=None, compression=None, additional_headers=headers) as client:
            await client.recv()
            waiting[0] -= 1
            if not waiting[0]:
                print("there", flush=True)
            async for _ in client:
                pass

    await asyncio.gather(*(one() for _ in range(clients)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
