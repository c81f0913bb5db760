"""The client of one server."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from srt_router.client import answers
from srt_router.client.accounts import Sessions, Tokens, Users
from srt_router.client.alarms import Alarms
from srt_router.client.backups import Backups
from srt_router.client.connection import Connection
from srt_router.client.errors import NoAnswer
from srt_router.client.machine import Machine
from srt_router.client.routes import Destinations, Routes

if TYPE_CHECKING:
    from srt_router.client.live import Message

TIMEOUT_S = 60.0
"""A change may wait for others, and for processes to die."""


class Client:
    """A server, and everything that its API does. To be closed, or used with `with`; one thread at a time.

    `url`: as the server prints it at its start. `token`: of `srt-router tokens add`. `verify`: whose certificate is
    believed: True, that of authorities that the machine trusts; a file, exactly the certificate in it; False, any.
    `again`: who only looks, asks up to three times where the network fails or the server is busy. A change is asked
    for once: where its answer got lost, it may have been made.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        verify: bool | ssl.SSLContext | Path = True,
        timeout_s: float = TIMEOUT_S,
        again: bool = True,
    ) -> None:
        self._connection = Connection(url, token, verify, timeout_s, again=again)
        self.routes = Routes(self._connection)
        self.destinations = Destinations(self._connection)
        self.machine = Machine(self._connection)
        self.users = Users(self._connection)
        self.sessions = Sessions(self._connection)
        self.tokens = Tokens(self._connection)
        self.alarms = Alarms(self._connection)
        self.backups = Backups(self._connection)

    @classmethod
    def local(cls, config: Path | None = None, *, timeout_s: float = TIMEOUT_S) -> Self:
        """The server that runs on this machine, as somebody who may do everything: for root and the server's user.

        `config` and the environment: as for the commands. Raises NoAnswer where none runs, or where it is not ours,
        and SettingsError.
        """
        from srt_router.processes.server_file import FILE_NAME, read_server_file
        from srt_router.settings import load_settings

        settings = load_settings(config, os.environ)
        found = read_server_file(settings.run_dir)
        if found is None or found.token is None:
            raise NoAnswer(f"no server of ours runs: there is no {settings.run_dir / FILE_NAME} that we can read")
        return cls(found.url, token=found.token, verify=settings.tls_cert or True, timeout_s=timeout_s)

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._connection.url

    def sign_in(self, username: str, password: str) -> answers.Login:
        """Sign in as a user, in the place of a token; `sign_out` ends it. Raises ApiProblem, NoAnswer."""
        body = {"username": username, "password": password}
        signed: answers.Login = self._connection.change("POST", "/api/auth/login", body)
        self._connection.token = signed["token"]
        return signed

    def sign_out(self) -> None:
        """End the session. Raises ApiProblem, NoAnswer."""
        self._connection.change("POST", "/api/auth/logout")
        self._connection.token = None

    def change_password(self, old: str, new: str) -> None:
        """Give oneself, signed in as a user, a new password. Raises ApiProblem, NoAnswer."""
        self._connection.change("POST", "/api/auth/password", {"currentPassword": old, "newPassword": new})

    def me(self) -> answers.Me:
        """Who are we, and what may we do? Raises ApiProblem, NoAnswer."""
        found: answers.Me = self._connection.get("/api/auth/me")
        return found

    def live(self) -> Iterator[Message]:
        """Every change as it happens (docs/reference/live.md): first a `snapshot`. Connect again after NoAnswer.

        Raises ApiProblem where the server refuses, NoAnswer when it ends or falls silent.
        """
        from srt_router.client.live import follow

        return follow(self._connection)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
