"""What a tool process tells whoever started it: one JSON object per line on standard output."""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

PROGRESS_INTERVAL_S = 0.1


def emit(event: str, **details: object) -> None:
    """Print one event."""
    sys.stdout.write(json.dumps({"event": event, **details}) + "\n")  # as one: SIGTERM may come between two writes
    sys.stdout.flush()


class Progress:
    """Reports a growing number of bytes, ten times a second at most."""

    def __init__(self) -> None:
        self.reported = 0
        self._due_s = 0.0

    def update(self, total: int) -> bool:
        """Report `total` if it has grown and the last report is old enough; True if it was reported."""
        now_s = time.monotonic()
        if total == self.reported or now_s < self._due_s:
            return False
        emit("progress", bytes=total)
        self.reported, self._due_s = total, now_s + PROGRESS_INTERVAL_S
        return True


def exit_on_sigterm() -> None:
    """Let SIGTERM end this process as an exception would, so that it can say what it has done."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def cpu_s() -> float:
    """CPU time of this process, rounded for a report."""
    return round(time.process_time(), 2)
