"""How many files may be open, since every process that is watched or ended takes a pidfd; and how memory is kept."""

from __future__ import annotations

import contextlib
import ctypes
import resource

_RESERVE = 256
"""Descriptors left for everything else: sockets, logs, and the reads of /proc that judge a process."""

_MANY = 16_384
"""A process under supervision takes four (pidfd, log, statistics, a socket of whoever looks): enough for 4,000."""

_M_ARENA_MAX = -8
"""mallopt(3)"""


def share_one_heap() -> None:
    """Let all threads allocate from one heap; before any of them is started.

    glibc gives each thread one of its own, and what work that moves from thread to thread leaves in them is too
    scattered to be used again: a server that is busy grows for days. Few of our threads ever allocate at once.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def allow_many_files() -> None:
    """Raise the soft limit to the hard one; the default of 1,024 is for programs that use select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def few_descriptors() -> bool:
    """Whether many routes can use them all up, after which no module can be loaded any more."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # the soft limit is raised to the hard one
    return hard != resource.RLIM_INFINITY and hard < _MANY


def processes_at_once() -> int:
    """How many processes may be pinned at the same time."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 20
    return max(soft - _RESERVE, soft // 4)
