"""Holds back who feeds the bus of a route until who reads it has joined: the first packet finds everybody."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable

from srt_router.routes.bus import Bus
from srt_router.supervision.messages import Joined
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")

_JOIN_WAIT_S = 2.0
"""The source does not wait longer for a destination to join the bus; one that cannot start holds up nobody."""


class Gate:
    """The gate of one route. Its owner asks it before each start, and hands on what `joined` lets through."""

    def __init__(self, route_id: str, services: Services, tell: Callable[[Joined], None]) -> None:
        self._route_id = route_id
        self._services = services
        self._tell = tell
        self._shut = False
        self._held: list[ProcessRecord] = []
        self._round = 0
        self._task: asyncio.Task[None] | None = None

    def passes(self, record: ProcessRecord, processes: Iterable[ProcessRecord]) -> bool:
        """May this process start now? One that may not is held."""
        if record.spec.joins is not None:
            self._shut = self._shut or not any(one.child for one in processes if one.feeds)
            return True
        if not self._shut:
            return True
        if not self._held:
            self._round += 1
            waiting = self._await_joins(self._round, processes)
            self._task = self._services.tasks.create_task(waiting, name=f"joins of {self._route_id}")
        self._held.append(record)
        return False

    def joined(self, message: Joined) -> list[ProcessRecord]:
        """Those that were held, now that the receivers are there or have had their time."""
        if message.round != self._round or not self._shut:
            return []  # the route was stopped meanwhile
        if not message.complete:
            log.warning("Route %s: not every destination has joined the bus; the source starts without", self._route_id)
        return self.open()

    def open(self) -> list[ProcessRecord]:
        """Wait no longer: those that were held."""
        if self._task:
            self._task.cancel()
        self._shut = False
        held, self._held = self._held, []
        return held

    async def _await_joins(self, this_round: int, processes: Iterable[ProcessRecord]) -> None:
        receivers = [one for one in processes if one.state.wanted and one.state.phase is not Phase.BACKOFF]
        counts = Counter(Bus(*one.spec.joins) for one in receivers if one.spec.joins is not None)
        waits = (self._services.joins.wait(bus, count, _JOIN_WAIT_S) for bus, count in counts.items())
        self._tell(Joined(all(await asyncio.gather(*waits)), this_round))
