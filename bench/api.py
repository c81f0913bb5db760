"""What the HTTP API costs with hundreds of routes: the time of a list, the share of fifty pollers and 100 watchers.

    python -m bench.api [--routes 500] [--seconds 30] [--pollers 50] [--clients 100] [--json]

The server is the real one. In the place of srt-live-transmit stand processes that sleep; this program writes their
reports, one a second each (`bench.monitoring`). Beside it, in the same run, stands a bare uvicorn that answers with the
same bytes, made once: what a request costs that costs nothing. Whoever asks is a process of its own.
Runs in namespaces of its own; the last line says which goals were missed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.bare_web import bare_web
from bench.monitoring import Reporters, buses, cpu_percent, open_files, rss_mb, stand_in, watchers
from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

GOALS = {"list_p99_ms": 30.0, "cpu_busy_percent": 25.0}
FIRST_PORT = 10_000
ASKED = ("/api/routes", "/api/routes?limit=50", "/api/routes/route_1", "/api/events?limit=100", "/api/health")
REQUESTS = 300
"""Of each path; the p99 is the third slowest."""
WARM_UP = 20
FLOW_S = 0.3
"""A datagram comes onto each bus so often."""

Json = dict[str, Any]


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--routes", type=int, default=500)
    options.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    options.add_argument("--pollers", type=int, default=50, help="HTTP clients that ask for every route once a second")
    options.add_argument("--clients", type=int, default=100, help="WebSocket clients")
    options.add_argument("--json", action="store_true")
    options.add_argument("--poll", nargs=2, metavar=("URL", "TOKEN"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.poll:
        return asyncio.run(poll(chosen.poll[0], chosen.poll[1], chosen.pollers))
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.api", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), chosen)
    missed = [name for name, goal in GOALS.items() if figures[name] > goal]
    figures["missed"] = missed
    print(json.dumps(figures) if chosen.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))
    return 1 if missed else 0


def measure(folder: Path, chosen: argparse.Namespace) -> Json:
    """One server: asked by one, then by all."""
    stand_in(folder / "bin")
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    count: int = chosen.routes
    routes = [route(n, listener(FIRST_PORT + 2 * n), udp(40_000 + n), name=f"Feed {n}") for n in range(1, count + 1)]
    with Server(folder / "server", routes, STREAM_MONITOR="false") as server:
        assert server.process
        pid = server.process.pid
        until(lambda: len(server.pid_files()) == 2 * count, 120, "all stand-ins to run")
        reporters = Reporters(open_files(server), buses(server))
        reporters.start()
        flowing = Flow(reporters.buses)
        flowing.start()
        time.sleep(10)  # the first seconds pay for opening files
        content = server.api.get("/api/routes").content
        figures: Json = {"routes": count, "list_kb": round(len(content) / 1000)}
        with bare_web(folder, content) as plain:
            figures |= one_by_one(server, plain.address)
        figures["cpu_quiet_percent"] = cpu_percent(pid, chosen.seconds)
        with pollers(server, chosen.pollers) as polling, watchers(server, chosen.clients) as watching:
            for one in (polling, watching):
                assert one.stdout
                assert one.stdout.readline() == b"there\n"
            time.sleep(3)
            before = answered(polling)
            figures["cpu_busy_percent"] = cpu_percent(pid, chosen.seconds)
            figures["polls_per_s"] = round((answered(polling) - before) / chosen.seconds, 1)
            figures["list_busy_p99_ms"] = percentile(times(server, "/api/routes", chosen.seconds), 99)
        figures["rss_mb"] = rss_mb(pid)
        reporters.end()
        flowing.end()
    return figures


class Flow:
    """Something on each bus at all times: what comes once a second only is gone again and again, as no stream is."""

    def __init__(self, buses: list[tuple[str, int]]) -> None:
        self._buses = buses
        self._ended = threading.Event()

    def start(self) -> None:
        """Until `end`."""
        threading.Thread(target=self._run, daemon=True).start()

    def end(self) -> None:
        """No more of it."""
        self._ended.set()

    def _run(self) -> None:
        datagram = (b"\x47\x1f\xff\x10" + bytes(184)) * 7
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            while True:
                for bus in self._buses:
                    out.sendto(datagram, bus)
                    if self._ended.wait(FLOW_S / len(self._buses)):
                        return


def one_by_one(server: Server, plain: tuple[str, int]) -> Json:
    """Each path by one client, in turns with the bare server."""
    figures: Json = {}
    headers = dict(server.signed_in())
    host, port = server.api.base_url.host, server.api.base_url.port or 0
    ours, theirs = http.client.HTTPConnection(host, port), http.client.HTTPConnection(*plain)
    least = []
    for path in ASKED:
        found = []
        for number in range(REQUESTS + WARM_UP):
            taken = timed(ours, path, headers)
            other = timed(theirs, "/", {}) if path == ASKED[0] else 0.0
            if number >= WARM_UP:
                found.append(taken)
                least.append(other)
        name = "list" if path == ASKED[0] else path
        figures |= {f"{name}_p50_ms": percentile(found, 50), f"{name}_p99_ms": percentile(found, 99)}
        if path == ASKED[0]:
            figures |= {"bare_p50_ms": percentile(least, 50), "bare_p99_ms": percentile(least, 99)}
            figures["list_to_bare"] = round(statistics.median(found) / statistics.median(least), 1)
    return figures


def answered(polling: subprocess.Popen[bytes]) -> int:
    """How many requests of the pollers were answered so far: fewer than were due where the machine is too busy."""
    assert polling.stdin
    assert polling.stdout
    polling.stdin.write(b"\n")
    polling.stdin.flush()
    return int(polling.stdout.readline())


def times(server: Server, path: str, seconds: float) -> list[float]:
    """How long each of ten requests a second takes, in ms."""
    connection = http.client.HTTPConnection(server.api.base_url.host, server.api.base_url.port or 0)
    headers, found = dict(server.signed_in()), []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found.append(timed(connection, path, headers))
        time.sleep(0.1)
    return found


def timed(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> float:
    """How long one request takes, on a connection that is kept, in ms."""
    began = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    taken = (time.perf_counter() - began) * 1000
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return taken


def percentile(found: list[float], which: int) -> float:
    """Of measured times."""
    return round(statistics.quantiles(found, n=100, method="inclusive")[which - 1], 2)


# The others


@contextmanager
def pollers(server: Server, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process with so many clients that ask once a second; it says when each was answered, and how many were."""
    url, token = str(server.api.base_url), server.signed_in()["Authorization"]
    argv = [sys.executable, "-m", "bench.api", "--pollers", str(count), "--poll", url, token]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def poll(url: str, token: str, count: int) -> int:
    """Ask for every route once a second, each client at a moment of its own, and do nothing with the answer."""
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    request = f"GET /api/routes HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {token}\r\n\r\n".encode()
    answers = 0

    def tell() -> None:
        sys.stdin.readline()
        print(answers, flush=True)

    async def one(number: int) -> None:
        nonlocal answers
        reader, writer = await asyncio.open_connection(host, int(port))
        due = time.monotonic() + number / count
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += 1.0
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            await reader.readexactly(length)
            answers += 1
            if answers == count:
                print("there", flush=True)

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), tell)
    await asyncio.gather(*(one(number) for number in range(count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
