"""Orphan cleanup: the PID files first, then every process without one, until nothing new is found.

Step 1 follows the PID files, step 2 the process table. Both look and kill through the same pidfd. What is
decided is decided by pure functions (ownership, sweep); this is the shell around them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from srt_router.processes import sweep
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.ending import GRACE_S, Ending, NotEnded, Orphan, Pin
from srt_router.processes.limits import allow_many_files, processes_at_once
from srt_router.processes.ownership import (
    Facts,
    FileFate,
    Judgement,
    Owner,
    Rules,
    Scope,
    judge,
    judge_file,
)
from srt_router.processes.pidfiles import PidDirectory, PidFile
from srt_router.processes.pinned import Pinned
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.scan import Scanner
from srt_router.processes.sweep import Sweep
from srt_router.processes.tag import own_name

log = logging.getLogger("PidManager")

_BATCH = 64
"""So many are judged, in a thread, before those to be ended get their SIGTERM: these die while others are judged."""

Target = tuple[Orphan, Facts]
"""A pinned process that is to be ended, and what was found out about it."""


@dataclass(slots=True)
class CleanupResult:
    """What a cleanup did."""

    killed: list[int] = field(default_factory=list)
    errors: list[NotEnded] = field(default_factory=list)
    reported: list[Facts] = field(default_factory=list)
    """Seen and left alone: they would be orphans on another start, or under scope `host`."""
    stale_files: list[str] = field(default_factory=list)
    """PID files that were removed because their process was dead or somebody else's."""


class PidManager:
    """Knows the media processes of this host, by PID files and by the process table."""

    def __init__(self, pid_files: PidDirectory, scanner: Scanner, pin: Callable[[int], Pin] = Pinned) -> None:
        self.pid_files = pid_files
        self.scanner = scanner
        self._open_pin = pin

    async def cleanup_orphans(self, rules: Rules, keep: Callable[[], Collection[int]] = tuple) -> CleanupResult:
        """End every orphan that `rules` allow.

        `keep` tells, on the event loop, the PIDs of processes of routes on air: none of them is an orphan.
        """
        allow_many_files()
        cleanup = _Cleanup(self, rules, keep, self._open_pin)
        await cleanup.step_1()
        crashpoint("after_pid_file_scan")
        await cleanup.step_2()
        crashpoint("after_sweep")
        await cleanup.remove_stale()
        crashpoint("after_stale_removed")
        result = cleanup.result
        log.info("Orphan cleanup complete: %d killed, %d errors", len(result.killed), len(result.errors))
        return result


class _Cleanup:
    """One cleanup."""

    def __init__(
        self, of: PidManager, rules: Rules, keep: Callable[[], Collection[int]], open_pin: Callable[[int], Pin]
    ) -> None:
        self.result = CleanupResult()
        self._files = of.pid_files
        self._table = of.scanner
        self._open_pin = open_pin
        self._rules = rules
        self._keep = keep
        self._seen: set[int] = set()
        """PIDs that were judged and left alone, or cannot be ended: nothing new."""
        self._at_once = processes_at_once()

    # Step 1: processes with PID files

    async def step_1(self) -> None:
        await asyncio.to_thread(self._files.remove_left_overs)
        crashpoint("after_left_overs")
        keep = set(self._keep())
        files = [file for file in await asyncio.to_thread(self._read_files) if file.pid not in keep]
        log.info("Found %d PID file(s), cleaning up orphans...", len(files))
        targets, meant = await asyncio.to_thread(self._judge_files, files)
        crashpoint("after_files_judged")
        ended = await self._end([_done(targets)], _announce_with_file)
        for file in meant:
            if file.pid in ended:
                self._remove(file)
                crashpoint("after_pid_file_removed")

    def _read_files(self) -> list[PidFile]:
        return list(self._files.files())

    def _judge_files(self, files: list[PidFile]) -> tuple[list[Target], list[PidFile]]:
        targets: dict[int, Target] = {}
        meant: list[PidFile] = []
        for file in files:
            if len(targets) >= self._at_once:
                break  # step 2 finds the others
            known = targets.get(file.pid or 0)
            found = None if known or file.pid is None else self._pin(file.pid)
            fate, reason = judge_file(file, known[1] if known else found[1] if found else None, self._rules)
            if fate is FileFate.KILL:
                meant.append(file)
                if found:
                    targets[found[0].pid] = _target(*found)
                continue
            if found:
                found[0].close()
            if fate is FileFate.REMOVE:
                self._drop(file, reason)
            elif file.directory:
                log.warning("Ignoring %s in PID_DIR: it %s", file.name, reason)
        return list(targets.values()), meant

    # Step 2: processes without PID files

    async def step_2(self) -> None:
        """Scan until nothing new is found: a quick scan for the many, then thorough ones for every last one."""
        search = Sweep(began=time.monotonic())
        quick = True
        while True:
            found, unsettled = await asyncio.to_thread(self._table.candidates, quick=quick)
            crashpoint("after_scan")
            new = [pid for pid in found if pid not in self._seen][: self._at_once]  # the next scan finds the others
            judgements = (asyncio.to_thread(self._judge, some, unsettled) for some in _batches(new))
            ended = await self._end(judgements, _announce)
            now = time.monotonic()
            if not quick and search.done(now, found=bool(ended), unsettled=unsettled):
                return
            if search.overdue(now):
                log.warning("Gave up looking for orphans: something starts them without pause")
                return
            if not quick:
                await asyncio.sleep(sweep.RESCAN_S)
            quick = False

    def _judge(self, pids: list[int], unsettled: list[int]) -> list[Target]:
        """Whom of these to end; who is amidst an exec is added to `unsettled`."""
        targets: list[Target] = []
        for pid in pids:
            found = self._pin(pid)
            if found is None:
                continue
            pin, facts = found
            judgement = judge(facts, self._rules)
            if judgement is Judgement.KILL:
                targets.append(_target(pin, facts))
                continue
            pin.close()
            if facts.owner is Owner.UNSETTLED:
                unsettled.append(pid)
            else:
                self._seen.add(pid)
                self._tell(judgement, facts)
        return targets

    def _tell(self, judgement: Judgement, facts: Facts) -> None:
        if judgement is Judgement.REPORT:
            self.result.reported.append(facts)
        elif judgement is Judgement.UNABLE:
            self._fail(NotEnded(facts.pid, "it is another user's, and whose it is may not be read"))

    # Both

    def _pin(self, pid: int) -> tuple[Pin, Facts] | None:
        """Pin first, look second, and third make sure that it has not ended in between."""
        try:
            pin = self._open_pin(pid)
        except ProcessLookupError:
            return None
        facts = self._table.facts(pid)
        if facts is None or pin.ended():
            pin.close()
            return None
        return pin, facts

    async def _end(
        self, judged: Iterable[Awaitable[list[Target]]], announce: Callable[[list[Target]], None]
    ) -> set[int]:
        """End those that neither came on air nor ended meanwhile; the answer holds the PIDs whose death was seen.

        Each batch has its SIGTERM before the next one is judged.
        """
        ending, pinned, chosen = Ending(), list[Target](), list[Target]()
        try:
            for batch in judged:
                targets = await batch
                pinned += targets
                chosen += (those := self._chosen(targets))
                ending.begin(orphan for orphan, _ in those)
            if not chosen:
                return set()
            announce(chosen)
            errors = await ending.finish(GRACE_S)
        finally:
            for orphan, _ in pinned:
                orphan.close()
        for error in errors:
            self._fail(error)
        failed = {error.pid for error in errors}
        ended = [orphan.pid for orphan, _ in chosen if orphan.pid not in failed]
        self.result.killed += ended
        return set(ended)

    def _chosen(self, targets: list[Target]) -> list[Target]:
        """Without those that are on air by now, or have ended."""
        keep = set(self._keep())
        return [
            (orphan, facts)
            for orphan, facts in targets
            if orphan.pid not in keep and facts.group not in keep and not orphan.gone()
        ]

    def _fail(self, error: NotEnded) -> None:
        log.error("Could not kill PID %d: %s", error.pid, error.reason)
        self._seen.add(error.pid)
        self.result.errors.append(error)

    async def remove_stale(self) -> None:
        """Remove the PID files that name no live process of ours."""
        spared = {error.pid for error in self.result.errors}.union(self._keep())
        await asyncio.to_thread(self._remove_stale, spared)

    def _remove_stale(self, spared: set[int]) -> None:
        for file in self._read_files():
            if file.pid in spared:
                continue
            facts = None if file.pid is None else self._table.facts(file.pid)
            fate, reason = judge_file(file, facts, self._rules)
            if fate is FileFate.REMOVE:
                self._drop(file, reason)

    def _drop(self, file: PidFile, reason: str) -> None:
        log.info("Removing stale PID file %s: %s", file.name, reason)
        if self._remove(file):
            self.result.stale_files.append(file.name)

    def _remove(self, file: PidFile) -> bool:
        try:
            self._files.remove(file.name)
        except OSError as error:
            log.warning("Cannot remove PID file %s: %s", file.name, error.strerror)
            return False
        return True


def _batches(pids: list[int]) -> Iterator[list[int]]:
    return (pids[at : at + _BATCH] for at in range(0, len(pids), _BATCH))


async def _done(targets: list[Target]) -> list[Target]:
    return targets


def _target(pin: Pin, facts: Facts) -> Target:
    return Orphan(pin, group=facts.leads_group and facts.owner is Owner.OURS), facts


def _announce_with_file(targets: list[Target]) -> None:
    for orphan, facts in targets:
        log.info("Killing %s PID %d (PID file)", display_name(facts), orphan.pid)


def _announce(targets: list[Target]) -> None:
    by_program: dict[str, list[int]] = {}
    for orphan, facts in targets:
        by_program.setdefault(display_name(facts), []).append(orphan.pid)
    for program in sorted(by_program, key=lambda name: (name != SRT_LIVE_TRANSMIT, name)):
        pids = by_program[program]
        log.info("Found %d orphaned %s process(es) without PID files", len(pids), program)
        for pid in pids:
            log.info("Killing orphaned %s PID %d", program, pid)


def left_alone(reported: list[Facts], rules: Rules) -> str:
    """What to tell about processes that were seen and not killed."""
    pids = ", ".join(str(facts.pid) for facts in reported)
    seen = f"{len(reported)} srt-live-transmit process(es) without an owner left alone (PID {pids})"
    if rules.scope is Scope.OWNED:
        return f"{seen}: CLEANUP_SCOPE is owned. Remedy, if they are orphans: srt-router cleanup --scope host"
    return (
        f"{seen}: this installation starts for the first time, they cannot be its orphans. "
        "The next start ends them. If this box also runs streams of others, set CLEANUP_SCOPE=owned; "
        "to end them now: srt-router cleanup"
    )


def display_name(facts: Facts) -> str:
    """What a process is called in logs and lists: its program, or its process type where that is ours."""
    return own_name(facts.tag.process if facts.tag else None, facts.program)
