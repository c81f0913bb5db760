"""When a search for orphans may end: pure, so that it can be tested without a process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

QUIET_SCANS = 2
"""The search ends after so many thorough scans in a row that found nothing new."""

UNSETTLED_S = 1.0
"""A process caught amidst its exec is waited for this long: it cannot be judged before. Mostly under 5 ms."""

RESCAN_S = 0.012
"""Pause between two scans: between fork and exec a tag cannot be read yet, for up to 5 ms (measured)."""

LIMIT_S = 30.0
"""A bound for a host on which somebody starts srt-live-transmit without pause."""


@dataclass(slots=True)
class Sweep:
    """Counts the quiet scans."""

    began: float
    quiet: int = 0
    _unsettled_since: dict[int, float] = field(default_factory=dict)

    def done(self, now: float, *, found: bool, unsettled: Iterable[int]) -> bool:
        """Take one thorough scan's result in; True when the search may end."""
        since = {pid: self._unsettled_since.get(pid, now) for pid in unsettled}
        self._unsettled_since = since
        waiting = any(now - first < UNSETTLED_S for first in since.values())
        self.quiet = 0 if found or waiting else self.quiet + 1
        return self.quiet >= QUIET_SCANS

    def overdue(self, now: float) -> bool:
        """True when something feeds the search without end."""
        return now - self.began > LIMIT_S
