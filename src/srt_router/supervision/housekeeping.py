"""What the server tells of all media processes of this host, and the cleanup while routes are on air."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.processes import usage
from srt_router.processes.cleanup import CleanupResult, PidManager, display_name
from srt_router.processes.ownership import Rules
from srt_router.processes.states import Listed, ProcessState, list_processes
from srt_router.supervision.inventory import Action, Case, ProcessItem, Verdict, inventory, item, verdict
from srt_router.supervision.manager import RouteManager

_CAMEL = ConfigDict(alias_generator=to_camel)


@dataclass(frozen=True, slots=True)
class OrphanItem(ProcessItem):
    """An orphan or a stale PID file, and what a cleanup would do with it."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    action: Action
    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True, slots=True)
class NotKilled:
    """A process that could not be killed."""

    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A process without an owner that the rules leave alone."""

    pid: int
    program: str


@dataclass(frozen=True, slots=True)
class CleanupView:
    """What a cleanup did."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    killed: list[int]
    errors: list[NotKilled]
    reported: list[Reported]
    """Seen and left alone: under scope `host`, or at another start, they would have been killed."""
    stale_files: list[str]
    """PID files that were removed because their process was dead or somebody else's."""


class Housekeeping:
    """Looks at, and cleans up, what is beside the processes of routes on air. Runs on the event loop."""

    def __init__(self, manager: RouteManager, pid_manager: PidManager, rules: Rules) -> None:
        self._manager = manager
        self._pid_manager = pid_manager
        self._rules = rules
        self._cleaning: asyncio.Task[CleanupResult] | None = None

    async def processes(self) -> list[ProcessItem]:
        """Every media process of this host, every one that waits for its next start, every stale PID file."""
        listed = await self._list()
        usages = await self._measure(listed)
        known = self._manager.known_processes()
        return await asyncio.to_thread(inventory, listed, usages, known)

    async def orphans(self) -> list[OrphanItem]:
        """Every orphan and every stale PID file."""
        odd = [one for one in await self._list() if one.state in (ProcessState.ORPHANED, ProcessState.ZOMBIE)]
        usages = await self._measure(odd)
        on_air = self._manager.pids()  # asked last: what has been started meanwhile is no orphan
        return await asyncio.to_thread(
            lambda: [
                OrphanItem(**asdict(item(one, usages.get(one.pid or 0), None)), **asdict(self._verdict(one, on_air)))
                for one in odd
            ]
        )

    def _verdict(self, listed: Listed, on_air: Collection[int]) -> Verdict:
        case = Case(self._pid_manager.scanner, self._pid_manager.pid_files, self._rules)
        return verdict(listed, case, on_air=listed.pid in on_air)

    async def cleanup(self) -> CleanupView:
        """End every orphan. Who asks while a cleanup goes on gets the result of that one."""
        if self._cleaning is None:
            self._cleaning = asyncio.create_task(
                self._manager.cleanup(self._pid_manager, self._rules), name="cleanup on request"
            )
            self._cleaning.add_done_callback(self._cleaned)
        return _view(await asyncio.shield(self._cleaning))  # whoever hangs up does not stop it half way

    def _cleaned(self, _task: asyncio.Task[CleanupResult]) -> None:
        self._cleaning = None

    async def _list(self) -> list[Listed]:
        return await asyncio.to_thread(list_processes, self._pid_manager.pid_files, self._pid_manager.scanner)

    async def _measure(self, listed: list[Listed]) -> dict[int, usage.Usage]:
        pids = [one.pid for one in listed if one.pid is not None and one.state is not ProcessState.ZOMBIE]
        if not pids:
            return {}
        before = await asyncio.to_thread(usage.sample, pids)
        await asyncio.sleep(usage.INTERVAL_S)
        after = await asyncio.to_thread(usage.sample, pids)
        return usage.between(before, after)


def _view(result: CleanupResult) -> CleanupView:
    return CleanupView(
        killed=result.killed,
        errors=[NotKilled(error.pid, error.reason) for error in result.errors],
        reported=[Reported(facts.pid, display_name(facts)) for facts in result.reported],
        stale_files=result.stale_files,
    )
