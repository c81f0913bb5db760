"""A process pinned by a pidfd: the only thing that is ever signalled.

A PID may name somebody else by the time a signal is sent; a pidfd never does. So: open the pidfd
first, verify through /proc second, and look whether it has ended meanwhile third.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal

_PID_MAX = 4_194_304
"""The kernel's own limit (PID_MAX_LIMIT on 64 bits)."""

_PIDFD_SIGNAL_PROCESS_GROUP = 4
"""Flag of pidfd_send_signal(2), Linux 6.9: the whole group of the process, without a race."""


class Pinned:
    """A pidfd and the PID it was opened for."""

    def __init__(self, pid: int) -> None:
        """Pin a process. Raises ProcessLookupError when there is none, OSError when descriptors run out."""
        if not 1 < pid <= _PID_MAX:
            raise ProcessLookupError(errno.ESRCH, f"PID {pid} is never ours to pin")
        self.pid = pid
        try:
            self.fd = os.pidfd_open(pid)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # the number of a thread, which is no process
                raise ProcessLookupError(errno.ESRCH, f"PID {pid} is a thread") from error
            raise

    def ended(self) -> bool:
        """True once the process has ended (also as a zombie that waits to be reaped)."""
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return bool(poller.poll(0))

    def death(self) -> asyncio.Future[None]:
        """Resolved on the event loop once the process has ended; no task, no thread, no polling."""
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[None] = loop.create_future()
        fd = self.fd

        def resolve() -> None:
            loop.remove_reader(fd)  # at once: a dead process's pidfd stays readable
            if not seen.done():
                seen.set_result(None)

        def forget(future: asyncio.Future[None]) -> None:
            if future.cancelled():
                loop.remove_reader(fd)

        loop.add_reader(fd, resolve)
        seen.add_done_callback(forget)
        return seen

    def send(self, signum: signal.Signals) -> None:
        """Signal the process. One that has ended is no error; PermissionError is raised."""
        try:
            signal.pidfd_send_signal(self.fd, signum)
        except ProcessLookupError:
            return

    def send_group(self, signum: signal.Signals) -> None:
        """Signal the group that the process leads; where the kernel cannot, the process alone."""
        try:
            signal.pidfd_send_signal(self.fd, signum, None, _PIDFD_SIGNAL_PROCESS_GROUP)
        except ProcessLookupError:
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            self.send(signum)

    def close(self) -> None:
        """Give the pidfd back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
