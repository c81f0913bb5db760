"""Attacks on who may do what: stolen, made up and outlived sign-ins, more rights than given, secrets, other sites.

docs/security.md has the table of what was tried; each test here is named there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.server import Server, caller, listener, route
from tests.harness.wait import until

PASSWORD = "correct-horse-42"
PASSPHRASE = "very-secret-horse-42"
ROUTE = route(1, listener(4000, passphrase=PASSPHRASE), caller(7000, passphrase=PASSPHRASE), autoStart=False)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("attacks"), [ROUTE], ADMIN_PASSWORD=PASSWORD) as one:
        until(lambda: one.api.get("/api/users").json()["items"])
        yield one
        assert "Traceback" not in one.log()


def login(server: Server, name: str, password: str, **headers: str) -> httpx.Response:
    url = server.api.base_url.join("/api/auth/login")
    return httpx.post(url, json={"username": name, "password": password}, headers=headers, timeout=30)


def person(server: Server, name: str, role: str = "viewer") -> httpx.Client:
    """A new user, signed in with a token."""
    body = {"name": name, "role": role, "password": f"{name}s-password"}
    assert server.api.post("/api/users", json=body).status_code == 201
    answer = login(server, name, f"{name}s-password")
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return httpx.Client(base_url=server.api.base_url, headers=headers, timeout=30)


def browser(server: Server, name: str, password: str) -> httpx.Client:
    """A client with a cookie and no token."""
    answer = login(server, name, password)
    assert answer.status_code == 200, answer.text
    return httpx.Client(base_url=server.api.base_url, cookies=answer.cookies, timeout=30)


def session_cookie(client: httpx.Client) -> tuple[str, str]:
    (found,) = [(name, value) for name, value in client.cookies.items() if name.endswith("_session")]
    return found


# Sessions


def test_a_session_that_was_brought_along_is_not_taken_over(server: Server) -> None:
    """Session fixation: what a victim was made to send becomes nobody's session."""
    with browser(server, "admin", PASSWORD) as known:
        name, value = session_cookie(known)
    planted = "srs_" + "A" * 43
    for brought in (planted, value):
        answer = httpx.post(
            server.api.base_url.join("/api/auth/login"),
            json={"username": "admin", "password": PASSWORD},
            headers={"Cookie": f"{name}={brought}", "Origin": str(server.api.base_url).rstrip("/")},
        )
        assert answer.status_code == 200
        assert answer.cookies[name] not in (planted, value)
    me = server.api.base_url.join("/api/auth/me")
    assert httpx.get(me, headers={"Cookie": f"{name}={planted}"}).status_code == 401


def test_a_cookie_outlives_neither_its_user_nor_the_password(server: Server) -> None:
    person(server, "leaver").close()
    person(server, "changer").close()
    with (
        browser(server, "leaver", "leavers-password") as leaver,
        browser(server, "changer", "changers-password") as old,
    ):
        assert leaver.get("/api/routes").status_code == 200
        assert server.api.delete("/api/users/leaver").status_code == 204
        assert leaver.get("/api/routes").status_code == 401
        body = {"name": "leaver", "role": "administrator", "password": "another-password"}
        assert server.api.post("/api/users", json=body).status_code == 201
        assert leaver.get("/api/routes").status_code == 401, "somebody else has the name now"
        assert server.api.patch("/api/users/changer", json={"password": "changers-second"}).status_code == 200
        assert old.get("/api/routes").status_code == 401
    with browser(server, "changer", "changers-second") as disabled:
        assert server.api.patch("/api/users/changer", json={"disabled": True}).status_code == 200
        assert disabled.get("/api/routes").status_code == 401
        assert server.api.patch("/api/users/changer", json={"disabled": False}).status_code == 200
        assert disabled.get("/api/routes").status_code == 401


def test_a_sign_out_ends_the_session_and_not_only_the_cookie(server: Server) -> None:
    with browser(server, "admin", PASSWORD) as client:
        name, value = session_cookie(client)
        origin = {"Origin": str(server.api.base_url).rstrip("/")}
        assert client.post("/api/auth/logout", headers=origin).status_code == 204
        again = httpx.get(server.api.base_url.join("/api/auth/me"), headers={"Cookie": f"{name}={value}"})
        assert again.status_code == 401


def test_no_token_is_guessed(server: Server) -> None:
    """Neither made up, nor a real one that was changed, cut, lengthened or written otherwise; nor its digest."""
    made = server.api.post("/api/tokens", json={"name": "to be guessed", "role": "viewer"}).json()
    token = made["token"]
    assert len(set(token)) > 15
    assert len(token) >= 43
    digest = hashlib.sha256(token.encode())
    wrong = [
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token[:-1],
        token + "=",
        token + " x",
        token.upper(),
        token.removeprefix("srt_"),
        digest.hexdigest(),
        base64.b64encode(digest.digest()).decode(),
        made["item"]["id"],
        "srl_" + "A" * 43,
        "null",
        "undefined",
        "admin",
    ]
    me = server.api.base_url.join("/api/auth/me")
    for one in wrong:
        assert httpx.get(me, headers={"Authorization": f"Bearer {one}"}).status_code == 401, one
    assert httpx.get(me, params={"token": token, "access_token": token}).status_code == 401
    assert httpx.get(me, headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert httpx.get(me, headers={"Authorization": f"Bearer {token}"}).status_code == 200


# Guessing passwords


def test_unknown_names_take_as_long_as_known_ones(server: Server) -> None:
    """Who measures learns no user name: nobody's password is hashed as well."""
    person(server, "measured").close()

    def seconds(name: str) -> float:
        began = time.monotonic()
        assert login(server, name, "not-the-password").status_code == 401
        return time.monotonic() - began

    seconds("first-of-all")  # which makes what nobody's password is compared with
    known = [seconds("measured") for _ in range(4)]
    unknown = [seconds(f"nobody-{number}") for number in range(4)]
    assert statistics.median(unknown) > statistics.median(known) / 4
    assert statistics.median(known) > statistics.median(unknown) / 4


def test_guessing_locks_nobody_out(tmp_path: Path) -> None:
    """Whoever knows a user's name can neither guess on nor keep the user from signing in elsewhere."""
    with Server(tmp_path, [ROUTE], ADMIN_PASSWORD=PASSWORD, TRUSTED_PROXIES="127.0.0.1") as server:
        until(lambda: server.api.get("/api/users").json()["items"])
        evil = {"X-Forwarded-For": "203.0.113.66"}
        answers = [login(server, "admin", f"guess-{number}", **evil).status_code for number in range(12)]
        assert answers == [401] * 5 + [429] * 7
        assert login(server, "ADMIN", PASSWORD, **evil).status_code == 429, "nor by writing the name otherwise"
        assert login(server, "admin", PASSWORD, **{"X-Forwarded-For": "203.0.113.7"}).status_code == 200
        spray = [login(server, f"user-{n}", PASSWORD, **evil).status_code for n in range(30)]
        assert spray.count(429) >= 10, "nor may one address guess many names"


# Other sites


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Referer": "https://evil.example/"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_page_of_another_site_changes_nothing(server: Server, headers: Json, media_type: str) -> None:
    with browser(server, "admin", PASSWORD) as victim:
        content = json.dumps({"name": "changed by a stranger"})
        sent = {**headers, "Content-Type": media_type}
        for method, path in (
            ("PATCH", "/api/routes/route_1"),
            ("POST", "/api/routes/route_1/start"),
            ("POST", "/api/auth/logout"),
            ("DELETE", "/api/users/admin"),
            ("POST", "/api/backups"),
        ):
            answer = victim.request(method, path, headers=sent, content=content)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path, answer.text)
        assert "access-control-allow-origin" not in victim.get("/api/routes", headers=headers).headers
    assert server.route("route_1")["name"] == "Route 1"


def test_what_a_form_can_send_is_no_json(server: Server) -> None:
    """Even with a token: a body must say that it is JSON."""
    content = json.dumps({"name": "x", "source": {"type": "srt", "mode": "listener", "port": 4100}})
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = server.api.post("/api/routes", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == 422, media_type


def test_a_preflight_of_another_site_allows_nothing(server: Server) -> None:
    answer = server.api.options(
        "/api/routes", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    )
    assert answer.status_code in (403, 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_page_can_be_framed_and_no_sign_in_leads_elsewhere(server: Server) -> None:
    for path in ("/", "/sign-in", "/docs", "/api/health"):
        headers = httpx.get(server.api.base_url.join(path)).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
    for path in ("/docs", "//evil.example/docs", "/docs/..//evil.example"):
        answer = httpx.get(f"{str(server.api.base_url).rstrip('/')}{path}", headers={"Accept": "text/html"})
        assert answer.headers.get("location", "/").startswith("/"), path
        assert not answer.headers.get("location", "/").startswith("//"), path
    script = httpx.get(server.api.base_url.join("/pages/sign-in.js")).text
    assert "target.origin === location.origin" in script


# More rights than given


def test_nobody_gives_himself_more_rights(server: Server) -> None:
    with person(server, "climber") as viewer, person(server, "worker", "operator") as operator:
        for client, name in ((viewer, "climber"), (operator, "worker")):
            refused = [
                client.patch(f"/api/users/{name}", json={"role": "administrator"}),
                client.patch("/api/users/admin", json={"password": "taken-over-1"}),
                client.post("/api/users", json={"name": "mine", "role": "administrator", "password": "long-enough-1"}),
                client.post("/api/tokens", json={"name": f"{name} up", "role": "administrator"}),
                client.post("/api/backups"),
                client.get("/api/backups"),
                client.post("/api/alarms/receivers", json={"type": "webhook", "name": "x", "url": "http://127.0.0.1/"}),
                client.delete("/api/users/admin"),
            ]
            assert {(one.status_code, one.json()["code"]) for one in refused} == {(403, "roleTooLow")}
            for extra in ({"userId": 1}, {"user_id": 1}, {"user": "admin"}, {"id": "x"}, {"kind": "local"}):
                body = {"name": f"{name} extra", "role": "viewer", **extra}
                assert client.post("/api/tokens", json=body).status_code == 422
            change: Json = {"currentPassword": f"{name}s-password", "newPassword": "long-enough-2"}
            for extra in ({"role": "administrator"}, {"name": "admin"}, {"username": "admin"}):
                assert client.post("/api/auth/password", json={**change, **extra}).status_code == 422
            for sign in ({"role": "administrator"}, {"admin": True}):
                url = server.api.base_url.join("/api/auth/login")
                body = {"username": name, "password": f"{name}s-password", **sign}
                assert httpx.post(url, json=body).status_code == 422
            others = server.api.get("/api/auth/sessions").json()["items"]
            for one in others:
                if one["user"] != name:
                    assert client.delete(f"/api/auth/sessions/{one['id']}").status_code == 404
            assert {one["user"] for one in client.get("/api/auth/sessions").json()["items"]} == {name}
        roles = {one["name"]: one["role"] for one in server.api.get("/api/users").json()["items"]}
        assert (roles["climber"], roles["worker"]) == ("viewer", "operator")


def test_a_token_shrinks_with_its_user(server: Server) -> None:
    with person(server, "shrinking", "operator") as user:
        token = user.post("/api/tokens", json={"name": "shrinks", "role": "operator"}).json()["token"]
        with httpx.Client(base_url=server.api.base_url, headers={"Authorization": f"Bearer {token}"}) as script:
            assert script.post("/api/routes/route_1/stop").status_code == 200
            assert script.post("/api/tokens", json={"name": "child"}).status_code == 403
            assert (
                script.post("/api/auth/password", json={"currentPassword": "x", "newPassword": "y"}).status_code == 403
            )
            server.api.patch("/api/users/shrinking", json={"role": "viewer"})
            assert script.post("/api/routes/route_1/stop").status_code == 403
            server.api.patch("/api/users/shrinking", json={"disabled": True})
            assert script.get("/api/routes").status_code == 401


def test_no_field_that_is_not_there_is_set(server: Server) -> None:
    """Mass assignment: unknown fields are refused, with their name, on every path that takes a body."""
    good: dict[tuple[str, str], Json] = {
        ("POST", "/api/users"): {"name": "x", "role": "viewer", "password": "long-enough-1"},
        ("PATCH", "/api/users/admin"): {},
        ("POST", "/api/tokens"): {"name": "x"},
        ("POST", "/api/routes"): {"name": "x", "source": listener(4100)},
        ("PATCH", "/api/routes/route_1"): {},
        ("POST", "/api/routes/route_1/destinations"): caller(7001),
        ("POST", "/api/alarms/rules"): {"name": "x", "condition": {"kind": "routeFailed"}},
        ("PATCH", "/api/alarms/rules/rule_1"): {},
        ("POST", "/api/alarms/receivers"): {"type": "webhook", "name": "x", "url": "http://127.0.0.1/"},
        ("POST", "/api/routes/salvo"): {"steps": [{"action": "stop", "routeId": "route_1"}]},
        ("POST", "/api/routes/import"): {"version": 1, "routes": []},
    }
    for (method, path), body in good.items():
        for extra in (
            "passwordHash",
            "password_hash",
            "createdAt",
            "status",
            "processes",
            "argv",
            "ownerId",
            "__class__",
        ):
            answer = server.api.request(method, path, json={**body, extra: "x"})
            assert answer.status_code == 422, (method, path, extra)
            assert extra in answer.text
    before = server.route("route_1")
    answer = server.api.patch("/api/routes/route_1", json={"id": "route_2"})
    assert answer.status_code == 422
    assert server.route("route_1")["id"] == before["id"]


def test_one_user_cannot_take_all_tokens(server: Server) -> None:
    with person(server, "greedy") as greedy:
        answers = [greedy.post("/api/tokens", json={"name": f"greedy {n}"}).status_code for n in range(105)]
        assert answers == [201] * 100 + [409] * 5
        assert server.api.post("/api/tokens", json={"name": "of somebody else"}).status_code == 201
        assert server.api.delete("/api/users/greedy").status_code == 204


# Secrets


def test_a_viewer_gets_no_secret_by_any_path(server: Server) -> None:
    with person(server, "curious") as viewer:
        for query in (
            "secrets=true",
            "secrets=1&secrets=0",
            "secrets=0&secrets=1",
            "secrets=TRUE",
            "%73ecrets=1",
            "secrets=yes",
        ):
            answer = viewer.get(f"/api/routes/export?{query}")
            assert answer.status_code in (403, 422) or PASSPHRASE not in answer.text, query
        for path in ("/api/routes/route_1/secrets", "/api/settings", "/api/doctor", "/api/users", "/api/backups"):
            assert viewer.get(path).status_code == 403, path
        for path in (
            "/api/routes",
            "/api/routes/route_1",
            "/api/routes/export",
            "/api/events?limit=1000",
            "/api/processes",
        ):
            assert PASSPHRASE not in viewer.get(path).text, path
        for path in (f"/api/routes?search={PASSPHRASE}", f"/api/events?text={PASSPHRASE[:12]}"):
            assert viewer.get(path).json().get("items", []) == [], "nor can it be searched for, letter by letter"
        answers = [
            viewer.post("/api/routes/import?dryRun=1", json=viewer.get("/api/routes/export").json()),
            viewer.patch("/api/routes/route_1?dryRun=1", json={"name": "x"}),
            viewer.post("/api/routes/route_1/duplicate?dryRun=1", json={}),
        ]
        assert {one.status_code for one in answers} == {403}


def test_no_error_repeats_a_secret(server: Server) -> None:
    secret = "my-only-secret-é&7"
    end = {**listener(4100), "passphrase": secret}
    answers = [
        server.api.post("/api/routes", json={"name": "x", "source": end}),
        server.api.patch("/api/routes/route_1", json={"source": {"passphrase": secret}}),
        server.api.post("/api/routes/import", json={"version": 1, "routes": [{"name": "x", "source": end}]}),
        server.api.post("/api/routes/salvo", json={"steps": [{"action": "create", "route": {"source": end}}]}),
        server.api.post("/api/routes/route_1/destinations", json={**caller(7001), "passphrase": secret}),
        server.api.post("/api/users", json={"name": "x y", "role": "viewer", "password": secret}),
        server.api.post("/api/users", json={"name": "x", "role": "viewer", "password": [secret]}),
        server.api.patch("/api/users/admin", json={"password": secret, "role": secret}),
        server.api.post("/api/auth/login", json={"username": [secret], "password": secret}),
        server.api.post("/api/auth/login", json={"username": secret, "password": secret}),
        server.api.post(
            "/api/alarms/receivers", json={"type": "webhook", "name": "x", "url": f"ftp://{secret}/", "secret": secret}
        ),
        server.api.post("/api/alarms/receivers", json={"type": "webhook", "name": "x", "url": f"http://u:{secret}@h/"}),
        server.api.post("/api/tokens", json={"name": f"/{secret}"}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        assert secret not in json.dumps(answer.json(), ensure_ascii=False)
    everything = server.api.get("/api/events", params={"limit": 1000}).text + server.log()
    assert secret not in everything
    assert "my-only-secret" not in everything


def test_nothing_on_disk_that_others_may_read(server: Server) -> None:
    """Other users of the machine see neither passphrases nor what signs in."""
    assert server.api.patch("/api/routes/route_1", json={"description": "written by the server"}).status_code == 200
    assert server.api.post("/api/backups").status_code == 201
    for folder in (server.data_dir, server.run_dir):
        assert folder.stat().st_mode & 0o007 == 0, "others cannot even enter"
    secret = [server.data_dir / name for name in ("routes.json", "routes.json.bak", "gateway.db")]
    secret += [server.run_dir / "server.json", server.data_dir / "backups", *(server.data_dir / "backups").iterdir()]
    for file in secret:
        assert file.stat().st_mode & 0o077 == 0, file
    log = (server.data_dir / "logs" / "srt-router.log").read_text()
    assert not re.search(r"sr[slt]_[A-Za-z0-9_-]{20,}", log + server.log())
    assert PASSPHRASE not in log + server.log()


def test_what_is_asked_for_the_history_is_no_sql(server: Server) -> None:
    for text in (
        "' OR 1=1 --",
        "'; DROP TABLE events; --",
        "%",
        "_",
        "\\",
        '"',
        "x' UNION SELECT password_hash FROM users --",
    ):
        for key in ("text", "routeId", "actor", "kind", "cursor", "before", "after"):
            answer = server.api.get("/api/events", params={key: text})
            assert answer.status_code in (200, 422), (key, text)
            assert "argon2" not in answer.text
    assert server.api.get("/api/events").json()["items"]
