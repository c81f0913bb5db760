"""Connections to the HTTP server, before anybody knows who is there: few enough, and none that takes for ever.

uvicorn waits without end for the rest of a request, and keeps of it what has come. A stranger could so take every
file descriptor and all memory of the machine, and with them the means to start a process again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from asyncio import TimerHandle
from collections import Counter
from dataclasses import dataclass, field

import uvicorn.protocols.http.httptools_impl as uvicorn_http
import uvicorn.protocols.websockets.websockets_sansio_impl as uvicorn_ws

from srt_router.accounts.throttle import place_of

CONNECTIONS = 2048
"""So many at once."""
OF_ONE_PLACE = 512
"""So many of one address (a /64 of IPv6); from this machine, where a reverse proxy may be, up to all of them."""
REQUEST_S = 10.0
"""The head of a request must have come wholly within so long; so must what is left of one that was answered early."""
READ_S = 20.0
"""Who takes nothing of an answer for so long is let go."""
HEAD_BYTES = 64 * 1024
"""So long may everything of a request be that is not its body."""
_FRAMING = 16
"""Beside that, so many bytes for each byte of the body: a body in pieces has a frame around each of them."""
_CLOSE_S = 1
"""Seconds that a WebSocket gets to say goodbye."""
_ON_ITS_WAY_BYTES = 128 * 1024
"""What waits in the kernel for one client of a WebSocket is out of date when it arrives."""
SAID_BYTES = 64 * 1024
"""So much may a client of a WebSocket say at once; nobody listens."""
_SAID_PER_S = 1024
"""So much more a second."""


@dataclass(slots=True)
class Doorkeeper:
    """Counts who is there."""

    _places: Counter[str] = field(default_factory=Counter)

    def enter(self, place: str) -> bool:
        """One more from there; False: there is no room, and nothing was counted."""
        most = OF_ONE_PLACE if place else CONNECTIONS
        if self._places.total() >= CONNECTIONS or self._places[place] >= most:
            return False
        self._places[place] += 1
        return True

    def leave(self, place: str) -> None:
        """One fewer."""
        self._places[place] -= 1
        if self._places[place] <= 0:
            del self._places[place]


def place(transport: asyncio.BaseTransport) -> str:
    """Where a connection comes from; empty: from this machine."""
    peer = transport.get_extra_info("peername")
    host = str(peer[0]) if isinstance(peer, tuple | list) and peer else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None) or address
    return "" if mapped.is_loopback else place_of(str(mapped))


doorkeeper = Doorkeeper()
"""uvicorn makes the connections of one server itself; so what they share is here."""


class HttpConnection(uvicorn_http.HttpToolsProtocol):
    """uvicorn's, with bounds on how many, how long and how large."""

    _place: str | None = None
    _deadline: TimerHandle | None = None
    _reading: TimerHandle | None = None
    _overhead = 0
    """Bytes of the request under way that are not its body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let in, or hang up where there is no room."""
        super().connection_made(transport)
        if doorkeeper.enter(here := place(transport)):
            self._place = here
            self._expect()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody else may come."""
        self._left()
        super().connection_lost(exc)

    def _left(self) -> None:
        if self._place is not None:
            doorkeeper.leave(self._place)
            self._place = None
        self._came()
        self.resume_writing()

    # What comes

    def data_received(self, data: bytes) -> None:
        """Some more of a request."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > HEAD_BYTES and not self.transport.is_closing():
            self._refuse()
        elif not self._busy() and self._place is not None and not self.transport.is_closing():
            self._expect()

    def on_body(self, body: bytes) -> None:
        """Some more of a body."""
        self._overhead -= min(self._overhead, len(body) * (1 + _FRAMING))
        super().on_body(body)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more. How a body is framed may be said in one way only: a proxy before us must not read another one."""
        super().on_header(name, value)
        if name.lower() == b"transfer-encoding":
            framed = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
            if framed != [b"chunked"]:
                raise ValueError("the one Transfer-Encoding that is taken is chunked")

    def on_headers_complete(self) -> None:
        """It has come in time."""
        self._came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it has."""
        self._came()
        self._overhead = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From now on it is a WebSocket, and counted as one."""
        self._left()
        super().handle_websocket_upgrade()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect(self) -> None:
        """Wait for the rest; what comes in crumbs does not make the time longer."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self._too_late)

    def _came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if not self._busy() and not self.transport.is_closing():
            self.transport.abort()

    def _refuse(self) -> None:
        if not self._busy():
            words = b"the head of a request may have 64 KiB"
            head = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\nconnection: close\r\n"
            self.transport.write(b"%scontent-length: %d\r\n\r\n%s" % (head, len(words), words))
            self.transport.close()
        else:  # an answer may be under way
            self.transport.abort()

    # What goes

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self._watch_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does again."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        super().resume_writing()

    def _watch_reading(self, before: int) -> None:
        self._reading = self.loop.call_later(READ_S, self._look_at_reading, before)

    def _look_at_reading(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        else:
            self._watch_reading(left)


class WebSocketConnection(uvicorn_ws.WebSocketsSansIOProtocol):
    """uvicorn's, but neither a client that takes nothing any more nor one that shouts keeps its connection."""

    _place: str | None = None
    _said = 0.0
    _said_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let in, or hang up where there is no room."""
        super().connection_made(transport)
        client = transport.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ON_ITS_WAY_BYTES)  # the kernel would take megabytes
        if doorkeeper.enter(here := place(transport)):
            self._place = here
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody else may come."""
        if self._place is not None:
            doorkeeper.leave(self._place)
            self._place = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whatever it is, it is ignored; too much of it costs, and ends the connection."""
        if self.handshake_complete:
            now = self.loop.time()
            self._said = max(0.0, self._said - (now - self._said_at) * _SAID_PER_S) + len(data)
            self._said_at = now
            if self._said > SAID_BYTES:
                self.transport.abort()
                return
        super().data_received(data)

    async def run_asgi(self) -> None:
        """Until the path is done with it, and hardly longer."""
        await super().run_asgi()
        self.loop.call_later(_CLOSE_S, self._hang_up)

    def _hang_up(self) -> None:
        if not self.disconnected:
            client = self.transport.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # drop what waits
            self.transport.abort()
