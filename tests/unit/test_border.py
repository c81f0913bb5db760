"""Who may ask, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from srt_router.api.border import Border

HERE = b"127.0.0.1:8080"


async def status(kind: str, method: str, host: bytes = HERE, origin: bytes | None = None) -> int:
    """What the border answers; 200 is the application behind it."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    headers = [(b"host", host)] + ([(b"origin", origin)] if origin is not None else [])
    scope = {"type": kind, "method": method, "headers": headers, "extensions": {"websocket.http.response": {}}}
    if kind == "websocket":
        del scope["method"]
    await Border(app)(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("kind", "method", "host", "origin", "expected"),
    [
        ("http", "GET", HERE, None, 200),
        ("http", "GET", b"localhost", b"https://elsewhere.example", 200),  # the browser does not show it the answer
        ("http", "GET", b"rebound.example", None, 403),
        ("http", "GET", b"", None, 403),
        ("http", "POST", HERE, None, 200),
        ("http", "POST", HERE, b"http://127.0.0.1:8080", 200),
        ("http", "POST", HERE, b"http://127.0.0.1:9090", 403),
        ("http", "POST", HERE, b"null", 403),
        ("http", "DELETE", HERE, b"https://elsewhere.example", 403),
        ("websocket", "", HERE, None, 200),
        ("websocket", "", HERE, b"http://127.0.0.1:8080", 200),
        ("websocket", "", HERE, b"https://elsewhere.example", 403),  # no same-origin policy protects a WebSocket
        ("websocket", "", b"rebound.example", None, 403),
        ("http", "GET", b"[::1]:8080", None, 200),
        ("http", "GET", b"LocalHost:8080", None, 200),
    ],
)
async def test_the_border(kind: str, method: str, host: bytes, origin: bytes | None, expected: int) -> None:
    assert await status(kind, method, host, origin) == expected
