"""API, live feed, event loop, memory and processor with 0, 10, 100 and 500 routes, and the way of news to a browser.

    bench/run control_plane [-- --quick]

The server is the real one. In the place of srt-live-transmit stand processes that sleep, whose reports this program
writes, one a second each (`bench.monitoring`): what is measured is the server alone. At the end ten routes of real
srt-live-transmit. Beside it, in the same run, a bare uvicorn that answers with the same bytes, made once, and tells
them to the clients of its WebSocket (`bench.bare_web`). Who asks and who listens is a process of its own. Runs in
namespaces of its own; ends with status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import control_plane_tables
from bench.api import Flow, answered, pollers, timed
from bench.bare_web import bare_web
from bench.live_clients import LiveClients, live_clients
from bench.load import Load, load
from bench.monitoring import Reporters, buses, open_files, stand_in
from bench.wall_page import Wall, wall
from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

PASSWORD = "correct-horse-42"  # noqa: S105 - of a server that lives for a minute
FIRST_PORT = 10_000
ASKED = ("/api/routes", "/api/routes?limit=50", "/api/routes/route_1", "/api/events?limit=100", "/api/health")
POLLERS = 10
CONNECTED = "Accepted SRT source connection\n"
Spread = list[float]


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    counts: tuple[int, ...] = (10, 100, 500)
    windows: int = 3
    window_s: float = 5.0
    idle_s: float = 10.0
    rounds: int = 3
    requests: int = 200
    clients: tuple[int, ...] = (1, 10, 100)
    kills: int = 20
    """For each number of clients."""
    changes: int = 10
    """Of each kind that the browser shows."""


QUICK = Effort((10, 50), 1, 2.0, 3.0, 1, 40, (1, 20), 4, 2)


@dataclass
class Found:
    """All that was measured with one number of routes."""

    routes: int
    quiet: list[Load] = field(default_factory=list)
    busy: list[Load] = field(default_factory=list)
    polls_per_s: float = 0.0
    """While it was busy; 10 clients ask for every route once a second."""
    api: dict[str, list[Spread]] = field(default_factory=dict)
    """By path, `bare`, or `edit`: the ms of each round."""
    list_kb: float = 0.0
    fan_out: dict[tuple[str, int], Spread] = field(default_factory=dict)
    """By who tells (`route`, `event`, `bare`) and number of clients: ms of each client and death."""
    loop: dict[str, Spread] = field(default_factory=dict)
    """`quiet late`, `busy held` and so on: ms of each look."""
    news: dict[str, Spread] = field(default_factory=dict)
    """By deed and where it was seen: ms."""


def main() -> int:
    """Measure, write down, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--show", action="store_true", help="print what was found, and keep nothing")
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.control_plane"]
        return subprocess.run([*command, *sys.argv[1:]], check=False).returncode
    effort = QUICK if chosen.quick else Effort()
    with tempfile.TemporaryDirectory() as folder:
        found = [idle(Path(folder), effort)]
        with stand_ins(Path(folder)):
            found += [measure(Path(folder), count, effort) for count in effort.counts]
        found.append(with_real_tool(Path(folder), effort))
    missed = control_plane_tables.keep(found, printed_only=chosen.quick or chosen.show)
    for line in missed:
        print(f"MISSED: {line}", file=sys.stderr)
    return 1 if missed and not chosen.quick else 0


def say(words: str) -> None:
    """What is being done."""
    print(words, file=sys.stderr, flush=True)


@contextlib.contextmanager
def stand_ins(folder: Path) -> Iterator[None]:
    """Who looks for srt-live-transmit finds something that sleeps."""
    before = os.environ["PATH"]
    stand_in(folder / "bin")
    os.environ["PATH"] = f"{folder / 'bin'}:{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def idle(folder: Path, effort: Effort) -> Found:
    """A server without a route and with stock settings that is left alone."""
    found = Found(0)
    with Server(folder / "idle") as server:
        time.sleep(effort.idle_s)
        found.quiet = [load(pid_of(server), effort.idle_s) for _ in range(effort.windows)]
        assert not Path(f"/proc/{pid_of(server)}/task/{pid_of(server)}/children").read_text(), "it is not idle"
    say(f"0 routes: {found.quiet[-1]}")
    return found


def measure(folder: Path, count: int, effort: Effort) -> Found:
    """One server with so many routes on air, from a quiet moment to a crowd of clients."""
    found, house = Found(count), folder / f"with{count}"
    routes = [
        route(n, listener(FIRST_PORT + 2 * n), listener(FIRST_PORT + 2 * n + 1), name=f"Feed {n:03}")
        for n in range(1, count + 1)
    ]
    server = Server(house, routes, STREAM_MONITOR="false", ADMIN_PASSWORD=PASSWORD)
    report = house / "probe.json"
    server.module = ["-m", "bench.probed_server", str(report)]
    server.patience_s = 120
    with server.start():
        until(lambda: len(server.pid_files()) == 2 * count, 120, "all stand-ins to run")
        reporters = Reporters(open_files(server), buses(server))
        flowing = Flow(reporters.buses)
        thread = reporters.start()
        flowing.start()
        until(lambda: all_running(server, count), 60, "all routes to be on air")
        time.sleep(10)  # the first seconds pay for opening files
        found.quiet = [load(pid_of(server), effort.window_s) for _ in range(effort.windows)]
        say(f"{count} routes: {found.quiet[-1]}")
        found.loop |= watched_loop(server, report, "quiet", lambda: time.sleep(effort.window_s))
        ask(server, house, found, effort)
        edit(server, found, effort)
        listen(server, house, found, effort)
        crowd(server, report, found, effort)
        with wall(server, PASSWORD) as page, watching(server, 1) as client:
            for number, deed in deeds(server, effort.changes):
                found.news = merged(found.news, deed(client, page, f"route_{number}"))
        reporters.end()
        flowing.end()
        thread.join()
    assert "Traceback" not in server.log()
    return found


def with_real_tool(folder: Path, effort: Effort) -> Found:
    """Ten routes of real srt-live-transmit: a real caller calls, and its listener is killed."""
    found = Found(10)
    routes = [route(n, listener(4000 + 2 * n), listener(4001 + 2 * n), name=f"Feed {n:03}") for n in range(1, 11)]
    with (
        Server(folder / "real", routes, ADMIN_PASSWORD=PASSWORD) as server,
        wall(server, PASSWORD) as page,
        watching(server, 1) as client,
    ):
        for number in (1 + n % 10 for n in range(effort.changes)):
            name = f"route_{number}"
            server.until_status(name, "waiting")
            time.sleep(0.3)
            seen = page.watch(name)
            assert "Waiting" in seen, seen
            heard = client.call(name, 4000 + 2 * number)
            note(found.news, "a caller comes", heard, page)
            until_running(server, number)
            note_kill(found.news, client, page, name, source_pid(server, number))
    say("real srt-live-transmit: " + ", ".join(f"{k} {statistics.median(v):.0f} ms" for k, v in found.news.items()))
    return found


def pid_of(server: Server) -> int:
    """The server's."""
    assert server.process
    return server.process.pid


def all_running(server: Server, count: int) -> bool:
    """Whether every route says that it is on air."""
    items = server.api.get("/api/routes").json()["items"]
    return len(items) == count and all(one["status"] == "running" for one in items)


# Who asks


def ask(server: Server, house: Path, found: Found, effort: Effort) -> None:
    """Each path by one client, the list in turns with the bare server."""
    content = server.api.get("/api/routes").content
    found.list_kb = len(content) / 1000
    headers = server.signed_in()
    url = server.api.base_url
    with bare_web(house, content) as plain:
        ours, theirs = http.client.HTTPConnection(url.host, url.port), http.client.HTTPConnection(*plain.address)
        for path in ASKED:
            for _ in range(effort.rounds):
                took, least = [], []
                for number in range(effort.requests + 20):
                    one, other = timed(ours, path, headers), timed(theirs, "/", {}) if path == ASKED[0] else 0.0
                    if number >= 20:  # who was idle warms up
                        took.append(one)
                        least.append(other)
                found.api.setdefault(path, []).append(took)
                if path == ASKED[0]:
                    found.api.setdefault("bare", []).append(least)
        ours.close()
        theirs.close()


def edit(server: Server, found: Found, effort: Effort) -> None:
    """Rename a route, which stands in routes.json when the answer comes."""
    for number in range(effort.rounds):
        took = []
        for change in range(20):
            began = time.perf_counter()
            answer = server.api.patch("/api/routes/route_1", json={"tags": [f"round {number}.{change}"]})
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
        found.api.setdefault("edit", []).append(took)


# Who listens


@contextlib.contextmanager
def watching(server: Server, count: int) -> Iterator[LiveClients]:
    """So many clients of `/api/live`."""
    url = f"{server.api.base_url}api/live".replace("http:", "ws:")
    with live_clients(url, server.signed_in()["Authorization"], count) as clients:
        yield clients


def listen(server: Server, house: Path, found: Found, effort: Effort) -> None:
    """A process dies, and how soon 1, 10, 100 clients have heard of it; the same from the bare server."""
    text = '{"type":"route","route":' + server.api.get("/api/routes/route_1").text + "}"
    legs = itertools.cycle(range(1, found.routes + 1))
    for clients in effort.clients:
        with watching(server, clients) as live:
            time.sleep(1)
            for _ in range(effort.kills):
                number = next(legs)
                file = destination_file(server, number)
                pid = until_runs(file)
                time.sleep(0.15)
                heard = live.kill(f"route_{number}", pid)
                found.fan_out.setdefault(("route", clients), []).extend(heard.route_ms)
                found.fan_out.setdefault(("event", clients), []).extend(heard.event_ms)
        with bare_web(house, text.encode()) as plain, live_clients(plain.live_url, "", clients) as live:
            for _ in range(effort.kills):
                with subprocess.Popen(["sleep", "1000"]) as sleep:
                    plain.watch(sleep.pid, text)
                    time.sleep(0.05)
                    heard = live.kill("route_1", sleep.pid)
                found.fan_out.setdefault(("bare", clients), []).extend(heard.route_ms)
    told = {f"{who} {clients}": round(statistics.median(ms), 1) for (who, clients), ms in found.fan_out.items()}
    say(f"{found.routes} routes: {told}")


def destination_file(server: Server, number: int) -> Path:
    """The PID file of a route's destination."""
    return server.pid_dir / f"route_{number}_srtOut:{FIRST_PORT + 2 * number + 1}.pid"


def running(file: Path) -> int | None:
    """The PID in a file, while it runs the stand-in or the real tool."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(file.read_text().split("\n")[0])
        if Path(f"/proc/{pid}/exe").readlink().name in ("sleep", "srt-live-transmit"):
            return pid
    return None


def until_runs(file: Path, before: int = 0) -> int:
    """The PID in a file, once it runs and is not the one before."""
    pid = until(lambda: (found := running(file)) != before and found, 40, "the process to run")
    assert pid
    return pid


def crowd(server: Server, report: Path, found: Found, effort: Effort) -> None:
    """As many clients as there may be here, and some who ask for everything each second."""
    with watching(server, effort.clients[-1]), pollers(server, POLLERS) as polling:
        assert polling.stdout
        assert polling.stdout.readline() == b"there\n"
        time.sleep(2)
        before, began = answered(polling), time.monotonic()
        found.busy = [load(pid_of(server), effort.window_s) for _ in range(effort.windows)]
        found.polls_per_s = (answered(polling) - before) / (time.monotonic() - began)
        found.loop |= watched_loop(server, report, "busy", lambda: time.sleep(effort.window_s))
    assert found.polls_per_s > POLLERS / 2, f"only {found.polls_per_s} answers a second"


def watched_loop(server: Server, report: Path, name: str, act: Callable[[], None]) -> dict[str, Spread]:
    """How late the looks at the event loop came meanwhile, and how long it was held."""

    def probe(key: str) -> dict[str, Any]:
        report.unlink(missing_ok=True)
        os.kill(pid_of(server), signal.SIGRTMIN)
        until(report.exists, 20, "the probe's answer")
        found: dict[str, Any] = json.loads(report.read_text())
        assert key in found, found
        return found

    probe("watching")
    act()
    seen = probe("late_ms")
    return {f"{name} late": seen["late_ms"], f"{name} held": seen["held_ms"]}


# The way of news


Deed = Callable[[LiveClients, Wall, str], dict[str, Spread]]


def deeds(server: Server, count: int) -> Iterator[tuple[int, Deed]]:
    """The source of a route on the screen is killed, then its successor says that a caller has come."""

    def kill_and_call(number: int) -> Deed:
        def act(client: LiveClients, page: Wall, name: str) -> dict[str, Spread]:
            news: dict[str, Spread] = {}
            before = source_pid(server, number)
            note_kill(news, client, page, name, before)
            until_runs(server.pid_dir / f"{name}_srt.pid", before)
            server.until_status(name, "waiting", timeout_s=40)
            time.sleep(0.3)
            page.watch(name)
            note(news, "a caller comes", client.append(name, server.run_dir / f"{name}_srt.log", CONNECTED), page)
            until_running(server, number)
            return news

        return act

    for turn in range(count):
        number = 1 + turn % 8  # what the screen shows
        yield number, kill_and_call(number)


def until_running(server: Server, number: int) -> None:
    """Wait until the route is on air and all has been said of it."""
    server.until_status(f"route_{number}", "running", timeout_s=40)
    time.sleep(0.3)


def source_pid(server: Server, number: int) -> int:
    """Of the process that takes the source."""
    pid = running(server.pid_dir / f"route_{number}_srt.pid")
    assert pid
    return pid


def note_kill(news: dict[str, Spread], client: LiveClients, page: Wall, name: str, pid: int) -> None:
    """Kill the source of a route on air."""
    seen = page.watch(name)
    assert "On air" in seen or "Running" in seen, seen
    note(news, "a process dies", client.kill(name, pid), page)


def note(news: dict[str, Spread], deed: str, heard: Any, page: Wall) -> None:
    """When the feed told it, and when the page showed it."""
    at, _ = page.changed_at()
    news.setdefault(f"{deed}: event", []).extend(heard.event_ms)
    news.setdefault(f"{deed}: route", []).extend(heard.route_ms)
    news.setdefault(f"{deed}: browser", []).append((at - heard.done_at) * 1000)


def merged(one: dict[str, Spread], other: dict[str, Spread]) -> dict[str, Spread]:
    """Both."""
    return {key: one.get(key, []) + other.get(key, []) for key in one | other}


if __name__ == "__main__":
    sys.exit(main())
