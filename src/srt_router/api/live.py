"""`/api/live`: the WebSocket that tells every change. Its protocol is in docs/reference/live.md."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from srt_router.api.feed import MISSED, LiveFeed, Subscriber

log = logging.getLogger("Api")

_SEND_S = 5.0
"""A client that does not take one message for so long is let go."""
_TRY_LATER = 1013
_SIGNED_OUT = 4401
_SIGN_IN_LOOK_S = 5.0
"""A client whose session was revoked hears no more after so long."""


def live_api(feed: LiveFeed) -> APIRouter:
    """The path `/api/live`."""
    api = APIRouter()

    @api.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if feed.full:
            await socket.close(_TRY_LATER, "too many clients")
            return
        subscriber = feed.join()
        tasks = {
            asyncio.create_task(_listen(socket)),
            asyncio.create_task(_tell(socket, subscriber, feed)),
            asyncio.create_task(_look_at_sign_in(socket)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            feed.leave(subscriber)
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("A client of /api/live was let go", exc_info=outcome)

    return api


async def _listen(socket: WebSocket) -> None:
    """Whatever a client says is ignored, but that it goes."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return


async def _look_at_sign_in(socket: WebSocket) -> None:
    """Let a client go whose sign-in counts no more. Being connected is using it: it does not end for idleness."""
    while True:
        if not socket.state.still():
            break
        await asyncio.sleep(_SIGN_IN_LOOK_S)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(_SEND_S):
            await socket.close(_SIGNED_OUT, "signed out")


async def _tell(socket: WebSocket, subscriber: Subscriber, feed: LiveFeed) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        await _send(socket, await feed.snapshot())
        while True:
            subscriber.wake.clear()
            while (text := subscriber.next()) is not None:
                await _send(socket, text)
                if subscriber.missed:
                    subscriber.missed = False
                    await _send(socket, MISSED)
                    await _send(socket, await feed.snapshot())
            await subscriber.wake.wait()


async def _send(socket: WebSocket, text: str) -> None:
    async with asyncio.timeout(_SEND_S):
        await socket.send_text(text)
