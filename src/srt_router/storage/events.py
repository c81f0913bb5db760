"""The event history: written in batches, bounded by number and age, read newest first.

Events that are not in the database yet (the last moments, or as long as it cannot be written) are in
memory and are found there, so a reader never misses what it was just told of.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.redaction import redact
from srt_router.storage.database import Database, Refused, Unavailable

KEPT = 200_000
"""So many events are kept."""
KEPT_MS = 90 * 24 * 3600 * 1000
"""Events older than that are removed."""
IN_MEMORY = 10_000
"""So many events wait for a database that cannot be written; the oldest are lost first."""

_BATCH = 500
_GATHER_S = 0.1
"""Events of so long are written together."""
_RETRY_S = 5.0
_PRUNE_EVERY_S = 3600.0
_LAST_ID = 2**53
"""No id of ours comes near it: they are microseconds since the epoch."""
_PRUNED_AT_ONCE = 20_000
"""A clock that jumped years ahead for a moment must not cost the whole history."""
_IDS_PER_MS = 1000
_OPEN_S = 2.0
_LONGEST_TEXT = 2000
_LONGEST_LIST = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is kept and shown."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    id: int
    """Grows with time: who knows the last one it saw can ask for what came after."""
    at: int
    """Milliseconds since the epoch."""
    kind: str
    route_id: str | None
    process_type: str | None
    message: str
    data: Mapping[str, object]
    """What belongs to its kind."""
    actor: str | None = None
    """Who ordered it; None: nobody, or nobody who is known."""
    repeated: int = 0
    """Not 0: a sum of so many of the same that were counted and not told one by one; `at` is the last one's."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; what is empty does not choose."""

    route: str | None = None
    kinds: tuple[str, ...] = ()
    since: int | None = None
    """Milliseconds since the epoch, included."""
    until: int | None = None
    """Milliseconds since the epoch, not included."""
    text: str | None = None
    """Stands in the message, in small letters or capitals."""
    before: int | None = None
    """Only events with a smaller id."""

    def fits(self, event: Event) -> bool:
        """The same as `where`, for one event in memory."""
        return (
            (self.route is None or event.route_id == self.route)
            and (not self.kinds or event.kind in self.kinds)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and (not self.text or self.text.lower() in event.message.lower())
            and (self.before is None or event.id < self.before)
        )

    def where(self) -> tuple[str, list[object]]:
        """The same as `fits`, as SQL and its parameters."""
        terms: list[tuple[str, list[object]]] = []
        if self.route is not None:
            terms.append(("route_id = ?", [self.route]))
        if self.kinds:
            terms.append((f"kind IN ({', '.join('?' * len(self.kinds))})", list(self.kinds)))
        if self.since is not None:
            terms.append(("at_ms >= ?", [self.since]))
        if self.until is not None:
            terms.append(("at_ms < ?", [self.until]))
        if self.text:
            terms.append(("instr(lower(message), lower(?)) > 0", [self.text]))
        if self.before is not None:
            terms.append(("id < ?", [self.before]))
        words = " AND ".join(term for term, _ in terms) or "1"
        return words, [value for _, values in terms for value in values]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    count: int = KEPT
    age_ms: int = KEPT_MS
    in_memory: int = IN_MEMORY


@dataclass(slots=True)
class EventStore:
    """The event history of one server. Everything here runs on the event loop."""

    database: Database
    limits: Limits = field(default_factory=Limits)
    lost: int = 0
    """Events that were neither written nor kept in memory."""
    last_id: int = 0
    _pending: deque[Event] = field(default_factory=deque)
    """Not in the database yet; all of them newer than what is in there."""
    _listeners: list[Callable[[Event], None]] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        """Go on where the history ends, also after the clock was set back. Waits for no disk that hangs."""
        with contextlib.suppress(Unavailable, TimeoutError):
            self.last_id = await asyncio.wait_for(self.database.read(newest_id), _OPEN_S)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with each new event."""
        self._listeners.append(listener)

    def add(self, event: Event) -> Event:
        """Keep an event; its id is given here."""
        self.last_id = max(self.last_id + 1, event.at * _IDS_PER_MS)
        kept = Event(
            id=self.last_id,
            at=event.at,
            kind=event.kind,
            route_id=event.route_id,
            process_type=event.process_type,
            message=clean(event.message),
            data={key: plain(value) for key, value in event.data.items()},
            actor=event.actor,
            repeated=event.repeated,
        )
        self._pending.append(kept)
        while len(self._pending) > self.limits.in_memory:
            self._pending.popleft()
            self.lost += 1
        self._wake.set()
        for listener in self._listeners:
            listener(kept)
        return kept

    @property
    def waiting(self) -> int:
        """Events that are not in the database yet."""
        return len(self._pending)

    @property
    def trouble(self) -> str | None:
        """Why the history is not what it should be; None where all is well."""
        trouble = self.database.trouble
        return f"{trouble} ({self.lost} events are lost)" if trouble and self.lost else trouble

    async def find(self, wanted: EventFilter, limit: int) -> list[Event]:
        """The newest `limit` events that fit, newest first."""
        found = list(islice((event for event in reversed(self._pending) if wanted.fits(event)), limit))
        if len(found) < limit:
            try:
                older = await self.database.read(lambda connection: select(connection, wanted, limit))
            except Unavailable:
                return found
            known = {event.id for event in found}
            found += [event for event in older if event.id not in known]
        return found[:limit]

    # Writing

    async def run(self) -> None:
        """Write what is added, until cancelled. A database that cannot be written is tried again."""
        pruned = -_PRUNE_EVERY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_GATHER_S)
            if not await self.flush():
                await asyncio.sleep(_RETRY_S)
                self._wake.set()
                continue
            if time.monotonic() - pruned >= _PRUNE_EVERY_S:
                pruned = time.monotonic()
                await self.prune(time.time_ns() // 1_000_000)

    async def flush(self) -> bool:
        """Write what is not written yet; False where that cannot be done."""
        while self._pending:
            batch = list(islice(self._pending, _BATCH))
            try:
                await self.database.write(lambda connection, batch=batch: insert(connection, batch))  # type: ignore[misc]
            except Unavailable as error:
                return isinstance(error, Refused)  # they stay in memory; trying again helps where it is not refused
            last = batch[-1].id
            while self._pending and self._pending[0].id <= last:
                self._pending.popleft()
        return True

    async def prune(self, now_ms: int) -> None:
        """Remove what is too much or too old."""
        with contextlib.suppress(Unavailable):  # `trouble` tells it
            await self.database.write(lambda connection: prune(connection, self.limits, now_ms))


def clean(text: str) -> str:
    """Text that can be written and shown wherever it comes from: valid, not endless, without secrets."""
    return redact(text[:_LONGEST_TEXT].encode("utf-8", "replace").decode())


def plain(value: object) -> object:
    """Data that can be written and shown."""
    match value:
        case str():
            return clean(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {clean(str(key)): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in islice(value, _LONGEST_LIST)]
    return clean(str(value))


def newest_id(connection: sqlite3.Connection) -> int:
    """The id of the newest event; 0 where there is none. One that a disk has spoilt leaves room for those to come."""
    return connection.execute("SELECT max(id) FROM events WHERE id < ?", [_LAST_ID]).fetchone()[0] or 0


def insert(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write events."""
    connection.executemany(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (e.id, e.at, e.kind, e.route_id, e.process_type, e.message, _json(e.data), e.actor, e.repeated)
            for e in events
        ],
    )


def select(connection: sqlite3.Connection, wanted: EventFilter, limit: int) -> list[Event]:
    """Read events, newest first."""
    words, values = wanted.where()
    rows = connection.execute(f"SELECT * FROM events WHERE {words} ORDER BY id DESC LIMIT ?", [*values, limit])  # noqa: S608 - only our own words
    return [
        Event(id_, at, kind, route, process, message, _data(data), actor, repeated)
        for id_, at, kind, route, process, message, data, actor, repeated in rows
    ]


def prune(connection: sqlite3.Connection, limits: Limits, now_ms: int) -> None:
    """Remove what is too much or too old."""
    connection.execute(
        "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?)", [limits.count]
    )
    connection.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at_ms < ? ORDER BY id LIMIT ?)",
        [now_ms - limits.age_ms, _PRUNED_AT_ONCE],
    )


def _json(data: Mapping[str, object]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _data(text: str) -> dict[str, object]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
