"""A process that we started: its identity, and its end as the kernel tells it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.loop_share import LoopShare
from srt_router.processes.spec import ProcessSpec


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended."""

    code: int | None
    """Exit status; None when a signal ended it, or nothing is known."""
    signal: int | None
    """The signal that ended it."""

    def __str__(self) -> str:
        """`exit status 255`, `killed by SIGKILL`, `end unknown`."""
        if self.signal is not None:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(self.signal).name}"
            return f"killed by signal {self.signal}"
        return "end unknown" if self.code is None else f"exit status {self.code}"


class Child:
    """One live process of ours, watched through its pidfd: no thread, no polling."""

    def __init__(self, spec: ProcessSpec, pid: int, nonce: str) -> None:
        self.spec = spec
        self.nonce = nonce
        self.pid = pid
        self.started_ms = time.time_ns() // 1_000_000
        self._pidfd = os.pidfd_open(pid)
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.exit: Exit | None = None

    def watch(self, share: LoopShare, on_exit: Callable[[Child], None]) -> None:
        """Call `on_exit` once, on the loop, as soon as the process has ended and was reaped."""
        asyncio.get_running_loop().add_reader(self._pidfd, self._readable, share, on_exit)

    def _readable(self, share: LoopShare, on_exit: Callable[[Child], None]) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        share.submit(partial(self._reap, on_exit))

    def _reap(self, on_exit: Callable[[Child], None]) -> None:
        with contextlib.suppress(PermissionError):  # a set-uid program in its group
            self.signal(signal.SIGKILL)  # what is left of its group; the unreaped leader still holds the number
        found = None
        with contextlib.suppress(ChildProcessError):  # reaped by somebody else: how it ended stays unknown
            found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        by_signal = found is not None and found.si_code != os.CLD_EXITED
        status = found.si_status if found else None
        self.exit = Exit(None, status) if by_signal else Exit(status, None)
        crashpoint("after_exit_seen")
        self._exit.set_result(self.exit)
        on_exit(self)

    def signal(self, signum: signal.Signals) -> None:
        """Signal its process group. Safe without a look: it leads the group, and we have not reaped it."""
        if self.exit is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def ended(self) -> None:
        """Return once its end has been seen."""
        await asyncio.shield(self._exit)
