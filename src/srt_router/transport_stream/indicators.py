"""The first priority of TR 101 290, as counters with the time of the last error."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be wrong."""

    SYNC_LOSS = "syncLoss"
    """1.1 TS_sync_loss: two wrong sync bytes in a row, or no packets in what comes."""
    SYNC_BYTE_ERROR = "syncByteError"
    """1.2 Sync_byte_error: a packet that does not begin with 0x47."""
    PAT_ERROR = "patError"
    """1.3 PAT_error: no PAT for 0.5 s, another table on its PID, or it is scrambled."""
    CONTINUITY_COUNT_ERROR = "continuityCountError"
    """1.4 Continuity_count_error: a packet is missing, in the wrong place, or there more than twice."""
    PMT_ERROR = "pmtError"
    """1.5 PMT_error: no program map for 0.5 s on a PID that the PAT names, or it is scrambled."""
    PID_ERROR = "pidError"
    """1.6 PID_error: sound or picture that a program map names does not come, for 5 s."""


@dataclass(slots=True)
class Indicator:
    """One of them."""

    count: int = 0
    last_at: float | None = None
    """In the analyser's time."""
    recent: bool = False
    """It was counted since the last report."""

    def hit(self, at: float, times: int = 1) -> None:
        """Count it."""
        if times:
            self.count += times
            self.last_at, self.recent = at, True


@dataclass(slots=True)
class Deadline:
    """Something that must come again and again; its absence is one error, however long it lasts."""

    last: float
    overdue: bool = False

    def came(self, at: float, limit_s: float) -> bool:
        """It is there; True when it was late and nobody had said so yet."""
        late = at - self.last > limit_s and not self.overdue
        self.last, self.overdue = at, False
        return late

    def missed(self, now: float, limit_s: float) -> bool:
        """True once when its time is over."""
        if self.overdue or now - self.last <= limit_s:
            return False
        self.overdue = True
        return True
