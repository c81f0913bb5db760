"""`/api/processes`, `/api/orphans`, `/api/cleanup` of a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.processes import alive, media
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


@pytest.fixture
def strays() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Starts any number of srt-live-transmit that nobody owns."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def start_stray(started: list[subprocess.Popen[bytes]], port: int = 5999) -> int:
    argv = ["srt-live-transmit", f"srt://:{port}?mode=listener&passphrase={SECRET}", "udp://127.0.0.1:5998"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    started.append(process)
    until(lambda: process.pid in media())
    return process.pid


def second_start(folder: Path, *routes: dict[str, Any]) -> Server:
    """A server whose installation is not new: it may kill what has no owner."""
    server = Server(folder, list(routes)).start()
    server.stop()
    return server.start()


def test_processes(tmp_path: Path, strays: list[subprocess.Popen[bytes]]) -> None:
    first = route(1, listener(4000, passphrase=SECRET), listener(4001), udp(5001))
    with Server(tmp_path, [first]) as server:
        up = server.until_all_up("route_1")
        pid = start_stray(strays)
        answer = server.api.get("/api/processes")
        assert answer.status_code == 200
        items = {item["pid"]: item for item in answer.json()["items"]}
        assert items.keys() == {p["pid"] for p in up.values()} | {pid}
        own = items[up["srt"]["pid"]]
        assert (own["route"], own["type"], own["state"], own["restarts"]) == ("route_1", "srt", "running", 0)
        assert own["pidFile"] == "route_1_srt.pid"
        assert own["memoryBytes"] > 1_000_000
        assert own["uptimeS"] >= 0
        assert 0 <= own["cpuPercent"] < 100
        assert "passphrase=•••" in own["command"]
        assert (items[pid]["state"], items[pid]["restarts"], items[pid]["owner"]) == ("orphaned", None, "nobody")
        assert SECRET not in answer.text
        described = server.api.get("/openapi.json").json()
        assert {"/api/processes", "/api/orphans", "/api/cleanup"} <= described["paths"].keys()
        assert "cpuPercent" in described["components"]["schemas"]["ProcessItem"]["properties"]


def test_orphans_and_cleanup(tmp_path: Path, strays: list[subprocess.Popen[bytes]]) -> None:
    server = second_start(tmp_path, route(1, listener(4000), udp(5001)))
    with server:
        on_air = {p["pid"] for p in server.until_all_up("route_1").values()}
        pid = start_stray(strays)
        (server.pid_dir / "route_9_srt.pid").write_text("4194000\n1\n")
        answer = server.api.get("/api/orphans")
        items = {item["pid"]: item for item in answer.json()["items"]}
        assert {pid: item["action"] for pid, item in items.items()} == {pid: "kill", 4194000: "removeFile"}
        assert "no owner" in items[pid]["reason"]
        assert items[4194000]["state"] == "zombie"
        assert SECRET not in answer.text
        done = server.post("/api/cleanup")
        assert done.json() == {"killed": [pid], "errors": [], "reported": [], "staleFiles": ["route_9_srt.pid"]}
        assert not alive(pid)
        assert {p["pid"] for p in server.until_all_up("route_1").values()} == on_air
        assert server.api.get("/api/orphans").json() == {"items": []}
        assert server.pid_files().keys() == {"route_1_srt", "route_1_udpDuplicator"}


def test_a_new_installation_reports_what_was_there_before(
    tmp_path: Path, strays: list[subprocess.Popen[bytes]]
) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        pid = start_stray(strays)
        (item,) = server.api.get("/api/orphans").json()["items"]
        assert (item["action"], "srt-router cleanup" in item["reason"]) == ("report", True)
        assert server.post("/api/cleanup").json() == {
            "killed": [],
            "errors": [],
            "reported": [{"pid": pid, "program": "srt-live-transmit"}],
            "staleFiles": [],
        }
        assert alive(pid)


def test_processes_on_air_without_pid_files_are_left_alone(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        pid = server.until_all_up("route_1")["srt"]["pid"]
        (server.pid_dir / "route_1_srt.pid").unlink()
        (item,) = server.api.get("/api/orphans").json()["items"]
        assert (item["pid"], item["action"], item["reason"]) == (pid, "leave", "it belongs to a route on air")
        assert server.post("/api/cleanup").json()["killed"] == []
        assert alive(pid)


def test_two_cleanups_at_once_are_one(tmp_path: Path, strays: list[subprocess.Popen[bytes]]) -> None:
    with second_start(tmp_path) as server:
        pid = start_stray(strays)
        os.kill(pid, signal.SIGSTOP)
        answers: list[httpx.Response] = []
        url = server.api.base_url

        def ask() -> None:
            answers.append(httpx.post(f"{url}api/cleanup", headers=server.signed_in(), timeout=30))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [200] * 4
        assert sum(pid in answer.json()["killed"] for answer in answers) >= 1
        assert server.log().count(f"Killing orphaned srt-live-transmit PID {pid}") == 1


def test_a_cleanup_amidst_restarts_takes_nothing_off_air(tmp_path: Path) -> None:
    with second_start(tmp_path, *(route(n, listener(4000 + n)) for n in range(1, 6))) as server:
        for n in range(1, 6):
            server.until_all_up(f"route_{n}")
        stop = threading.Event()

        def churn() -> None:
            while not stop.is_set():
                for n in range(1, 6):
                    url = f"{server.api.base_url}api/routes/route_{n}/restart"
                    httpx.post(url, headers=server.signed_in(), timeout=30)

        churning = threading.Thread(target=churn)
        churning.start()
        killed = [server.post("/api/cleanup").json()["killed"] for _ in range(8)]
        stop.set()
        churning.join()
        assert killed == [[]] * 8
        for n in range(1, 6):
            server.until_all_up(f"route_{n}")
        until(lambda: len(server.pid_files()) == 5)
        assert " ended (" not in server.log()
