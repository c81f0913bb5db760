"""How many files may be open: every process that is watched or ended takes a pidfd."""

from __future__ import annotations

import contextlib
import resource

_RESERVE = 256
"""Descriptors left for everything else: sockets, logs, and the reads of /proc that judge a process."""


def allow_many_files() -> None:
    """Raise the soft limit to the hard one; the default of 1,024 is for programs that use select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def processes_at_once() -> int:
    """How many processes may be pinned at the same time."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 20
    return max(soft - _RESERVE, soft // 4)
