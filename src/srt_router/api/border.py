"""What is refused before any path is looked at: requests that a web page elsewhere made a browser send.

Until accounts exist the server answers on loopback only. A page of the internet can still reach loopback
through the user's own browser: under a host name of its own (DNS rebinding) or with a blind POST.
"""

from __future__ import annotations

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from srt_router.api.problems import problem

_SAFE = ("GET", "HEAD", "OPTIONS")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Border:
    """Lets requests through whose Host is this machine and whose Origin, where they change something, is us."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 itself, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        reads = scope["type"] == "http" and scope["method"] in _SAFE  # a WebSocket is no mere look
        reason = _reason(headers, reads=reads)
        if reason:
            await problem(403, "forbidden", "Not from here", reason)(scope, receive, send)
            return

        async def send_guarded(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                message = {**message, "headers": [*given, *_SECURITY_HEADERS]}  # type: ignore[misc]
            await send(message)

        await self._app(scope, receive, send_guarded)  # type: ignore[arg-type]


def _reason(headers: dict[bytes, str], *, reads: bool) -> str | None:
    host = headers.get(b"host", "")
    if not is_local(host):
        return f"the Host header must name this machine (localhost, 127.0.0.1), not {host[:100]!r}"
    origin = headers.get(b"origin")
    if not reads and origin is not None and origin.partition("://")[2] != host:
        return "a page of another site may not change anything here"
    return None


def is_local(host: str) -> bool:
    """True for `localhost` and loopback addresses, with or without a port."""
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
