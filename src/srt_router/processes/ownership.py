"""Whose process is it, and may it be killed: pure decisions over what /proc and the tags say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from srt_router.processes.pidfiles import PidFile
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.tag import Tag


class Scope(StrEnum):
    """CLEANUP_SCOPE."""

    HOST = "host"
    """A dedicated box: every srt-live-transmit without a live owner is an orphan."""
    OWNED = "owned"
    """Only what carries this installation's tag is ours to end."""


class Owner(StrEnum):
    """Whose process it is."""

    OURS = "ours"
    LIVE_ROUTER = "liveRouter"
    """Started by another installation whose server lives."""
    DEAD_ROUTER = "deadRouter"
    """Started by another installation whose server is gone."""
    NOBODY = "nobody"
    """No tag that counts."""
    PROTECTED = "protected"
    """PID 1, ourselves, an ancestor of ours, or a process inside a container of its own."""
    UNREADABLE = "unreadable"
    """Its environment may not be read: it is another user's, and could be a live router's."""
    UNSETTLED = "unsettled"
    """Caught amidst its exec: it has its program, but no environment yet. Whoever asks again soon will know."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one live process."""

    pid: int
    program: str
    """File name of the program that runs."""
    owner: Owner
    tag: Tag | None
    started_ms: int | None
    """Milliseconds since the epoch, to about a second; None where the tag says it all, and nobody looked."""
    leads_group: bool
    """PID and process group are the same."""
    supervised: bool = False
    """A child of this installation's live server, or in the group of one, seen by a tool beside it: that server
    answers for it."""
    group: int = 0
    """Its process group: who is in the group of a process that is answered for, is answered for too."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What this server may kill at this moment."""

    scope: Scope
    first_start: bool
    """An installation that starts for the first time has left no orphans yet: untagged ones are reported only."""
    include_live: bool = False
    """Also what the live server of this installation has on air: an operator said so."""


class Judgement(StrEnum):
    """What is to be done about a process."""

    KILL = "kill"
    REPORT = "report"
    """It would be an orphan on any other start, or under scope `host`: tell, and leave it alone."""
    UNABLE = "unable"
    """It looks like an orphan, but whose it is may not be read: an error, and no signal."""
    LEAVE = "leave"


_UNTOUCHABLE = (Owner.PROTECTED, Owner.LIVE_ROUTER, Owner.UNSETTLED)


def judge(facts: Facts, rules: Rules) -> Judgement:
    """May this process be killed by a cleanup?"""
    if facts.owner in _UNTOUCHABLE or (facts.supervised and not rules.include_live):
        return Judgement.LEAVE
    if facts.owner is Owner.OURS:
        return Judgement.KILL
    if facts.program != SRT_LIVE_TRANSMIT:
        return Judgement.LEAVE
    if rules.scope is Scope.OWNED or rules.first_start:
        return Judgement.REPORT
    return Judgement.UNABLE if facts.owner is Owner.UNREADABLE else Judgement.KILL


class FileFate(StrEnum):
    """What is to be done about a PID file, and about the process that it names."""

    KILL = "kill"
    """End the process, then remove the file."""
    REMOVE = "remove"
    """It names nobody that it may name: remove it, signal nothing."""
    KEEP = "keep"
    """It is in use, or cannot be judged yet."""


def judge_file(file: PidFile, facts: Facts | None, rules: Rules) -> tuple[FileFate, str]:
    """What becomes of a PID file, and why; `facts` tell of the live process with its PID, None if there is none."""
    if file.directory:
        return FileFate.KEEP, file.problem or "is a directory"
    if file.pid is None:
        return FileFate.REMOVE, file.problem or "holds no PID"
    if facts is None:
        return FileFate.REMOVE, "its process is dead"
    if facts.owner is Owner.UNSETTLED:
        return FileFate.KEEP, "its process is just starting"
    reason = stranger_reason(facts, file.written_ms)
    if reason is not None:
        return FileFate.REMOVE, reason
    match judge(facts, rules):
        case Judgement.KILL:
            return FileFate.KILL, ""
        case Judgement.UNABLE:
            return FileFate.KEEP, "its process may not be examined"
        case Judgement.LEAVE if facts.supervised:
            return FileFate.KEEP, "its process is on air"
        case _:
            return FileFate.REMOVE, "its process carries no tag of ours and is left alone"


_START_SLACK_MS = 2_000
"""Start times are known to about a second (btime in /proc/stat is whole seconds), the file's to a millisecond."""


def stranger_reason(facts: Facts, written_ms: int | None) -> str | None:
    """Why the process that a PID file names is somebody else's by now; None if it may be the one meant.

    Our tag outweighs everything: it is in the process itself, the PID file is only a file.
    """
    if facts.owner is Owner.OURS or facts.supervised:
        return None
    if facts.owner is Owner.PROTECTED:
        return "that PID is this server, one of its parents, or inside a container"
    if facts.owner is Owner.LIVE_ROUTER:
        return "it belongs to another SRT Router that is running"
    if facts.program != SRT_LIVE_TRANSMIT:
        return f"that PID is {facts.program} now, without our tag"
    if written_ms is None or facts.started_ms is None or facts.started_ms > written_ms + _START_SLACK_MS:
        return "that process started after the file was written: the PID was reused"
    return None
