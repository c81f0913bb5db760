"""Whose pages and whose names for us are let in, and what a browser is told."""

from __future__ import annotations

from typing import Any

import pytest

from srt_router.api.border import SECURITY_HEADERS, Border
from srt_router.api.network import Network

HERE = b"127.0.0.1:8080"
NETWORK = Network(hosts=frozenset({"router.example"}), cors_origins=frozenset({"https://noc.example"}))


async def answer(
    kind: str, method: str, host: bytes = HERE, origin: bytes | None = None, network: Network = NETWORK
) -> tuple[int, dict[bytes, bytes]]:
    """What the border answers, 200 from the application behind it, and the headers."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    headers = [(b"host", host)] + ([(b"origin", origin)] if origin is not None else [])
    scope = {
        "type": kind,
        "method": method,
        "headers": headers,
        "client": ("192.0.2.9", 4711),
        "extensions": {"websocket.http.response": {}},
    }
    if kind == "websocket":
        del scope["method"]
    await Border(app, network)(scope, receive, send)
    return int(sent[0]["status"]), dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("kind", "method", "host", "origin", "expected"),
    [
        ("http", "GET", HERE, None, 200),
        ("http", "GET", b"localhost", b"https://elsewhere.example", 200),  # the browser does not show it the answer
        ("http", "GET", b"rebound.example", None, 403),
        ("http", "GET", b"router.example:8080", None, 200),
        ("http", "GET", b"192.0.2.5:8080", None, 200),
        ("http", "GET", b"", None, 403),
        ("http", "POST", HERE, None, 200),
        ("http", "POST", HERE, b"http://127.0.0.1:8080", 200),
        ("http", "POST", HERE, b"https://127.0.0.1:8080", 200),
        ("http", "POST", HERE, b"ftp://127.0.0.1:8080", 403),
        ("http", "POST", HERE, b"http://127.0.0.1:9090", 403),
        ("http", "POST", HERE, b"null", 403),
        ("http", "DELETE", HERE, b"https://elsewhere.example", 403),
        ("http", "DELETE", HERE, b"https://noc.example", 200),
        ("websocket", "", HERE, None, 200),
        ("websocket", "", HERE, b"http://127.0.0.1:8080", 200),
        ("websocket", "", HERE, b"https://elsewhere.example", 403),  # no same-origin policy protects a WebSocket
        ("websocket", "", b"rebound.example", None, 403),
        ("http", "GET", b"[::1]:8080", None, 200),
        ("http", "GET", b"LocalHost:8080", None, 200),
    ],
)
async def test_the_border(kind: str, method: str, host: bytes, origin: bytes | None, expected: int) -> None:
    assert (await answer(kind, method, host, origin))[0] == expected


async def test_every_answer_has_the_security_headers() -> None:
    for host in (HERE, b"rebound.example"):
        _, headers = await answer("http", "GET", host)
        assert dict(SECURITY_HEADERS).items() <= headers.items()
        assert headers[b"cache-control"] == b"no-store"
        assert b"access-control-allow-origin" not in headers
    assert b"'unsafe" not in dict(SECURITY_HEADERS)[b"content-security-policy"]


async def test_other_sites_get_what_is_configured_and_no_cookies() -> None:
    status, headers = await answer("http", "OPTIONS", HERE, b"https://noc.example")
    assert (status, headers[b"access-control-allow-origin"]) == (204, b"https://noc.example")
    assert b"authorization" in headers[b"access-control-allow-headers"]
    assert b"access-control-allow-credentials" not in headers
    status, headers = await answer("http", "GET", HERE, b"https://noc.example")
    assert (status, headers[b"access-control-allow-origin"], headers[b"vary"]) == (
        200,
        b"https://noc.example",
        b"origin",
    )
    for origin in (b"https://elsewhere.example", b"http://noc.example", b"https://noc.example.evil.example"):
        _, headers = await answer("http", "OPTIONS", HERE, origin)
        assert not any(name.startswith(b"access-control") for name in headers)
    _, headers = await answer("http", "OPTIONS", HERE, b"https://noc.example", Network())
    assert b"access-control-allow-origin" not in headers
