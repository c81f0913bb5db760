"""The taps of this server: what flows on the bus of each route that is on air."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from srt_router.monitoring.bus_tap import BusTap

Address = tuple[str, int]
"""Group and port."""

log = logging.getLogger("RouteMonitor")


@dataclass(slots=True)
class BusTaps:
    """At most one tap per bus, keyed by the process type that fills it."""

    _taps: dict[Address, BusTap] = field(default_factory=dict)
    _flow: dict[Address, bool] = field(default_factory=dict)

    def look(self, buses: set[Address]) -> None:
        """See what has passed on these buses since the last look, and leave all others."""
        for gone in self._taps.keys() - buses:
            self.close(gone)
        for bus in buses:
            tap = self._taps.get(bus)
            try:
                if tap is None:
                    self._taps[bus] = BusTap(*bus)  # it has seen nothing yet: unknown
                else:
                    self._flow[bus] = tap.look()
            except OSError as error:
                log.warning("Cannot see what flows on bus %s:%d: %s", *bus, error.strerror)

    def flow(self, bus: Address) -> bool | None:
        """Has anything passed between the last two looks? None while it is unknown."""
        return self._flow.get(bus)

    def is_open(self, bus: Address) -> bool:
        """A tap of ours is among the members of this bus."""
        return bus in self._taps

    def close(self, bus: Address) -> None:
        """Leave a bus."""
        tap = self._taps.pop(bus, None)
        self._flow.pop(bus, None)
        if tap:
            tap.close()
