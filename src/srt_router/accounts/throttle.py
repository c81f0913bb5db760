"""How often a password may be tried, decided without a clock of its own.

Nothing here counts for an account as a whole: whoever guesses somebody's password from elsewhere only
slows itself down. Two buckets fill with each try and drain with time:

- one for each account and place, where a place is an address, or a device that has signed in to this
  account before (it shows a cookie that only we can make), whatever address it shares with others;
- one for each address, for those who guess many names; a device or an address that is known to the
  account does not stand in it.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

TRIES_OF_PAIR = 5
PAIR_DRAINS_S = 30.0
"""After the first tries, one more in so many seconds."""
TRIES_OF_ADDRESS = 20
ADDRESS_DRAINS_S = 10.0
KEPT = 10_000
"""So many buckets are remembered; the oldest are forgotten first."""


@dataclass(slots=True)
class Buckets:
    """Buckets of one size."""

    size: int
    drains_s: float
    """Seconds for one try."""
    _levels: OrderedDict[tuple[str, ...], tuple[float, float]] = field(default_factory=OrderedDict)
    """How full, and when that was so."""

    def wait_s(self, key: tuple[str, ...], now: float) -> float:
        """Seconds until there is room for one more; 0: now."""
        return max(0.0, (self._level(key, now) + 1 - self.size) * self.drains_s)

    def add(self, key: tuple[str, ...], now: float, tries: int = 1) -> None:
        """One more try; a negative number takes some back."""
        level = max(0.0, self._level(key, now) + tries)
        self._levels.pop(key, None)
        if level > 0:
            self._levels[key] = (level, now)
        while len(self._levels) > KEPT:
            self._levels.popitem(last=False)

    def empty(self, key: tuple[str, ...]) -> None:
        """Forget every try."""
        self._levels.pop(key, None)

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: tuple[str, ...], now: float) -> float:
        level, at = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - at) / self.drains_s)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in."""

    account: str
    """As it was typed; it need not exist."""
    address: str | None
    device: str | None = None
    """A device that is known to this account."""
    known_address: bool = False
    """Somebody is signed in to this account from this address."""

    @property
    def known(self) -> bool:
        """It comes from where this account was before."""
        return self.device is not None or self.known_address

    @property
    def pair(self) -> tuple[str, ...]:
        """Account and place."""
        place = ("device", self.device) if self.device else ("address", place_of(self.address))
        return (self.account.casefold()[:64], *place)


@dataclass(slots=True)
class Throttle:
    """What was tried lately. A try counts before its outcome is known: many at once do not slip through."""

    _pairs: Buckets = field(default_factory=lambda: Buckets(TRIES_OF_PAIR, PAIR_DRAINS_S))
    _addresses: Buckets = field(default_factory=lambda: Buckets(TRIES_OF_ADDRESS, ADDRESS_DRAINS_S))

    def admit(self, attempt: Attempt, now: float) -> float:
        """0: go on, and it is counted; else seconds to wait, and nothing is counted."""
        address = (place_of(attempt.address),)
        wait = self._pairs.wait_s(attempt.pair, now)
        if not attempt.known:
            wait = max(wait, self._addresses.wait_s(address, now))
        if wait > 0:
            return wait
        self._pairs.add(attempt.pair, now)
        if not attempt.known:
            self._addresses.add(address, now)
        return 0.0

    def succeeded(self, attempt: Attempt, now: float) -> None:
        """The password was right: this try does not count, nor do the mistypes before it."""
        self._pairs.empty(attempt.pair)
        if not attempt.known:
            self._addresses.add((place_of(attempt.address),), now, -1)

    def undecided(self, attempt: Attempt, now: float) -> None:
        """The try could not be judged: it does not count."""
        self._pairs.add(attempt.pair, now, -1)
        if not attempt.known:
            self._addresses.add((place_of(attempt.address),), now, -1)


def place_of(address: str | None) -> str:
    """What one customer of a provider has: an IPv4 address, or a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
