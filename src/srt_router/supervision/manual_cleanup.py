"""The cleanup that a person asks for: what is there is shown first, and only what was shown is killed.

Every process that is to be killed is pinned while the person reads, so nobody else can be hit, however
late the answer comes. What has come on air meanwhile is spared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from srt_router.processes import proc, usage
from srt_router.processes.ending import NotEnded, Orphan, end_all
from srt_router.processes.ownership import Owner, Rules
from srt_router.processes.pinned import Pinned
from srt_router.processes.states import Listed, ProcessState
from srt_router.supervision.installation import Installation
from srt_router.supervision.inventory import Action, Case, ProcessItem, Verdict, item, kind, verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process or a stale PID file, and what is to be done with it."""

    listed: Listed
    item: ProcessItem
    verdict: Verdict

    @property
    def kind(self) -> str:
        """What it is called in lists."""
        return kind(self.listed)


@dataclass(slots=True)
class Outcome:
    """What was done."""

    killed: list[int] = field(default_factory=list)
    errors: list[NotEnded] = field(default_factory=list)
    spared: list[int] = field(default_factory=list)
    """Were to be killed, but have ended or come on air before the answer came."""
    removed_files: list[str] = field(default_factory=list)


class ManualCleanup:
    """One cleanup: look, ask somebody, carry out."""

    def __init__(self, installation: Installation, rules: Rules) -> None:
        self._installation = installation
        self._case = Case(installation.scanner, installation.pid_files, rules)
        self._pins: dict[int, Orphan] = {}
        self.candidates: list[Candidate] = []

    def look(self) -> None:
        """Find everything there is, and pin what is to be killed."""
        listed = self._installation.list_processes()
        decide = self._decide()
        usages = usage.since_start(usage.sample(_pids(listed)))
        for one in listed:
            found = decide(one)
            if found.action is Action.KILL and not self._pin(one):
                continue  # it has just ended
            self.candidates.append(Candidate(one, item(one, usages.get(_pid(one)), None), found))

    def of(self, *actions: Action) -> list[Candidate]:
        """The candidates for these actions; srt-live-transmit first, then by kind."""
        chosen = [one for one in self.candidates if one.verdict.action in actions]
        return sorted(chosen, key=lambda one: (one.kind != proc.SRT_LIVE_TRANSMIT, one.kind, _pid(one.listed)))

    async def carry_out(self) -> Outcome:
        """Kill what is to be killed, all at once, and remove its PID files and the stale ones."""
        outcome = Outcome()
        still = self._still_to_kill()
        for pid in list(self._pins):
            if pid not in still:
                self._pins.pop(pid).close()
                outcome.spared.append(pid)
        outcome.errors = await end_all(self._pins.values())
        failed = {error.pid for error in outcome.errors}
        outcome.killed = [pid for pid in self._pins if pid not in failed]
        self._remove_files(set(outcome.killed), outcome)
        return outcome

    def close(self) -> None:
        """Give the pidfds back."""
        for orphan in self._pins.values():
            orphan.close()
        self._pins.clear()

    def _decide(self) -> Callable[[Listed], Verdict]:
        on_air = self._on_air()

        def decide(one: Listed) -> Verdict:
            found = verdict(one, self._case, on_air=on_air(one))
            if found.action is Action.KILL and (user := _other_user(_pid(one))) is not None:
                return Verdict(Action.LEAVE, f"it belongs to user {user}: run this as root or as that user")
            return found

        return decide

    def _on_air(self) -> Callable[[Listed], bool]:
        """Does the live server say so? Its children tell so themselves; of one that cannot be seen, all are."""
        server = self._installation.server
        if server is None:
            return lambda _one: False
        if server.pid is None:
            return lambda one: one.owner is Owner.OURS
        pids = {one.pid for one in self._installation.known() or ()}
        return lambda one: one.pid in pids

    def _pin(self, one: Listed) -> bool:
        pid = _pid(one)
        try:
            pinned = Pinned(pid)
        except OSError:
            return False
        facts = self._installation.scanner.facts(pid)
        if facts is None or (facts.owner, facts.program) != (one.owner, one.program) or pinned.ended():
            pinned.close()
            return False
        self._pins[pid] = Orphan(pinned, group=facts.leads_group and facts.owner is Owner.OURS)
        return True

    def _still_to_kill(self) -> set[int]:
        """The same look again: an answer may take minutes, and a server may have been started meanwhile."""
        decide = self._decide()
        return {_pid(one) for one in self._installation.list_processes() if decide(one).action is Action.KILL}

    def _remove_files(self, killed: Collection[int], outcome: Outcome) -> None:
        pid_files = self._case.pid_files
        if pid_files is None:
            return
        for one in self.candidates:
            file, pid = one.listed.pid_file, one.listed.pid
            stale = one.verdict.action is Action.REMOVE_FILE
            if file and (stale or pid in killed) and pid_files.read(file).pid == pid:
                pid_files.remove(file)
                outcome.removed_files.append(file)


def _pid(one: Listed) -> int:
    return one.pid or 0


def _pids(listed: Collection[Listed]) -> list[int]:
    return [_pid(one) for one in listed if one.pid and one.state is not ProcessState.ZOMBIE]


def _other_user(pid: int) -> int | None:
    """The user of a process that we may not signal."""
    user = proc.effective_uid(pid)
    return user if os.geteuid() not in (0, user) else None
