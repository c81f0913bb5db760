"""The table of who may do what: every path has its line, and what has none is served to nobody."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from srt_router.accounts.accounts import Accounts
from srt_router.accounts.records import Identity, Kind
from srt_router.accounts.roles import Role
from srt_router.api.access import Visitor
from srt_router.api.app import Rooms, create_app
from srt_router.api.guard import Guard
from srt_router.api.network import Network
from srt_router.api.rules import IMPORT_BYTES, OPEN, RULES, Rule, RuleBook, administrator, operator, viewer

APP = create_app(Mock(spec_set=Rooms, network=Network()))
OPENAPI = APP.openapi()

OPEN_TO_ALL = {"GET /api/health", "POST /api/auth/login"}
DATA_BESIDE_THE_API = ("/docs", "/openapi.json", "/metrics")
EVERYBODYS_OWN = {
    "POST /api/auth/logout",
    "POST /api/auth/password",
    "DELETE /api/auth/sessions",
    "DELETE /api/auth/sessions/{session_id}",
    "POST /api/tokens",
    "DELETE /api/tokens/{token_id}",
}
SENSITIVE_TO_READ = {
    "GET /api/routes/{route_id}/secrets": Role.OPERATOR,
    "GET /api/settings": Role.OPERATOR,
    "GET /api/log-level": Role.OPERATOR,
    "GET /api/doctor": Role.OPERATOR,
    "GET /api/alarms/receivers": Role.ADMINISTRATOR,
    "GET /api/alarms/receivers/{receiver_id}": Role.ADMINISTRATOR,
}
FOR_ADMINISTRATORS = (
    "/api/users",
    "/api/backups",
    "/api/alarms/rules",
    "/api/alarms/receivers",
    "/api/settings",
    "/api/log-level",
)


def served() -> set[str]:
    """Every path that the application answers, with its methods."""
    found = {f"{method.upper()} {path}" for path, methods in OPENAPI["paths"].items() for method in methods}
    for route in APP.routes:
        path, methods = getattr(route, "path", None), getattr(route, "methods", None)
        if isinstance(route, WebSocketRoute):
            found.add(f"WEBSOCKET {route.path}")
        elif path is not None:
            found |= {f"{method} {path}" for method in methods or ("GET",)}
    return {key for key in found if not key.startswith(("HEAD ", "OPTIONS "))}


def test_every_path_has_a_rule() -> None:
    assert sorted(served() - set(RULES)) == []


@pytest.mark.parametrize("key", RULES)
def test_a_rule_is_as_one_would_expect(key: str) -> None:
    method, _, path = key.partition(" ")
    least = RULES[key].least
    page = method == "GET" and not path.startswith(("/api/", *DATA_BESIDE_THE_API))  # a page holds no data
    if key in OPEN_TO_ALL or page:
        assert least is None
    elif key in SENSITIVE_TO_READ:
        assert least is SENSITIVE_TO_READ[key]
    elif path.startswith(("/api/users", "/api/backups")):
        assert least is Role.ADMINISTRATOR
    elif method in ("GET", "WEBSOCKET") or key in EVERYBODYS_OWN:
        assert least is Role.VIEWER
    else:
        assert least is (Role.ADMINISTRATOR if path.startswith(FOR_ADMINISTRATORS) else Role.OPERATOR)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/a/1", RULE_A := viewer()),
        ("HEAD", "/a/1", RULE_A),
        ("POST", "/a/1", RULE_B := operator("a.do", body=IMPORT_BYTES)),
        ("GET", "/a/special", RULE_C := administrator()),
        ("GET", "/files/x/y/z", OPEN),
        ("GET", "/a", None),
        ("GET", "/a/", None),
        ("GET", "/a/1/", None),
        ("GET", "/a/1/2", None),
        ("GET", "/A/1", None),
        ("GET", "/a/1\n", RULE_A),
        ("GET", "//a/1", None),
        ("DELETE", "/a/1", None),
        ("TRACE", "/a/1", None),
    ],
)
def test_finding_a_rule(method: str, path: str, rule: Rule | None) -> None:
    rules = RuleBook(
        {"GET /a/{id}": RULE_A, "POST /a/{id}": RULE_B, "GET /a/special": RULE_C, "GET /files/{p:path}": OPEN}
    )
    assert rules.find(method, path) is rule


def test_the_strictest_rule_wins_whatever_their_order() -> None:
    for keys in (("GET /a/{id}", "GET /a/open"), ("GET /a/open", "GET /a/{id}")):
        rules = RuleBook({key: OPEN if key.endswith("open") else administrator() for key in keys})
        assert rules.find("GET", "/a/open") == administrator()


async def ask(
    rules: dict[str, Rule], who: Identity | None, path: str, method: str = "GET", query: bytes = b""
) -> tuple[int, dict[str, Any]]:
    """What the guard answers, in front of an application that answers everything."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def anything() -> dict[str, str]:
        return {"code": "served"}

    accounts = Mock(spec=Accounts, loaded=True)
    accounts.identify.return_value = who
    app.state.manager = Mock()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"authorization", b"Bearer x")] if who else [],
        "state": {"visitor": Visitor("192.0.2.1", secure=False, on_this_machine=False)},
        "app": app,
    }
    await Guard(app, accounts, Network(), RuleBook(rules))(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def somebody(role: Role, *, must_change: bool = False) -> Identity:
    return Identity("alice", role, Kind.SESSION, "s1", 1, must_change)


async def test_a_path_without_a_rule_is_served_to_nobody() -> None:
    for who in (None, somebody(Role.ADMINISTRATOR)):
        status, answer = await ask({"GET /known": OPEN}, who, "/unknown")
        assert (status, answer["code"]) == ((404, "notFound") if who else (401, "notSignedIn"))
    status, answer = await ask({"GET /known": OPEN}, somebody(Role.ADMINISTRATOR), "/known", "POST")
    assert (status, answer["code"]) == (405, "methodNotAllowed")


@pytest.mark.parametrize("least", Role)
@pytest.mark.parametrize("role", Role)
async def test_roles(role: Role, least: Role) -> None:
    status, answer = await ask({"GET /a": Rule(least)}, somebody(role), "/a")
    assert (status, answer["code"]) == ((200, "served") if role.covers(least) else (403, "roleTooLow"))


async def test_asking_for_secrets_needs_more() -> None:
    rules = {"GET /a": Rule(Role.VIEWER, secrets=Role.OPERATOR)}
    for query, status in (
        (b"", 200),
        (b"secrets=false", 200),
        (b"secrets=true", 403),
        (b"secrets=1", 403),
        (b"secrets=yes", 403),
        (b"secrets=false&secrets=on", 403),
        (b"%73ecrets=true", 403),
    ):
        assert (await ask(rules, somebody(Role.VIEWER), "/a", query=query))[0] == status, query
    assert (await ask(rules, somebody(Role.OPERATOR), "/a", query=b"secrets=true"))[0] == 200


async def test_whoever_must_change_the_password_can_do_that_only() -> None:
    who = somebody(Role.ADMINISTRATOR, must_change=True)
    rules = {"GET /a": viewer(), "GET /own": Rule(Role.VIEWER, unchanged_password=True), "GET /open": OPEN}
    assert await ask(rules, who, "/a") == (403, (await ask(rules, who, "/a"))[1])
    assert (await ask(rules, who, "/a"))[1]["code"] == "passwordChangeRequired"
    assert (await ask(rules, who, "/own"))[0] == 200
    assert (await ask(rules, who, "/open"))[0] == 200
