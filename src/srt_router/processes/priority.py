"""The server's place in the queue for a processor: in front of what it supervises.

What died must be replaced at once, above all on a box whose processors are busy. The server itself
needs little, and never for long.
"""

from __future__ import annotations

import contextlib
import os

_NICE = -10
_raised_from: int | None = None


def raise_priority(raised_from: int | None = None) -> None:
    """Go in front, where we are allowed to (root, CAP_SYS_NICE, LimitNICE=); else stay.

    `raised_from`: the program before us in this process has raised it already, from there.
    """
    global _raised_from
    before = os.getpriority(os.PRIO_PROCESS, 0) if raised_from is None else raised_from
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(before, _NICE))
        _raised_from = before


def raised_from() -> int | None:
    """The nice value before we raised our priority; None: we did not."""
    return _raised_from


def restore_priority(pid: int) -> None:
    """Give a new child the priority that we had before: it inherited ours."""
    if _raised_from is not None:
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, pid, _raised_from)
