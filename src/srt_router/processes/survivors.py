"""The processes of an earlier server of this installation that live: found by their tags, pinned, verified."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from srt_router.processes import proc
from srt_router.processes.child import Exit
from srt_router.processes.ownership import Owner
from srt_router.processes.pinned import Pinned
from srt_router.processes.scan import Scanner
from srt_router.processes.tag import SERVER, Tag

_DYING_S = 1.0
"""All that die together have so long, on a machine whose processors are busy."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """One of them, held by its pidfd."""

    pin: Pinned
    tag: Tag
    started_ms: int
    """Milliseconds since the epoch, to about a second."""
    child: bool
    """It is a child of ours: this server is the one that started it, with another program of its own by now."""

    @property
    def pid(self) -> int:
        """Its PID."""
        return self.pin.pid


def survivors(scanner: Scanner) -> list[Survivor]:
    """Every live process that an earlier server started for a route. Reads all of /proc: for a thread.

    Looked for quickly: whoever is missed has no session of its own, so no server started it, and it is
    ended as an orphan.
    """
    pids, _ = scanner.candidates(quick=True)
    return [found for pid in pids if (found := _pinned(scanner, pid)) is not None]


def reap(known: Iterable[int], alive: Collection[int]) -> dict[int, Exit]:
    """How our own children have ended while this process was between two programs. For a thread.

    `known` are PIDs that may be among them; those in `alive` are watched, and reaped by who watches them. One whose
    memory is gone is no survivor any more, and yet takes some milliseconds to be dead: it is waited for.
    """
    with contextlib.suppress(OSError):
        known = [*known, *map(int, Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())]
    ended = {}
    until = time.monotonic() + _DYING_S
    for pid in set(known).difference(alive):
        with contextlib.suppress(ChildProcessError):  # no child of ours
            while (found := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)) is None:
                if proc.read(f"/proc/{pid}/environ", 1) or time.monotonic() > until:
                    break
                time.sleep(0.001)
            if found is not None:
                by_signal = found.si_code != os.CLD_EXITED
                ended[pid] = Exit(None, found.si_status) if by_signal else Exit(found.si_status, None)
    return ended


def close_all(unwanted: Iterable[Survivor]) -> None:
    """Give their pidfds back."""
    for one in unwanted:
        one.pin.close()


def _pinned(scanner: Scanner, pid: int) -> Survivor | None:
    try:
        pin = Pinned(pid)
    except OSError:
        return None
    facts = scanner.facts(pid)
    started = None if facts is None else scanner.started(pid)
    if (
        facts is None
        or started is None
        or facts.owner is not Owner.OURS
        or not facts.leads_group
        or facts.tag is None
        or facts.tag.route in ("", SERVER)
        or pin.ended()
    ):
        pin.close()
        return None
    started_ms, parent = started
    return Survivor(pin, facts.tag, started_ms, parent == scanner.own_pid)
