"""The mailbox of a route's owner: whoever sends a message that wants an answer gets one, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from srt_router.errors import SrtRouterError
from srt_router.supervision.messages import Message


class Mailbox:
    """Messages, in the order in which they came."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.tell = self._messages.put_nowait
        self.next = self._messages.get

    async def ask(self, message: Callable[[asyncio.Future[None]], Message], owner: asyncio.Task[None]) -> bool:
        """Send a message and wait for its answer; False when the owner has ended and will give none."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.tell(message(done))
        try:
            await asyncio.wait({done, owner}, return_when=asyncio.FIRST_COMPLETED)
            if done.done():
                done.result()
                return True
            return False
        finally:
            done.cancel()  # whoever asked may have hung up


def answer(done: asyncio.Future[None], error: SrtRouterError | None = None) -> None:
    """Answer a message, unless nobody waits any more."""
    with contextlib.suppress(asyncio.InvalidStateError):
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)
