"""A disk that is full or read-only, and a gateway.db that cannot be used: what is on air stays there, and is said."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from srt_router.storage.database import APPLICATION_ID, newest
from tests.harness.cli import run
from tests.harness.isolate import MS_BIND, MS_NODEV, MS_NOSUID, call
from tests.harness.processes import alive
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

FIRST = route(1, listener(4000), listener(4001))
MS_RDONLY, MS_REMOUNT, MNT_DETACH = 1, 32, 2


def mount(place: Path, flags: int, size: str) -> None:
    data = f"size={size},mode=0755".encode()
    call("mount", b"tmpfs", str(place).encode(), b"tmpfs", ctypes.c_ulong(MS_NOSUID | MS_NODEV | flags), data)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a disk of its own of 4 MiB, in which a server's DATA_DIR lies."""
    place = tmp_path / "disk"
    place.mkdir()
    mount(place, 0, "4m")
    yield place
    call("umount2", str(place).encode(), MNT_DETACH)


def on(disk: Path) -> Server:
    """A server with its DATA_DIR on that disk, and everything else elsewhere."""
    beside = disk.parent
    server = Server(disk, [FIRST], PID_DIR=str(beside / "pids"), RUN_DIR=str(beside / "run"))
    server.pid_dir, server.run_dir, server.log_file = beside / "pids", beside / "run", beside / "log"
    return server


def problems(server: Server) -> list[str]:
    answer = server.api.get("/api/health")
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["problems"]
    return found


def pids(server: Server) -> dict[str, int]:
    return {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()}


def refused(answer: httpx.Response, code: str) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    return str(answer.json()["detail"])


def rename(server: Server, name: str) -> httpx.Response:
    return server.api.patch("/api/routes/route_1", json={"name": name})


def kinds(server: Server) -> list[str]:
    return [event["kind"] for event in server.api.get("/api/events", params={"limit": 1000}).json()["items"]]


# gateway.db


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {newest() + 1}")
        connection.execute("CREATE TABLE of_tomorrow (a)")


def foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE holiday_photos (a)")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff" * 8192)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(newer, "newer SRT Router"), (foreign, "another program"), (garbled, "damaged")],
    ids=["newer", "foreign", "corrupt"],
)
def test_a_database_that_cannot_be_used_is_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    server = Server(tmp_path, [FIRST])
    path = server.data_dir / "gateway.db"
    spoil(path)
    before = path.read_bytes()
    with server.start():
        started = pids(server)
        assert any(words in problem and "Remedy" in problem for problem in until(lambda: problems(server)))
        # routes are edited and ordered as ever
        assert rename(server, "Another name").status_code == 200
        assert server.post("/api/routes/route_1/restart").status_code == 200
        again = pids(server)
        assert set(again.values()).isdisjoint(started.values())
        assert {"serverStarted", "routeStarted"} <= set(kinds(server))  # in memory
        # what needs the database says why not
        assert words in refused(server.api.post("/api/backups"), "backupFailed")
        assert words in refused(server.api.get("/api/users"), "storageUnavailable")
        sign_in = httpx.post(f"{server.api.base_url}api/auth/login", json={"username": "admin", "password": "x" * 12})
        refused(sign_in, "storageUnavailable")
        assert run(server, "backup", "create").returncode == 1
        assert pids(server) == again
    assert path.read_bytes() == before
    assert [found.name for found in server.data_dir.glob("gateway*")] == ["gateway.db"]
    assert "Another name" in (server.data_dir / "routes.json").read_text()


def test_a_database_that_is_spoilt_while_on_air_ends_nothing(tmp_path: Path) -> None:
    with Server(tmp_path, [FIRST]) as server:
        before = pids(server)
        until(lambda: "serverStarted" in kinds(server))
        for path in server.data_dir.glob("gateway.db*"):
            with path.open("r+b") as file:
                file.write(b"\xff" * path.stat().st_size)
        for number in range(5):
            assert rename(server, f"Name {number}").status_code == 200
        assert server.api.get("/api/events").status_code == 200
        assert server.api.get("/api/health").status_code == 200
        assert pids(server) == before


# The disk


def test_a_disk_that_becomes_read_only(small_disk: Path) -> None:
    server = on(small_disk)
    with server.start():
        before = pids(server)
        until(lambda: server.api.get("/api/users").json()["items"])
        call("mount", str(small_disk).encode(), str(small_disk).encode(), None, MS_BIND, None)
        call("mount", None, str(small_disk).encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
        content = (server.data_dir / "routes.json").read_bytes()
        assert "Read-only" in refused(rename(server, "Never"), "routesFileUnwritable")
        refused(server.api.post("/api/backups"), "backupFailed")
        assert server.post("/api/routes/route_1/stop").status_code == 200  # orders need no disk
        assert not any(alive(pid) for pid in before.values())
        assert server.post("/api/routes/route_1/start").status_code == 200
        again = pids(server)
        assert server.route("route_1")["name"] == "Route 1"
        assert (server.data_dir / "routes.json").read_bytes() == content
        call("umount2", str(small_disk).encode(), MNT_DETACH)
        until(lambda: problems(server) == [], what="the history to be written")
        assert rename(server, "At last").status_code == 200
        assert server.api.post("/api/backups").status_code == 201
        assert kinds(server).count("routeStarted") == 2
        assert pids(server) == again


def test_a_server_starts_on_a_read_only_disk(small_disk: Path) -> None:
    server = on(small_disk)
    with server.start():
        pids(server)
    mount(small_disk, MS_REMOUNT | MS_RDONLY, "4m")
    with server.start():
        before = pids(server)
        until(lambda: any("cannot be written" in problem for problem in problems(server)))
        refused(rename(server, "Never"), "routesFileUnwritable")
        mount(small_disk, MS_REMOUNT, "4m")
        until(lambda: problems(server) == [], what="the history to be written")
        assert rename(server, "At last").status_code == 200
        assert pids(server) == before


def test_a_first_start_needs_a_disk_and_says_so(small_disk: Path) -> None:
    server = on(small_disk)
    ballast = fill(small_disk)
    for why in ("No space left on device", "Read-only file system"):
        server.launch()
        assert server.process is not None
        assert server.process.wait(20) == 1
        assert (
            server.log()
            .splitlines()[-1]
            .startswith(f"srt-router: DATA_DIR {server.data_dir} cannot be written ({why})")
        )
        mount(small_disk, MS_REMOUNT | MS_RDONLY, "4m")
    mount(small_disk, MS_REMOUNT, "4m")
    ballast.unlink()
    with server.start():
        pids(server)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk(small_disk: Path) -> None:
    server = on(small_disk)
    with server.start():
        before = pids(server)
        until(lambda: server.api.get("/api/users").json()["items"])
        good = server.api.post("/api/backups").json()["name"]
        ballast = fill(small_disk)
        content = (server.data_dir / "routes.json").read_bytes()
        assert "No space left" in refused(rename(server, "Never"), "routesFileUnwritable")
        assert (server.data_dir / "routes.json").read_bytes() == content
        refused(server.api.post("/api/backups"), "backupFailed")
        refused(server.api.post(f"/api/backups/{good}/restore"), "restoreFailed")
        assert sorted(found.name for found in (server.data_dir / "backups").iterdir()) == [
            good,
            good.replace("gateway", "routes").replace("db", "json"),
        ]
        assert not (server.data_dir / "restoring").exists()
        for _ in range(3):
            assert server.post("/api/routes/route_1/restart").status_code == 200
        again = pids(server)
        assert set(again.values()).isdisjoint(before.values())
        until(lambda: any("cannot be written" in problem for problem in problems(server)))
        assert kinds(server).count("routeStarted") == 4
        ballast.unlink()
        until(lambda: problems(server) == [], what="the history to be written")
        assert rename(server, "At last").status_code == 200
        done: dict[str, Any] = server.api.post(f"/api/backups/{good}/restore").json()
        assert done["changed"] == ["route_1"]
        assert pids(server) == again  # a name is no reason to restart
    with server.start():
        assert kinds(server).count("routeStarted") == 5
        assert server.route("route_1")["name"] == "Route 1"


def test_a_disk_that_fills_up_during_a_restore(small_disk: Path) -> None:
    """Whatever step it hits: the old is there whole, and the next try works."""
    server = on(small_disk)
    with server.start():
        before = pids(server)
        until(lambda: server.api.get("/api/users").json()["items"])
        good = server.api.post("/api/backups").json()["name"]
        assert rename(server, "Since").status_code == 200
        ballast = fill(small_disk)
        for room in range(0, 600_000, 24_576):
            os.truncate(ballast, max(0, ballast.stat().st_size - 24_576))
            answer = server.api.post(f"/api/backups/{good}/restore")
            name = server.route("route_1")["name"]
            on_disk = (server.data_dir / "routes.json").read_text()
            assert f'"{name}"' in on_disk
            assert (name == "Route 1") == (answer.status_code == 200), (room, answer.text)
            if answer.status_code == 200:
                break
            assert answer.status_code == 503, answer.text
        else:
            raise AssertionError("it never had enough room")
        assert pids(server) == before


def test_a_full_run_dir(small_disk: Path) -> None:
    """No statistics and no logs can be written, and no server.json; what is on air does not notice, and orders work."""
    run_dir = small_disk / "run"
    server = Server(small_disk.parent / "server", [FIRST], RUN_DIR=str(run_dir))
    server.run_dir = run_dir
    with server.start():
        before = pids(server)
        ballast = fill(small_disk)
        assert rename(server, "While full").status_code == 200
        assert pids(server) == before
        answer = server.api.post("/api/routes/route_1/restart")
        assert answer.status_code in (200, 409), answer.text
        assert server.api.get("/api/health").status_code in (200, 503)
        ballast.unlink()
        if answer.status_code != 200:
            assert server.post("/api/routes/route_1/start").status_code == 200
        after = pids(server)
        assert set(after.values()).isdisjoint(before.values())
        assert server.api.get("/api/routes/route_1/stats").status_code == 200
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("content", ['{"version": 2, "routes": []}', '{"version": 1, "routes": [', "\x00" * 4096])
def test_a_routes_json_that_cannot_be_used_is_left_alone(tmp_path: Path, content: str) -> None:
    """Of a newer version, cut off, or zeros as a power cut leaves them: what runs goes on, and nothing is written."""
    with Server(tmp_path, [FIRST]) as server:
        before = pids(server)
        path = server.data_dir / "routes.json"
        path.write_text(content)
        until(lambda: any("routes.json" in problem for problem in problems(server)))
        answer = rename(server, "Never")
        assert (answer.status_code, answer.json()["code"]) == (409, "routesFileInvalid"), answer.text
        assert path.read_text() == content
        assert pids(server) == before
        assert (server.data_dir / "routes.json.bak").exists()
        server.kill()
        server.start()
        health = server.api.get("/api/health")
        assert health.status_code == 503, "it can do nothing without its routes"
        assert "routes.json" in health.json()["problems"][0]
        assert path.read_text() == content
        path.write_bytes((server.data_dir / "routes.json.bak").read_bytes())
        until(lambda: server.api.get("/api/health").status_code == 200, what="the last good routes to be taken over")
