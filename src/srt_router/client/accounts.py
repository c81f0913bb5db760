"""Users, their sessions, and API tokens."""

from __future__ import annotations

from builtins import list as List  # noqa: N812 - `list` is what the methods are called
from urllib.parse import quote

from srt_router.client import answers
from srt_router.client.connection import Connection


class Users:
    """`/api/users`, for administrators. Every method raises ApiProblem and NoAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[answers.UserView]:
        """Who can sign in."""
        found: answers.UserList = self._connection.get("/api/users")
        return found["items"]

    def get(self, name: str) -> answers.UserView:
        """One user."""
        found: answers.UserView = self._connection.get(_path(name))
        return found

    def add(self, name: str, role: answers.Role, password: str, *, must_change: bool = False) -> answers.UserView:
        """Add a user. `must_change`: the password, at the first sign-in."""
        body = {"name": name, "role": role, "password": password, "mustChangePassword": must_change}
        done: answers.UserView = self._connection.change("POST", "/api/users", body)
        return done

    def change(
        self,
        name: str,
        *,
        role: answers.Role | None = None,
        disabled: bool | None = None,
        must_change: bool | None = None,
        password: str | None = None,
    ) -> answers.UserView:
        """Change what is given. A new password, or `disabled`, ends the user's sessions."""
        given = {"role": role, "disabled": disabled, "mustChangePassword": must_change, "password": password}
        body = {key: value for key, value in given.items() if value is not None}
        done: answers.UserView = self._connection.change("PATCH", _path(name), body)
        return done

    def remove(self, name: str) -> None:
        """Remove a user with all sessions and API tokens."""
        self._connection.change("DELETE", _path(name))


class Sessions:
    """`/api/auth/sessions`: who is signed in where. Every method raises ApiProblem and NoAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[answers.SessionView]:
        """One's own sessions; for an administrator all."""
        found: answers.SessionList = self._connection.get("/api/auth/sessions")
        return found["items"]

    def end(self, session_id: str) -> None:
        """End one."""
        self._connection.change("DELETE", f"/api/auth/sessions/{quote(session_id, safe='')}")

    def end_others(self) -> None:
        """End all one's own but this one."""
        self._connection.change("DELETE", "/api/auth/sessions")


class Tokens:
    """`/api/tokens`: sign-ins for scripts. Every method raises ApiProblem and NoAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[answers.TokenView]:
        """One's own API tokens; for an administrator all."""
        found: answers.TokenList = self._connection.get("/api/tokens")
        return found["items"]

    def add(self, name: str, role: answers.Role, *, expires_at: int | None = None) -> answers.MadeToken:
        """Make one; its `token` is shown this once. `expires_at`: milliseconds since the epoch, None for never."""
        body = {"name": name, "role": role, "expiresAt": expires_at}
        done: answers.MadeToken = self._connection.change("POST", "/api/tokens", body)
        return done

    def remove(self, token_id: str) -> None:
        """Delete one: it counts no more at once."""
        self._connection.change("DELETE", f"/api/tokens/{quote(token_id, safe='')}")


def _path(name: str) -> str:
    return f"/api/users/{quote(name, safe='')}"
