"""Does anything flow on a bus? A member of the group for as long as it takes to see one datagram.

Once a second it joins, and leaves as soon as the first datagram has come: one wake-up a second while the
bus flows, none while it is silent. It never stays long enough for its buffer to fill, so the drops that
the kernel shows for a bus are those of the processes that matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

_IP_MULTICAST_ALL = 49
_BUFFER_BYTES = 4_000_000
"""As every reader of a bus: key frames come in bursts, and the loop may be busy for some milliseconds."""


class BusTap:
    """One tap on one bus."""

    def __init__(self, group: str, port: int) -> None:
        """Bind to the bus. Raises OSError (too many open files)."""
        self._membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        self._loop = asyncio.get_running_loop()
        self._joined = False
        self._seen = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            self._socket.bind((group, port))
            self._join()
        except OSError:
            self._socket.close()
            raise

    def look(self) -> bool:
        """Has anything passed since the last look? Raises OSError when the bus cannot be joined again."""
        seen, self._seen = self._seen, False
        if not self._joined:
            self._drain()
            self._join()
        return seen

    def _join(self) -> None:
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, self._membership)
        self._joined = True
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        self._seen = True
        self._leave()
        self._drain()

    def _leave(self) -> None:
        if self._joined:
            self._joined = False
            self._loop.remove_reader(self._socket.fileno())
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, self._membership)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def close(self) -> None:
        """Leave the bus for good."""
        self._leave()
        self._socket.close()
