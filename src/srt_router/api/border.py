"""What is refused before anybody asks who it is: other people's names for us, other people's pages, and headers
that tell a browser what it must not do with our answers.

A page of the internet can reach this server through its user's own browser: under a host name of its own (DNS
rebinding) or with a blind POST.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srt_router.api.network import Headers, Network
from srt_router.api.problems import problem

SAFE = ("GET", "HEAD", "OPTIONS")
CONTENT_SECURITY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Scripts and styles from here only, and none in the page itself."""
SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), usb=()"),
]
_NO_STORE = (b"cache-control", b"no-store")
_CORS_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_CORS_HEADERS = b"authorization, content-type, if-match, if-none-match"
_CORS_EXPOSED = b"etag, location, retry-after"


class Border:
    """Lets requests through whose Host is us and whose Origin, where they change something, is us too."""

    def __init__(self, app: ASGIApp, network: Network | None = None) -> None:
        self._app = app
        self._network = network or Network()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 itself, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = joined(scope)
        client = scope.get("client")
        visitor = self._network.visitor(client[0] if client else None, headers)
        scope.setdefault("state", {})["visitor"] = visitor
        origin = headers.get(b"origin")
        shared = origin if origin in self._network.cors_origins else None
        guarded = self._guarded(send, shared)
        if shared and scope["type"] == "http" and scope["method"] == "OPTIONS":
            await _preflight(guarded)
            return
        reads = scope["type"] == "http" and scope["method"] in SAFE  # a WebSocket is no mere look
        reason = self._reason(headers, reads=reads or bool(shared), secure=visitor.secure)
        if reason:
            await problem(403, "forbidden", "Not from here", reason)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _reason(self, headers: Headers, *, reads: bool, secure: bool) -> str | None:
        host = headers.get(b"host", "")
        if not self._network.knows_host(host):
            return f"the Host header must be an address or a name of this server (ALLOWED_HOSTS), not {host[:100]!r}"
        origin = headers.get(b"origin")
        if not reads and origin is not None and not is_own(origin, host, secure=secure):
            return "a page of another site may not change anything here"
        return None

    def _guarded(self, send: Send, shared: str | None) -> Send:
        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                given = list(message.get("headers", ()))
                more = list(SECURITY_HEADERS)
                if not any(name.lower() == b"cache-control" for name, _ in given):
                    more.append(_NO_STORE)
                if shared:
                    more += [(b"access-control-allow-origin", shared.encode("latin-1")), (b"vary", b"origin")]
                    more.append((b"access-control-expose-headers", _CORS_EXPOSED))
                message = {**message, "headers": [*given, *more]}
            await send(message)

        return send_guarded


async def _preflight(send: Send) -> None:
    """What a browser asks before a page of another site may send a token. Cookies are never allowed there."""
    headers = [
        (b"access-control-allow-methods", _CORS_METHODS),
        (b"access-control-allow-headers", _CORS_HEADERS),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def joined(scope: Scope) -> Headers:
    """The headers; one that was given several times is one list. Two hosts are no host."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def is_own(origin: str, host: str, *, secure: bool) -> bool:
    """The page is one of this server. Behind TLS, a page that came without it is not."""
    scheme, _, rest = origin.partition("://")
    return rest == host and (scheme == "https" if secure else scheme in ("http", "https"))
