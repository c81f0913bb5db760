"""A model of a host: process table, PID files and pidfds, in which the real cleanup runs without a process.

Things happen while the cleanup looks: at every look a process may end and its PID go to a stranger.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from srt_router.processes.ownership import Facts, Owner, Rules, Scope
from srt_router.processes.pidfiles import PidFile
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from tests.unit.processes.builders import FOREIGN, NOW_MS, OURS


@dataclass(eq=False)
class Process:
    """One process; a PID that is used again is another Process."""

    pid: int
    owner: Owner
    program: str = SRT_LIVE_TRANSMIT
    route: str = "route_1"
    kind: str = "srt"
    started_ms: int = NOW_MS - 60_000
    on_air: bool = False
    """The server that cleans up has it on air."""
    ignores_term: bool = False
    forbidden: bool = False
    """May not be signalled by us."""
    immortal: bool = False
    """Uninterruptible sleep."""
    hidden_scans: int = 0
    """Between fork and exec: so many scans see another program without a tag."""
    unsettled_looks: int = 0
    """Amidst its exec: for so many looks it has no environment."""
    leaderless: bool = True
    """A quick scan sees it: it leads its session, or the leader is gone."""
    alive: bool = True
    signals: list[signal.Signals] = field(default_factory=list)
    on_death: list[Callable[[], None]] = field(default_factory=list)

    @property
    def tagged(self) -> bool:
        return self.owner in (Owner.OURS, Owner.LIVE_ROUTER, Owner.DEAD_ROUTER)

    def die(self) -> None:
        self.alive = False
        for call in self.on_death:
            call()
        self.on_death.clear()

    def take(self, signum: signal.Signals) -> None:
        if self.forbidden:
            raise PermissionError(1, "Operation not permitted")
        if not self.alive:
            return
        self.signals.append(signum)
        fatal = signum is signal.SIGKILL or (signum is signal.SIGTERM and not self.ignores_term)
        if fatal and not self.immortal:
            self.die()

    def may_be_killed(self, rules: Rules) -> bool:
        """The promise in plain words, written without a look at the code that keeps it."""
        if self.on_air:
            return False
        if self.owner is Owner.OURS:
            return True
        nobodys = self.program == SRT_LIVE_TRANSMIT and self.owner in (Owner.NOBODY, Owner.DEAD_ROUTER)
        return nobodys and rules.scope is Scope.HOST and not rules.first_start


class Host:
    """The process table, and PID_DIR."""

    def __init__(self) -> None:
        self.table: dict[int, Process] = {}
        self.ever: list[Process] = []
        self.names: dict[str, PidFile] = {}
        self.happenings: list[int] = []
        """What happens at the next looks: 0 nothing, n the end of the n-th process and a stranger in its place."""
        self.next_pid = 100

    # The world

    def add(self, process: Process) -> Process:
        self.table[process.pid] = process
        self.ever.append(process)
        return process

    def new(self, owner: Owner, **more: object) -> Process:
        self.next_pid += 1
        return self.add(Process(self.next_pid, owner, **more))  # type: ignore[arg-type]

    def replace_by_a_stranger(self, process: Process, program: str = SRT_LIVE_TRANSMIT) -> Process:
        process.die()
        return self.add(Process(process.pid, Owner.LIVE_ROUTER, program, started_ms=NOW_MS + 1_000_000))

    def alive(self) -> list[Process]:
        return [process for process in self.table.values() if process.alive]

    def look(self) -> None:
        """Somebody looks: time passes."""
        what = self.happenings.pop() if self.happenings else 0
        mortal = [process for process in self.alive() if not process.on_air and not process.immortal]
        if what and mortal:
            self.replace_by_a_stranger(mortal[what % len(mortal)])

    # What the cleanup sees: the Scanner's, PidDirectory's and Pinned's part

    def candidates(self, *, quick: bool = False) -> tuple[list[int], list[int]]:
        self.look()
        found, unsettled = [], []
        for process in sorted(self.alive(), key=lambda one: one.pid):
            if process.hidden_scans:
                process.hidden_scans -= 0 if quick else 1
            elif process.program == SRT_LIVE_TRANSMIT:
                found.append(process.pid)
            elif process.unsettled_looks:
                process.unsettled_looks -= 1
                unsettled.append(process.pid)
            elif process.tagged and (process.leaderless or not quick):
                found.append(process.pid)
        return found, unsettled

    def facts(self, pid: int) -> Facts | None:
        self.look()
        process = self.table.get(pid)
        if process is None or not process.alive:
            return None
        owner = process.owner
        if process.hidden_scans:
            owner = Owner.NOBODY
        elif process.unsettled_looks:
            process.unsettled_looks -= 1
            owner = Owner.UNSETTLED
        tags = {Owner.OURS: OURS, Owner.LIVE_ROUTER: FOREIGN, Owner.DEAD_ROUTER: FOREIGN}
        tag = replace(tags[owner], route=process.route, process=process.kind) if owner in tags else None
        return Facts(
            pid=pid,
            program="python3.11" if process.hidden_scans else process.program,
            owner=owner,
            tag=tag,
            started_ms=process.started_ms,
            leads_group=True,
        )

    def files(self) -> Iterator[PidFile]:
        self.look()
        yield from sorted(self.names.values(), key=lambda file: file.name)

    def remove(self, file_name: str) -> None:
        if file_name in self.names and not self.names[file_name].directory:
            del self.names[file_name]

    def remove_left_overs(self) -> None:
        """Nothing of the kind in here."""

    def pin(self, pid: int) -> ModelPin:
        self.look()
        process = self.table.get(pid)
        if pid <= 1 or process is None or not process.alive:
            raise ProcessLookupError
        return ModelPin(process)


class ModelPin:
    """A pidfd: bound to the process, not to the number."""

    fd = None

    def __init__(self, process: Process) -> None:
        self.pid = process.pid
        self._process = process

    def ended(self) -> bool:
        return not self._process.alive

    def death(self) -> asyncio.Future[None]:
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def resolve() -> None:
            if not seen.done():
                seen.set_result(None)

        if self._process.alive:
            self._process.on_death.append(resolve)
        else:
            resolve()
        return seen

    def send(self, signum: signal.Signals) -> None:
        self._process.take(signum)

    send_group = send

    def close(self) -> None:
        """Nothing to give back."""
