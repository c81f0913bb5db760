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
        tasks = {asyncio.create_task(_listen(socket)), asyncio.create_task(_tell(socket, subscriber, feed))}
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
