"""How much is looked at when not everything can be: whole windows of each bus in turn. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 0.2
"""Of one core. What a stream is like is worth less than that it flows: this leaves room for hundreds of
megabits per second, and cannot hold up the processes that carry them."""
_HYSTERESIS = 0.8
_SMOOTHING = 0.3
_PATIENCE = 3
"""So many seconds in a row above the budget are no peak."""
MOST_WINDOWS = 60


@dataclass(slots=True)
class Budget:
    """Decides that each bus is looked at in one second of `every`."""

    share: float = SHARE
    every: int = 1
    _cost: float | None = None
    """What looking at everything would cost, as a share of a core."""
    _above: int = 0

    def spent(self, share: float, coverage: float) -> None:
        """In the last second so much of a core was used to look at `coverage` of all that flows."""
        if coverage <= 0:
            return
        cost = share / coverage
        self._cost = cost if self._cost is None else self._cost + _SMOOTHING * (cost - self._cost)
        needed = min(MOST_WINDOWS, max(1, -int(-self._cost // self.share)))
        if needed > self.every:
            self._above += 1
            if self._above >= _PATIENCE:
                self.every, self._above = needed, 0
            return
        self._above = 0
        if self.every > 1 and self._cost <= _HYSTERESIS * self.share * (self.every - 1):
            self.every -= 1

    def looks_at(self, bus: int, window: int) -> bool:
        """Is the bus with this number looked at in the window with that number?"""
        return (bus + window) % self.every == 0
