"""Asks everybody who it is, looks into the table of rules, and tells the history what was done.

Stands behind the border and in front of every path, so that no path has to think of it, and none can forget it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srt_router.accounts.accounts import Accounts
from srt_router.accounts.records import Identity, Kind
from srt_router.accounts.roles import Role
from srt_router.api.access import Caller, Visitor
from srt_router.api.audit import audit
from srt_router.api.border import SAFE, is_own, joined
from srt_router.api.network import Headers, Network
from srt_router.api.problems import problem
from srt_router.api.rates import Rates
from srt_router.api.rules import Rule, RuleBook, least_role
from srt_router.storage.database import Unavailable

BODY_PATIENCE_S = 60.0
"""A body must have come wholly within so long."""
_PAGES = ("/docs",)
"""What a browser that is not signed in is led away from, to the sign-in."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a request shows of itself."""

    secret: str | None
    by_cookie: bool


class Guard:
    """Answers 401, 403, 404, 405, 413, 429, 503 itself, or hands on."""

    def __init__(self, app: ASGIApp, accounts: Accounts, network: Network, rules: RuleBook | None = None) -> None:
        self._app = app
        self._accounts = accounts
        self._network = network
        self._rules = rules or RuleBook()
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = joined(scope)
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        rule = self._rules.find(method, scope["path"])
        shown = self._shown(headers)
        try:
            identity = await self._identify(shown, scope["state"]["visitor"], needed=not (rule and rule.least is None))
        except Unavailable as error:
            answer: Response | None = _unavailable(error)
        else:
            answer = self._answer(scope, headers, rule, identity)
            if answer is None and rule is not None and rule.least is not None:
                answer = self._forgery(headers, method, shown, scope)
        if answer is None and rule is not None:
            if method in SAFE or method == "WEBSOCKET":
                await self._app(scope, receive, send)
                return
            answer = await self._change(scope, receive, send, rule)
        if answer is not None:
            await answer(scope, receive, send)

    # Who is it?

    def _shown(self, headers: Headers) -> _Shown:
        scheme, _, secret = headers.get(b"authorization", "").partition(" ")
        if scheme:
            return _Shown(secret.strip() if scheme.lower() == "bearer" else None, by_cookie=False)
        try:
            cookie = SimpleCookie(headers.get(b"cookie", "")).get(self._network.session_cookie)
        except CookieError:
            cookie = None
        return _Shown(cookie.value if cookie else None, by_cookie=True)

    async def _identify(self, shown: _Shown, visitor: Visitor, *, needed: bool) -> Identity | None:
        """Raises Unavailable where it is needed and nobody can be known: that is not the caller's mistake."""
        if not shown.secret:
            return None
        identity = self._accounts.identify(shown.secret, visitor.address)
        if identity is None and needed and not self._accounts.loaded:
            await self._accounts.load()
            identity = self._accounts.identify(shown.secret, visitor.address)
        return identity

    # May it?

    def _answer(self, scope: Scope, headers: Headers, rule: Rule | None, identity: Identity | None) -> Response | None:
        """Why not; None: it may."""
        visitor: Visitor = scope["state"]["visitor"]
        if identity is None and (wait := self._rates.wait_s(visitor, time.monotonic())) > 0:
            return _later(wait)
        if identity is not None:
            scope["state"]["caller"] = Caller.of(identity, visitor.address)
            scope["state"]["still"] = self._recheck(headers, visitor, (rule and rule.least) or Role.VIEWER)
        if rule is None:
            return self._no_rule(scope, identity)
        if rule.least is None or (rule.on_this_machine and visitor.on_this_machine and identity is None):
            return None
        if identity is None:
            return _sign_in_first(scope, headers)
        if identity.must_change_password and not rule.unchanged_password:
            detail = "change your password first: POST /api/auth/password"
            return problem(403, "passwordChangeRequired", "The password must be changed", detail)
        least = least_role(rule, scope["query_string"].decode("latin-1")) or rule.least
        if not identity.role.covers(least):
            detail = f"this needs the role {least}; {identity.name} has the role {identity.role}"
            return problem(403, "roleTooLow", "Not allowed", detail)
        return None

    def _no_rule(self, scope: Scope, identity: Identity | None) -> Response:
        if identity is None:
            return _sign_in_first(scope, {})
        methods = self._rules.methods(scope["path"])
        if scope["type"] == "http" and methods:
            answer = problem(405, "methodNotAllowed", "Method Not Allowed", f"this path knows {', '.join(methods)}")
            answer.headers["allow"] = ", ".join(methods)
            return answer
        return problem(404, "notFound", "Not Found", "there is no such path")

    def _recheck(self, headers: Headers, visitor: Visitor, least: Role) -> object:
        """For what lasts: whether the same sign-in would be let in now."""
        secret = self._shown(headers).secret or ""

        def still() -> bool:
            identity = self._accounts.identify(secret, visitor.address)
            return identity is not None and identity.role.covers(least) and not identity.must_change_password

        return still

    def _forgery(self, headers: Headers, method: str, shown: _Shown, scope: Scope) -> Response | None:
        """A cookie comes along with whatever a browser sends: a change by cookie must come from a page of ours."""
        caller = scope["state"].get("caller")
        if method in SAFE or not shown.by_cookie or caller is None or caller.kind is not Kind.SESSION:
            return None
        origin, secure = headers.get(b"origin"), scope["state"]["visitor"].secure
        if origin is not None and is_own(origin, headers.get(b"host", ""), secure=secure):
            return None
        if origin is None and (method == "WEBSOCKET" or headers.get(b"sec-fetch-site") == "same-origin"):
            return None
        detail = "with a cookie, a change must come from a page of this server; a script sends Authorization: Bearer"
        return problem(403, "forbidden", "Not from here", detail)

    # A change

    async def _change(self, scope: Scope, receive: Receive, send: Send, rule: Rule) -> Response | None:
        """Read the body, hand on, and tell the history. An answer: the body was refused."""
        try:
            async with asyncio.timeout(BODY_PATIENCE_S):
                body = await read_body(joined(scope), receive, rule.body)
        except TooLong:
            limit = f"{rule.body // 1024} KiB"
            answer = problem(413, "bodyTooLarge", "Content Too Large", f"the body may be {limit} at most")
            answer.headers["connection"] = "close"
            return answer
        except TimeoutError:
            answer = problem(408, "bodyTooSlow", "Request Timeout", f"no whole body within {BODY_PATIENCE_S:.0f} s")
            answer.headers["connection"] = "close"
            return answer
        if body is None:
            return None  # nobody is there any more
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, _replayed(body, receive), send_noted)
        request = Request(scope)
        if status and status < 400 and not getattr(request.state, "audited", False) and rule.least is not None:
            action = rule.action or f"{scope['method']} {scope['path']}"
            audit(request, action, route_id=scope.get("path_params", {}).get("route_id"))
        return None


class TooLong(Exception):  # noqa: N818 - said as it is
    """A body is longer than it may be."""


async def read_body(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """The whole body; None: the client has gone. Raises TooLong as soon as that is known."""
    length = headers.get(b"content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLong
    parts, total = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        total += len(parts[-1])
        if total > limit:
            raise TooLong
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body, as one message, then what else the client says."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _sign_in_first(scope: Scope, headers: Headers) -> Response:
    if scope["type"] == "http" and scope["path"] in _PAGES and "text/html" in headers.get(b"accept", ""):
        return RedirectResponse(f"/sign-in?next={quote(scope['path'])}", status_code=303)
    answer = problem(
        401, "notSignedIn", "Not signed in", "sign in (POST /api/auth/login), or send Authorization: Bearer TOKEN"
    )
    answer.headers["www-authenticate"] = 'Bearer realm="SRT Router"'
    return answer


def _later(wait_s: float) -> Response:
    answer = problem(429, "tooManyRequests", "Too Many Requests", "too many requests without a sign-in from there")
    answer.headers["retry-after"] = str(int(wait_s) + 1)
    return answer


def _unavailable(error: Unavailable) -> Response:
    answer = problem(503, "storageUnavailable", "Nobody can be recognised now", str(error))
    answer.headers["retry-after"] = "30"
    return answer
