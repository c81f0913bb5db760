"""Accounts in gateway.db: what is read once and written at each change. For the writer thread and for readers."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from srt_router.accounts.records import ApiToken, Session, User
from srt_router.accounts.roles import Role

_DEVICE_KEY = "device"

Step = Callable[[sqlite3.Connection], None]
"""A part of a transaction."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept."""

    users: list[User]
    sessions: list[Session]
    tokens: list[ApiToken]
    device_key: bytes | None


def read(connection: sqlite3.Connection) -> Kept:
    """Everything that is kept."""
    users = [
        User(id_, name, Role(role), hashed, bool(disabled), bool(must), made, changed, last)
        for id_, name, role, hashed, disabled, must, made, changed, last in connection.execute("SELECT * FROM users")
    ]
    sessions = [Session(*row) for row in connection.execute("SELECT * FROM sessions")]
    tokens = [
        ApiToken(id_, hashed, name, Role(role), *rest)
        for id_, hashed, name, role, *rest in connection.execute("SELECT * FROM tokens")
    ]
    key = connection.execute("SELECT value FROM account_keys WHERE name = ?", [_DEVICE_KEY]).fetchone()
    return Kept(users, sessions, tokens, key[0] if key else None)


def make_device_key(connection: sqlite3.Connection) -> bytes:
    """The key of the device cookies, made if there is none."""
    connection.execute("INSERT OR IGNORE INTO account_keys VALUES (?, ?)", [_DEVICE_KEY, secrets.token_bytes(32)])
    found = connection.execute("SELECT value FROM account_keys WHERE name = ?", [_DEVICE_KEY]).fetchone()
    return bytes(found[0])


def put_user(user: User) -> Step:
    """Write a user, new or changed."""
    row = (
        user.id,
        user.name,
        str(user.role),
        user.password_hash,
        user.disabled,
        user.must_change_password,
        user.created_at,
        user.password_changed_at,
        user.last_sign_in_at,
    )

    def step(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM users WHERE id = ?", [user.id])
        connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    return step


def drop_user(user_id: int) -> Step:
    """Remove a user with all sessions and tokens."""

    def step(connection: sqlite3.Connection) -> None:
        for table in ("sessions", "tokens"):
            connection.execute(f"DELETE FROM {table} WHERE user_id = ?", [user_id])  # noqa: S608 - our own words
        connection.execute("DELETE FROM users WHERE id = ?", [user_id])

    return step


def put_session(session: Session) -> Step:
    """Write a session, new or used."""
    row = (
        session.id,
        session.digest,
        session.user_id,
        session.created_at,
        session.seen_at,
        session.expires_at,
        session.address,
        session.client,
    )

    def step(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    return step


def drop_sessions(ids: Iterable[str]) -> Step:
    """Remove sessions."""
    gone = [(id_,) for id_ in ids]

    def step(connection: sqlite3.Connection) -> None:
        connection.executemany("DELETE FROM sessions WHERE id = ?", gone)

    return step


def put_token(token: ApiToken) -> Step:
    """Write an API token, new or used."""
    row = (
        token.id,
        token.digest,
        token.name,
        str(token.role),
        token.user_id,
        token.created_at,
        token.expires_at,
        token.used_at,
        token.used_from,
    )

    def step(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    return step


def drop_tokens(ids: Iterable[str]) -> Step:
    """Remove API tokens."""
    gone = [(id_,) for id_ in ids]

    def step(connection: sqlite3.Connection) -> None:
        connection.executemany("DELETE FROM tokens WHERE id = ?", gone)

    return step


def all_of(steps: Iterable[Step]) -> Step:
    """Several steps as one."""
    steps = list(steps)

    def step(connection: sqlite3.Connection) -> None:
        for one in steps:
            one(connection)

    return step
