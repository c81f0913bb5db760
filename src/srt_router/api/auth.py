"""`/api/auth`: signing in and out, one's own password and sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from srt_router.accounts.accounts import Accounts
from srt_router.accounts.errors import SessionNotFound, SignInRefused, SignInThrottled
from srt_router.accounts.passwords import LONGEST
from srt_router.accounts.records import Identity, Kind, Origin, Session
from srt_router.accounts.roles import Role
from srt_router.accounts.sign_in import SignedIn, SignIn
from srt_router.api.access import Caller, caller_of, visitor_of
from srt_router.api.audit import audit
from srt_router.api.network import Network
from srt_router.api.problems import Problem, Responses, problem
from srt_router.supervision import events

_DEVICE_LASTS_S = 400 * 24 * 3600
_LOGIN_PATH = "/api/auth/login"

Secret = Annotated[SecretStr, Field(max_length=LONGEST, json_schema_extra={"format": "password"})]


class Credentials(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=64)
    password: Secret


class Login(BaseModel):
    """A new session. The same sign-in is in the cookie."""

    token: str
    """For `Authorization: Bearer`; shown this once."""
    name: str
    role: Role
    mustChangePassword: bool  # noqa: N815 - as it is called in JSON
    """Nothing else is allowed before."""
    expiresAt: int  # noqa: N815
    """The session ends then at the latest."""


class Me(BaseModel):
    """Who asks."""

    name: str
    role: Role
    kind: Kind
    address: str | None
    mustChangePassword: bool  # noqa: N815


class PasswordChange(BaseModel):
    """One's own new password."""

    model_config = ConfigDict(extra="forbid")

    currentPassword: Secret  # noqa: N815
    newPassword: Secret  # noqa: N815


class SessionView(BaseModel):
    """One session."""

    id: str
    user: str
    createdAt: int  # noqa: N815
    seenAt: int  # noqa: N815
    """Last used."""
    expiresAt: int  # noqa: N815
    address: str | None
    client: str
    """How the browser or program calls itself."""
    current: bool
    """The one that asks."""


class SessionList(BaseModel):
    """Sessions, the one used last first."""

    items: list[SessionView]


SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of a session")]


def the_caller(request: Request) -> Caller:
    """Who asks, on a path that the rules keep from everybody else."""
    caller = caller_of(request)
    if caller is None:
        raise RuntimeError(f"{request.url.path} was reached without a sign-in")
    return caller


def auth_api(accounts: Accounts, network: Network) -> APIRouter:
    """The paths under `/api/auth`."""
    api = APIRouter(prefix="/api/auth", tags=["accounts"])
    door = SignIn(accounts)

    @api.post("/login", response_model=Login, responses=_REFUSED, summary="Sign in")
    async def login(request: Request, credentials: Credentials) -> Response:
        """Answers with a session cookie, and with a token for scripts."""
        visitor = visitor_of(request)
        origin = Origin(
            address=visitor.address,
            client=request.headers.get("user-agent", ""),
            device=request.cookies.get(network.device_cookie),
        )
        try:
            signed = await door.sign_in(credentials.username, credentials.password.get_secret_value(), origin)
        except (SignInRefused, SignInThrottled) as error:
            _tell_refusal(request, accounts, credentials.username, error)
            raise
        user, session = signed.user, signed.session
        request.state.caller = Caller(user.name, user.role, visitor.address, Kind.SESSION, session.id, user.id)
        audit(request, "auth.signIn", after={"session": session.id, "client": session.client})
        answer = JSONResponse(_login(signed).model_dump())
        _give_cookies(answer, network, signed, secure=visitor.secure)
        return answer

    @api.post("/logout", status_code=204, summary="Sign out: end this session")
    async def logout(request: Request) -> Response:
        """For an API token there is nothing to end."""
        caller = the_caller(request)
        if caller.kind is Kind.SESSION:
            await accounts.revoke([caller.id], caller.user_id)
            audit(request, "auth.signOut", before={"session": caller.id})
        answer = Response(status_code=204)
        answer.delete_cookie(network.session_cookie, httponly=True, samesite="strict")
        return answer

    _add_oneself(api, accounts, door)
    _add_sessions(api, accounts)
    return api


def _add_oneself(api: APIRouter, accounts: Accounts, door: SignIn) -> None:
    @api.get("/me", response_model=Me, summary="Who am I?")
    async def me(request: Request) -> Me:
        caller = the_caller(request)
        user = accounts.book.users.get(caller.user_id or 0) if caller.kind is Kind.SESSION else None
        must = user is not None and user.must_change_password
        return Me(name=caller.name, role=caller.role, kind=caller.kind, address=caller.address, mustChangePassword=must)

    @api.post("/password", status_code=204, responses=_PASSWORD, summary="Change one's own password")
    async def change_password(request: Request, change: PasswordChange) -> Response:
        """Ends all other sessions of the user."""
        caller = the_caller(request)
        if caller.kind is not Kind.SESSION:
            return problem(403, "forbidden", "Not allowed", "only a user who is signed in has a password")
        who = Identity(caller.name, caller.role, caller.kind, caller.id, caller.user_id)
        old, new = change.currentPassword.get_secret_value(), change.newPassword.get_secret_value()
        try:
            await door.change_password(who, old, new)
        except SignInRefused:
            return problem(403, "wrongPassword", "Wrong password", "currentPassword is not your password")
        audit(request, "auth.changePassword")
        return Response(status_code=204)


def _add_sessions(api: APIRouter, accounts: Accounts) -> None:
    @api.get("/sessions", response_model=SessionList, summary="Who is signed in, where and since when")
    async def list_sessions(request: Request) -> SessionList:
        """One's own sessions; for an administrator those of everybody."""
        caller = the_caller(request)
        found = [one for one in accounts.book.sessions.values() if _may_see(caller, one)]
        found.sort(key=lambda one: one.seen_at, reverse=True)
        return SessionList(items=[_view(accounts, one, caller) for one in found])

    @api.delete("/sessions", status_code=204, summary="End all one's own sessions but this one")
    async def end_others(request: Request) -> Response:
        caller = the_caller(request)
        mine = accounts.book.sessions_of(caller.user_id) if caller.user_id is not None else []
        ids = [one.id for one in mine if one.id != caller.id]
        await accounts.revoke(ids, caller.user_id)
        audit(request, "session.endOthers", before={"sessions": len(ids)})
        return Response(status_code=204)

    @api.delete("/sessions/{session_id}", status_code=204, responses=_NO_SESSION, summary="End a session")
    async def end_session(request: Request, session_id: SessionId) -> Response:
        """One's own; for an administrator anybody's."""
        caller = the_caller(request)
        if caller.role is not Role.ADMINISTRATOR and caller.user_id is None:
            raise SessionNotFound("there is no such session: it has ended, or it is somebody else's")
        everybody = caller.role is Role.ADMINISTRATOR
        (gone,) = await accounts.revoke([session_id], None if everybody else caller.user_id)
        audit(request, "session.end", before={"session": gone.id, "user": accounts.book.users[gone.user_id].name})
        return Response(status_code=204)


_REFUSED: Responses = {
    401: {"model": Problem, "description": "Name and password do not fit"},
    429: {"model": Problem, "description": "Too many tries; Retry-After says when to try again"},
    503: {"model": Problem, "description": "The accounts cannot be read"},
}
_PASSWORD: Responses = {
    403: {"model": Problem, "description": "The current password is wrong"},
    422: {"model": Problem, "description": "The new password is too easily guessed"},
    429: {"model": Problem},
}
_NO_SESSION: Responses = {404: {"model": Problem}}


def _login(signed: SignedIn) -> Login:
    user = signed.user
    return Login(
        token=signed.secret,
        name=user.name,
        role=user.role,
        mustChangePassword=user.must_change_password,
        expiresAt=signed.session.expires_at,
    )


def _give_cookies(answer: Response, network: Network, signed: SignedIn, *, secure: bool) -> None:
    lasts = (signed.session.expires_at - signed.session.created_at) // 1000
    answer.set_cookie(
        network.session_cookie, signed.secret, max_age=lasts, secure=secure, httponly=True, samesite="strict"
    )
    answer.set_cookie(
        network.device_cookie,
        signed.device,
        max_age=_DEVICE_LASTS_S,
        path=_LOGIN_PATH,
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def _tell_refusal(request: Request, accounts: Accounts, name: str, error: Exception) -> None:
    """A name that nobody has is not kept: it may be a password in the wrong field."""
    user = accounts.book.user_named(name)
    reason = "tooMany" if isinstance(error, SignInThrottled) else "password"
    address = visitor_of(request).address
    request.app.state.manager.events.emit(events.SignInRefused(user.name if user else None, address, reason))


def _may_see(caller: Caller, session: Session) -> bool:
    return caller.role is Role.ADMINISTRATOR or caller.user_id == session.user_id


def _view(accounts: Accounts, session: Session, caller: Caller) -> SessionView:
    return SessionView(
        id=session.id,
        user=accounts.book.users[session.user_id].name,
        createdAt=session.created_at,
        seenAt=session.seen_at,
        expiresAt=session.expires_at,
        address=session.address,
        client=session.client,
        current=session.id == caller.id,
    )
