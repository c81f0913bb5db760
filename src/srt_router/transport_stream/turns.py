"""Which stream gets a thumbnail next, and when: never more than a share of one core for all of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

PAUSE_S = 4.0
"""From one thumbnail of a stream to its next one, where there is time for so many."""
_LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class _Stream:
    due_at: float = -math.inf
    failures: int = 0


@dataclass(slots=True)
class Turns:
    """Streams take turns: who has waited longest is next. What shows no picture is asked less and less often."""

    share: float
    """Of one core: processor time of the programs that make thumbnails, by the time that passes."""
    _streams: dict[str, _Stream] = field(default_factory=dict)
    _free_at: float = -math.inf

    def follow(self, keys: Collection[str]) -> None:
        """These streams are to be seen, and no others."""
        for gone in self._streams.keys() - set(keys):
            del self._streams[gone]
        for key in keys:
            self._streams.setdefault(key, _Stream())

    def next(self, now: float, busy: Collection[str]) -> str | None:
        """The stream whose turn it is, none of those that are being worked on; None: nobody's yet."""
        waiting = [(one.due_at, key) for key, one in self._streams.items() if one.due_at <= now and key not in busy]
        return min(waiting)[1] if waiting else None

    def made(self, key: str, now: float) -> None:
        """A thumbnail was made of it."""
        if stream := self._streams.get(key):
            stream.due_at, stream.failures = now + PAUSE_S, 0

    def failed(self, key: str, now: float) -> None:
        """It showed no picture."""
        if stream := self._streams.get(key):
            stream.failures += 1
            stream.due_at = now + min(_LONGEST_PAUSE_S, PAUSE_S * 2.0 ** min(stream.failures - 1, 10))

    def may_run(self, now: float) -> bool:
        """May a program be started? What the ones before have used is paid for by waiting."""
        return now >= self._free_at

    def ran(self, started: float, cpu_s: float) -> None:
        """A program that was started then has used so much of a processor."""
        self._free_at = started + cpu_s / self.share
