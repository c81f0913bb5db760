"""A fair share of the event loop: work that comes by the hundred is done a slice per turn.

Four hundred starts, or four hundred deaths, in one turn of the loop would make everything else wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_SLICE_S = 0.004
"""Seconds of work per turn of the loop: a few starts, or some twenty deaths."""


class LoopShare:
    """Runs jobs in the order in which they came."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = False
        self._loop = asyncio.get_running_loop()

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop soon, when those before it are done. It must not raise."""
        self._jobs.append(job)
        if not self._running:
            self._running = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        end = time.monotonic() + _SLICE_S
        while self._jobs:
            self._jobs.popleft()()
            if time.monotonic() > end:
                break
        if self._jobs:
            self._loop.call_soon(self._run)
        else:
            self._running = False
