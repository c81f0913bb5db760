"""What one server keeps: every event, from the first one to the last, and the numbers of every leg over time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from srt_router.storage.database import Database
from srt_router.storage.events import Event, EventStore
from srt_router.storage.statistics import StatisticsStore
from srt_router.supervision.event_bus import Announced, EventBus

_LAST_WORDS_S = 2.0
"""A disk that hangs holds up the end of the server for no longer."""


@dataclass(frozen=True, slots=True)
class History:
    """What is kept, and the tasks that write it."""

    events: EventStore
    statistics: StatisticsStore
    _bus: EventBus
    _writing: tuple[asyncio.Task[None], ...]

    async def close(self) -> None:
        """Write the last events and numbers."""
        self._bus.close()
        for writing in self._writing:
            writing.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.events.flush(), _LAST_WORDS_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.statistics.close(), _LAST_WORDS_S)
        await self.events.database.close(_LAST_WORDS_S)


async def keep_history(bus: EventBus, data_dir: Path, tasks: asyncio.TaskGroup) -> History:
    """Keep every event of `bus` in the database of `data_dir`. Where that cannot be used, in memory."""
    store = EventStore(Database(data_dir))
    await store.open()
    bus.subscribe(lambda announced: _keep(store, announced))
    statistics = StatisticsStore(store.database)
    writing = (
        tasks.create_task(store.run(), name="event history"),
        tasks.create_task(statistics.run(), name="statistics history"),
    )
    return History(store, statistics, bus, writing)


def _keep(store: EventStore, announced: Announced) -> None:
    store.add(
        Event(
            id=0,
            at=announced.at_ms,
            kind=announced.kind,
            route_id=announced.route,
            process_type=announced.process,
            message=announced.message,
            data=announced.data,
            actor=announced.actor,
            repeated=announced.repeated,
        )
    )
