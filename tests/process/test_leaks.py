"""Fifty routes that come and go leave nothing behind in the server: no descriptor, thread, task, watch or child."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.server import Json, Server, listener, route, udp
from tests.harness.wait import until

ROUTES = [route(n, listener(4000 + 4 * n), listener(4001 + 4 * n), udp(5000 + n)) for n in range(1, 51)]
ROUNDS = 3
HEAP = 64 * 1024 * 1024
POOL = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's pool at most; it makes them when they are needed and keeps them."""

TELLS_ITS_TASKS = """
import asyncio, os, signal, sys
from pathlib import Path
from srt_router.cli.app import main

def tell(*_):
    Path(os.environ["TASKS"]).write_text(f"{len(asyncio.all_tasks())}\\n")

signal.signal(signal.SIGUSR1, tell)
main()
"""


@pytest.mark.long
def test_fifty_routes_leave_nothing_behind(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.module = ["-c", TELLS_ITS_TASKS, "serve"]
    tasks = tmp_path / "tasks"
    with server.start(environment={"TASKS": str(tasks)}):
        before = until(lambda: settled(server, tasks))
        threads = before.pop("threads")
        for _ in range(ROUNDS):
            come_and_go(server)
            now: Counter[str] = Counter()

            def no_more(now: Counter[str] = now) -> bool:
                now.clear()
                now.update(held(server, tasks))
                return not now - before - Counter(threads=now["threads"])

            try:
                until(no_more, 15)
            except AssertionError:
                pytest.fail(f"held before: {before}, and after: {now}")
            assert now["threads"] <= threads + POOL
        assert not list(server.pid_dir.glob("*.pid"))
        assert not list(server.run_dir.glob("route_*"))


def test_all_threads_share_one_heap(tmp_path: Path) -> None:
    """Heaps of their own grow with what moves from thread to thread, and never get smaller."""
    with Server(tmp_path) as server:
        assert server.process is not None
        for path in ("/api/events", "/api/processes", "/api/doctor"):
            assert server.api.get(path).status_code == 200
        assert len(list(Path(f"/proc/{server.process.pid}/task").iterdir())) > 3
        assert heaps_of_threads(Path(f"/proc/{server.process.pid}/maps").read_text()) == []


class Span(NamedTuple):
    begin: str
    end: str
    mode: str


def heaps_of_threads(maps: str) -> list[str]:
    """Where glibc keeps further heaps: 64 MiB each, at a multiple of that, the first part in use, the rest reserved."""
    places = [line.split() for line in maps.splitlines()]
    spans = [Span(*words[0].partition("-")[::2], words[1]) for words in places if len(words) == 5]
    return [
        used.begin
        for used, rest in pairwise(spans)
        if int(used.begin, 16) % HEAP == 0
        and int(rest.end, 16) - int(used.begin, 16) == HEAP
        and (used.mode, rest.mode) == ("rw-p", "---p")
    ]


def come_and_go(server: Server) -> None:
    """Everything starts, some of it restarts and stops, all of it goes."""
    server.write_routes(ROUTES)
    until(lambda: len(list(server.pid_dir.glob("*.pid"))) == 150, 30, "all to run")
    for one in ROUTES[:10]:
        assert server.post(f"/api/routes/{one['id']}/restart").status_code == 200
        assert server.post(f"/api/routes/{one['id']}/stop").status_code == 200
    server.write_routes('{"version": 1, "routes": []}')
    until(lambda: not routes(server), 30, "all to be gone")


def routes(server: Server) -> list[Json]:
    items: list[Json] = server.api.get("/api/routes").json()["items"]
    return items


def settled(server: Server, tasks: Path) -> Counter[str]:
    """What the server holds if three readings agree, or nothing: a start leaves something for a moment."""
    first, *more = (held(server, tasks) for _ in range(3))
    return first if all(reading == first for reading in more) else Counter()


def held(server: Server, tasks: Path) -> Counter[str]:
    """What the server holds, by kind."""
    assert server.process is not None
    pid = server.process.pid
    tasks.unlink(missing_ok=True)
    server.process.send_signal(signal.SIGUSR1)
    found = Counter(tasks=int(until(lambda: tasks.exists() and tasks.read_text())))
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[fd.readlink().name.partition(":")[0]] += 1
            info = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text()
        except OSError:
            continue
        found["inotify watches"] += info.count("inotify wd:")
        found["watched by epoll"] += info.count("tfd:")
    found["threads"] = len(list(Path(f"/proc/{pid}/task").iterdir()))
    found["children"] = len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return +found
