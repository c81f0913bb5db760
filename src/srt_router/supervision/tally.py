"""What the server counts about itself since its start, for whoever measures it."""

from __future__ import annotations

import bisect
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from srt_router.supervision.event_bus import Announced

LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""How late the event loop comes to what is due: up to so many seconds."""

RouteId: TypeAlias = str


@dataclass(slots=True)
class Tally:
    """Counters that only grow."""

    events: Counter[str] = field(default_factory=Counter)
    """By kind, those included that are counted and told as a sum."""
    of_routes: dict[RouteId, Counter[str]] = field(default_factory=dict)
    """The same, of what health decides, by route."""
    orphans_killed: int = 0
    lags: list[int] = field(default_factory=lambda: [0] * (len(LAG_BOUNDS_S) + 1))
    """How often the loop was late, by LAG_BOUNDS_S; the last: later than that."""
    lag_sum_s: float = 0.0

    def count(self, announced: Announced) -> None:
        """An event was told."""
        times = announced.repeated or 1
        self.events[announced.kind] += times
        if announced.kind == "orphansCleanedUp":
            killed = announced.data.get("killed")
            self.orphans_killed += len(killed) if isinstance(killed, list) else 0
        if announced.route is None:
            return
        if announced.kind == "routeRemoved":
            self.of_routes.pop(announced.route, None)
        elif announced.kind in ("routeUnhealthy", "routeGaveUp"):
            self.of_routes.setdefault(announced.route, Counter())[announced.kind] += times

    def late(self, by_s: float) -> None:
        """The loop came to something so many seconds after it was due."""
        by_s = max(0.0, by_s)
        self.lags[bisect.bisect_left(LAG_BOUNDS_S, by_s)] += 1
        self.lag_sum_s += by_s
