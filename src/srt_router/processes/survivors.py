"""The processes of an earlier server of this installation that live: found by their tags, pinned, verified."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from srt_router.processes.ownership import Owner
from srt_router.processes.pinned import Pinned
from srt_router.processes.scan import Scanner
from srt_router.processes.tag import SERVER, Tag


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
