"""How much a counter has grown in the last minute, whatever becomes of the counter."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0


class LastMinute:
    """Follows one counter. One that goes back has been set to zero, and what it shows has come since."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._grown: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, total: int | None, now: float) -> int | None:
        """Its growth in the last minute; None while nobody counts. `now`: monotonic seconds."""
        if total is not None:
            if self._last is not None:
                grown = total - self._last if total >= self._last else total
                if grown:
                    self._grown.append((now, grown))
                    self._sum += grown
            self._last = total
        while self._grown and self._grown[0][0] <= now - WINDOW_S:
            self._sum -= self._grown.popleft()[1]
        return self._sum if total is not None else None
