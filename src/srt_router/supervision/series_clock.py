"""Which second it is for the history: seconds of the wall clock, one after the other without a jump."""

from __future__ import annotations

import math

_AGREE_S = 1.0


class SeriesClock:
    """Goes with the monotonic clock; follows the wall clock when that one was set."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def second(self, now_s: float, wall_s: float) -> int:
        """The second since the epoch at monotonic `now_s`."""
        offset = wall_s - now_s
        if self._offset is None or abs(offset - self._offset) > _AGREE_S:
            self._offset = offset
        return math.floor(now_s + self._offset)

    def pause_s(self, now_s: float) -> float:
        """Seconds until the middle of the next second: a look that is a little early or late is still in it."""
        at = now_s + (self._offset or 0.0)
        return 1.0 - (at - 0.5) % 1.0
