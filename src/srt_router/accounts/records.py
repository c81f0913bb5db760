"""Users, sessions and API tokens as they are kept. Times are milliseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from srt_router.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in."""

    id: int
    name: str
    role: Role
    password_hash: str = field(repr=False)
    disabled: bool
    must_change_password: bool
    """Can do nothing else before."""
    created_at: int
    password_changed_at: int
    last_sign_in_at: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """A user, signed in somewhere."""

    id: str
    digest: bytes = field(repr=False)
    user_id: int
    created_at: int
    seen_at: int
    """Last used."""
    expires_at: int
    """At the latest; not used for long, it ends earlier."""
    address: str | None
    """Where the sign-in came from."""
    client: str
    """How the browser or program calls itself."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A sign-in for a script."""

    id: str
    digest: bytes = field(repr=False)
    name: str
    role: Role
    user_id: int | None
    """Whose it is: it can do no more than that user, and goes with it. None: made on the machine itself."""
    created_at: int
    expires_at: int | None
    used_at: int | None
    used_from: str | None


class Kind(StrEnum):
    """How somebody has shown who it is."""

    SESSION = "session"
    """A user, signed in."""
    TOKEN = "token"  # noqa: S105 - the word, not one
    """A script, with an API token."""
    LOCAL = "local"
    """A command on this machine, as root or as the server's user."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has shown who it is."""

    name: str
    """Of the user or of the API token; `local`."""
    role: Role
    kind: Kind
    id: str
    """Of the session or token; empty for `local`."""
    user_id: int | None
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in comes from."""

    address: str | None
    """IP address."""
    client: str = ""
    """How the browser or program calls itself."""
    device: str | None = None
    """The device cookie it showed."""
