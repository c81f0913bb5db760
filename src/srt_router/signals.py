"""What the server is told by signals: end, leave the routes on air, or go on with the program as now installed."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import Awaitable
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


class Ending(StrEnum):
    """What becomes of the routes when the server ends."""

    OFF_AIR = "offAir"
    """Every process is ended."""
    LEAVE = "leave"
    """Every process stays as it is, for the next server."""
    REPLACE = "replace"
    """So it does, and this process goes on as the next server."""


class Stop(asyncio.Event):
    """Set once the server is to end."""

    def __init__(self) -> None:
        super().__init__()
        self.ending = Ending.OFF_AIR
        self.upgrade = asyncio.Event()
        """The server is to be replaced by the program as it is installed now, if that can be started."""
        self._late: signal.Signals | None = None

    def take_off_air(self, signum: signal.Signals) -> None:
        """End, and every route with it. Once it is to be replaced, that is for its successor to do."""
        if self.hands_on():
            self._late = signum
        self.set()

    def leave(self) -> None:
        """End, and leave every process as it is."""
        self._end(Ending.LEAVE)

    def replace(self) -> None:
        """End, leave every process as it is, and let the new program go on."""
        self._end(Ending.REPLACE)

    def _end(self, how: Ending) -> None:
        if not self.is_set():  # who was told to take everything off air does that
            self.ending = how
            self.set()

    @property
    def stays_on_air(self) -> bool:
        """The processes outlive the server."""
        return self.ending is not Ending.OFF_AIR

    async def unless(self, work: Awaitable[T]) -> T | None:
        """Do some work that has no effect before it is done; None: the server is to end, and the work was given up."""
        doing, told = asyncio.ensure_future(work), asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            given_up = not doing.done() and doing.cancel()
        if given_up:
            await asyncio.wait({doing})
            return None
        return doing.result()

    def hands_on(self) -> bool:
        """Another program goes on in this process."""
        return self.is_set() and self.ending is Ending.REPLACE

    def pass_on(self) -> None:
        """What came too late is for the program that follows.

        For the main thread, at the end: it holds our signals, but another one that is left would be killed by this.
        """
        if self.hands_on() and self._late is not None:
            signal.pthread_kill(threading.get_ident(), self._late)


def hold() -> None:
    """Let our signals wait. Threads that are started now never get any: they are for the main thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, OURS)


def listen() -> Stop:
    """From now on signals are obeyed, those that had to wait first.

    SIGTERM and SIGINT take everything off air, SIGUSR2 leaves it, SIGHUP replaces the server. A terminal that closes
    sends SIGHUP, too: whoever was started in it ends with it. nohup's wish to live on without a terminal is respected.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever starts us may ignore it, and then no end has a status
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.take_off_air, signum)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, _hung_up, stop)
    loop.add_signal_handler(signal.SIGUSR2, stop.leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    return stop


def _hung_up(stop: Stop) -> None:
    if _terminal_is_gone():
        stop.take_off_air(signal.SIGHUP)
    else:
        stop.upgrade.set()


def _terminal_is_gone() -> bool:
    """One of our three standard streams is a terminal that nobody is at any more."""
    poller = select.poll()
    for fd in (0, 1, 2):
        poller.register(fd, 0)
    return any(event & select.POLLHUP and _was_terminal(fd) for fd, event in poller.poll(0))


def _was_terminal(fd: int) -> bool:
    """A character device: a pipe whose other end has gone hangs up, too."""
    try:
        return os.major(os.fstat(fd).st_rdev) in _TERMINALS
    except OSError:
        return False


_TERMINALS = frozenset((4, 5, *range(136, 144)))
"""Character devices of Linux: tty, console, and the pseudo terminals (Documentation/admin-guide/devices.txt)."""
