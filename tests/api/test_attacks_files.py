"""Attacks with files: planted ones where the server keeps its own, backups made by somebody else, a spoilt gateway.db.

docs/security.md has the table of what was tried; each test here is named there.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import cli
from tests.harness.processes import alive
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

PASSWORD = "correct-horse-42"
ROUTE = route(1, listener(4000), listener(4001))
NOBODY = 65534
ELSE = 4711
"""The uid of somebody else."""
NAME = "gateway_2026-01-02T03-04-05.db.gz"
BESIDE = "routes_2026-01-02T03-04-05.json.gz"
EMPTY = b'{"version": 1, "routes": []}\n'
Json = dict[str, Any]


def pids(server: Server) -> dict[str, int]:
    return {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()}


def administrator(server: Server) -> None:
    until(lambda: server.api.get("/api/users").json().get("items"), what="the first administrator")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users of the machine may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# Planted files


def test_planted_pid_files_kill_nobody(tmp_path: Path) -> None:
    """PID files are a hint: what is not small, regular and ours is ignored, and what they name is looked at first."""
    server = Server(tmp_path, [ROUTE])
    bystander = subprocess.Popen(["/bin/sleep", "600"])
    target = tmp_path / "not-ours"
    target.write_text("of somebody else\n")
    server.pid_dir.mkdir(mode=0o755)
    content = f"{bystander.pid}\n1700000000000\n"

    def plant(name: str) -> Path:
        return server.pid_dir / f"route_1_{name}.pid"

    plant("srt").write_text(content)
    plant("ffmpeg").symlink_to(target)
    os.mkfifo(plant("udpDuplicator"))
    os.link(target, plant("srtOut:4001"))
    plant("srtOut:4002").write_text("1\n1700000000000\n")
    plant("srtOut:4003").write_text("-1\n")
    plant("srtOut:4004").write_bytes(b"9" * 10_000)
    plant("srtOut:4005").mkdir()
    plant("srtOut:4006").write_text(content)
    os.chown(plant("srtOut:4006"), ELSE, ELSE)
    (server.pid_dir / "..\x1b[2J.pid").write_text(content)
    try:
        with server.start():
            started = pids(server)
            assert bystander.poll() is None
            assert bystander.pid not in started.values()
            assert target.read_text() == "of somebody else\n"
            assert plant("srt").read_text().startswith(f"{started['srt']}\n")
            assert server.api.get("/api/processes").status_code == 200
            assert server.api.post("/api/cleanup").status_code == 200
            assert bystander.poll() is None
            assert pids(server) == started
            assert "\x1b" not in server.log()
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("setting", ["PID_DIR", "RUN_DIR", "DATA_DIR"])
@pytest.mark.parametrize("how", ["link", "file", "everybody's", "somebody's"])
def test_a_folder_that_somebody_has_prepared_is_not_used(open_folder: Path, setting: str, how: str) -> None:
    place, real = open_folder / "place", open_folder / "real"
    real.mkdir(mode=0o755)
    if how == "link":
        place.symlink_to(real)
    elif how == "file":
        place.write_text("x")
    else:
        place.mkdir()
        place.chmod(0o777 if how == "everybody's" else 0o755)
        if how == "somebody's":
            os.chown(place, ELSE, ELSE)
    done = cli.run(open_folder, "serve", extra={f"SRT_ROUTER_{setting}": str(place)})
    assert done.returncode == 1
    assert done.stderr.startswith(f"srt-router: {setting} {place} "), done.stderr
    assert not list(real.iterdir())


@pytest.mark.parametrize("name", ["routes.json", "routes.json.bak", "gateway.db", "instance", "restoring", "backups"])
@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_pipe_or_a_link_in_data_dir_stops_no_stream(tmp_path: Path, name: str, kind: str) -> None:
    """Nothing waits for a writer, and nothing is written through a link."""
    server = Server(tmp_path, [ROUTE])
    administrator_first = server.start()
    administrator(administrator_first)
    server.stop()
    target = tmp_path / "target"
    target.write_text("of somebody else\n")
    path = server.data_dir / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    os.mkfifo(path) if kind == "fifo" else path.symlink_to(target)
    server.launch()
    assert server.process is not None

    def decided() -> bool:
        assert server.process is not None
        return server.process.poll() is not None or " answers at " in server.log().rpartition("Stopped")[2]

    until(decided, what="the server to start, or to say why not")
    if server.process.poll() is None:
        url = server.log().rpartition(" answers at ")[2].split()[0]
        server.api.base_url = httpx.URL(url)
        server.api.headers.update(server.signed_in())
        assert server.api.get("/api/health").status_code in (200, 503)
        server.api.patch("/api/routes/route_1", json={"name": "New"})
        assert server.api.post("/api/backups").status_code in (201, 503)
        server.stop()
    else:
        assert "Traceback" not in server.log()
    assert target.read_text() == "of somebody else\n"
    assert "Traceback" not in server.log()


class Trap(BaseHTTPRequestHandler):
    """Whoever comes here was led astray."""

    asked: list[str] = []  # noqa: RUF012 - of one test

    def parse_request(self) -> bool:
        Trap.asked.append("something")
        return super().parse_request()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("folder_of", [ELSE, NOBODY, 0])
@pytest.mark.parametrize("how", ["file", "link", "fifo"])
def test_a_planted_server_json_leads_no_command_astray(open_folder: Path, folder_of: int, how: str) -> None:
    """Somebody else makes RUN_DIR first, and a server.json that says where to send the new password."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Trap) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        run_dir = open_folder / "run"
        run_dir.mkdir()
        run_dir.chmod(0o1777)
        bait, file = open_folder / "bait", run_dir / "server.json"
        bait.write_text(f'{{"pid": {os.getpid()}, "url": "http://127.0.0.1:{web.server_port}/", "token": "srl_x"}}')
        os.chown(bait, ELSE, ELSE)
        if how == "file":
            bait.rename(file)
        elif how == "link":
            file.symlink_to(bait)
        else:
            os.mkfifo(file)
            os.chown(file, ELSE, ELSE)
        os.chown(run_dir, folder_of, folder_of)
        words = ["users", "password", "admin", "--generate"]
        done = subprocess.run(
            [*cli.PROGRAM, *words],
            env={**cli.environment(open_folder), "HOME": str(open_folder)},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        web.shutdown()
    assert done.returncode != 0
    assert Trap.asked == []
    assert "Traceback" not in done.stderr


# Backups of somebody else


@contextlib.contextmanager
def with_backup(folder: Path, spoil: Callable[[sqlite3.Connection], None]) -> Iterator[Server]:
    """A server with one backup that somebody has changed, and with nothing else in its folder."""
    with Server(folder, [ROUTE], ADMIN_PASSWORD=PASSWORD) as server:
        administrator(server)
        made = server.api.post("/api/backups").json()["name"]
        place = server.data_dir / "backups"
        plain = folder / "crafted.db"
        plain.write_bytes(gzip.decompress((place / made).read_bytes()))
        with contextlib.closing(sqlite3.connect(plain, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            spoil(connection)
        plant(place, gzip.compress(plain.read_bytes()), gzip.compress((server.data_dir / "routes.json").read_bytes()))
        yield server


def plant(place: Path, database: bytes, routes: bytes) -> None:
    (place / NAME).write_bytes(database)
    (place / BESIDE).write_bytes(routes)


def trigger(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TRIGGER forever AFTER INSERT ON events BEGIN UPDATE users SET role = 'administrator'; END"
    )


def view(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE users RENAME TO real_users")
    connection.execute("CREATE VIEW users AS SELECT * FROM real_users")


def virtual(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE VIRTUAL TABLE spare USING fts5(x)")


def other_columns(connection: sqlite3.Connection) -> None:
    """Columns in another order: the hash of a password would become a name that everybody sees."""
    connection.execute("ALTER TABLE users RENAME TO old")
    connection.execute(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, password_hash TEXT, role TEXT, name TEXT, disabled INTEGER, "
        "must_change_password INTEGER, created_ms INTEGER, password_changed_ms INTEGER, last_sign_in_ms INTEGER)"
    )
    connection.execute("INSERT INTO users SELECT id, password_hash, role, name, disabled, 0, 0, 0, NULL FROM old")
    connection.execute("DROP TABLE old")


def missing(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE tokens")


def newer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 9999")


def negative(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = -1")


def foreign(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA application_id = 1")


@pytest.mark.parametrize("spoil", [trigger, view, virtual, other_columns, missing, newer, negative, foreign])
def test_a_backup_of_another_make_is_refused(tmp_path: Path, spoil: Callable[[sqlite3.Connection], None]) -> None:
    """What acts by itself, has other columns or comes from elsewhere is not put in place, and nothing was changed."""
    with with_backup(tmp_path, spoil) as server:
        before, started = (server.data_dir / "routes.json").read_bytes(), pids(server)
        verified = server.api.post(f"/api/backups/{NAME}/verify").json()
        assert verified["ok"] is False, verified
        answer = server.api.post(f"/api/backups/{NAME}/restore")
        assert (answer.status_code, answer.json()["code"]) == (409, "backupInvalid"), answer.text
        assert (server.data_dir / "routes.json").read_bytes() == before
        assert pids(server) == started
        assert not (server.data_dir / "restoring").exists()
        assert server.api.get("/api/users").status_code == 200
        assert "Traceback" not in server.log()


def bad_role(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE users SET role = 'root'")


def no_text(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE events SET message = CAST(x'ff00ff' AS TEXT), data = '{', actor = char(27, 10)")
    connection.execute("UPDATE users SET name = 'a' || char(10) || '[PidManager] forged' || char(27)")


def last_number(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE events SET id = 9223372036854775807 WHERE id = (SELECT max(id) FROM events)")
    connection.execute("UPDATE users SET id = 9223372036854775807")


def no_alarms(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE alarm_rules SET document = '{\"id\": 1}'")
    connection.execute("INSERT INTO alarms VALUES ('alarm_99999999999999999', 1, 2, '[]')")
    connection.execute("INSERT INTO alarms VALUES ('alarm_1', 1, 2, '{}')")
    connection.execute("INSERT INTO alarm_receivers VALUES ('x', 'no json')")


ROWS = [bad_role, no_text, last_number, no_alarms]


@pytest.mark.parametrize("spoil", ROWS)
@pytest.mark.parametrize("lost", [False, True], ids=["merged", "in the place of a lost one"])
def test_a_backup_with_impossible_rows_takes_nothing_off_air(
    tmp_path: Path, spoil: Callable[[sqlite3.Connection], None], lost: bool
) -> None:
    with with_backup(tmp_path, spoil) as server:
        if lost:
            server.stop()
            for file in server.data_dir.glob("gateway.db*"):
                file.write_bytes(b"\xff" * 8192)
            server.start()
        started = pids(server)
        answer = server.api.post(f"/api/backups/{NAME}/restore")
        assert answer.status_code in (200, 409, 503), answer.text
        works(server, started)


@pytest.mark.parametrize("spoil", ROWS)
def test_impossible_rows_in_gateway_db_take_nothing_off_air(
    tmp_path: Path, spoil: Callable[[sqlite3.Connection], None]
) -> None:
    """SQLite has no checksums: a disk may turn a value into one that none of ours can be."""
    with Server(tmp_path, [ROUTE], ADMIN_PASSWORD=PASSWORD) as server:
        administrator(server)
        until(lambda: server.api.get("/api/events").json()["items"])
        server.stop()
        with contextlib.closing(sqlite3.connect(server.data_dir / "gateway.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            spoil(connection)
        server.start()
        works(server, pids(server))


def works(server: Server, started: dict[str, int]) -> None:
    """What is on air is untouched, everything answers, and orders are followed."""
    for path in (
        "/api/routes",
        "/api/events?limit=1000",
        "/api/users",
        "/api/tokens",
        "/api/alarms",
        "/api/alarms/rules",
    ):
        answer = server.api.get(path)
        assert answer.status_code in (200, 503), (path, answer.text)
        assert "\x1b" not in answer.text
    assert server.api.get("/api/health").status_code in (200, 503)
    assert server.api.patch("/api/routes/route_1", json={"name": "Works"}).status_code == 200
    assert pids(server) == started
    assert server.post("/api/routes/route_1/restart").status_code == 200
    assert set(pids(server).values()).isdisjoint(started.values())
    kinds = until(lambda: [one["kind"] for one in server.api.get("/api/events?limit=50").json()["items"]])
    assert "routeStarted" in kinds
    assert server.process is not None
    assert alive(server.process.pid)
    assert "Traceback" not in server.log()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A megabyte that becomes a gigabyte, an endless chain of members, and what is no gzip at all."""
    with with_backup(tmp_path, lambda _: None) as server:
        place = server.data_dir / "backups"
        good = (place / NAME).read_bytes()
        before, started = (server.data_dir / "routes.json").read_bytes(), pids(server)
        routes = {
            "a bomb": gzip.compress(b" " * 200_000_000),
            "many members": gzip.compress(b" " * 1_000_000) * 200,
            "cut": gzip.compress(EMPTY)[:-4],
            "no gzip": b"PK\x03\x04" + b"x" * 1000,
            "nothing": b"",
            "half a character": gzip.compress(b'{"version": 1, "routes": ["\\ud800"]}'),
            "deep": gzip.compress(b'{"version": 1, "routes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        }
        for name, content in routes.items():
            plant(place, good, content)
            answer = server.api.post(f"/api/backups/{NAME}/restore")
            assert (answer.status_code, answer.json()["code"]) == (409, "backupInvalid"), (name, answer.text)
            assert server.api.post(f"/api/backups/{NAME}/verify").json()["ok"] is False
        for content in (gzip.compress(b"\0" * 1_000_000), gzip.compress(b"SQLite format 3\0" + b"\xff" * 5000), b""):
            plant(place, content, gzip.compress(EMPTY))
            assert server.api.post(f"/api/backups/{NAME}/restore").json()["code"] == "backupInvalid"
        assert (server.data_dir / "routes.json").read_bytes() == before
        assert pids(server) == started
        assert "Traceback" not in server.log()


def test_links_and_files_of_others_are_no_backups(tmp_path: Path) -> None:
    with with_backup(tmp_path, lambda _: None) as server:
        place = server.data_dir / "backups"
        outside = tmp_path / "outside.gz"
        outside.write_bytes((place / NAME).read_bytes())
        (place / NAME).unlink()
        assert server.process is not None

        def of_somebody_else() -> None:
            os.link(outside, place / NAME)
            os.chown(place / NAME, ELSE, ELSE)

        makers: list[Callable[[], None]] = [
            lambda: (place / NAME).symlink_to(outside),
            lambda: (place / NAME).symlink_to("/etc/passwd"),
            lambda: os.mkfifo(place / NAME),
            lambda: (place / NAME).mkdir(),
            of_somebody_else,
        ]
        for make in makers:
            make()
            assert NAME not in server.api.get("/api/backups").text
            for method, path in (
                ("GET", NAME),
                ("POST", f"{NAME}/verify"),
                ("POST", f"{NAME}/restore"),
                ("DELETE", NAME),
            ):
                answer = server.api.request(method, f"/api/backups/{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "backupNotFound"), answer.text
            assert os.path.lexists(place / NAME), "it is not ours to remove"
            shutil.rmtree(place / NAME) if (place / NAME).is_dir() else (place / NAME).unlink()
        assert outside.exists()
