"""`/api/users`: who can sign in. For administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from srt_router.accounts.accounts import USER_NAME, Accounts, UserChange
from srt_router.accounts.passwords import LONGEST, SHORTEST
from srt_router.accounts.records import User
from srt_router.accounts.roles import Role
from srt_router.api.audit import audit
from srt_router.api.auth import the_caller
from srt_router.api.problems import Problem, Responses


class UserView(BaseModel):
    """One user, as shown. Never the password, nor its hash."""

    name: str
    role: Role
    disabled: bool
    """Cannot sign in; tokens do not count."""
    mustChangePassword: bool  # noqa: N815 - as it is called in JSON
    """At the next sign-in, before anything else."""
    createdAt: int  # noqa: N815
    passwordChangedAt: int  # noqa: N815
    lastSignInAt: int | None  # noqa: N815
    sessions: int
    """How many there are."""


class UserList(BaseModel):
    """Every user, by name."""

    items: list[UserView]


NewPassword = Annotated[
    SecretStr, Field(min_length=SHORTEST, max_length=LONGEST, json_schema_extra={"format": "password"})
]


class NewUser(BaseModel):
    """A user to be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=USER_NAME)
    role: Role
    password: NewPassword
    mustChangePassword: bool = False  # noqa: N815


class UserEdit(BaseModel):
    """What is to be another; what is not given, stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = None
    mustChangePassword: bool | None = None  # noqa: N815
    password: NewPassword | None = None
    """Ends the sessions of the user."""


UserName = Annotated[str, Path(pattern=USER_NAME, description="Name of a user")]
_NO_USER: Responses = {404: {"model": Problem}}
_NEW: Responses = {
    409: {"model": Problem, "description": "The name is taken, or not allowed"},
    422: {"model": Problem, "description": "A field is wrong, or the password is too easily guessed"},
}
_EDIT: Responses = {404: {"model": Problem}, 409: {"model": Problem, "description": "It is the last administrator"}}


def users_api(accounts: Accounts) -> APIRouter:
    """The paths under `/api/users`."""
    api = APIRouter(prefix="/api/users", tags=["accounts"])

    @api.get("", response_model=UserList, summary="Who can sign in")
    async def list_users() -> UserList:
        await accounts.load()
        return UserList(items=[_view(accounts, user) for user in accounts.users()])

    @api.post("", status_code=201, response_model=UserView, responses=_NEW, summary="Add a user")
    async def add_user(request: Request, new: NewUser, response: Response) -> UserView:
        user = await accounts.add_user(
            new.name, new.role, new.password.get_secret_value(), must_change_password=new.mustChangePassword
        )
        audit(request, "user.add", after=told(user))
        response.headers["location"] = f"/api/users/{user.name}"
        return _view(accounts, user)

    @api.get("/{name}", response_model=UserView, responses=_NO_USER, summary="One user")
    async def read_user(name: UserName) -> UserView:
        await accounts.load()
        return _view(accounts, accounts.user(name))

    @api.patch("/{name}", response_model=UserView, responses=_EDIT, summary="Change a user")
    async def change_user(request: Request, name: UserName, edit: UserEdit) -> UserView:
        """A new password, or `disabled`, ends the user's sessions."""
        change = UserChange(
            role=edit.role,
            disabled=edit.disabled,
            must_change_password=edit.mustChangePassword,
            password=edit.password.get_secret_value() if edit.password else None,
        )
        before, after = await accounts.change_user(name, change, keep=the_caller(request).id)
        audit(request, "user.change", before=told(before), after=told(after))
        return _view(accounts, after)

    @api.delete("/{name}", status_code=204, responses=_EDIT, summary="Remove a user")
    async def remove_user(request: Request, name: UserName) -> Response:
        """With all sessions and API tokens of the user."""
        audit(request, "user.remove", before=told(await accounts.remove_user(name)))
        return Response(status_code=204)

    return api


def told(user: User) -> dict[str, object]:
    """What the history tells of a user: a new password shows as another moment of its change."""
    return {
        "name": user.name,
        "role": str(user.role),
        "disabled": user.disabled,
        "mustChangePassword": user.must_change_password,
        "passwordChangedAt": user.password_changed_at,
    }


def _view(accounts: Accounts, user: User) -> UserView:
    return UserView(
        name=user.name,
        role=user.role,
        disabled=user.disabled,
        mustChangePassword=user.must_change_password,
        createdAt=user.created_at,
        passwordChangedAt=user.password_changed_at,
        lastSignInAt=user.last_sign_in_at,
        sessions=len(accounts.book.sessions_of(user.id)),
    )
