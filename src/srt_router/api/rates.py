"""How many requests one address may make without a sign-in; decided without a clock of its own."""

from __future__ import annotations

from srt_router.accounts.throttle import Buckets, place_of
from srt_router.api.access import Visitor

BURST = 200
PER_SECOND = 20


class Rates:
    """Requests without a sign-in, by address. Whoever is on this machine is not counted."""

    def __init__(self) -> None:
        self._buckets = Buckets(BURST, 1 / PER_SECOND)

    def wait_s(self, visitor: Visitor, now: float) -> float:
        """0: go on, and it is counted; else seconds to wait."""
        if visitor.on_this_machine:
            return 0.0
        key = (place_of(visitor.address),)
        wait = self._buckets.wait_s(key, now)
        if wait <= 0:
            self._buckets.add(key, now)
        return wait
