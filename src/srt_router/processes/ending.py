"""The one way to end processes: SIGTERM to all, wait for all, SIGKILL to those left, each death seen.

Killing N processes takes as long as killing the slowest one.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from srt_router.processes.crashpoint import crashpoint

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

    def ended(self) -> Awaitable[None]:
        """Done once its death has been seen. A future costs less than a coroutine, which takes a task."""
        ...


class Pin(Protocol):
    """A process pinned by a pidfd (Pinned), or a model of one."""

    @property
    def pid(self) -> int:
        """The PID that it was opened for."""
        ...

    def ended(self) -> bool:
        """True once the process has ended."""
        ...

    def death(self) -> Awaitable[None]:
        """Done once the process has ended."""
        ...

    def send(self, signum: signal.Signals) -> None:
        """Signal the process."""
        ...

    def send_group(self, signum: signal.Signals) -> None:
        """Signal the group that it leads."""
        ...

    def close(self) -> None:
        """Give the pidfd back."""
        ...


class Orphan:
    """A pinned process that is no child of ours."""

    def __init__(self, pin: Pin, *, group: bool) -> None:
        """`group`: it leads a process group that is ours, so its group is signalled with it."""
        self.pid = pin.pid
        self._pin = pin
        self._group = group

    def signal(self, signum: signal.Signals) -> None:
        """Signal it through its pidfd."""
        if self._group:
            self._pin.send_group(signum)
        else:
            self._pin.send(signum)

    def ended(self) -> Awaitable[None]:
        """Done once the pidfd says that it has ended."""
        return self._pin.death()

    def close(self) -> None:
        """Give the pidfd back."""
        self._pin.close()


@dataclass(frozen=True, slots=True)
class NotEnded:
    """A process that outlived SIGKILL or could not be signalled."""

    pid: int
    reason: str


async def end_all(processes: Iterable[Endable], grace_s: float = GRACE_S) -> list[NotEnded]:
    """End all of them at once; the answer names those that could not be ended, and why."""
    crashpoint("before_kill")
    waits: dict[asyncio.Future[None], Endable] = {}
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
        if left:
            for wait in left:
                _try_signal(waits[wait], signal.SIGKILL)
            crashpoint("after_sigkill")
        left = await _wait(left, KILL_WAIT_S)
    finally:
        for wait in waits:
            wait.cancel()
    if waits:
        crashpoint("after_death")
    reason = f"still there {KILL_WAIT_S:g} s after SIGKILL (uninterruptible sleep?)"
    return refused + [NotEnded(waits[wait].pid, reason) for wait in left]


async def _wait(waits: Collection[asyncio.Future[None]], timeout_s: float) -> set[asyncio.Future[None]]:
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
