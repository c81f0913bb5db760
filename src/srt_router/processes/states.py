"""In which state is a process: one pure function of what /proc and the PID files say, and the list made with it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from srt_router.processes.ownership import Facts, Owner, stranger_reason
from srt_router.processes.pidfiles import PidDirectory, PidFile
from srt_router.processes.scan import Scanner

_LOOKS = 20
_PAUSE_S = 0.005
"""One that is caught amidst its exec is looked at again, so often: it takes milliseconds."""


class ProcessState(StrEnum):
    """The four states of a media process, as operators and scripts know them."""

    RUNNING = "running"
    """Alive, and a PID file names it (or another router that lives, or a container, answers for it; or it is
    just starting)."""
    STOPPED = "stopped"
    """Dead, and no PID file left: ready to start."""
    ORPHANED = "orphaned"
    """Alive without a PID file: a cleanup ends it, where the scope allows."""
    ZOMBIE = "zombie"
    """A PID file whose process is dead, or somebody else by now: a cleanup removes the file."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a process list: a live process, or a PID file without one."""

    pid: int | None
    """For a zombie, the PID in the file: whoever has it now is a stranger. None when the file holds none."""
    state: ProcessState
    program: str
    """Empty for a zombie."""
    route: str | None
    process_type: str | None
    owner: Owner | None
    """None for a zombie."""
    pid_file: str | None
    """Name of the PID file, without the directory."""


def process_state(*, alive: bool, pid_file: bool, owner: Owner | None = None) -> ProcessState:
    """The state of a process, from its life, from whether a PID file names it, and from whose it is."""
    if not alive:
        return ProcessState.ZOMBIE if pid_file else ProcessState.STOPPED
    if pid_file or owner in (Owner.LIVE_ROUTER, Owner.PROTECTED, Owner.UNSETTLED):
        return ProcessState.RUNNING
    return ProcessState.ORPHANED


def names(file: PidFile, facts: Facts) -> bool:
    """Does this PID file name this process? A number is not enough: it is reused, and files get swapped."""
    if file.pid != facts.pid or stranger_reason(facts, file.written_ms) is not None:
        return False
    if facts.owner is Owner.OURS and facts.tag is not None:
        return (file.route, file.process_type) == (facts.tag.route, facts.tag.process)
    return True


def listing(files: Iterable[PidFile], processes: Collection[Facts]) -> list[Listed]:
    """The whole list, from what was read: every process, and every PID file that names none of them."""
    unmatched = list(files)
    listed = []
    for facts in processes:
        file = next((file for file in unmatched if names(file, facts)), None)
        if file is not None:
            unmatched.remove(file)
        listed.append(_of_process(facts, file))
    listed = _with_groups(listed, {facts.pid: facts.group for facts in processes})
    listed += [_of_file(file) for file in unmatched]
    return sorted(listed, key=lambda one: (one.route or "~", one.process_type or "", one.pid or 0))


def _with_groups(listed: list[Listed], groups: Mapping[int, int]) -> list[Listed]:
    """What a process with a PID file has started itself (ffprobe) is in its group, and no orphan."""
    named = {one.pid for one in listed if one.pid_file is not None}
    return [
        replace(one, state=ProcessState.RUNNING)
        if one.state is ProcessState.ORPHANED and one.owner is Owner.OURS and groups.get(one.pid or 0) in named
        else one
        for one in listed
    ]


def list_processes(pid_files: PidDirectory, scanner: Scanner) -> list[Listed]:
    """Every srt-live-transmit, every process with a router's tag, and every PID file without its process.

    Looks twice where the first look found something odd: a process that starts or ends between the look
    at the files and the look at the processes is no orphan, and its file no zombie.
    """
    listed = _look(pid_files, scanner)
    if any(one.state in (ProcessState.ORPHANED, ProcessState.ZOMBIE) for one in listed):
        listed = _look(pid_files, scanner)
    for _ in range(_LOOKS):
        if not any(one.owner is Owner.UNSETTLED for one in listed):
            break
        time.sleep(_PAUSE_S)
        listed = _look(pid_files, scanner)
    return listed


def _look(pid_files: PidDirectory, scanner: Scanner) -> list[Listed]:
    candidates, _unsettled = scanner.candidates()
    files = list(pid_files.files())
    pids = {*candidates, *(file.pid for file in files if file.pid is not None)}
    found = (scanner.facts(pid) for pid in sorted(pids))
    wanted = set(candidates)
    processes = [facts for facts in found if facts is not None and (facts.pid in wanted or facts.tag is not None)]
    return listing(files, processes)


def _of_process(facts: Facts, file: PidFile | None) -> Listed:
    tag = facts.tag
    answered_for = file is not None or (tag is not None and tag.is_trial and facts.supervised)
    return Listed(
        pid=facts.pid,
        state=process_state(alive=True, pid_file=answered_for, owner=facts.owner),
        program=facts.program,
        route=tag.route if tag else file.route if file else None,
        process_type=tag.process if tag else file.process_type if file else None,
        owner=facts.owner,
        pid_file=file.name if file else None,
    )


def _of_file(file: PidFile) -> Listed:
    return Listed(
        pid=file.pid,
        state=process_state(alive=False, pid_file=True),
        program="",
        route=file.route,
        process_type=file.process_type,
        owner=None,
        pid_file=file.name,
    )
