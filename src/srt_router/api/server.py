"""The HTTP server as one task of ours: it owns no signal and starts nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn
import uvicorn.lifespan.off
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srt_router.api.connections import HttpConnection, WebSocketConnection
from srt_router.api.tls import Certificate, follow
from srt_router.errors import PortTaken

log = logging.getLogger("SrtRouter")

_CLOSE_S = 1
"""Seconds that open requests get at the end."""
_ANSWER_S = 30
"""Seconds that they get before another program goes on in this process."""
_REQUEST_S = 2.0
"""So long that program waits for the first request of a connection that was let in."""
_QUIET_S = 0.25
"""So long it waits for another request of one that had been used: who is told meanwhile that it closes, asks anew."""
_LOOK_S = 0.02
_CLIENT_SAYS_BYTES = 4096


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to main."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def finish(self) -> None:
        """Let nobody in any more, and answer everybody who is in. Who comes now waits in the kernel."""
        for one in self.servers:
            one.close()
        self.config.timeout_graceful_shutdown = _ANSWER_S
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (quiet_s := loop.time() - began) < _REQUEST_S:
            new = any(getattr(one, "cycle", self) is None for one in self.server_state.connections)
            if quiet_s >= _QUIET_S and not new:
                break
            await asyncio.sleep(_LOOK_S)


class _LastAnswers:
    """The application; from `closing` on, each answer says that its connection ends with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if self.closing and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken before anything else is touched. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, or asyncio leaves Nagle on: each answer on a kept connection would wait 40 ms for an ACK
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
    app: FastAPI,
    listener: socket.socket,
    stop: asyncio.Event,
    certificate: Certificate | None = None,
    *,
    handed_on: Callable[[], bool] = lambda: False,
) -> None:
    """Answer requests until `stop` is set. If `listener` is `handed_on` then, nobody who calls meanwhile is refused."""
    answers = _LastAnswers(app)
    config = uvicorn.Config(
        answers,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_CLOSE_S,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=_CLIENT_SAYS_BYTES,
        ws_per_message_deflate=False,  # each message is made once for all clients, not packed for each
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    config.load()
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener.dup()]))  # it closes what it is given
    following = asyncio.ensure_future(follow(certificate, config.ssl)) if certificate and config.ssl else None
    here = url(listener, tls=certificate is not None)
    log.info("SRT Router answers at %s (API documentation: %sdocs)", here, here)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not handed_on():
        listener.close()
    elif not serving.done():
        answers.closing = True
        await server.finish()
    server.should_exit = True
    stopped.cancel()
    if following:
        following.cancel()
    await serving
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")
