"""A fair share of the event loop: work that comes by the hundred is done a slice per turn.

Four hundred starts, or four hundred deaths, in one turn of the loop would make everything else wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable

log = logging.getLogger("PidManager")

_SLICE_S = 0.004
"""Seconds of work per turn of the loop: a few starts, or some twenty deaths."""
_JOBS_PER_TURN = 10


class LoopShare:
    """Runs jobs in the order in which they came: at once while this turn has time left, else in later turns."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._left_s = _SLICE_S
        self._turn_ends: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, now or soon. It must not raise."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._run()

    @property
    def busy(self) -> bool:
        """Jobs wait for their turn."""
        return bool(self._jobs)

    def _run(self) -> None:
        while self._jobs and self._left_s > 0:
            began = time.monotonic()
            try:
                self._jobs[0]()  # it counts as waiting while it runs, so that a job of its own comes after it
            except Exception:  # noqa: BLE001 - one that fails must not stop every start and every death
                log.exception("A start or a death could not be handled")
            self._jobs.popleft()
            self._left_s -= time.monotonic() - began
        if self._turn_ends is None:
            self._turn_ends = self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn_ends = None
        self._left_s = _SLICE_S
        if self._jobs:
            self._run()


async def in_turns(jobs: Iterable[Coroutine[None, None, None]]) -> list[asyncio.Task[None]]:
    """Begin many jobs, some per turn of the loop."""
    tasks = []
    for number, job in enumerate(jobs, 1):
        tasks.append(asyncio.create_task(job))
        if number % _JOBS_PER_TURN == 0:
            await asyncio.sleep(0)
    return tasks
