"""The list of all media processes of this host, and what a cleanup would do with each: plain data, secrets out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.processes import proc
from srt_router.processes.ownership import Facts, FileFate, Judgement, Owner, Rules, Scope, judge, judge_file
from srt_router.processes.pidfiles import PidDirectory
from srt_router.processes.scan import Scanner
from srt_router.processes.states import Listed, ProcessState
from srt_router.processes.tag import STREAM_MONITOR, own_name
from srt_router.processes.usage import Usage
from srt_router.redaction import HIDDEN, redact

_CAMEL = ConfigDict(alias_generator=to_camel)
_SCRIPTS = (("/duplicator.py", "udpDuplicator"), ("/transport_stream/__main__.py", STREAM_MONITOR))
"""What our own programs are called, by the file that Python runs."""
_SECRET_OPTIONS = frozenset({"-passphrase", "--passphrase", "-password", "--password"})


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """What only the server that supervises a process knows of it."""

    route: str
    process_type: str
    pid: int | None
    restarts: int
    command: str
    pid_file: str


@dataclass(frozen=True, slots=True)
class ProcessItem:
    """One process, as lists show it: one that runs, one that waits to be started again, or a stale PID file."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    pid: int | None
    """None while it does not run. For a zombie the PID in its file, which may be somebody else's by now."""
    route: str | None
    type: str | None
    """`srt`, `srtOut:6000`, `ffmpeg`, `udpDuplicator` …; None for a process without a tag."""
    program: str
    state: ProcessState
    owner: Owner | None
    """Whose it is; None for one that does not run."""
    cpu_percent: float | None
    """Of one core, over the last 0.2 s."""
    memory_bytes: int | None
    """Resident memory."""
    started_at: int | None
    """Milliseconds since the epoch."""
    uptime_s: float | None
    restarts: int | None
    """Since its route was started; None for a process that no live server of this installation supervises."""
    command: str
    """The command line, passphrases hidden."""
    pid_file: str | None
    """Name of its PID file in PID_DIR."""


class Action(StrEnum):
    """What a cleanup does with a process or a PID file."""

    KILL = "kill"
    REPORT = "report"
    """Told to the operator and left alone."""
    LEAVE = "leave"
    REMOVE_FILE = "removeFile"
    """A stale PID file: the file goes, nothing is signalled."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a cleanup does with it, and why."""

    action: Action
    reason: str


def item(listed: Listed, usage: Usage | None, known: KnownProcess | None) -> ProcessItem:
    """One line of the list. `known` must be of the same PID."""
    alive = listed.state is not ProcessState.ZOMBIE
    words = proc.argv(listed.pid) if alive and listed.pid else []
    return ProcessItem(
        pid=listed.pid,
        route=listed.route,
        type=listed.process_type,
        program=listed.program,
        state=listed.state,
        owner=listed.owner,
        cpu_percent=round(usage.cpu_percent, 1) if usage else None,
        memory_bytes=usage.memory_bytes if usage else None,
        started_at=int((time.time() - usage.age_s) * 1000) if usage else None,
        uptime_s=round(usage.age_s, 1) if usage else None,
        restarts=known.restarts if known else None,
        command=command_line(listed.program, words),
        pid_file=listed.pid_file,
    )


def inventory(
    listed: Iterable[Listed], usages: Mapping[int, Usage], known: Sequence[KnownProcess] = ()
) -> list[ProcessItem]:
    """The whole list: what was found on this host, and what should run and waits for its next start."""
    by_pid = {one.pid: one for one in known if one.pid}
    items = []
    for one in listed:
        pid = one.pid if one.pid is not None and one.state is not ProcessState.ZOMBIE else None
        if pid is None:
            items.append(item(one, None, None))
        elif pid in usages:  # otherwise it has ended while this looked
            items.append(item(one, usages[pid], by_pid.get(pid)))
    there = {one.pid for one in items}
    items += [_waiting(one) for one in known if one.pid is None or one.pid not in there]
    return sorted(items, key=lambda one: (one.route or "~", one.type or "", one.pid or 0))


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict needs: whoever tells whose a process is, the PID files, and what may be killed."""

    scanner: Scanner
    pid_files: PidDirectory | None
    rules: Rules


def verdict(listed: Listed, case: Case, *, on_air: bool = False) -> Verdict:
    """What a cleanup does with it; `on_air`: the live server of this installation is known to supervise it."""
    facts = case.scanner.facts(listed.pid) if listed.pid else None
    if listed.state is ProcessState.ZOMBIE:
        return _file_verdict(listed, facts, case)
    if facts is None:
        return Verdict(Action.LEAVE, "it has just ended")
    live = on_air or facts.supervised
    if live and not case.rules.include_live:
        return Verdict(Action.LEAVE, "it belongs to a route on air")
    judgement = judge(facts, case.rules)
    if live and judgement is Judgement.KILL:
        return Verdict(Action.KILL, "it belongs to a route on air, and those were included")
    action, why = _REASONS[judgement]
    return Verdict(action, why(facts, case.rules))


def _file_verdict(listed: Listed, facts: Facts | None, case: Case) -> Verdict:
    if case.pid_files is None or listed.pid_file is None:
        return Verdict(Action.LEAVE, "its file cannot be read")
    fate, reason = judge_file(case.pid_files.read(listed.pid_file), facts, case.rules)
    if fate is FileFate.KEEP:
        return Verdict(Action.LEAVE, reason)
    return Verdict(Action.REMOVE_FILE, reason or "its process goes by another name")


def command_line(program: str, words: Sequence[str]) -> str:
    """A command line as it is shown: the program by its name, no passphrase."""
    if not words:
        return program
    name, rest = next(
        ((ours, words[i + 1 :]) for i, word in enumerate(words[:8]) for file, ours in _SCRIPTS if word.endswith(file)),
        (program, words[1:]),
    )
    shown, hide_next = [name], False
    for word in rest:
        shown.append(HIDDEN if hide_next else _redacted(word))
        hide_next = word in _SECRET_OPTIONS
    return " ".join(shown)


def kind(listed: Listed) -> str:
    """What a process is called in lists: its program, or `udpDuplicator` where that is ours."""
    return own_name(listed.process_type, listed.program)


def _redacted(word: str) -> str:
    # redact() ends a value at white space; within one argument, white space belongs to the value
    return redact(re.sub(r"\s", "%20", word) if "://" in word else word)


def _waiting(known: KnownProcess) -> ProcessItem:
    """A process that should run and does not at this moment, or was started while this looked."""
    return ProcessItem(
        pid=known.pid,
        route=known.route,
        type=known.process_type,
        program=known.command.partition(" ")[0].rpartition("/")[2],
        state=ProcessState.RUNNING if known.pid else ProcessState.STOPPED,
        owner=Owner.OURS if known.pid else None,
        cpu_percent=None,
        memory_bytes=None,
        started_at=None,
        uptime_s=None,
        restarts=known.restarts,
        command=known.command,
        pid_file=known.pid_file if known.pid else None,
    )


def _why_kill(facts: Facts, rules: Rules) -> str:
    if facts.owner is Owner.OURS:
        return "it was started by this installation, and no server supervises it"
    if facts.owner is Owner.DEAD_ROUTER:
        return "its SRT Router does not run any more"
    return f"it has no owner, and CLEANUP_SCOPE is {rules.scope}"


def _why_report(_facts: Facts, rules: Rules) -> str:
    if rules.scope is Scope.OWNED:
        return "it has no owner, but CLEANUP_SCOPE is owned; to end it: srt-router cleanup --scope host"
    return "it was there before this installation started for the first time; to end it: srt-router cleanup"


def _why_unable(_facts: Facts, _rules: Rules) -> str:
    return "it is another user's, and whose it is may not be read: run this as root, or as that user"


def _why_leave(facts: Facts, _rules: Rules) -> str:
    if facts.owner is Owner.UNSETTLED:
        return "it is just starting"
    if facts.owner is Owner.DEAD_ROUTER:
        return "another SRT Router started it, which does not run any more: clean up with the settings of that one"
    if facts.owner is Owner.LIVE_ROUTER:
        return "it belongs to another SRT Router that is running"
    if facts.owner is Owner.PROTECTED:
        return "it is this program, one of its parents, or inside a container"
    return "it is not ours to end"


_REASONS = {
    Judgement.KILL: (Action.KILL, _why_kill),
    Judgement.REPORT: (Action.REPORT, _why_report),
    Judgement.UNABLE: (Action.REPORT, _why_unable),
    Judgement.LEAVE: (Action.LEAVE, _why_leave),
}
