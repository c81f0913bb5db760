"""The server goes on with another program in the same process (execve(2)): what it hands on, and how.

Same PID, so its children stay its children. The directories stay locked and the socket goes on listening, since their
descriptors stay open: what calls meanwhile waits in the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from srt_router.processes.crashpoint import crashpoint

HANDED_OVER = "SRT_ROUTER_HANDED_OVER"
"""What the program before hands on; set for the moment of the exec only."""
TRIAL = "SRT_ROUTER_TRIAL"
"""Set for a server that is only to find out whether it could run, see srt_router.replacing."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Descriptors that stay open, and what cannot be found out anew."""

    pid: int
    data_dir: int
    pid_dir: int
    run_dir: int
    listener: int
    priority: int | None
    """The nice value before the server raised its priority."""
    version: str
    """Of the program before."""
    began_s: float
    """When it made way (monotonic seconds)."""

    def descriptors(self) -> tuple[int, ...]:
        """All of them."""
        return (self.data_dir, self.pid_dir, self.run_dir, self.listener)


@dataclass(frozen=True, slots=True)
class Self:
    """How this program was started."""

    program: str
    arguments: tuple[str, ...]
    folder: str
    """Its working directory: arguments may name files in it."""

    @classmethod
    def now(cls) -> Self:
        """To be called before the working directory is left."""
        try:
            folder = str(Path.cwd())
        except OSError:
            folder = "/"
        return cls(sys.executable, tuple(sys.orig_argv[1:]), folder)

    def become(self, handed: HandedOver) -> None:
        """Start the program anew in this process. Returns never; raises OSError where the kernel refuses."""
        environment = {**os.environ, HANDED_OVER: json.dumps(asdict(handed))}
        for fd in handed.descriptors():
            os.set_inheritable(fd, True)
        crashpoint("before_exec")
        try:
            with contextlib.suppress(OSError):
                os.chdir(self.folder)
            os.execve(self.program, [self.program, *self.arguments], environment)  # noqa: S606 - our own program
        finally:  # it was refused
            os.chdir("/")
            _keep_to_ourselves(handed)


def taken_over() -> HandedOver | None:
    """What the program before has handed on to us; None: this server was started."""
    text = os.environ.pop(HANDED_OVER, None)
    if text is None:
        return None
    with contextlib.suppress(ValueError, TypeError, OSError):
        handed = HandedOver(**json.loads(text))
        if handed.pid == os.getpid():
            _keep_to_ourselves(handed)
            return handed
    return None


def since(handed: HandedOver) -> float:
    """Seconds since the program before made way."""
    return time.monotonic() - handed.began_s


def _keep_to_ourselves(handed: HandedOver) -> None:
    """No child of ours inherits them: a lock would outlive us."""
    for fd in handed.descriptors():
        os.set_inheritable(fd, False)
