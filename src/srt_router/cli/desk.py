"""Accounts from this machine: through the server while it runs, else in gateway.db itself.

Root and the server's user need no password: whoever can read gateway.db could write it anyway.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from srt_router.accounts.accounts import Accounts, UserChange
from srt_router.accounts.errors import TokenNotFound
from srt_router.accounts.roles import Role
from srt_router.errors import SrtRouterError
from srt_router.processes.directories import SafeDirectory
from srt_router.settings import Settings
from srt_router.storage.database import FILE_NAME, Database, Refused
from srt_router.storage.events import Event, EventStore
from srt_router.supervision.events import OperatorAction
from srt_router.supervision.installation import LiveServer, find_server

if TYPE_CHECKING:
    from srt_router.client import Client

Json = dict[str, Any]
T = TypeVar("T")


_PATIENCE_S = 60.0
"""A change may wait for others, and for processes to die."""


class CommandFailed(SrtRouterError):  # noqa: N818 - said as it is
    """The server refused what a command asked for."""

    code = "commandFailed"


class Desk:
    """What commands do with accounts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = find_server(settings)

    def users(self) -> list[Json]:
        """Every user, as in `GET /api/users`."""
        if self._server:
            return [{**one} for one in connected(self._server).users.list()]
        return self._directly(_users)

    def add_user(self, name: str, role: Role, password: str, *, must_change: bool) -> None:
        """Add a user."""
        if self._server:
            connected(self._server).users.add(name, role.value, password, must_change=must_change)
            return

        async def add(accounts: Accounts) -> OperatorAction:
            user = await accounts.add_user(name, role, password, must_change_password=must_change)
            return _did("user.add", None, {"name": user.name, "role": user.role})

        self._directly(_told(add))

    def change_user(self, name: str, change: UserChange) -> None:
        """Change a user."""
        if self._server:
            connected(self._server).users.change(
                name,
                role=change.role.value if change.role else None,
                disabled=change.disabled,
                must_change=change.must_change_password,
                password=change.password,
            )
            return

        async def edit(accounts: Accounts) -> OperatorAction:
            before, after = await accounts.change_user(name, change)
            return _did(
                "user.change",
                {"name": before.name, "role": before.role, "disabled": before.disabled},
                {"role": after.role, "disabled": after.disabled, "newPassword": bool(change.password)},
            )

        self._directly(_told(edit))

    def remove_user(self, name: str) -> None:
        """Remove a user."""
        if self._server:
            connected(self._server).users.remove(name)
            return

        async def remove(accounts: Accounts) -> OperatorAction:
            user = await accounts.remove_user(name)
            return _did("user.remove", {"name": user.name, "role": user.role}, None)

        self._directly(_told(remove))

    def tokens(self) -> list[Json]:
        """Every API token, as in `GET /api/tokens`."""
        if self._server:
            return [{**one} for one in connected(self._server).tokens.list()]
        return self._directly(_tokens)

    def add_token(self, name: str, role: Role, expires_at: int | None) -> str:
        """Make an API token; the token itself."""
        if self._server:
            return connected(self._server).tokens.add(name, role.value, expires_at=expires_at)["token"]
        made: list[str] = []

        async def add(accounts: Accounts) -> OperatorAction:
            token, secret = await accounts.add_token(name, role, user_id=None, expires_at=expires_at)
            made.append(secret)
            return _did("token.add", None, {"name": token.name, "role": token.role})

        self._directly(_told(add))
        return made[0]

    def remove_token(self, name: str) -> None:
        """Delete an API token. Raises TokenNotFound."""
        found = [one["id"] for one in self.tokens() if one["name"] == name]
        if not found:
            raise TokenNotFound(f"there is no token {name!r}: srt-router tokens list")
        if self._server:
            connected(self._server).tokens.remove(found[0])
            return

        async def remove(accounts: Accounts) -> OperatorAction:
            gone = await accounts.remove_token(found[0], None)
            return _did("token.remove", {"name": gone.name, "role": gone.role}, None)

        self._directly(_told(remove))

    def _directly(self, job: Callable[[_Room], Awaitable[T]]) -> T:
        """Do it in gateway.db. No server can start meanwhile: we hold its lock."""
        path = self._settings.data_dir / FILE_NAME
        if not path.exists():
            raise CommandFailed(f"there is no {path} yet: start the server once (and look at --config, DATA_DIR)")
        owner = path.parent.stat().st_uid
        if os.geteuid() == 0 and owner != 0:  # what we write belongs to the server's user
            os.setegid(path.parent.stat().st_gid)
            os.seteuid(owner)
        directory = SafeDirectory(self._settings.data_dir, mode=0o750, setting="DATA_DIR")
        try:
            directory.lock("DATA_DIR")
            return asyncio.run(_in_room(Database(self._settings.data_dir), job))
        finally:
            directory.close()


@dataclass(frozen=True, slots=True)
class _Room:
    accounts: Accounts
    events: EventStore


async def _in_room(database: Database, job: Callable[[_Room], Awaitable[T]]) -> T:
    accounts = Accounts(database)
    try:
        await accounts.load()
        return await job(_Room(accounts, EventStore(database)))
    except Refused as error:
        raise CommandFailed(str(error)) from error
    finally:
        accounts.passwords.close()
        await database.close()


def _told(change: Callable[[Accounts], Awaitable[OperatorAction]]) -> Callable[[_Room], Awaitable[None]]:
    """Make the change, and keep in the event history that it was made."""

    async def job(room: _Room) -> None:
        action = await change(room.accounts)
        await room.events.open()
        event = Event(0, time.time_ns() // 1_000_000, action.kind, None, None, action.message, action.data())
        room.events.add(replace(event, actor=action.by))
        await room.events.flush()

    return job


async def _users(room: _Room) -> list[Json]:
    book = room.accounts.book
    return [
        {
            "name": user.name,
            "role": str(user.role),
            "disabled": user.disabled,
            "mustChangePassword": user.must_change_password,
            "createdAt": user.created_at,
            "passwordChangedAt": user.password_changed_at,
            "lastSignInAt": user.last_sign_in_at,
            "sessions": len(book.sessions_of(user.id)),
        }
        for user in room.accounts.users()
    ]


async def _tokens(room: _Room) -> list[Json]:
    book = room.accounts.book
    return [
        {
            "id": token.id,
            "name": token.name,
            "role": str(token.role),
            "user": book.users[token.user_id].name if token.user_id in book.users else None,
            "createdAt": token.created_at,
            "expiresAt": token.expires_at,
            "usedAt": token.used_at,
            "usedFrom": token.used_from,
        }
        for token in sorted(book.tokens.values(), key=lambda one: one.name)
    ]


def _did(action: str, before: object, after: object) -> OperatorAction:
    return OperatorAction(action, "local", Role.ADMINISTRATOR, None, None, before, after)


def connected(server: LiveServer) -> Client:
    """To ask the server as somebody who may do everything. Raises CommandFailed where we may not."""
    if server.address is not None and server.address.token is None:
        raise CommandFailed("the server's local credential cannot be read: run this as root or as the server's user")
    return server.client(_PATIENCE_S)
