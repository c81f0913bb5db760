"""Looks host names up before anybody else does, in threads of its own.

A name server that does not answer holds a thread for half a minute. Those of the event loop are few, and
routes need them; so only a name that was answered for goes on to the libraries, which look it up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading


class Names:
    """At most one thread per name. The threads end with the server, whatever they wait for."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[None]] = {}

    async def ask(self, host: str) -> None:
        """Return as soon as there is an answer, be it that there is no such name: a proxy may know it."""
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return
        if host not in self._asked:
            loop = asyncio.get_running_loop()
            self._asked[host] = loop.create_future()
            threading.Thread(target=self._look_up, args=(loop, host), name=f"name {host}"[:40], daemon=True).start()
        await asyncio.shield(self._asked[host])

    def _look_up(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._answered, host)

    def _answered(self, host: str) -> None:
        self._asked.pop(host).set_result(None)
