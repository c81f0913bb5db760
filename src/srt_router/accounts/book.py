"""Users, sessions and API tokens in memory, found by name or by what somebody shows. No disk, no clock."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from srt_router.accounts.opaque import digest
from srt_router.accounts.records import ApiToken, Identity, Kind, Session, User
from srt_router.accounts.roles import Role

_USE_NOTED_MS = 1000
"""Uses within so long count as one."""

LOCAL = Identity("local", Role.ADMINISTRATOR, Kind.LOCAL, "", None)


@dataclass(slots=True)
class Book:
    """What is known at the moment."""

    idle_ms: int
    """A session that is not used for so long has ended."""
    users: dict[int, User] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    """By digest."""
    tokens: dict[bytes, ApiToken] = field(default_factory=dict)
    """By digest."""
    local: bytes | None = None
    """Digest of the credential for commands on this machine."""
    used_sessions: set[bytes] = field(default_factory=set)
    used_tokens: set[bytes] = field(default_factory=set)
    """Used since they were written."""

    def fill(self, users: Iterable[User], sessions: Iterable[Session], tokens: Iterable[ApiToken]) -> None:
        """Take over what is kept; the local credential stays."""
        self.users = {user.id: user for user in users}
        self.sessions = {session.digest: session for session in sessions}
        self.tokens = {token.digest: token for token in tokens}
        self.used_sessions.clear()
        self.used_tokens.clear()

    # Users

    def user_named(self, name: str) -> User | None:
        """Small letters and capitals are the same."""
        wanted = name.casefold()
        return next((user for user in self.users.values() if user.name.casefold() == wanted), None)

    def administrators(self) -> list[User]:
        """Who can administer this server."""
        return [user for user in self.users.values() if user.role is Role.ADMINISTRATOR and not user.disabled]

    def sessions_of(self, user_id: int) -> list[Session]:
        """Every session of a user."""
        return [session for session in self.sessions.values() if session.user_id == user_id]

    def tokens_of(self, user_id: int) -> int:
        """How many API tokens a user has."""
        return sum(token.user_id == user_id for token in self.tokens.values())

    # Who is it?

    def identify(self, secret: str, address: str | None, now_ms: int) -> Identity | None:
        """Whose secret it is; None: nobody's, or it counts no more. Using it is noted."""
        shown = digest(secret)
        if self.local is not None and hmac.compare_digest(shown, self.local):
            return LOCAL
        if session := self.sessions.get(shown):
            identity = self._of_session(session, now_ms)
            if identity and now_ms - session.seen_at >= _USE_NOTED_MS:
                self.sessions[shown] = replace(session, seen_at=now_ms)
                self.used_sessions.add(shown)
            return identity
        if token := self.tokens.get(shown):
            identity = self._of_token(token, now_ms)
            if identity and now_ms - (token.used_at or 0) >= _USE_NOTED_MS:
                self.tokens[shown] = replace(token, used_at=now_ms, used_from=address)
                self.used_tokens.add(shown)
            return identity
        return None

    def has_ended(self, session: Session, now_ms: int) -> bool:
        """Too old, or not used for too long."""
        return now_ms >= session.expires_at or now_ms - session.seen_at > self.idle_ms

    def ended(self, now_ms: int) -> list[Session]:
        """Every session that has ended by itself."""
        return [session for session in self.sessions.values() if self.has_ended(session, now_ms)]

    def _of_session(self, session: Session, now_ms: int) -> Identity | None:
        user = self.users.get(session.user_id)
        if user is None or user.disabled or self.has_ended(session, now_ms):
            return None
        return Identity(user.name, user.role, Kind.SESSION, session.id, user.id, user.must_change_password)

    def _of_token(self, token: ApiToken, now_ms: int) -> Identity | None:
        if token.expires_at is not None and now_ms >= token.expires_at:
            return None
        role = token.role
        if token.user_id is not None:
            owner = self.users.get(token.user_id)
            if owner is None or owner.disabled:
                return None
            role = token.role if owner.role.covers(token.role) else owner.role
        return Identity(token.name, role, Kind.TOKEN, token.id, token.user_id)
