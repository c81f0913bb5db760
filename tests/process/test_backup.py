"""Backups of a real server: made, fetched, verified, and put back while it is on air, by hand, and after a crash."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from srt_router.processes.crashpoint import VARIABLE
from tests.harness.cli import run, run_json
from tests.harness.processes import alive
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"
FIRST = route(1, listener(4000, passphrase=SECRET), listener(4001))
SECOND = route(2, listener(4010), listener(4011))
SECOND_CHANGED = route(2, listener(4010), listener(4011, latency=900))
THIRD = route(3, listener(4020), udp(5020))


def post(server: Server, path: str, body: object = None, status: int = 200) -> Any:
    answer = server.api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def make(server: Server) -> str:
    until(lambda: users(server), what="the first administrator")
    return str(post(server, "/api/backups", status=201)["name"])


def add_user(server: Server, name: str) -> None:
    body = {"name": name, "role": "operator", "password": "a-long-sentence-of-mine"}
    post(server, "/api/users", body, 201)


def users(server: Server) -> set[str]:
    return {one["name"] for one in server.api.get("/api/users").json()["items"]}


def problems(server: Server) -> list[str]:
    found: list[str] = server.api.get("/api/health").json()["problems"]
    return found


def kinds(server: Server, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api.get("/api/events", params={"kind": kind, "limit": 1000}).json()["items"]
    return found


def pids(server: Server, route_id: str) -> dict[str, int]:
    return {kind: one["pid"] for kind, one in server.until_all_up(route_id).items()}


def ids(server: Server) -> list[str]:
    return [one["id"] for one in server.api.get("/api/routes").json()["items"]]


def change_everything(server: Server) -> None:
    """One route is edited, one comes, and one user."""
    server.write_routes([FIRST, SECOND_CHANGED, THIRD])
    until(lambda: ids(server) == ["route_1", "route_2", "route_3"])
    until(lambda: "latency=900" in server.processes("route_2")["srtOut:4011"]["command"])
    add_user(server, "late")


def test_a_restore_on_air_touches_only_what_differs(tmp_path: Path) -> None:
    with Server(tmp_path, [FIRST, SECOND]) as server:
        add_user(server, "early")
        before = pids(server, "route_1"), pids(server, "route_2")
        name = make(server)
        change_everything(server)
        late = pids(server, "route_3")
        done = post(server, f"/api/backups/{name}/restore")
        assert {key: done[key] for key in ("name", "setAside", "added", "changed", "removed")} == {
            "name": name,
            "setAside": [],
            "added": [],
            "changed": ["route_2"],
            "removed": ["route_3"],
        }
        assert ids(server) == ["route_1", "route_2"]
        assert pids(server, "route_1") == before[0]
        assert pids(server, "route_2")["srt"] == before[1]["srt"]
        assert "latency=120" in server.processes("route_2")["srtOut:4011"]["command"]
        assert not any(alive(pid) for pid in late.values())
        assert users(server) == {"admin", "early"}
        # what was there before the restore can be had back, and nobody is touched a second time
        post(server, f"/api/backups/{done['safety']}/restore")
        assert users(server) == {"admin", "early", "late"}
        assert ids(server) == ["route_1", "route_2", "route_3"]
        assert pids(server, "route_1") == before[0]
        server.until_all_up("route_3")
        # nothing of what happened is lost
        assert [event["data"]["name"] for event in kinds(server, "backupRestored")] == [done["safety"], name]
        assert [event["actor"] for event in kinds(server, "backupRestored")] == ["local", "local"]
        assert [event["data"]["reason"] for event in kinds(server, "backupCreated")] == 2 * ["beforeRestore"] + [
            "order"
        ]
        actions = [event["data"]["action"] for event in kinds(server, "operatorAction")]
        assert actions == ["backup.restore"] * 2 + ["user.add", "backup.create", "user.add"]
        assert SECRET not in server.log()
        assert SECRET not in server.api.get("/api/events", params={"limit": 1000}).text
    with server.start():
        assert users(server) == {"admin", "early", "late"}
        assert len(kinds(server, "backupRestored")) == 2


def test_two_private_files_that_can_be_fetched_and_removed(tmp_path: Path) -> None:
    with Server(tmp_path, [FIRST]) as server:
        first, second = make(server), make(server)
        assert first != second
        folder = server.data_dir / "backups"
        assert folder.stat().st_mode & 0o777 == 0o700
        items = server.api.get("/api/backups").json()["items"]
        assert [one["name"] for one in items] == [second, first]
        for name in (items[0]["name"], items[0]["routesName"]):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
            answer = server.api.get(f"/api/backups/{name}")
            assert answer.headers["content-type"] == "application/gzip"
            assert answer.content == (folder / name).read_bytes()
        routes = json.loads(gzip.decompress((folder / items[0]["routesName"]).read_bytes()))
        assert routes["routes"][0]["source"]["passphrase"] == SECRET
        assert server.api.delete(f"/api/backups/{second}").status_code == 204
        assert [one["name"] for one in server.api.get("/api/backups").json()["items"]] == [first]
        assert len(list(folder.iterdir())) == 2
        for path in (second, f"{second}/verify", f"{second}/restore"):
            method = "GET" if path == second else "POST"
            answer = server.api.request(method, f"/api/backups/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "backupNotFound")
        assert [event["data"]["action"] for event in kinds(server, "operatorAction")][:2] == [
            "backup.remove",
            "backup.download",
        ]


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fgateway.db", "..%2froutes.json", "gateway.db", "%2fetc%2fpasswd", f"gateway_{'0' * 19}.db.gz", "%00"],
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with Server(tmp_path) as server:
        for method, path in (("GET", name), ("DELETE", name), ("POST", f"{name}/restore"), ("POST", f"{name}/verify")):
            assert server.api.request(method, f"/api/backups/{path}").status_code in (404, 405, 422)
        assert (server.data_dir / "gateway.db").exists()


def test_only_administrators(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        name = make(server)
        add_user(server, "bob")
        base = str(server.api.base_url)
        token = httpx.post(
            f"{base}api/auth/login", json={"username": "bob", "password": "a-long-sentence-of-mine"}
        ).json()["token"]
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 403)):
            for method, path in (
                ("GET", ""),
                ("POST", ""),
                ("GET", f"/{name}"),
                ("DELETE", f"/{name}"),
                ("POST", f"/{name}/verify"),
                ("POST", f"/{name}/restore"),
            ):
                assert httpx.request(method, f"{base}api/backups{path}", headers=headers).status_code == status
        assert [one["name"] for one in server.api.get("/api/backups").json()["items"]] == [name]


def test_a_damaged_backup_changes_nothing(tmp_path: Path) -> None:
    with Server(tmp_path, [FIRST]) as server:
        before = pids(server, "route_1")
        name = make(server)
        file = server.data_dir / "backups" / name
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        found = post(server, f"/api/backups/{name}/verify")
        assert (found["ok"], len(found["problems"])) == (False, 1)
        answer = server.api.post(f"/api/backups/{name}/restore")
        assert (answer.status_code, answer.json()["code"]) == (409, "backupInvalid")
        assert "Nothing was changed" in answer.json()["detail"]
        file.write_bytes(content)
        beside = server.data_dir / "backups" / name.replace("gateway", "routes").replace(".db", ".json")
        beside.write_bytes(gzip.compress(b'{"version": 1, "routes": [{}]}'))
        found = post(server, f"/api/backups/{name}/verify")
        assert not found["ok"]
        assert any("routes[0]" in problem for problem in found["problems"])
        assert server.api.post(f"/api/backups/{name}/restore").json()["code"] == "backupInvalid"
        assert pids(server, "route_1") == before
        assert not (server.data_dir / "restoring").exists()
        assert len(server.api.get("/api/backups").json()["items"]) == 1  # no safety copy of what did not change


def test_the_commands_with_a_server(tmp_path: Path) -> None:
    with Server(tmp_path, [FIRST, SECOND]) as server:
        before = pids(server, "route_1")
        until(lambda: users(server), what="the first administrator")
        name = run_json(server, "backup", "create")["name"]
        assert [one["name"] for one in run_json(server, "backup", "list")["items"]] == [name]
        assert name in run(server, "backup", "list").stdout
        found = run_json(server, "backup", "verify", name)
        assert (found["ok"], found["routes"], found["users"]) == (True, 2, 1)
        change_everything(server)
        refused = run(server, "backup", "restore", name, stdin="no\n")
        assert (refused.returncode, "Nothing was done" in refused.stdout) == (0, True)
        assert run(server, "backup", "restore", name).returncode == 0  # nobody answers: that is no
        assert ids(server) == ["route_1", "route_2", "route_3"]
        done = run_json(server, "backup", "restore", name, stdin="yes\n")
        assert (done["done"], done["changed"], done["removed"]) == (True, ["route_2"], ["route_3"])
        assert ids(server) == ["route_1", "route_2"]
        assert pids(server, "route_1") == before
        assert "late" not in users(server)
        stamp = name.removeprefix("gateway_").removesuffix(".db.gz")
        assert run(server, "backup", "verify", stamp).returncode == 0
        for wrong in ("gateway_2020-01-01T00-00-00.db.gz", "../gateway.db", "yesterday"):
            assert run(server, "backup", "restore", wrong, "--yes").returncode == 1
            assert run(server, "backup", "verify", wrong).returncode == 1
        assert run(server, "backup", "restore").returncode == 2
        assert run(server, "backup", "mend").returncode == 2


def test_the_commands_without_a_server(tmp_path: Path) -> None:
    server = Server(tmp_path, [FIRST, SECOND])
    assert run(server, "backup", "create").returncode == 1  # there is no gateway.db yet
    with server.start():
        add_user(server, "early")
    name = run_json(server, "backup", "create")["name"]
    with server.start():
        change_everything(server)
    done = run_json(server, "backup", "restore", "latest", "--yes")
    assert (done["name"], done["changed"], done["removed"]) == (name, ["route_2"], ["route_3"])
    assert run_json(server, "backup", "verify", done["safety"])["ok"]
    assert not (server.data_dir / "restoring").exists()
    with server.start():
        assert ids(server) == ["route_1", "route_2"]
        assert users(server) == {"admin", "early"}
        assert len(kinds(server, "serverStarted")) == 3
        assert kinds(server, "backupRestored")[0]["data"]["name"] == name


def test_a_damaged_database_and_broken_routes_are_set_aside_while_on_air(tmp_path: Path) -> None:
    server = Server(tmp_path, [FIRST])
    with server.start():
        add_user(server, "early")
        name = make(server)
    garbled = b"garbled" * 5000
    (server.data_dir / "gateway.db").write_bytes(garbled)
    for log in server.data_dir.glob("gateway.db-*"):
        log.unlink()
    with server.start():
        before = pids(server, "route_1")
        server.write_routes('{"version": 1, "routes": [')
        until(lambda: len(problems(server)) == 2, what="both to be told")
        told = problems(server)
        assert "routes.json" in told[0]
        assert "backup restore" in told[1]
        done = run_json(server, "backup", "restore", name, "--yes")
        assert done["safety"] is None
        assert len(done["setAside"]) == 2
        assert (server.data_dir / done["setAside"][1]).read_bytes() == garbled
        assert (server.data_dir / done["setAside"][0]).read_text() == '{"version": 1, "routes": ['
        assert problems(server) == []
        assert users(server) == {"admin", "early"}
        assert pids(server, "route_1") == before
        assert kinds(server, "backupRestored")  # in the database that was put there
        add_user(server, "new")
    with server.start():
        assert users(server) == {"admin", "early", "new"}
        assert len(kinds(server, "serverStarted")) == 3


def old_or_new(server: Server) -> str:
    """Which of the two states the server has come up with: it must be one of them, whole."""
    state = (ids(server), "late" in users(server))
    known = {"old": (["route_1", "route_2", "route_3"], True), "new": (["route_1", "route_2"], False)}
    names = [name for name, expected in known.items() if expected == state]
    assert names, state
    assert problems(server) == []
    assert not (server.data_dir / "restoring").exists()
    return names[0]


@pytest.mark.parametrize("point", ["restore_decided", "restore_database_swapped", "restore_routes_written"])
def test_a_crash_after_the_decision_is_completed_by_the_next_start(tmp_path: Path, point: str) -> None:
    server = Server(tmp_path, [FIRST, SECOND])
    with server.start(environment={VARIABLE: point}):
        name = make(server)
        change_everything(server)
        with contextlib.suppress(httpx.HTTPError):
            server.api.post(f"/api/backups/{name}/restore")
        assert server.process is not None
        assert server.process.wait(20) == -signal.SIGKILL
        assert (server.data_dir / "restoring" / "journal.json").exists()
    with server.start():
        assert old_or_new(server) == "new"
        assert [event["data"]["name"] for event in kinds(server, "backupRestored")] == [name]
        until(lambda: server.processes("route_2")["srtOut:4011"]["state"] == "running")


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    server = Server(tmp_path, [FIRST, SECOND])
    with server.start():
        name = make(server)
        change_everything(server)
    original = (server.data_dir / "routes.json").read_bytes()
    chance = random.Random(7)  # noqa: S311 - when to kill
    for _ in range(8):
        with server.start():
            if old_or_new(server) == "new":  # back to where it was, for the next one
                (server.data_dir / "routes.json").write_bytes(original)
                until(lambda: len(ids(server)) == 3)
                add_user(server, "late")
            timer = threading.Timer(chance.uniform(0.0, 0.2), server.kill)
            timer.start()
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                server.api.post(f"/api/backups/{name}/restore")
            timer.join()
    with server.start():
        old_or_new(server)


def test_what_a_kill_leaves_in_the_folder_is_no_backup(tmp_path: Path) -> None:
    server = Server(tmp_path, [FIRST])
    for attempt in range(4):
        with server.start():
            timer = threading.Timer(0.015 * attempt, server.kill)
            timer.start()
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                server.api.post("/api/backups")
            timer.join()
        for one in run_json(server, "backup", "list")["items"]:
            assert run_json(server, "backup", "verify", one["name"])["ok"]
    with server.start():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_root_leaves_everything_to_the_servers_user(tmp_path: Path) -> None:
    nobody = 65534
    with Server(tmp_path, [FIRST]) as server:
        pass
    for folder, _, files in os.walk(tmp_path):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            os.chown(path, nobody, nobody)
    for path in (tmp_path, *tmp_path.parents):
        if path not in (Path("/"), Path("/tmp")):
            path.chmod(0o755)
    assert run(server, "backup", "create").returncode == 0
    assert run(server, "backup", "restore", "latest", "--yes").returncode == 0
    owners = {path.stat().st_uid for path in server.data_dir.rglob("*")}
    assert owners == {nobody}


def test_a_copy_is_a_database_of_its_own(tmp_path: Path) -> None:
    """Somebody with nothing but gunzip and sqlite3 can read it."""
    with Server(tmp_path, [FIRST]) as server:
        name = make(server)
    plain = tmp_path / "plain.db"
    plain.write_bytes(gzip.decompress((server.data_dir / "backups" / name).read_bytes()))
    with contextlib.closing(sqlite3.connect(plain)) as connection:
        assert connection.execute("SELECT name FROM users").fetchall() == [("admin",)]
        assert connection.execute("SELECT count(*) FROM events").fetchone()[0] > 0
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
