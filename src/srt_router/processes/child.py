"""A process that we started: its identity, and its end as the kernel tells it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.loop_share import LoopShare
from srt_router.processes.pinned import Pinned
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

    def __init__(self, spec: ProcessSpec, pid: int, nonce: str, *, pidfd: int | None = None) -> None:
        self.spec = spec
        self.nonce = nonce
        self.pid = pid
        self.started_ms = time.time_ns() // 1_000_000
        self._pidfd = os.pidfd_open(pid) if pidfd is None else pidfd
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
        self.exit = self._how_it_ended()
        os.close(self._pidfd)
        crashpoint("after_exit_seen")
        self._exit.set_result(self.exit)
        on_exit(self)

    def _how_it_ended(self) -> Exit:
        try:
            found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        except ChildProcessError:  # reaped by somebody else
            return Exit(None, None)
        if found is None:
            return Exit(None, None)
        by_signal = found.si_code != os.CLD_EXITED
        return Exit(None, found.si_status) if by_signal else Exit(found.si_status, None)

    def signal(self, signum: signal.Signals) -> None:
        """Signal its process group. Safe without a look: it leads the group, and we have not reaped it."""
        if self.exit is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def ended(self) -> None:
        """Return once its end has been seen."""
        await asyncio.shield(self._exit)


class Adopted(Child):
    """A process that an earlier server started and that is no child of this one: another reaps it.

    So its number may be somebody else's at any time, and everything goes through its pidfd.
    """

    def __init__(self, spec: ProcessSpec, pin: Pinned, nonce: str, started_ms: int) -> None:
        """Take over `pin`, which was verified; it is closed when the process has ended."""
        super().__init__(spec, pin.pid, nonce, pidfd=pin.fd)
        self.started_ms = started_ms
        self._pin = pin

    def signal(self, signum: signal.Signals) -> None:
        """Signal its process group, through its pidfd."""
        if self.exit is None:
            self._pin.send_group(signum)

    def _how_it_ended(self) -> Exit:
        return exit_of(self._pidfd) or Exit(None, None)


_PIDFD_GET_INFO = 0xC040FF0B
"""ioctl(2) _IOWR(0xFF, 11, struct pidfd_info of 64 bytes), Linux 6.13."""
_PIDFD_INFO_EXIT = 1 << 3
"""Linux 6.15: the exit status, once the process has been reaped."""
_INFO = struct.Struct("=QQ11Ii")
"""mask, cgroup, eleven ids, exit status as wait(2) has it."""
_LOOKS = 5


def exit_of(pidfd: int) -> Exit | None:
    """How a process that is no child of ours ended, where the kernel tells it; None: unknown.

    It is told once the process has been reaped, which takes its parent (init) some microseconds.
    """
    for _ in range(_LOOKS):
        info = bytearray(_INFO.pack(_PIDFD_INFO_EXIT, *[0] * 13))
        try:
            fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
        except OSError:
            return None
        mask, *_, status = _INFO.unpack(info)
        if mask & _PIDFD_INFO_EXIT:
            if os.WIFSIGNALED(status):
                return Exit(None, os.WTERMSIG(status))
            return Exit(os.WEXITSTATUS(status), None)
        time.sleep(0.0001)
    return None
