"""Orphan cleanup: the PID files first, then every process without one, until nothing new is found.

Step 1 follows the PID files, step 2 the process table. Both look and kill through the same pidfd.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.ending import GRACE_S, NotEnded, Orphan, end_all
from srt_router.processes.ownership import Facts, Judgement, Owner, Rules, Scope, judge, stranger_reason
from srt_router.processes.pidfiles import PidDirectory, PidFile
from srt_router.processes.pinned import Pinned
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.scan import Scanner

log = logging.getLogger("PidManager")

_RESCAN_S = 0.012
"""Pause between two scans: between fork and exec a tag cannot be read yet, for up to 5 ms (measured)."""

_QUIET_SCANS = 2
"""The sweep ends after so many scans in a row that found nothing new."""

_MAX_SCANS = 200
"""A bound for a host on which somebody starts srt-live-transmit without pause."""


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

    def __init__(self, pid_files: PidDirectory, scanner: Scanner) -> None:
        self.pid_files = pid_files
        self.scanner = scanner

    async def cleanup_orphans(self, rules: Rules, keep: Collection[int] = ()) -> CleanupResult:
        """End every orphan that `rules` allow, but for the PIDs in `keep` (processes of routes on air)."""
        result = CleanupResult()
        await self._step_1(rules, set(keep), result)
        crashpoint("after_pid_file_scan")
        await self._step_2(rules, set(keep), result)
        crashpoint("after_sweep")
        self._remove_stale(set(keep), result)
        log.info("Orphan cleanup complete: %d killed, %d errors", len(result.killed), len(result.errors))
        return result

    async def _step_1(self, rules: Rules, keep: set[int], result: CleanupResult) -> None:
        """Processes with PID files."""
        await asyncio.to_thread(self.pid_files.remove_left_overs)
        files = [file for file in await asyncio.to_thread(lambda: list(self.pid_files.files())) if file.pid not in keep]
        log.info("Found %d PID file(s), cleaning up orphans...", len(files))
        targets: dict[int, tuple[Orphan, Facts]] = {}
        of_target: list[PidFile] = []
        for file in files:
            found = None if file.pid is None else self._pin(file.pid)
            if found is None:
                self._drop(file, file.problem or "its process is dead", result)
                continue
            pinned, facts = found
            reason = stranger_reason(facts, file.written_ms)
            if reason is None and judge(facts, rules) is Judgement.KILL:
                of_target.append(file)
                self._add(targets, pinned, facts)
            else:
                pinned.close()
                self._drop(file, reason or "its process carries no tag of ours and is left alone", result)
        for pid, (_orphan, facts) in targets.items():
            log.info("Killing %s PID %d (PID file)", facts.program, pid)
        not_ended = await self._end(targets, result)
        for file in of_target:
            if file.pid not in not_ended:
                self.pid_files.remove(file.name)
                crashpoint("after_pid_file_removed")

    async def _step_2(self, rules: Rules, keep: set[int], result: CleanupResult) -> None:
        """Processes without PID files: scan until nothing new is found."""
        seen = set(keep) | {error.pid for error in result.errors}
        unsettled_before: dict[int, int] = {}
        quiet = 0
        for _ in range(_MAX_SCANS):
            targets, unsettled = await asyncio.to_thread(self._sweep, rules, seen, result)
            if targets:
                self._announce(targets)
                await self._end(targets, result)
            for pid in unsettled:
                unsettled_before[pid] = unsettled_before.get(pid, 0) + 1
            waiting = any(unsettled_before[pid] <= _QUIET_SCANS for pid in unsettled)
            quiet = 0 if targets or waiting else quiet + 1
            if quiet >= _QUIET_SCANS:
                return
            await asyncio.sleep(_RESCAN_S)
        log.warning("Gave up looking for orphans after %d scans: something starts processes without pause", _MAX_SCANS)

    def _sweep(
        self, rules: Rules, seen: set[int], result: CleanupResult
    ) -> tuple[dict[int, tuple[Orphan, Facts]], list[int]]:
        candidates, unsettled = self.scanner.candidates()
        targets: dict[int, tuple[Orphan, Facts]] = {}
        for pid in candidates:
            found = None if pid in seen else self._pin(pid)
            if found is None:
                continue
            pinned, facts = found
            seen.add(pid)
            judgement = judge(facts, rules)
            if judgement is Judgement.KILL:
                self._add(targets, pinned, facts)
                continue
            pinned.close()
            if judgement is Judgement.REPORT:
                result.reported.append(facts)
        return targets, unsettled

    def _announce(self, targets: dict[int, tuple[Orphan, Facts]]) -> None:
        programs = sorted(
            {display_name(facts) for _, facts in targets.values()}, key=lambda name: name != SRT_LIVE_TRANSMIT
        )
        for program in programs:
            pids = [pid for pid, (_, facts) in targets.items() if display_name(facts) == program]
            log.info("Found %d orphaned %s process(es) without PID files", len(pids), program)
            for pid in pids:
                log.info("Killing orphaned %s PID %d", program, pid)

    def _pin(self, pid: int) -> tuple[Pinned, Facts] | None:
        """Pin first, look second, and third make sure that it has not ended in between."""
        try:
            pinned = Pinned(pid)
        except OSError:
            return None
        facts = self.scanner.facts(pid)
        if facts is None or pinned.ended():
            pinned.close()
            return None
        return pinned, facts

    @staticmethod
    def _add(targets: dict[int, tuple[Orphan, Facts]], pinned: Pinned, facts: Facts) -> None:
        if pinned.pid in targets:
            pinned.close()
            return
        group = facts.leads_group and facts.owner is Owner.OURS
        targets[pinned.pid] = (Orphan(pinned, group=group), facts)

    async def _end(self, targets: dict[int, tuple[Orphan, Facts]], result: CleanupResult) -> set[int]:
        """End the targets; the answer holds the PIDs that could not be ended."""
        orphans = [orphan for orphan, _ in targets.values()]
        try:
            errors = await end_all(orphans, GRACE_S)
        finally:
            for orphan in orphans:
                orphan.close()
        failed = {error.pid for error in errors}
        for error in errors:
            log.error("Could not kill PID %d: %s", error.pid, error.reason)
        result.errors += errors
        result.killed += [pid for pid in targets if pid not in failed]
        return failed

    def _remove_stale(self, keep: set[int], result: CleanupResult) -> None:
        """The PID files that name no live process of ours."""
        alive = keep | {error.pid for error in result.errors}
        for file in list(self.pid_files.files()):
            if file.pid not in alive:
                self._drop(file, file.problem or "its process is dead", result)

    def _drop(self, file: PidFile, reason: str, result: CleanupResult) -> None:
        log.info("Removing stale PID file %s: %s", file.name, reason)
        try:
            self.pid_files.remove(file.name)
        except OSError as error:
            log.warning("Cannot remove PID file %s: %s", file.name, error.strerror)
            return
        result.stale_files.append(file.name)


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
    return "udpDuplicator" if facts.tag and facts.tag.process.startswith("udpDuplicator") else facts.program
