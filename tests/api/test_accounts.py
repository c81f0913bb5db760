"""Signing in, users, sessions, tokens and who did what, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.harness import cli
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

PASSWORD = "correct-horse-42"
ROUTE = route(1, listener(4000), autoStart=False)


@contextlib.contextmanager
def running(folder: Path, **settings: str) -> Iterator[Server]:
    with Server(folder, [ROUTE], ADMIN_PASSWORD=PASSWORD, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("accounts")) as one:
        yield one


def login(server: Server, name: str = "admin", password: str = PASSWORD, **headers: str) -> httpx.Response:
    url = server.api.base_url.join("/api/auth/login")
    return httpx.post(url, json={"username": name, "password": password}, headers=headers, timeout=30)


def signed_in(server: Server, name: str = "admin", password: str = PASSWORD) -> httpx.Client:
    """A client with a token, as a script is."""
    answer = login(server, name, password)
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return httpx.Client(base_url=server.api.base_url, headers=headers, timeout=30)


def browser(server: Server) -> httpx.Client:
    """A client with a cookie, as a browser is."""
    answer = login(server)
    assert answer.status_code == 200
    return httpx.Client(base_url=server.api.base_url, cookies=answer.cookies, timeout=30)


def own(server: Server) -> str:
    """The origin of the server's own pages."""
    return str(server.api.base_url).rstrip("/")


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def actions(server: Server, **query: Any) -> list[dict[str, Any]]:
    """What was done, newest first."""
    found = server.api.get("/api/events", params={"kind": "operatorAction", "limit": 100, **query}).json()["items"]
    assert isinstance(found, list)
    return found


def user(server: Server, name: str, role: str = "viewer", **more: Any) -> httpx.Response:
    body = {"name": name, "role": role, "password": f"{name}s-password", **more}
    return server.api.post("/api/users", json=body)


# Signing in


def test_sign_in_as_the_contract_says(server: Server) -> None:
    answer = login(server)
    assert answer.status_code == 200
    with httpx.Client(base_url=server.api.base_url) as client:
        me = client.get("/api/auth/me", headers={"Authorization": f"Bearer {answer.json()['token']}"})
        assert me.json() == {
            "name": "admin",
            "role": "administrator",
            "kind": "session",
            "address": "127.0.0.1",
            "mustChangePassword": False,
        }
    with browser(server) as client:
        assert client.get("/api/auth/me").json()["name"] == "admin"


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_from_elsewhere(server: Server) -> None:
    cookies = login(server).headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "httponly" in cookie.lower()
        assert "samesite=strict" in cookie.lower()
        assert "secure" not in cookie.lower()  # over plain HTTP a browser would throw it away


def test_a_refusal_tells_nothing(server: Server) -> None:
    user(server, "disabled-one")
    server.api.patch("/api/users/disabled-one", json={"disabled": True})
    wrong = [
        login(server, "admin", "not-the-password"),
        login(server, "no-such-user", "not-the-password"),
        login(server, "disabled-one", "disabled-ones-password"),
    ]
    assert {code(one) for one in wrong} == {(401, "signInRefused")}
    assert len({one.text for one in wrong}) == 1
    assert not any("set-cookie" in one.headers for one in wrong)


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "admin"}, {"username": "x" * 65, "password": PASSWORD}, {"username": 1, "password": []}, []],
)
def test_a_bad_sign_in_is_refused_without_repeating_the_password(server: Server, body: object) -> None:
    answer = httpx.post(server.api.base_url.join("/api/auth/login"), json=body)
    assert code(answer) == (422, "requestInvalid")
    assert PASSWORD not in answer.text


def test_guessing_is_slowed_down_and_whoever_is_signed_in_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as server, browser(server) as known:
        answers = [login(server, password=f"guess-number-{n}") for n in range(7)]
        assert [one.status_code for one in answers] == [401] * 5 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert code(login(server)) == (429, "signInThrottled")
        assert known.get("/api/routes").status_code == 200
        again = known.post(
            "/api/auth/login", json={"username": "admin", "password": PASSWORD}, headers={"Origin": own(server)}
        )
        assert again.status_code == 200  # the browser is known by its device cookie
        refused = server.api.get("/api/events", params={"kind": "signInRefused"}).json()["items"]
        assert {(one["data"]["user"], one["data"]["reason"]) for one in refused} == {
            ("admin", "password"),
            ("admin", "tooMany"),
        }
        assert "guess-number" not in json.dumps(refused) + server.log()


def test_signing_out_ends_the_session(server: Server) -> None:
    with signed_in(server) as client:
        assert client.post("/api/auth/logout").status_code == 204
        assert client.get("/api/auth/me").status_code == 401


def test_a_session_is_never_the_one_that_was_brought_along(server: Server) -> None:
    with browser(server) as client:
        before = dict(client.cookies)
        client.post(
            "/api/auth/login", json={"username": "admin", "password": PASSWORD}, headers={"Origin": own(server)}
        )
        assert dict(client.cookies) != before


# Cookies and other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "own"}, 200),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://elsewhere.example"}, 403),
    ],
)
def test_a_change_by_cookie_must_come_from_a_page_of_ours(server: Server, headers: dict[str, str], status: int) -> None:
    with browser(server) as client:
        sent = {name: own(server) if value == "own" else value for name, value in headers.items()}
        answer = client.post("/api/routes/route_1/stop", headers=sent)
        assert answer.status_code == status, answer.text
        assert client.get("/api/routes", headers={}).status_code == 200


# Users


def test_the_life_of_a_user(server: Server) -> None:
    made = user(server, "Alice", "operator")
    assert made.status_code == 201
    assert made.headers["location"] == "/api/users/Alice"
    assert made.json()["role"] == "operator"
    assert "password" not in {key.lower() for key in made.json()}
    assert code(user(server, "alice")) == (409, "userNameRefused")
    with signed_in(server, "alice", "Alices-password") as alice:
        assert alice.post("/api/routes/route_1/stop").status_code == 200
        assert code(alice.get("/api/users")) == (403, "roleTooLow")
        server.api.patch("/api/users/alice", json={"role": "viewer"})
        assert code(alice.post("/api/routes/route_1/stop")) == (403, "roleTooLow")
        server.api.patch("/api/users/alice", json={"password": "alices-new-password"})
        assert alice.get("/api/auth/me").status_code == 401
    with signed_in(server, "alice", "alices-new-password") as alice:
        assert server.api.delete("/api/users/ALICE").status_code == 204
        assert alice.get("/api/auth/me").status_code == 401
    assert code(server.api.get("/api/users/alice")) == (404, "userNotFound")


def test_the_last_administrator_stays(server: Server) -> None:
    for answer in (
        server.api.delete("/api/users/admin"),
        server.api.patch("/api/users/admin", json={"role": "operator"}),
        server.api.patch("/api/users/admin", json={"disabled": True}),
    ):
        assert code(answer) == (409, "lastAdministrator")
    assert server.api.get("/api/users/admin").json()["role"] == "administrator"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a b", "role": "viewer", "password": "long-enough-1"},
        {"name": "bob", "role": "root", "password": "long-enough-1"},
        {"name": "bob", "role": "viewer", "password": "short"},
        {"name": "bob", "role": "viewer", "password": "aaaaaaaaaaaa"},
        {"name": "bob", "role": "viewer"},
        {"name": "bob", "role": "viewer", "password": "long-enough-1", "admin": True},
    ],
)
def test_a_bad_user_is_refused(server: Server, body: dict[str, object]) -> None:
    answer = server.api.post("/api/users", json=body)
    assert answer.status_code == 422
    assert "long-enough-1" not in answer.text


def test_a_forced_change_comes_before_anything_else(server: Server) -> None:
    assert user(server, "newcomer", mustChangePassword=True).status_code == 201
    assert login(server, "newcomer", "newcomers-password").json()["mustChangePassword"] is True
    with signed_in(server, "newcomer", "newcomers-password") as client:
        assert code(client.get("/api/routes")) == (403, "passwordChangeRequired")
        assert client.get("/api/auth/me").json()["mustChangePassword"] is True
        change = {"currentPassword": "wrong-password", "newPassword": "newcomers-second"}
        assert code(client.post("/api/auth/password", json=change)) == (403, "wrongPassword")
        change["currentPassword"] = "newcomers-password"
        assert code(client.post("/api/auth/password", json={**change, "newPassword": "short"})) == (
            422,
            "passwordRefused",
        )
        assert client.post("/api/auth/password", json=change).status_code == 204
        assert client.get("/api/routes").status_code == 200


# Sessions and tokens


def test_sessions_are_listed_and_ended(server: Server) -> None:
    user(server, "bob")
    with signed_in(server, "bob", "bobs-password") as one, signed_in(server, "bob", "bobs-password") as two:
        mine = one.get("/api/auth/sessions").json()["items"]
        assert [(item["user"], item["address"]) for item in mine] == [("bob", "127.0.0.1")] * 2
        assert sum(item["current"] for item in mine) == 1
        everybody = server.api.get("/api/auth/sessions").json()["items"]
        assert {"bob", "admin"} <= {item["user"] for item in everybody}
        admins = next(item["id"] for item in everybody if item["user"] == "admin")
        assert code(one.delete(f"/api/auth/sessions/{admins}")) == (404, "sessionNotFound")
        (other,) = (item["id"] for item in mine if not item["current"])
        assert one.delete(f"/api/auth/sessions/{other}").status_code == 204
        assert two.get("/api/auth/me").status_code == 401
    with signed_in(server, "bob", "bobs-password") as three:
        assert three.delete("/api/auth/sessions").status_code == 204
        assert len(three.get("/api/auth/sessions").json()["items"]) == 1


def test_a_session_that_is_not_used_ends(tmp_path: Path) -> None:
    with running(tmp_path, SESSION_IDLE_S="1.5") as server, signed_in(server) as client:
        assert client.get("/api/auth/me").status_code == 200
        since = time.monotonic()
        until(lambda: not server.api.get("/api/auth/sessions").json()["items"] or time.monotonic() - since > 1.6)
        assert client.get("/api/auth/me").status_code == 401


def test_tokens(server: Server) -> None:
    user(server, "carol", "operator")
    with signed_in(server, "carol", "carols-password") as carol:
        made = carol.post("/api/tokens", json={"name": "carols script", "role": "operator"})
        assert made.status_code == 201
        token, shown = made.json()["token"], made.json()["item"]
        assert (shown["user"], shown["role"], shown["usedAt"]) == ("carol", "operator", None)
        assert code(carol.post("/api/tokens", json={"name": "carols script"})) == (409, "tokenRefused")
        assert code(carol.post("/api/tokens", json={"name": "more", "role": "administrator"})) == (403, "roleTooLow")
        assert code(carol.post("/api/tokens", json={"name": "old", "expiresAt": 1})) == (422, "requestInvalid")
        with httpx.Client(base_url=server.api.base_url, headers={"Authorization": f"Bearer {token}"}) as script:
            assert script.post("/api/routes/route_1/stop").status_code == 200
            assert actions(server)[0]["actor"] == "token:carols script"
            assert script.get("/api/auth/me").json()["kind"] == "token"
            assert code(script.post("/api/tokens", json={"name": "child"})) == (403, "forbidden")
            (listed,) = carol.get("/api/tokens").json()["items"]
            assert listed["usedFrom"] == "127.0.0.1"
            assert token not in carol.get("/api/tokens").text
            with signed_in(server) as admin:
                assert "carols script" in admin.get("/api/tokens").text
            assert carol.delete(f"/api/tokens/{shown['id']}").status_code == 204
            assert script.get("/api/auth/me").status_code == 401


async def test_the_live_feed_ends_with_the_session(server: Server) -> None:
    with signed_in(server) as client:
        url = str(server.api.base_url.join("/api/live")).replace("http:", "ws:")
        headers = {"Authorization": client.headers["Authorization"]}
        async with connect(url, proxy=None, max_size=None, additional_headers=headers) as feed:
            await feed.recv()
            (mine,) = [one["id"] for one in client.get("/api/auth/sessions").json()["items"] if one["current"]]
            server.api.delete(f"/api/auth/sessions/{mine}")
            async with asyncio.timeout(30):
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await feed.recv()
            assert feed.close_code == 4401


# Who did what


def test_the_history_tells_who_did_what_with_old_and_new_value(server: Server) -> None:
    with signed_in(server) as client:
        client.post("/api/users", json={"name": "dave", "role": "viewer", "password": "daves-password"})
        client.patch("/api/users/dave", json={"role": "operator", "password": "daves-new-password"})
        client.post("/api/routes/route_1/stop")
        client.post("/api/cleanup")
        found = {one["data"]["action"]: one for one in actions(server)[:4]}
    assert set(found) == {"user.add", "user.change", "route.stop", "cleanup"}
    change = found["user.change"]
    assert (change["actor"], change["data"]["role"], change["data"]["address"]) == (
        "admin",
        "administrator",
        "127.0.0.1",
    )
    assert (change["data"]["before"]["role"], change["data"]["after"]["role"]) == ("viewer", "operator")
    assert change["data"]["before"]["passwordChangedAt"] != change["data"]["after"]["passwordChangedAt"]
    assert found["route.stop"]["routeId"] == "route_1"
    everything = server.api.get("/api/events", params={"limit": 1000}).text + server.log()
    assert "daves-" not in everything
    assert PASSWORD not in everything


def test_what_is_refused_is_not_told_as_done(server: Server) -> None:
    before = actions(server)[0]["id"]
    server.api.post("/api/routes/route_999/start")
    server.api.post("/api/users", json={})
    assert actions(server)[0]["id"] == before


# The first start, and gateway.db


def test_the_first_start_prints_a_password_once_and_to_nobody_else(tmp_path: Path) -> None:
    server = Server(tmp_path, [ROUTE])
    with server:
        (password,) = until(lambda: re.findall(r"Sign in as admin with the password (\S+)", server.log()))
        assert login(server, "admin", password).status_code == 200
        server.stop()
        server.start()
        assert login(server, "admin", password).status_code == 200
        assert server.log().count(password) == 1
        server.stop()
    for file in [*server.data_dir.rglob("*"), *server.run_dir.rglob("*")]:
        if file.is_file():
            assert password.encode() not in file.read_bytes(), file


def test_there_is_no_default_password(tmp_path: Path) -> None:
    with Server(tmp_path, [ROUTE]) as server:
        for password in ("admin", "password", "srt-router"):
            assert login(server, "admin", password).status_code == 401


def test_sessions_survive_a_crash_and_the_local_credential_does_not(tmp_path: Path) -> None:
    with running(tmp_path) as server, signed_in(server) as client:
        client.get("/api/auth/me")
        local = server.signed_in()
        server.kill()
        server.start()
        token = {"Authorization": client.headers["Authorization"]}
        me = server.api.base_url.join("/api/auth/me")
        assert httpx.get(me, headers=token).status_code == 200
        assert httpx.get(me, headers=local).status_code == 401
        assert server.signed_in() != local
        file = server.run_dir / "server.json"
        assert file.stat().st_mode & 0o777 == 0o600


def test_without_gateway_db_streams_stay_on_air_and_sign_in_says_why(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000))])
    (server.data_dir / "gateway.db").write_bytes(b"this is no database at all" * 100)
    with server:
        server.until_all_up("route_1")
        answer = login(server)
        assert code(answer) == (503, "storageUnavailable")
        assert "Remedy" in answer.json()["detail"]
        url = server.api.base_url.join("/api/routes")
        unknown = httpx.get(url, headers={"Authorization": "Bearer srs_of-before-the-damage"})
        assert code(unknown) == (503, "storageUnavailable")
        assert server.api.post("/api/routes/route_1/restart").status_code == 200  # from the machine itself
        assert (server.data_dir / "gateway.db").read_bytes() == b"this is no database at all" * 100


def test_a_password_takes_effect_before_it_is_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        for number in range(3):
            assert user(server, f"user{number}").status_code == 201
            server.kill()
            server.start()
            assert login(server, f"user{number}", f"user{number}s-password").status_code == 200
        with contextlib.closing(sqlite3.connect(server.data_dir / "gateway.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# On the machine itself


def test_a_lost_password_with_a_server_and_without(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        with signed_in(server) as client:
            done = cli.run(server, "users", "password", "admin", stdin="second-horse-43\n")
            assert done.returncode == 0, done.stderr
            assert client.get("/api/auth/me").status_code == 401
        assert login(server, "admin", PASSWORD).status_code == 401
        assert login(server, "admin", "second-horse-43").status_code == 200
        assert actions(server, text="user.change")[0]["actor"] == "local"
        server.stop()
        done = cli.run(server, "users", "password", "admin", "--generate")
        assert done.returncode == 0, done.stderr
        (password,) = re.findall(r"^Password: (\S+)$", done.stdout, re.MULTILINE)
        server.start()
        assert login(server, "admin", password).status_code == 200
        assert [one["data"]["action"] for one in actions(server, text="user.change")] == ["user.change"] * 2


@pytest.mark.parametrize("live", [True, False], ids=["server runs", "no server"])
def test_users_and_tokens_from_the_command_line(tmp_path: Path, live: bool) -> None:
    with running(tmp_path) as server:
        until(lambda: login(server).status_code == 200)
        if not live:
            server.stop()
        assert cli.run(server, "users", "add", "eve", "--role", "operator", stdin="eves-password\n").returncode == 0
        listed = cli.run_json(server, "users", "list")["items"]
        assert [(one["name"], one["role"]) for one in listed] == [("admin", "administrator"), ("eve", "operator")]
        assert cli.run(server, "users", "role", "eve", "viewer").returncode == 0
        assert cli.run(server, "users", "disable", "eve").returncode == 0
        assert "disabled" in cli.run(server, "users", "list").stdout
        assert cli.run(server, "users", "enable", "eve").returncode == 0
        assert "Nothing was done" in cli.run(server, "users", "remove", "eve", stdin="no\n").stdout
        assert cli.run(server, "users", "remove", "eve", stdin="yes\n").returncode == 0
        token = cli.run(server, "tokens", "add", "deploy", "--role", "operator", "--days", "7").stdout.strip()
        assert token.startswith("srt_")
        assert [one["name"] for one in cli.run_json(server, "tokens", "list")["items"]] == ["deploy"]
        for words, said in (
            (["users", "remove", "admin", "--yes"], "last administrator"),
            (["users", "role", "nobody-here", "viewer"], "there is no user"),
            (["users", "add", "a b"], "name"),
            (["tokens", "add", "deploy"], "already"),
            (["tokens", "remove", "no-such"], "there is no token"),
        ):
            done = cli.run(server, *words, stdin="a-good-password\n")
            assert done.returncode == 1
            assert said in done.stderr
            assert "Traceback" not in done.stderr
        if not live:
            server.start()
        url = server.api.base_url.join("/api/routes/route_1/stop")
        assert httpx.post(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert cli.run(server, "tokens", "remove", "deploy").returncode == 0
        assert httpx.post(url, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_root_helps_a_service_user_without_taking_its_files() -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # where another user may go
    folder.chmod(0o755)
    with running(folder) as server:
        until(lambda: login(server).status_code == 200)
        server.stop()
    nobody = 65534
    for path in (server.data_dir, *server.data_dir.rglob("*")):
        os.chown(path, nobody, nobody)
    done = cli.run(server, "users", "password", "admin", stdin="second-horse-43\n")
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in server.data_dir.rglob("*")} == {nobody}
    with contextlib.closing(sqlite3.connect(server.data_dir / "gateway.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_before_the_first_start_there_is_nothing_to_change(tmp_path: Path) -> None:
    done = cli.run(tmp_path, "users", "list")
    assert done.returncode == 1
    assert "start the server once" in done.stderr
    assert not list(tmp_path.iterdir())


# TLS and proxies


def make_certificate(folder: Path, name: str) -> None:
    """A self-signed one, and its key."""
    words = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}".split()
    files = ["-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem")]
    extension = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, *files, *extension], check=True, capture_output=True, timeout=30)
    (folder / "new.key").replace(folder / "tls.key")
    (folder / "new.pem").replace(folder / "tls.pem")


def shown_certificate(server: Server) -> str:
    host, port = server.api.base_url.host, server.api.base_url.port
    assert port is not None
    return ssl.get_server_certificate((host, port))


def test_tls_and_a_certificate_that_is_renewed(tmp_path: Path) -> None:
    make_certificate(tmp_path, "first")
    settings = {"TLS_CERT": str(tmp_path / "tls.pem"), "TLS_KEY": str(tmp_path / "tls.key")}
    server = Server(tmp_path / "srt", [ROUTE], ADMIN_PASSWORD=PASSWORD, **settings)
    server.verify = ssl.create_default_context(cafile=str(tmp_path / "tls.pem"))
    with server:
        assert server.api.base_url.scheme == "https"
        first = shown_certificate(server)
        assert first == (tmp_path / "tls.pem").read_text()
        url = server.api.base_url.join("/api/auth/login")
        answer = server.api.post(url, json={"username": "admin", "password": PASSWORD})
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        done = cli.run(server, "users", "list", extra={f"SRT_ROUTER_{key}": value for key, value in settings.items()})
        assert "admin" in done.stdout, done.stderr
        make_certificate(tmp_path, "second")
        until(lambda: shown_certificate(server) != first, what="the new certificate")
        assert server.api.get("/api/routes").status_code == 200  # on the connection of before
        (tmp_path / "tls.pem").write_text("no certificate")
        until(lambda: "the old certificate stays" in server.log(), what="the complaint")
        assert shown_certificate(server) != first


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_text("no certificate")
    extra = {"SRT_ROUTER_TLS_CERT": str(tmp_path / "tls.pem"), "SRT_ROUTER_TLS_KEY": str(tmp_path / "tls.pem")}
    done = cli.run(tmp_path, "serve", extra=extra)
    assert done.returncode == 1
    assert done.stderr.startswith("srt-router: setting TLS_CERT: ")
    assert "Traceback" not in done.stderr


def test_behind_a_trusted_proxy_the_client_counts(tmp_path: Path) -> None:
    with running(tmp_path, TRUSTED_PROXIES="127.0.0.0/8", ALLOWED_HOSTS="router.example") as server:
        forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Host": "router.example"}
        answer = login(server, **forwarded)
        assert answer.status_code == 200
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        assert actions(server)[0]["data"]["address"] == "203.0.113.7"
        token = {"Authorization": f"Bearer {answer.json()['token']}", "Host": "router.example"}
        me = server.api.base_url.join("/api/auth/me")
        assert httpx.get(me, headers=token).status_code == 200
        assert httpx.get(me, headers={**token, "Host": "other.example"}).status_code == 403


def test_a_server_for_everybody_without_tls_says_so(tmp_path: Path) -> None:
    with running(tmp_path, HOST="0.0.0.0") as server:
        assert "HOST is 0.0.0.0 without TLS" in server.log()
        assert server.api.base_url.host == "127.0.0.1"
        assert server.stop(signal.SIGTERM) == 0
