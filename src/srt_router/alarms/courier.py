"""Delivers the messages of one receiver, in order: one task, so that one that hangs holds nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from srt_router.alarms.errors import DeliveryFailed
from srt_router.alarms.model import Receiver
from srt_router.alarms.records import Message, ReceiverState
from srt_router.alarms.transport import Transport

log = logging.getLogger("Alarms")

KEPT_MS = 24 * 3600 * 1000
"""A message that could not be delivered for so long is given up."""
QUEUE = 1000
"""So many messages wait for one receiver at most; the oldest are given up first."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 900.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A receiver cannot be reached, told once until it can; or messages to it were given up."""

    receiver: Receiver
    error: str
    given_up: int


def pause_s(failures: int, jitter: float) -> float:
    """Seconds until the next try after so many in a row that failed; `jitter` is in [0, 1)."""
    pause = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S)
    return pause * (0.8 + 0.4 * jitter)


class Courier:
    """The messages that wait for one receiver, and the task that delivers them."""

    def __init__(
        self,
        receiver: Receiver,
        transport: Transport,
        done: Callable[[Message], None],
        troubled: Callable[[Trouble], None],
    ) -> None:
        self.receiver = receiver
        self.state = ReceiverState()
        self._transport = transport
        self._done = done
        """Called with each message that is delivered or given up: it need not be kept any more."""
        self._troubled = troubled
        self._queue: deque[Message] = deque()
        self._failures = 0
        self._closed = False
        self._wake = asyncio.Event()

    def take(self, messages: Iterable[Message]) -> None:
        """Deliver these too."""
        for message in messages:
            self._queue.append(message)
        too_many = [self._queue.popleft() for _ in range(len(self._queue) - QUEUE)]
        self._give_up(too_many, f"more than {QUEUE} messages wait for it")
        self.state.waiting = len(self._queue)
        if not self._failures:
            self._wake.set()

    def waiting(self) -> list[Message]:
        """What is not delivered yet."""
        return list(self._queue)

    def change(self, receiver: Receiver) -> None:
        """It goes by another address now: try again at once. A disabled one drops what waits."""
        self.receiver = receiver
        if not receiver.enabled:
            self.drop()
        self._failures = 0
        self._wake.set()

    def drop(self) -> None:
        """Nothing of what waits is to be delivered any more."""
        while self._queue:
            self._done(self._queue.popleft())
        self.state.waiting = 0

    def close(self) -> None:
        """Deliver no more. To be cancelled as well: a library that swallows that must not keep the server alive."""
        self._closed = True

    def tested(self, error: str | None) -> None:
        """Somebody has just tried whether it can be reached."""
        self._note(error)
        if error is None and self._failures:
            self._failures = 0
            self._wake.set()

    async def run(self) -> None:
        """Deliver, until closed and cancelled."""
        while not self._closed:
            self._drop_old()
            if not self._queue:
                await self._wait(None)
                continue
            message = self._queue[0]
            error = await self._try(message)
            self._note(error)
            if error is None:
                self._delivered(message)
            else:
                await self._failed(error)

    def _delivered(self, message: Message) -> None:
        self._failures = 0
        if self._queue and self._queue[0] is message:  # it may have been dropped meanwhile
            self._queue.popleft()
        self._done(message)
        self.state.waiting = len(self._queue)

    async def _failed(self, error: str) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("Receiver %s: %s; it is tried again", self.receiver.name, error)
            self._troubled(Trouble(self.receiver, error, 0))
        await self._wait(pause_s(self._failures, random.random()))  # noqa: S311 - jitter, no secret

    async def _try(self, message: Message) -> str | None:
        """Why it was not delivered; None: it was."""
        try:
            await self._transport.send(self.receiver, message)
        except DeliveryFailed as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - no receiver may take the server with it
            log.exception("A message to receiver %s cannot be sent", self.receiver.name)
            return f"it cannot be sent: {type(error).__name__}"
        return None

    def _note(self, error: str | None) -> None:
        self.state.last_error = error
        if error is None:
            self.state.last_success_at = _now_ms()
        else:
            self.state.last_error_at = _now_ms()

    async def _wait(self, seconds: float | None) -> None:
        """Until there is something to do, or so many seconds."""
        self._wake.clear()
        self.state.next_try_at = None if seconds is None else _now_ms() + int(seconds * 1000)
        if self._closed:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self.state.next_try_at = None

    def _drop_old(self) -> None:
        now, old = _now_ms(), []
        while self._queue and now - self._queue[0].created_at > KEPT_MS:
            old.append(self._queue.popleft())
        why = self.state.last_error or "the server was not running"
        self._give_up(old, f"it could not be reached for {KEPT_MS // 3_600_000} h: {why}")
        self.state.waiting = len(self._queue)

    def _give_up(self, messages: list[Message], why: str) -> None:
        if not messages:
            return
        log.error("Receiver %s: %d message(s) are given up: %s", self.receiver.name, len(messages), why)
        self.state.lost += len(messages)
        for message in messages:
            self._done(message)
        self._troubled(Trouble(self.receiver, why, len(messages)))

    def snapshot(self) -> ReceiverState:
        """How it fares now."""
        return replace(self.state)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
