"""Spreads starts over loop turns, so that starting hundreds of processes never blocks the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_SLICE_S = 0.008
"""Seconds of spawning per loop turn: about ten processes at 0.5 to 1 ms each."""


class SpawnGate:
    """Runs start jobs in order, a slice of them in each turn of the loop."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._loop = asyncio.get_running_loop()

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop soon; it must not raise."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        end = time.monotonic() + _SLICE_S
        while self._jobs:
            self._jobs[0]()
            self._jobs.popleft()
            if time.monotonic() > end:
                break
        if self._jobs:
            self._loop.call_soon(self._run)
