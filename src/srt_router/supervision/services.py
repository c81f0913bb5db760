"""What every owner of a route shares with all others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from srt_router.monitoring.log_watcher import LogWatcher
from srt_router.processes.spawner import Spawner
from srt_router.routes.engine import Engine
from srt_router.supervision.buses import BusBook, JoinWatch


@dataclass(slots=True)
class Services:
    """Made once by the manager."""

    spawner: Spawner
    logs: LogWatcher
    buses: BusBook
    engine: Engine
    tasks: asyncio.TaskGroup
    """Owns every task of the manager: one that crashes ends the server, visibly."""
    announce: Callable[[str], None]
    """Something about this route has changed."""
    joins: JoinWatch = field(init=False)
    jitter: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        self.joins = JoinWatch(self.tasks)
