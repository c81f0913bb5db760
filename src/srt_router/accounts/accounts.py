"""Accounts of one server: read once into memory, written through at each change, used from one event loop.

Who is known to memory stays so while gateway.db cannot be used: sessions and tokens go on working. Where it
could not be read at all, whoever asks gets Unavailable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from srt_router.accounts import store
from srt_router.accounts.book import Book
from srt_router.accounts.errors import (
    LastAdministrator,
    SessionNotFound,
    TokenNotFound,
    TokenRefused,
    UserNameRefused,
    UserNotFound,
)
from srt_router.accounts.opaque import LOCAL, TOKEN, digest, new_id, new_password, new_secret
from srt_router.accounts.passwords import Passwords, check_new
from srt_router.accounts.records import ApiToken, Identity, Session, User
from srt_router.accounts.roles import Role
from srt_router.storage.database import Database, Unavailable

log = logging.getLogger("Accounts")

USER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
TOKEN_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$"  # noqa: S105 - a pattern
FIRST_NAME = "admin"
RESERVED = ("local", "nobody")
"""Names that events use for others."""
TOKENS = 1000
"""There are so many API tokens at most."""
TOKENS_OF_USER = 100
"""And so many of one user: nobody takes them from the others."""

_PATIENCE_S = 5.0
_WRITTEN_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lasts, in seconds."""

    idle_s: float = 12 * 3600
    """Without being used."""
    longest_s: float = 7 * 24 * 3600
    """However much it is used."""


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    """How the first administrator gets its password."""

    password: str | None
    """As configured; None: one is made."""
    tell: Callable[[str, str | None], None]
    """Called once with the name, and with the password if it was made, when it is kept."""


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to be another; None: stays."""

    role: Role | None = None
    disabled: bool | None = None
    must_change_password: bool | None = None
    password: str | None = None


class Accounts:
    """Users, sessions and API tokens of one server."""

    def __init__(
        self, database: Database, lifetimes: Lifetimes | None = None, first: FirstAdministrator | None = None
    ) -> None:
        """`first`: makes an administrator where there is none; None: does not."""
        self.lifetimes = lifetimes or Lifetimes()
        self.book = Book(idle_ms=int(self.lifetimes.idle_s * 1000))
        self.passwords = Passwords()
        self.loaded = False
        self.device_key = b""
        self._database = database
        self._first = first
        self.changing = asyncio.Lock()

    # Reading and writing

    async def load(self, *, again: bool = False) -> None:
        """Read what is kept, if that was not done yet, and make the first administrator. Raises Unavailable."""
        if self.loaded and not again:
            return
        async with self.changing:
            if self.loaded and not again:
                return
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    kept = await self._database.read(store.read)
                    key = kept.device_key
                    if key is None:
                        key = await self._database.write(store.make_device_key)
            except TimeoutError:
                raise Unavailable(f"{self._database.path} does not answer: the disk hangs") from None
            except (ValueError, TypeError) as error:  # no fault of SQLite's: a value that none of ours can be
                raise Unavailable(
                    f"the accounts in {self._database.path} are damaged ({error}): nobody can sign in. "
                    "Remedy: restore a backup (srt-router backup restore)"
                ) from error
            self.device_key = key
            self.book.fill(kept.users, kept.sessions, kept.tokens)
            if self._first is not None and not any(user.role is Role.ADMINISTRATOR for user in kept.users):
                await self._make_first(self._first)
            self.loaded = True

    async def _make_first(self, first: FirstAdministrator) -> None:
        if self.book.user_named(FIRST_NAME):
            log.error("There is no administrator, and the user %s is none: srt-router users role", FIRST_NAME)
            return
        password = first.password or new_password()
        user = self._new_user(FIRST_NAME, Role.ADMINISTRATOR, await self.passwords.hash(password))
        await self.commit(store.put_user(user))
        self.book.users[user.id] = user
        first.tell(user.name, None if first.password else password)

    async def commit(self, *steps: store.Step) -> None:
        """Write, wholly or not at all. Raises Unavailable."""
        await self._database.write(store.all_of(steps))

    async def run(self) -> None:
        """Load, then write from time to time what was used and forget what has ended, until cancelled."""
        while True:
            with contextlib.suppress(Unavailable):  # `trouble` of the database tells it, and so does a sign-in
                await self.load()
                await self.flush()
            await asyncio.sleep(_WRITTEN_EVERY_S)

    async def flush(self) -> None:
        """Write which sessions and tokens were used, and forget those that have ended. Raises Unavailable."""
        async with self.changing:
            ended = self.book.ended(now_ms())
            for session in ended:
                del self.book.sessions[session.digest]
            sessions, tokens = set(self.book.used_sessions), set(self.book.used_tokens)
            steps = [store.put_session(self.book.sessions[one]) for one in sessions if one in self.book.sessions]
            steps += [store.put_token(self.book.tokens[one]) for one in tokens if one in self.book.tokens]
            if ended:
                steps.append(store.drop_sessions(session.id for session in ended))
            if steps:
                await self.commit(*steps)
            self.book.used_sessions -= sessions
            self.book.used_tokens -= tokens

    async def close(self, patience_s: float) -> None:
        """Write what was used; a disk that hangs is not waited for."""
        with contextlib.suppress(Unavailable, TimeoutError):
            if self.loaded:
                await asyncio.wait_for(self.flush(), patience_s)
        self.passwords.close()

    def open_local(self, secret: str | None = None) -> str:
        """A new credential for commands on this machine (or this `secret` again); the one before counts no more."""
        secret = secret or new_secret(LOCAL)
        self.book.local = digest(secret)
        return secret

    def identify(self, secret: str, address: str | None) -> Identity | None:
        """Whose secret it is; None: nobody's, or it counts no more."""
        return self.book.identify(secret, address, now_ms())

    # Users

    def users(self) -> list[User]:
        """By name."""
        return sorted(self.book.users.values(), key=lambda user: user.name.casefold())

    def user(self, name: str) -> User:
        """Raises UserNotFound."""
        found = self.book.user_named(name)
        if found is None:
            raise UserNotFound(f"there is no user {name}")
        return found

    async def add_user(self, name: str, role: Role, password: str, *, must_change_password: bool = False) -> User:
        """Raises UserNameRefused, PasswordRefused, Unavailable."""
        await self.load()
        self._check_name(name)
        check_new(name, password)
        hashed = await self.passwords.hash(password)
        async with self.changing:
            self._check_name(name)
            user = replace(self._new_user(name, role, hashed), must_change_password=must_change_password)
            await self.commit(store.put_user(user))
            self.book.users[user.id] = user
        return user

    async def change_user(self, name: str, change: UserChange, *, keep: str | None = None) -> tuple[User, User]:
        """The user before and after. A new password or `disabled` ends its sessions, but the one with id `keep`.

        Raises UserNotFound, PasswordRefused, LastAdministrator, Unavailable.
        """
        await self.load()
        hashed = None
        if change.password is not None:
            check_new(self.user(name).name, change.password)
            hashed = await self.passwords.hash(change.password)
        async with self.changing:
            before = self.user(name)
            after = _changed(before, change, hashed)
            if before in self.book.administrators() and (after.disabled or after.role is not Role.ADMINISTRATOR):
                self._check_not_last(before)
            gone = self.book.sessions_of(before.id) if hashed or after.disabled else []
            gone = [session for session in gone if session.id != keep]
            await self.commit(store.put_user(after), store.drop_sessions(session.id for session in gone))
            self.book.users[after.id] = after
            self._forget(gone)
        return before, after

    async def remove_user(self, name: str) -> User:
        """Remove a user with all sessions and tokens. Raises UserNotFound, LastAdministrator, Unavailable."""
        await self.load()
        async with self.changing:
            user = self.user(name)
            if user in self.book.administrators():
                self._check_not_last(user)
            await self.commit(store.drop_user(user.id))
            del self.book.users[user.id]
            self._forget(self.book.sessions_of(user.id))
            self.book.tokens = {key: token for key, token in self.book.tokens.items() if token.user_id != user.id}
        return user

    def _new_user(self, name: str, role: Role, hashed: str) -> User:
        return User(
            id=max(self.book.users, default=0) + 1,
            name=name,
            role=role,
            password_hash=hashed,
            disabled=False,
            must_change_password=False,
            created_at=now_ms(),
            password_changed_at=now_ms(),
            last_sign_in_at=None,
        )

    def _check_name(self, name: str) -> None:
        if not re.fullmatch(USER_NAME, name) or name.casefold() in RESERVED:
            raise UserNameRefused(
                f"{name!r} cannot be a user name: take up to 64 letters, digits and . _ @ -, and not {RESERVED}"
            )
        if self.book.user_named(name):
            raise UserNameRefused(f"there is a user {name} already")

    def _check_not_last(self, user: User) -> None:
        if len(self.book.administrators()) == 1:
            raise LastAdministrator(user.name)

    # Sessions

    async def revoke(self, session_ids: Iterable[str], user_id: int | None) -> list[Session]:
        """End sessions; of one user only, unless `user_id` is None. Raises SessionNotFound if none is left to end."""
        wanted = set(session_ids)
        async with self.changing:
            gone = [
                session
                for session in self.book.sessions.values()
                if session.id in wanted and user_id in (None, session.user_id)
            ]
            if wanted and not gone:
                raise SessionNotFound("there is no such session: it has ended, or it is somebody else's")
            await self._drop(gone)
        return gone

    async def _drop(self, gone: list[Session]) -> None:
        """At once, whether or not that can be written now; what could not be written is on record still."""
        self._forget(gone)
        await self.commit(store.drop_sessions(session.id for session in gone))

    def _forget(self, sessions: Iterable[Session]) -> None:
        for session in list(sessions):
            self.book.sessions.pop(session.digest, None)

    # API tokens

    async def add_token(
        self, name: str, role: Role, *, user_id: int | None, expires_at: int | None
    ) -> tuple[ApiToken, str]:
        """The new token, and its secret, which is shown this once. Raises TokenRefused, Unavailable."""
        await self.load()
        if not re.fullmatch(TOKEN_NAME, name):
            raise TokenRefused(f"{name!r} cannot be a token's name: take up to 64 letters, digits, spaces and . _ @ -")
        secret = new_secret(TOKEN)
        async with self.changing:
            if any(token.name == name for token in self.book.tokens.values()):
                raise TokenRefused(f"there is a token {name!r} already: take another name, or delete it first")
            if len(self.book.tokens) >= TOKENS:
                raise TokenRefused(f"there are {TOKENS} tokens already: delete those that nobody needs")
            if user_id is not None and self.book.tokens_of(user_id) >= TOKENS_OF_USER:
                raise TokenRefused(f"you have {TOKENS_OF_USER} tokens already: delete those that you do not need")
            token = ApiToken(new_id(), digest(secret), name, role, user_id, now_ms(), expires_at, None, None)
            await self.commit(store.put_token(token))
            self.book.tokens[token.digest] = token
        return token, secret

    async def remove_token(self, token_id: str, user_id: int | None) -> ApiToken:
        """Delete a token; of one user only, unless `user_id` is None. Raises TokenNotFound, Unavailable."""
        await self.load()
        async with self.changing:
            for token in self.book.tokens.values():
                if token.id == token_id and user_id in (None, token.user_id):
                    break
            else:
                raise TokenNotFound(f"there is no token {token_id}, or it is somebody else's")
            await self.commit(store.drop_tokens([token.id]))
            del self.book.tokens[token.digest]
        return token


def _changed(user: User, change: UserChange, hashed: str | None) -> User:
    after = replace(
        user,
        role=user.role if change.role is None else change.role,
        disabled=user.disabled if change.disabled is None else change.disabled,
        must_change_password=(
            user.must_change_password if change.must_change_password is None else change.must_change_password
        ),
    )
    if hashed is None:
        return after
    return replace(after, password_hash=hashed, password_changed_at=max(now_ms(), user.password_changed_at + 1))


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
