"""Hands events to whoever subscribed: at once, on the event loop, secrets taken out, repetitions counted.

What goes on for hours must not flood the history: a caller whose peer is away, a process that crashes
again and again. The first ones are told, the others of the same kind, process and identity are counted,
and the count is told from time to time and when something else happens.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from srt_router.redaction import redact
from srt_router.supervision.event import ServerEvent
from srt_router.supervision.events import PeerConnected, RouteRemoved, RouteStarted, RouteStopped

log = logging.getLogger("Events")

FIRST_PERIOD_S = 600.0
LONGEST_PERIOD_S = 3600.0
"""Seconds between two tellings of what repeats itself; doubled each time."""

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """One event as subscribers get it: plain, and without secrets."""

    kind: str
    at_ms: int
    """Milliseconds since the epoch."""
    route: str | None
    process: str | None
    message: str
    data: dict[str, object]
    repeated: int = 0
    """So many of the same have been counted and not told, up to this one; 0: this is no such sum."""
    actor: str | None = None
    """Who did it; None: nobody, or nobody who is known."""


Listener = Callable[[Announced], None]


@dataclass(slots=True)
class _Repeated:
    """One thing that may repeat itself."""

    ends: float
    period_s: float = FIRST_PERIOD_S
    told: int = 0
    counted: int = 0
    last: Announced | None = None
    """The last one that was counted."""

    def sum(self) -> list[Announced]:
        """What was counted, as one, and nothing is counted any more."""
        last, counted, self.last, self.counted = self.last, self.counted, None, 0
        if last is None:
            return []
        return [replace(last, repeated=counted)]


@dataclass(slots=True)
class Repeats:
    """Decides what is told and what is counted; knows no clock of its own."""

    _entries: dict[str | None, dict[Key, _Repeated]] = field(default_factory=dict)
    """By route: what ends the repetitions of one looks at no other."""

    def admit(self, event: ServerEvent, announced: Announced, now: float) -> list[Announced]:
        """What is to be told now that this happened: sums of what it puts an end to, and itself or not."""
        if event.freely is None:
            return [*self._ended_by(event), announced]
        key = (event.process, event.kind, event.identity)
        entry = self._entries.setdefault(event.route, {}).setdefault(key, _Repeated(now + FIRST_PERIOD_S))
        if entry.told >= event.freely:
            entry.counted += 1
            entry.last = announced
            return []
        entry.told += 1
        return [*self._ended_by(event), announced]

    def due(self, now: float) -> list[Announced]:
        """Sums whose time has come. What has not repeated itself for a whole period is forgotten."""
        sums: list[Announced] = []
        for route, entries in list(self._entries.items()):
            for key, entry in list(entries.items()):
                if now < entry.ends:
                    continue
                if not entry.counted:
                    self._drop(route, [key])
                    continue
                sums += entry.sum()
                entry.period_s = min(2 * entry.period_s, LONGEST_PERIOD_S)
                entry.ends = now + entry.period_s
        return _in_order(sums)

    def all(self) -> list[Announced]:
        """Every sum there is; everything is forgotten."""
        sums = [one for route in list(self._entries) for one in self._drop(route, list(self._entries[route]))]
        return _in_order(sums)

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def __bool__(self) -> bool:
        return bool(self._entries)

    def _ended_by(self, event: ServerEvent) -> list[Announced]:
        """A start or stop of a route ends all repetitions in it, a connection those of a try without answer."""
        entries = self._entries.get(event.route, {})
        match event:
            case RouteStarted() | RouteStopped() | RouteRemoved():
                return _in_order(self._drop(event.route, list(entries)))
            case PeerConnected():
                ends = ("processEnded", "peerRejected")
                keys = [key for key in entries if key[0] == event.process and key[1] in ends]
                return _in_order(self._drop(event.route, keys))
        return []

    def _drop(self, route: str | None, keys: Iterable[Key]) -> list[Announced]:
        entries = self._entries.get(route, {})
        sums = [one for key in keys for one in entries.pop(key).sum()]
        if not entries:
            self._entries.pop(route, None)
        return sums


def _in_order(sums: list[Announced]) -> list[Announced]:
    return sorted(sums, key=lambda each: each.at_ms)


class EventBus:
    """The events of one server. Everything here runs on the event loop."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._repeats = Repeats()
        self._timer: asyncio.TimerHandle | None = None

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with each event; it must be quick and wait for nothing."""
        self._listeners.append(listener)

    def emit(self, event: ServerEvent, secrets: frozenset[str] = frozenset()) -> None:
        """Tell everybody. `secrets` are the passphrases of its route: none of them is told."""
        data = _without(event.data(), secrets)
        assert isinstance(data, dict)  # noqa: S101 - as it went in
        announced = Announced(
            kind=event.kind,
            at_ms=time.time_ns() // 1_000_000,
            route=event.route,
            process=event.process,
            message=redact(event.message, secrets),
            data=data,
            actor=event.actor,
        )
        self._tell(self._repeats.admit(event, announced, time.monotonic()))
        if self._repeats and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FIRST_PERIOD_S, self._look)

    def close(self) -> None:
        """Tell what was counted; there will be no more."""
        if self._timer:
            self._timer.cancel()
        self._tell(self._repeats.all())

    def _look(self) -> None:
        self._tell(self._repeats.due(time.monotonic()))
        again = bool(self._repeats)
        self._timer = asyncio.get_running_loop().call_later(FIRST_PERIOD_S / 10, self._look) if again else None

    def _tell(self, announced: list[Announced]) -> None:
        for each in announced:
            for listener in self._listeners:
                try:
                    listener(each)
                except Exception:  # noqa: BLE001 - a subscriber that fails must not take a route with it
                    log.exception("A subscriber failed at %s", each.kind)


def _without(value: object, secrets: frozenset[str]) -> object:
    """Plain data without secrets."""
    match value:
        case str():
            return redact(value, secrets)
        case dict():
            return {key: _without(one, secrets) for key, one in value.items()}
        case list() | tuple():
            return [_without(one, secrets) for one in value]
    return value
