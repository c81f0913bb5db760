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
from srt_router.api.listening import url
from srt_router.api.tls import Certificate, follow

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
    """uvicorn without its signal handlers, which belong to main, and without its look ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ends = asyncio.Event()

    async def main_loop(self) -> None:
        """Until `end`."""
        await self.on_tick(0)
        await self._ends.wait()

    def end(self) -> None:
        """Close what is open, and end."""
        self.should_exit = True
        self._ends.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def finish(self) -> None:
        """Answer everybody who is in, then let nobody in any more: who comes after that waits in the kernel."""
        self.config.timeout_graceful_shutdown = _ANSWER_S
        await asyncio.sleep(_QUIET_S)  # who comes in this time is told that the connection ends with the answer
        for one in self.servers:
            one.close()
        # an accepted connection is counted some turns of the loop later; with TLS when both sides have agreed
        await asyncio.sleep(_QUIET_S if self.config.is_ssl else _LOOK_S)
        for _ in range(round(_REQUEST_S / _LOOK_S)):
            if not self._has_new():
                break
            await asyncio.sleep(_LOOK_S)

    def _has_new(self) -> bool:
        """Somebody was let in who has not asked for anything yet."""
        return any(getattr(one, "cycle", self) is None for one in self.server_state.connections)


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
    server.end()
    stopped.cancel()
    if following:
        following.cancel()
    await serving
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")
