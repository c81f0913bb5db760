"""`/api/tokens`: sign-ins for scripts. Everybody has their own; administrators see all."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from srt_router.accounts.accounts import TOKEN_NAME, Accounts, now_ms
from srt_router.accounts.errors import TokenNotFound
from srt_router.accounts.records import ApiToken, Kind
from srt_router.accounts.roles import Role
from srt_router.api.access import Caller
from srt_router.api.audit import audit
from srt_router.api.auth import the_caller
from srt_router.api.problems import FieldProblem, Problem, Responses, problem

_LATEST = 2**53


class TokenView(BaseModel):
    """One API token, as shown. Never the token itself."""

    id: str
    name: str
    role: Role
    """What it may do at most: no more than its user may."""
    user: str | None
    """Whose it is; null: made on the machine itself."""
    createdAt: int  # noqa: N815 - as it is called in JSON
    expiresAt: int | None  # noqa: N815
    usedAt: int | None  # noqa: N815
    """Last used."""
    usedFrom: str | None  # noqa: N815
    """IP address it was last used from."""


class TokenList(BaseModel):
    """API tokens, by name."""

    items: list[TokenView]


class NewToken(BaseModel):
    """An API token to be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=TOKEN_NAME, description="What it is for; unique")
    role: Role = Role.VIEWER
    expiresAt: int | None = Field(None, ge=0, le=_LATEST, description="Milliseconds since the epoch; null: never")  # noqa: N815


class MadeToken(BaseModel):
    """A new API token."""

    token: str
    """For `Authorization: Bearer`; shown this once."""
    item: TokenView


TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of an API token")]
_MADE: Responses = {
    403: {"model": Problem, "description": "The role is higher than one's own, or the caller is a token itself"},
    409: {"model": Problem, "description": "There is a token of that name"},
}
_NO_TOKEN: Responses = {404: {"model": Problem}}


def tokens_api(accounts: Accounts) -> APIRouter:
    """The paths under `/api/tokens`."""
    api = APIRouter(prefix="/api/tokens", tags=["accounts"])

    @api.get("", response_model=TokenList, summary="API tokens")
    async def list_tokens(request: Request) -> TokenList:
        """One's own; for an administrator everybody's."""
        await accounts.load()
        caller = the_caller(request)
        found = [token for token in accounts.book.tokens.values() if _may_see(caller, token)]
        return TokenList(items=[_view(accounts, token) for token in sorted(found, key=lambda one: one.name)])

    @api.post("", status_code=201, response_model=MadeToken, responses=_MADE, summary="Make an API token")
    async def add_token(request: Request, new: NewToken) -> MadeToken | Response:
        """The token is shown this once. It can do no more than the user who makes it, and goes with that user."""
        caller = the_caller(request)
        if caller.kind is Kind.TOKEN:
            return problem(403, "forbidden", "Not allowed", "a token cannot make another one: sign in as a user")
        if not caller.may(new.role):
            detail = f"{caller.name} has the role {caller.role} and cannot give a token the role {new.role}"
            return problem(403, "roleTooLow", "Not allowed", detail)
        if new.expiresAt is not None and new.expiresAt <= now_ms():
            wrong = [FieldProblem(field="body.expiresAt", message="must not have passed")]
            return problem(422, "requestInvalid", "The request is not valid", "See errors, field by field", wrong)
        token, secret = await accounts.add_token(new.name, new.role, user_id=caller.user_id, expires_at=new.expiresAt)
        shown = _view(accounts, token)
        audit(request, "token.add", after=shown)
        return MadeToken(token=secret, item=shown)

    @api.delete("/{token_id}", status_code=204, responses=_NO_TOKEN, summary="Delete an API token")
    async def remove_token(request: Request, token_id: TokenId) -> Response:
        """One's own; for an administrator anybody's. It counts no more at once."""
        caller = the_caller(request)
        if caller.role is not Role.ADMINISTRATOR and caller.user_id is None:
            raise TokenNotFound(f"there is no token {token_id}, or it is somebody else's")
        gone = await accounts.remove_token(token_id, None if caller.role is Role.ADMINISTRATOR else caller.user_id)
        audit(request, "token.remove", before=_view(accounts, gone))
        return Response(status_code=204)

    return api


def _may_see(caller: Caller, token: ApiToken) -> bool:
    return caller.role is Role.ADMINISTRATOR or (caller.user_id is not None and caller.user_id == token.user_id)


def _view(accounts: Accounts, token: ApiToken) -> TokenView:
    owner = accounts.book.users.get(token.user_id) if token.user_id is not None else None
    return TokenView(
        id=token.id,
        name=token.name,
        role=token.role,
        user=owner.name if owner else None,
        createdAt=token.created_at,
        expiresAt=token.expires_at,
        usedAt=token.used_at,
        usedFrom=token.used_from,
    )
