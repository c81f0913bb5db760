"""The one way to end processes: SIGTERM to all, wait for all, SIGKILL to those left, each death seen.

Killing N processes takes as long as killing the slowest one.
"""

from __future__ import annotations

import asyncio
import select
import signal
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Protocol

from srt_router.processes.crashpoint import crashpoint

GRACE_S = 3.0
"""Seconds between SIGTERM and SIGKILL. Healthy processes need 0.1 s at most."""

CONTINUE_S = 0.03
"""Seconds after which those left are continued: one that is stopped takes SIGTERM only when it goes on. Few are,
and a second signal for each of a thousand that die already holds up their deaths."""

REMIND_S = 0.5
"""Seconds after which SIGTERM is sent again: ffmpeg, while its input is silent, heeds only the second."""

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
        """Done once its death has been seen."""
        ...


class Pin(Protocol):
    """A process pinned by a pidfd (Pinned), or a model of one."""

    @property
    def pid(self) -> int:
        """The PID that it was opened for."""
        ...

    @property
    def fd(self) -> int | None:
        """The descriptor. None for a model."""
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
        self.pidfd = pin.fd
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

    def gone(self) -> bool:
        """It has ended by itself since it was pinned."""
        return self._pin.ended()

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
    ending = Ending()
    ending.begin(processes)
    return await ending.finish(grace_s)


class Ending:
    """The end of many processes, begun as they are found: while some are looked for, others die already."""

    def __init__(self) -> None:
        self._told: list[Endable] = []
        self._refused: list[NotEnded] = []

    def begin(self, processes: Iterable[Endable]) -> None:
        """Send SIGTERM to these."""
        crashpoint("before_kill")
        for process in processes:
            error = _try_signal(process, signal.SIGTERM)
            if error:
                self._refused.append(NotEnded(process.pid, error))
            else:
                self._told.append(process)

    async def finish(self, grace_s: float = GRACE_S) -> list[NotEnded]:
        """See all of them die; the answer names those that could not be ended, and why."""
        crashpoint("after_term")
        left = await _see_them_die(self._told, grace_s) if self._told else []
        reason = f"still there {KILL_WAIT_S:g} s after SIGKILL (uninterruptible sleep?)"
        return self._refused + [NotEnded(process.pid, reason) for process in left]


async def _see_them_die(processes: list[Endable], grace_s: float) -> list[Endable]:
    """Wait, SIGKILL those left, wait again; the answer holds those that outlived even that."""
    deaths = _Deaths(processes)
    try:
        await deaths.wait(min(CONTINUE_S, grace_s))
        for process in deaths.left:
            _try_signal(process, signal.SIGCONT)
        if deaths.left:
            await deaths.wait(max(0.0, min(REMIND_S, grace_s) - CONTINUE_S))
        for process in deaths.left:
            _try_signal(process, signal.SIGTERM)
        if deaths.left:
            await deaths.wait(max(0.0, grace_s - REMIND_S))
        if deaths.left:
            for process in deaths.left:
                _try_signal(process, signal.SIGKILL)
            crashpoint("after_sigkill")
            await deaths.wait(KILL_WAIT_S)
        left = deaths.left
    finally:
        deaths.close()
    crashpoint("after_death")
    return left


class _Deaths:
    """Waits for many deaths: one epoll for all orphans, a future for each of the others."""

    def __init__(self, processes: Iterable[Endable]) -> None:
        self._epoll: select.epoll | None = None
        """Made for orphans only: the end of a route must not fail for want of a descriptor."""
        self._by_fd: dict[int, Endable] = {}
        self._waits: dict[asyncio.Future[None], Endable] = {}
        self._loop = asyncio.get_running_loop()
        self._all_seen: asyncio.Future[None] = self._loop.create_future()
        for process in processes:
            pidfd = process.pidfd if isinstance(process, Orphan) else None
            if pidfd is None:
                self._waits[_future(process.ended())] = process
            else:
                if self._epoll is None:
                    self._epoll = select.epoll()
                    self._loop.add_reader(self._epoll.fileno(), self._read, self._epoll)
                self._epoll.register(pidfd, select.EPOLLIN)
                self._by_fd[pidfd] = process
        self._check()

    @property
    def left(self) -> list[Endable]:
        """Those whose death has not been seen."""
        return [*self._by_fd.values(), *(process for wait, process in self._waits.items() if not wait.done())]

    async def wait(self, timeout_s: float) -> None:
        """Until all have died, or the time is over."""
        await asyncio.wait({self._all_seen, *self._waits}, timeout=timeout_s)

    def close(self) -> None:
        """Look no more."""
        if self._epoll:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._all_seen.cancel()
        for wait in self._waits:
            wait.cancel()

    def _read(self, epoll: select.epoll) -> None:
        for fd, _ in epoll.poll(0, max(1, len(self._by_fd))):
            epoll.unregister(fd)
            del self._by_fd[fd]
        self._check()

    def _check(self) -> None:
        if not self._by_fd and not self._all_seen.done():
            self._all_seen.set_result(None)


def _future(awaitable: Awaitable[None]) -> asyncio.Future[None]:
    return asyncio.ensure_future(awaitable)


def _try_signal(process: Endable, signum: signal.Signals) -> str | None:
    try:
        process.signal(signum)
    except OSError as error:
        return f"may not be signalled ({error.strerror})"
    return None
