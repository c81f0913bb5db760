"""A client that says to the server what no proper client would: bytes as they are, in crumbs, or without end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from types import TracebackType
from typing import Self

from tests.harness.server import Server


class RawClient:
    """One TCP connection to a server."""

    def __init__(self, server: Server, timeout_s: float = 60, source: str | None = None) -> None:
        """`source` is the address to come from."""
        host, port = server.api.base_url.host, server.api.base_url.port
        assert port is not None
        self.socket = socket.create_connection((host, port), timeout_s, source_address=(source, 0) if source else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def say(self, content: bytes) -> bool:
        """False: the server has hung up."""
        try:
            self.socket.sendall(content)
        except (ConnectionError, ssl.SSLError):
            return False
        return True

    def rest(self) -> bytes:
        """Everything that comes until the server hangs up."""
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := self.socket.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def is_let_go(self, within_s: float) -> bool:
        """The server hangs up; what it says before does not matter."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                return False
            except ConnectionError:
                return True
        return False


def exchange(server: Server, content: bytes) -> bytes:
    """What is answered to these bytes until the server hangs up; nothing more is said."""
    with RawClient(server) as client:
        client.say(content)
        return client.rest()


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """One request; the Host is the server's address and the connection ends with the answer."""
    lines = [line, "Host: 127.0.0.1", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def statuses(answers: bytes) -> list[int]:
    """The status of every answer in what came."""
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
