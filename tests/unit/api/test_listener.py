"""The server's own socket."""

from __future__ import annotations

import asyncio
import socket

from srt_router.api.listening import bind


async def test_an_answer_on_a_kept_connection_does_not_wait_for_an_acknowledgement() -> None:
    """Nagle off: head and body of an answer go in two pieces, and the second would wait 40 ms."""
    listener = bind("127.0.0.1", 0)
    accepted: asyncio.Future[asyncio.BaseTransport] = asyncio.get_running_loop().create_future()

    class Accepts(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Accepts, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        transport = await accepted
        ours: socket.socket = transport.get_extra_info("socket")
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        transport.close()
