"""What every owner of a route shares with all others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from srt_router.monitoring.log_watcher import LogWatcher
from srt_router.monitoring.statistics import StatisticsReader
from srt_router.processes.spawner import Spawner
from srt_router.routes.engine import Engine
from srt_router.routes.ffmpeg import may_use_hardware
from srt_router.routes.transcode import Transcode
from srt_router.supervision.buses import BusBook, JoinWatch
from srt_router.supervision.checks import HolderBook
from srt_router.supervision.event_bus import EventBus
from srt_router.supervision.taps import BusTaps


@dataclass(slots=True)
class Services:
    """Made once by the manager."""

    spawner: Spawner
    logs: LogWatcher
    statistics: StatisticsReader
    buses: BusBook
    engine: Engine
    tasks: asyncio.TaskGroup
    """Owns every task of the manager: one that crashes ends the server, visibly."""
    announce: Callable[[str], None]
    """Something about this route has changed that clients are to be told of."""
    changed: Callable[[str], None] = field(default=lambda _route: None)
    """What is shown of this route is another from now on: said at each change, more often than `announce`."""
    events: EventBus = field(default_factory=EventBus)
    taps: BusTaps = field(default_factory=BusTaps)
    encoders: asyncio.Future[frozenset[str]] | None = None
    """The hardware encoders that work here, as soon as they have been tried; None: nobody tries."""
    joins: JoinWatch = field(init=False)
    holders: HolderBook = field(default_factory=HolderBook)
    jitter: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        self.joins = JoinWatch(self.tasks, self.taps)

    async def engine_for(self, transcode: Transcode | None) -> Engine:
        """The programs, with the hardware encoders tried to the end where that decides what is planned."""
        if self.encoders is not None and may_use_hardware(transcode):
            self.engine = replace(self.engine, encoders=await asyncio.shield(self.encoders))
        return self.engine
