"""A route's owner on a stage: everything around it is real but the processes, which live and die as told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from srt_router.errors import SpawnFailed
from srt_router.monitoring.log_watcher import LogWatcher
from srt_router.monitoring.statistics import StatisticsReader
from srt_router.processes.child import Child, Exit
from srt_router.processes.loop_share import LoopShare
from srt_router.processes.spawner import Spawner
from srt_router.processes.spec import ProcessSpec
from srt_router.processes.unwritten import Unwritten
from srt_router.routes.engine import Engine
from srt_router.routes.model import Route
from srt_router.supervision import checks
from srt_router.supervision.buses import BusBook
from srt_router.supervision.checks import PortTable
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services
from tests.harness.wait import until_async

ENGINE = Engine((1, 5, 1), "/usr/bin/python3", "/opt/duplicator.py")
_PIDS = itertools.count(1_000_001)


class Actor:
    """A process that is none."""

    pidfd = None

    def __init__(self, spec: ProcessSpec, on_exit: Callable[[Child], None], *, obeys: bool) -> None:
        self.spec = spec
        self.pid = next(_PIDS)
        self.started_ms = 0
        self.exit: Exit | None = None
        self.obeys = obeys
        """It ends when it is told to."""
        self._on_exit = on_exit
        self._dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def signal(self, signum: signal.Signals) -> None:
        if self.obeys and signum is signal.SIGTERM:
            asyncio.get_running_loop().call_soon(self.die)

    def die(self, code: int = 0) -> None:
        if self.exit is None:
            self.exit = Exit(code, None)
            self._dead.set_result(None)
            self._on_exit(cast(Child, self))

    async def ended(self) -> None:
        await asyncio.shield(self._dead)


@dataclass
class Folder:
    """RUN_DIR."""

    path: Path
    fd: int


class PidFiles:
    """PID_DIR, which may be on a disk that has become read-only."""

    broken = False

    def remove_if(self, _name: str, _pid: int) -> None:
        if self.broken:
            raise OSError(30, "Read-only file system")


@dataclass
class Troupe:
    """Starts actors in the place of processes."""

    run_dir: Folder
    pid_files: PidFiles = field(default_factory=PidFiles)
    share: LoopShare = field(default_factory=LoopShare)
    actors: list[Actor] = field(default_factory=list)
    obeying: bool = True
    refusing: bool = False
    """Every start fails."""
    short_lived: frozenset[str] = frozenset()
    """Process types that end as soon as they have been started."""

    unwritten: Unwritten = field(default_factory=Unwritten)

    def remove_pid_file(self, child: Child) -> None:
        self.pid_files.remove_if(child.spec.name, child.pid)

    def spawn(self, spec: ProcessSpec, on_exit: Callable[[Child], None], buses: str = "") -> Child:
        assert buses.count(",") <= 1
        if self.refusing:
            raise SpawnFailed(f"cannot start {spec.name}")
        assert not any(one.spec.name == spec.name for one in self.alive()), f"{spec.name} runs already"
        self.actors.append(Actor(spec, on_exit, obeys=self.obeying))
        if spec.process_type in self.short_lived:
            asyncio.get_running_loop().call_soon(self.actors[-1].die)
        return cast(Child, self.actors[-1])

    def alive(self) -> list[Actor]:
        return [one for one in self.actors if one.exit is None]

    def playing(self, process_type: str) -> Actor:
        (found,) = [one for one in self.alive() if one.spec.process_type == process_type]
        return found


class Joins:
    """The receivers of a bus join it when they are told to."""

    def __init__(self) -> None:
        self.at_once = True
        self.asked: list[int] = []
        """For how many receivers somebody waited."""
        self.waiting: list[asyncio.Future[None]] = []

    async def wait(self, _bus: object, count: int, _timeout_s: float) -> bool:
        self.asked.append(count)
        if not self.at_once:
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]
        return True


class Stage:
    """All of it."""

    def __init__(self, services: Services, troupe: Troupe, joins: Joins) -> None:
        self.services = services
        self.troupe = troupe
        self.joins = joins
        self.looks = 0
        """How often somebody looked at the ports."""
        self.table: Callable[[], PortTable] = PortTable
        self.owners: list[RouteOwner] = []

    def owner(self, route: Route) -> RouteOwner:
        self.owners.append(RouteOwner(route, self.services))
        return self.owners[-1]

    def look(self) -> PortTable:
        self.looks += 1
        return self.table()

    async def until_alive(self, *process_types: str) -> None:
        def there() -> bool:
            return sorted(one.spec.process_type for one in self.troupe.alive()) == sorted(process_types)

        await until_async(there, 5, f"{process_types} to be alive")


@contextlib.asynccontextmanager
async def stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Set up, and take down whatever is left."""
    run_dir = Folder(folder, os.open(folder, os.O_RDONLY))
    troupe, joins = Troupe(run_dir), Joins()
    async with asyncio.TaskGroup() as tasks:
        services = Services(
            spawner=cast(Spawner, troupe),
            logs=LogWatcher(run_dir.fd),
            statistics=StatisticsReader(run_dir.fd),
            buses=BusBook("instance"),
            engine=ENGINE,
            tasks=tasks,
            announce=lambda _route: None,
            jitter=lambda: 0.0,
        )
        monkeypatch.setattr(services, "joins", joins)
        found = Stage(services, troupe, joins)
        monkeypatch.setattr(PortTable, "look", found.look)
        monkeypatch.setattr(checks, "find_program", lambda name: name)
        try:
            yield found
        finally:
            for owner in found.owners:
                owner._task.cancel()
            services.logs.close()
            services.statistics.close()
    os.close(run_dir.fd)
