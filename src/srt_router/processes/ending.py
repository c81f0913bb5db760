"""The one way to end processes: SIGTERM to all, wait for all, SIGKILL to those left, each death seen.

Killing N processes takes as long as killing the slowest one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.pinned import Pinned

GRACE_S = 3.0
"""Seconds between SIGTERM and SIGKILL. Healthy processes need 0.1 s at most."""

KILL_WAIT_S = 2.0
"""Seconds that a death is waited for after SIGKILL; longer means uninterruptible sleep (state D)."""


class Endable(Protocol):
    """A process that can be ended: a child of ours, or an orphan that was pinned."""

    @property
    def pid(self) -> int:
        """Its PID, for messages only."""
        ...

    def signal(self, signum: signal.Signals) -> None:
        """Signal it, and its group where that is ours. Raises PermissionError."""
        ...

    async def ended(self) -> None:
        """Return once its death has been seen."""
        ...


@dataclass(frozen=True, slots=True)
class NotEnded:
    """A process that outlived SIGKILL or could not be signalled."""

    pid: int
    reason: str


async def end_all(processes: Iterable[Endable], grace_s: float = GRACE_S) -> list[NotEnded]:
    """End all of them at once; the answer names those that could not be ended, and why."""
    crashpoint("before_kill")
    waits: dict[asyncio.Task[None], Endable] = {}
    refused: list[NotEnded] = []
    for process in processes:
        error = _try_signal(process, signal.SIGTERM)
        if error:
            refused.append(NotEnded(process.pid, error))
            continue
        _try_signal(process, signal.SIGCONT)  # one that is stopped takes SIGTERM only when it goes on
        waits[asyncio.ensure_future(process.ended())] = process
    crashpoint("after_term")
    try:
        left = await _wait(waits, grace_s)
        for wait in left:
            _try_signal(waits[wait], signal.SIGKILL)
        left = await _wait(left, KILL_WAIT_S)
    finally:
        for wait in waits:
            wait.cancel()
    crashpoint("after_death")
    reason = f"still there {KILL_WAIT_S:g} s after SIGKILL (uninterruptible sleep?)"
    return refused + [NotEnded(waits[wait].pid, reason) for wait in left]


async def _wait(waits: Collection[asyncio.Task[None]], timeout_s: float) -> set[asyncio.Task[None]]:
    if not waits:
        return set()
    _done, left = await asyncio.wait(waits, timeout=timeout_s)
    return left


def _try_signal(process: Endable, signum: signal.Signals) -> str | None:
    try:
        process.signal(signum)
    except OSError as error:
        return f"may not be signalled ({error.strerror})"
    return None


class Orphan:
    """A pinned process that is no child of ours."""

    def __init__(self, pinned: Pinned, *, group: bool) -> None:
        """`group`: it leads a process group that is ours, so its group is signalled with it."""
        self._pinned = pinned
        self._group = group

    @property
    def pid(self) -> int:
        """Its PID, for messages only."""
        return self._pinned.pid

    def signal(self, signum: signal.Signals) -> None:
        """Signal it through its pidfd."""
        if self._group:
            self._pinned.send_group(signum)
        else:
            self._pinned.send(signum)

    async def ended(self) -> None:
        """Return once the pidfd says that it has ended."""
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pinned.fd, _resolve, seen)
        try:
            await seen
        finally:
            with contextlib.suppress(ValueError):
                loop.remove_reader(self._pinned.fd)

    def close(self) -> None:
        """Give the pidfd back."""
        self._pinned.close()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
