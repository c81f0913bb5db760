"""Who asks, and from where: put on `request.state.caller` and `request.state.visitor` before any path is reached."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from srt_router.accounts.records import Identity
from srt_router.accounts.records import Kind as CallerKind
from srt_router.accounts.roles import Role

__all__ = ["Caller", "CallerKind", "Role", "Visitor", "caller_of", "visitor_of"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from, signed in or not."""

    address: str | None
    """IP address; behind a trusted proxy the one that the proxy names."""
    secure: bool
    """It came over TLS, to us or to a trusted proxy."""
    on_this_machine: bool
    """From a loopback address, and passed on by nobody."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """Of the user or of the API token; `local` for a command on this machine."""
    role: Role
    address: str | None
    """Where from: an IP address."""
    kind: CallerKind
    id: str = ""
    """Of the session or API token; empty for `local`."""
    user_id: int | None = None
    """The user, or whose token it is; None: nobody's."""

    @classmethod
    def of(cls, identity: Identity, address: str | None) -> Caller:
        """Somebody who was recognised."""
        return cls(identity.name, identity.role, address, identity.kind, identity.id, identity.user_id)

    @property
    def actor(self) -> str:
        """As events name it: `alice`, `token:deploy`, `local`. User names hold no colon, so none can be forged."""
        return f"token:{self.name}" if self.kind is CallerKind.TOKEN else self.name

    def may(self, least: Role) -> bool:
        """True where the role of the caller covers `least`."""
        return self.role.covers(least)


def caller_of(request: HTTPConnection) -> Caller | None:
    """Who asks; None on a path that is open to everybody and was asked without a sign-in."""
    found = getattr(request.state, "caller", None)
    return found if isinstance(found, Caller) else None


def visitor_of(request: HTTPConnection) -> Visitor:
    """Where a request comes from."""
    found = getattr(request.state, "visitor", None)
    return found if isinstance(found, Visitor) else Visitor(None, secure=False, on_this_machine=False)
