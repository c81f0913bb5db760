"""What a process should be: one media process as the plan of a route demands it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache


class Peer(StrEnum):
    """How a process meets its peer, which decides what its end means."""

    LISTENER = "listener"
    """An SRT listener: it waits, serves one client at a time and listens again. It never ends by itself."""
    CALLER = "caller"
    """An SRT caller: it ends (exit status 0) when its peer does not answer or leaves; that is waiting."""
    RENDEZVOUS = "rendezvous"
    """Both sides call each other, without pause: the two must meet. It never ends by itself."""
    NONE = "none"
    """No SRT connection of its own (udpDuplicator, ffmpeg between two buses)."""


FORMAT = 2
"""Of the command lines that plans make. It grows with a version that makes others from the same routes: what
an earlier version started then stays on air, and is said to wait for a restart, instead of being taken for a
route that was changed."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One end of a route that a process carries: its source, or one of its destinations."""

    kind: str
    """`source`, `transcode`, `destination` or `testSource`."""
    index: int = 0
    """Position in the route's list of destinations; 0 for the others."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of a route: everything needed to start it, and nothing that was started yet.

    Two specs with the same `spec_hash` are the same process to supervision: no restart is needed to
    get from one to the other. What may change while the process runs stands in `config`, not in `argv`.
    """

    route_id: str
    process_type: str
    """`srt`, `srtOut:6000`, `srtOut:6000.2`, `ffmpeg`, `udpDuplicator`, `udpDuplicator.2`, `testSource`."""
    argv: tuple[str, ...]
    """The command line; argv[0] is looked up in PATH unless it holds a slash."""
    legs: tuple[Leg, ...]
    """Which ends of the route it carries."""
    peer: Peer = Peer.NONE
    joins: tuple[str, int] | None = None
    """The bus (group, port) that it must have joined before the process that feeds the bus may start."""
    feeds: tuple[str, int] | None = None
    """The bus (group, port) that it fills."""
    config_path: str | None = None
    """A file that the process reads at its start and again whenever it is replaced."""
    config: str | None = None
    """The text that `config_path` should hold."""
    demanded: tuple[str, ...] | None = None
    """What counts of `argv` where a part of it says only where this program is installed; None: all of it."""

    name: str = field(init=False, compare=False)
    """`{route_id}_{process_type}`: the stem of its PID file, statistics and log files."""
    kinds: frozenset[str] = field(init=False, compare=False)
    """Of its legs."""

    def __post_init__(self) -> None:
        """What is asked for every second is made once."""
        object.__setattr__(self, "name", f"{self.route_id}_{self.process_type}")
        object.__setattr__(self, "kinds", frozenset(leg.kind for leg in self.legs))

    @property
    def spec_hash(self) -> str:
        """The format, and a hash of the command line that the route demands (SRT_ROUTER_SPEC)."""
        return f"{FORMAT}-{_hash(self.demanded or self.argv)}"


@lru_cache(maxsize=8192)
def _hash(argv: tuple[str, ...]) -> str:
    text = json.dumps(argv, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
