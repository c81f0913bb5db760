"""The HTTP server as one task of ours: it owns no signal and starts nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Iterator

import uvicorn
import uvicorn.lifespan.off
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.websockets_sansio_impl as uvicorn_ws  # imported here, not later on the running loop
from fastapi import FastAPI

from srt_router.api.tls import Certificate, follow
from srt_router.errors import PortTaken

log = logging.getLogger("SrtRouter")

_CLOSE_S = 1
"""Seconds that open requests get at the end."""
_CLIENT_SAYS_BYTES = 4096
_ON_ITS_WAY_BYTES = 128 * 1024
"""What waits in the kernel for one client of a WebSocket is out of date when it arrives."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to main."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _WebSocket(uvicorn_ws.WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, but a client that takes nothing any more does not keep its connection for ever."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        client = transport.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ON_ITS_WAY_BYTES)  # the kernel would take megabytes

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(_CLOSE_S, self._hang_up)

    def _hang_up(self) -> None:
        if not self.disconnected:
            client = self.transport.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # drop what waits
            self.transport.abort()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken before anything else is touched. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}: stop what uses it, or set another PORT"
        ) from error
    return listener


def url(listener: socket.socket, *, tls: bool = False) -> str:
    """Where the server is reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}/"


async def serve_api(
    app: FastAPI, listener: socket.socket, stop: asyncio.Event, certificate: Certificate | None = None
) -> None:
    """Answer requests until `stop` is set."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_CLOSE_S,
        ws=_WebSocket,
        ws_max_size=_CLIENT_SAYS_BYTES,
        ws_per_message_deflate=False,  # each message is made once for all clients, not packed for each
        h11_max_incomplete_event_size=65536,
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    config.load()
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    following = asyncio.ensure_future(follow(certificate, config.ssl)) if certificate and config.ssl else None
    here = url(listener, tls=certificate is not None)
    log.info("SRT Router answers at %s (API documentation: %sdocs)", here, here)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopped.cancel()
    if following:
        following.cancel()
    await serving
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")
