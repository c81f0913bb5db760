"""Every path of the OpenAPI document, asked by every role and by nobody, of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.harness.server import Server, listener, route

ROLES = ("viewer", "operator", "administrator")
PASSWORD = "correct-horse-42"
VALUES = {"route_id": "route_999", "session_id": "0" * 16, "token_id": "0" * 16, "name": "somebody"}
"""What stands in the place of a path's parameters: nothing that is there."""
KEPT_OUT = {"notSignedIn", "roleTooLow", "passwordChangeRequired"}


class House:
    """A server with a sign-in for each role."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tokens: dict[str, str] = {}
        for role in ROLES:
            answer = server.api.post("/api/tokens", json={"name": f"a {role}", "role": role})
            assert answer.status_code == 201, answer.text
            self.tokens[role] = answer.json()["token"]
        self.document: dict[str, Any] = server.api.get("/openapi.json").json()

    def ask(self, role: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx.request(method, str(self.server.api.base_url.join(path)), headers=headers, timeout=30, **more)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Server(tmp_path_factory.mktemp("access"), [route(1, listener(4000), autoStart=False)]) as server:
        yield House(server)


def least_roles() -> dict[str, str | None]:
    """What the table of rules asks for."""
    from srt_router.api.rules import RULES

    return {key: rule.least and str(rule.least) for key, rule in RULES.items()}


def open_on_this_machine() -> set[str]:
    """What whoever is on the machine may look at without a sign-in; so are we."""
    from srt_router.api.rules import RULES

    return {key for key, rule in RULES.items() if rule.on_this_machine}


def filled(path: str) -> str:
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    while "{" in path:
        path = path[: path.index("{")] + "x" + path[path.index("}") + 1 :]
    return path


def test_every_path_for_every_role_and_for_nobody(house: House) -> None:
    wrong = []
    rules = least_roles()
    operations = [(method.upper(), path) for path, methods in house.document["paths"].items() for method in methods]
    assert len(operations) > 40
    for method, path in operations:
        key = f"{method} {path}"
        least = rules.get(key, "no rule")
        for role in (None, *ROLES):
            answer = house.ask(role, method, filled(path))
            code = answer.json().get("code") if "json" in answer.headers.get("content-type", "") else None
            kept_out = code in KEPT_OUT
            allowed = least is None or (role is not None and ROLES.index(role) >= ROLES.index(least))
            allowed = allowed or (role is None and key in open_on_this_machine())
            status = 401 if role is None else 403
            if kept_out is allowed or (kept_out and answer.status_code != status):
                wrong.append(f"{key} asked by {role}: {answer.status_code} {code}; least role: {least}")
            if answer.status_code >= 500 and code != "storageUnavailable":
                wrong.append(f"{key} asked by {role}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


def test_what_does_not_exist_is_no_oracle(house: House) -> None:
    for path in ("/api/nothing", "/api/routes/", "/API/routes", "/.env", "/pages/../app.py", "/pages/%2e%2e/app.py"):
        assert house.ask(None, "GET", path).status_code in (401, 404), path
        assert house.ask("administrator", "GET", path).status_code == 404, path
    assert house.ask("viewer", "DELETE", "/api/events").status_code == 405
    assert house.ask("viewer", "DELETE", "/api/events").headers["allow"] == "GET"


def test_what_is_open(house: House) -> None:
    for path in ("/api/health", "/sign-in", "/pages/sign-in.js", "/pages/pages.css"):
        assert house.ask(None, "GET", path).status_code == 200, path
    assert house.ask(None, "GET", "/pages/swagger-ui.css").status_code == 200
    assert house.ask(None, "GET", "/pages/nothing.js").status_code == 404
    assert house.ask(None, "GET", "/openapi.json").status_code == 401
    url = str(house.server.api.base_url.join("/docs"))
    led = httpx.get(url, headers={"Accept": "text/html"})
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/docs")
    assert house.ask("viewer", "GET", "/docs").status_code == 200


def test_no_page_has_a_script_of_its_own(house: House) -> None:
    for page in ("/sign-in", "/docs"):
        text = house.ask("viewer", "GET", page).text
        assert text.count("<script") == text.count('<script src="/pages/') > 0
        assert " style=" not in text
        assert "http" not in text.replace("http-equiv", "")


def test_a_refusal_is_a_problem_that_says_what_to_do(house: House) -> None:
    answer = house.ask(None, "GET", "/api/routes")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "POST /api/auth/login" in answer.json()["detail"]
    answer = house.ask("viewer", "POST", "/api/routes/route_1/start")
    assert (answer.status_code, answer.json()["code"]) == (403, "roleTooLow")
    assert "operator" in answer.json()["detail"]


@pytest.mark.parametrize(
    "header",
    [b"Bearer wrong", b"Basic YWRtaW46YWRtaW4=", b"Bearer srs_" + b"A" * 43, b"bearer", b"Bearer \xe9", b"x" * 3000],
)
def test_a_wrong_credential_is_none(house: House, header: bytes) -> None:
    url = str(house.server.api.base_url.join("/api/routes"))
    answer = httpx.get(url, headers={b"Authorization": header})
    assert answer.status_code == 401


def test_a_cookie_header_of_any_kind_is_survived(house: House) -> None:
    url = str(house.server.api.base_url.join("/api/routes"))
    for cookie in ("", "=", ";;;", "a=b; $Version=1", "srt_router=" + "x" * 3000, "a\tb=c", 'x="'):
        assert httpx.get(url, headers={"Cookie": cookie}).status_code == 401


def test_bodies_are_bounded(house: House) -> None:
    long = b" " * (1024 * 1024 + 1)
    answer = house.ask("operator", "POST", "/api/routes", content=long)
    assert (answer.status_code, answer.json()["code"]) == (413, "bodyTooLarge")

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = house.ask("operator", "POST", "/api/routes", content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "bodyTooLarge")
    assert house.ask(None, "POST", "/api/routes", content=long).status_code == 401
    deep = house.ask("operator", "POST", "/api/routes", content=b"[" * 1_000_000)
    assert 400 <= deep.status_code < 500
    assert house.ask("operator", "POST", "/api/routes/import", content=long).status_code != 413


def test_other_names_and_other_pages_are_refused(house: House) -> None:
    url = str(house.server.api.base_url.join("/api/health"))
    assert httpx.get(url, headers={"Host": "rebound.example"}).status_code == 403
    headers = {"Authorization": f"Bearer {house.tokens['operator']}", "Origin": "https://elsewhere.example"}
    start = str(house.server.api.base_url.join("/api/routes/route_1/start"))
    assert httpx.post(start, headers=headers).json()["code"] == "forbidden"


async def test_the_live_feed_is_for_those_who_are_signed_in(house: House) -> None:
    url = str(house.server.api.base_url.join("/api/live")).replace("http:", "ws:")
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, proxy=None):
            pass
    assert caught.value.response.status_code == 401
    headers = {"Authorization": f"Bearer {house.tokens['viewer']}"}
    async with connect(url, proxy=None, max_size=None, additional_headers=headers) as client:
        assert '"snapshot"' in str(await client.recv())


def test_a_viewer_sees_no_passphrase_anywhere(tmp_path: Path) -> None:
    secret = "very-secret-horse-42"
    with Server(tmp_path, [route(1, listener(4000, passphrase=secret), listener(4001, passphrase=secret))]) as server:
        server.until_all_up("route_1")
        house = House(server)
        asked = 0
        for path, methods in house.document["paths"].items():
            if "get" not in methods:
                continue
            answer = house.ask("viewer", "GET", path.replace("{route_id}", "route_1").replace("{key}", "0"))
            assert secret not in answer.text, path
            asked += answer.status_code == 200
        assert asked > 10
        for query in ("secrets=true", "secrets=1", "secrets=on"):
            assert house.ask("viewer", "GET", f"/api/routes/export?{query}").status_code == 403
        assert secret in house.ask("operator", "GET", "/api/routes/export?secrets=true").text
        assert secret not in server.api.get("/api/events", params={"limit": 1000}).text
        assert secret not in server.log()
