"""Signing in, and changing one's own password."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from srt_router.accounts import store
from srt_router.accounts.accounts import Accounts, UserChange, now_ms
from srt_router.accounts.devices import known_device, new_device
from srt_router.accounts.errors import SignInRefused, SignInThrottled
from srt_router.accounts.opaque import SESSION, digest, new_id, new_secret
from srt_router.accounts.records import Identity, Origin, Session, User
from srt_router.accounts.throttle import Attempt, Throttle
from srt_router.storage.database import Unavailable

log = logging.getLogger("Accounts")

SESSIONS_OF_USER = 200
"""Who signs in once more ends the session that was not used for longest."""
_LONGEST_CLIENT = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session."""

    secret: str
    user: User
    session: Session
    device: str
    """The cookie by which this device is known next time."""


class SignIn:
    """The door: one per server, as it remembers who tried."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._throttle = Throttle()

    async def sign_in(self, name: str, password: str, origin: Origin) -> SignedIn:
        """Raises SignInRefused, SignInThrottled, and Unavailable where nobody can be known at all."""
        await self._accounts.load()
        book = self._accounts.book
        user = book.user_named(name)
        attempt = Attempt(
            account=name,
            address=origin.address,
            device=known_device(self._accounts.device_key, user, origin.device),
            known_address=user is not None
            and any(session.address == origin.address for session in book.sessions_of(user.id)),
        )
        await self._judge(attempt, user, password)
        assert user is not None  # noqa: S101 - nobody has no password
        return await self._open_session(user, password, origin)

    async def change_password(self, who: Identity, old: str, new: str) -> User:
        """Change one's own; all other sessions of the user end.

        Raises SignInRefused where `old` is wrong, SignInThrottled, PasswordRefused, UserNotFound, Unavailable.
        """
        user = self._accounts.user(who.name)
        await self._judge(Attempt(user.name, None, device=f"session {who.id}"), user, old)
        _, after = await self._accounts.change_user(
            user.name, UserChange(password=new, must_change_password=False), keep=who.id
        )
        return after

    async def _judge(self, attempt: Attempt, user: User | None, password: str) -> None:
        wait = self._throttle.admit(attempt, time.monotonic())
        if wait > 0:
            raise SignInThrottled(wait)
        passwords = self._accounts.passwords
        try:
            right = await passwords.verify(user.password_hash if user else None, password, known=attempt.known)
        except BaseException:
            self._throttle.undecided(attempt, time.monotonic())
            raise
        if user is None or not right or not self._still(user):
            raise SignInRefused
        self._throttle.succeeded(attempt, time.monotonic())

    def _still(self, user: User) -> bool:
        """Nobody has disabled the account or changed its password while we looked."""
        now = self._accounts.book.users.get(user.id)
        return now is not None and not now.disabled and now.password_hash == user.password_hash

    async def _open_session(self, user: User, password: str, origin: Origin) -> SignedIn:
        secret, now = new_secret(SESSION), now_ms()
        session = Session(
            id=new_id(),
            digest=digest(secret),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            expires_at=now + int(self._accounts.lifetimes.longest_s * 1000),
            address=origin.address,
            client=origin.client[:_LONGEST_CLIENT],
        )
        renewed = None
        if self._accounts.passwords.is_outdated(user.password_hash):
            renewed = await self._accounts.passwords.hash(password)
        async with self._accounts.changing:
            if not self._still(user):
                raise SignInRefused
            book = self._accounts.book
            user = replace(book.users[user.id], last_sign_in_at=now)
            user = replace(user, password_hash=renewed) if renewed else user
            mine = sorted(book.sessions_of(user.id), key=lambda one: one.seen_at)
            gone = mine[: max(0, len(mine) + 1 - SESSIONS_OF_USER)]
            book.users[user.id] = user
            book.sessions[session.digest] = session
            for old in gone:
                book.sessions.pop(old.digest, None)
            steps = [store.put_user(user), store.put_session(session), store.drop_sessions(one.id for one in gone)]
            try:
                await self._accounts.commit(*steps)
            except Unavailable as error:  # a full disk is no time to keep operators out
                book.used_sessions.add(session.digest)
                log.warning("A sign-in is in memory only: %s", error)
        return SignedIn(secret, user, session, new_device(self._accounts.device_key, user))
