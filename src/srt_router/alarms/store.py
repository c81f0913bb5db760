"""Alarms in gateway.db. What is to be written waits here, newest state only, until it is written: while the
database cannot be used everything goes on in memory, and nothing is written twice or in the wrong order.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from srt_router.alarms.model import MASK, Receiver, Rule, Webhook, default_rules
from srt_router.alarms.records import Alarm, Json, Message
from srt_router.storage.database import Database, Refused, Unavailable

log = logging.getLogger("Alarms")

T = TypeVar("T")
Row = tuple[object, ...]

_AGAIN_S = 1.0
_PATIENCE_S = 5.0
"""A disk that hangs is waited for no longer."""

_ALARM = TypeAdapter(Alarm)
_RECEIVER: TypeAdapter[Receiver] = TypeAdapter(Receiver)


class Table(StrEnum):
    """What is kept where."""

    RULES = "alarm_rules"
    RECEIVERS = "alarm_receivers"
    ALARMS = "alarms"
    DELIVERIES = "alarm_deliveries"


@dataclass(slots=True)
class Kept:
    """Everything that is kept."""

    rules: list[Rule] = field(default_factory=list)
    receivers: list[Receiver] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    """Oldest first."""
    messages: list[Message] = field(default_factory=list)
    """Not delivered yet, oldest first."""


class AlarmStore:
    """Reads once, writes what changes. Runs on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unwritten: dict[tuple[Table, str], Row | None] = {}

    async def open(self, patience_s: float) -> Kept:
        """Everything that is kept. Where the database cannot be used for so long: what an installation begins with."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return await self.read()
            except Unavailable as error:
                if isinstance(error, Refused) or time.monotonic() >= deadline:
                    log.error("Alarms go on in memory, with the rules of a new installation")  # noqa: TRY400 - why was said
                    return Kept(rules=default_rules())
            await asyncio.sleep(_AGAIN_S)

    async def read(self) -> Kept:
        """Everything that is kept. Raises Unavailable."""
        return await self._now(_open)

    # Rules and receivers: written before they count

    async def save(self, changed: Rule | Receiver) -> None:
        """Write a rule or a receiver. Raises Unavailable, and nothing was changed then."""
        table, row = _table(changed), _settings_row(changed)
        await self._now(lambda connection: _put(connection, table, row))

    async def remove(self, gone: Rule | Receiver) -> None:
        """Remove a rule or a receiver. Raises Unavailable, and nothing was changed then."""
        await self._now(lambda connection: _drop(connection, _table(gone), gone.id))

    async def _now(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._database.write(job)
        except TimeoutError:
            raise Unavailable(f"{self._database.path} does not answer: its disk hangs. Try again later") from None

    # Alarms and messages: they count at once, and are written as soon as that can be done

    def keep(self, one: Alarm | Message) -> None:
        """Write it with the next `flush`."""
        table = Table.ALARMS if isinstance(one, Alarm) else Table.DELIVERIES
        self._unwritten[table, one.id] = _alarm_row(one) if isinstance(one, Alarm) else _message_row(one)

    def forget(self, one: Alarm | Message) -> None:
        """Remove it with the next `flush`."""
        self._unwritten[Table.ALARMS if isinstance(one, Alarm) else Table.DELIVERIES, one.id] = None

    async def flush(self) -> bool:
        """Write what is not written yet; False where that cannot be done now."""
        batch = dict(self._unwritten)
        if not batch:
            return True
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._database.write(lambda connection: _write(connection, batch))
        except (Unavailable, TimeoutError):
            return False
        for key, row in batch.items():
            if key in self._unwritten and self._unwritten[key] is row:
                del self._unwritten[key]
        return True


# In the threads of the database


def _open(connection: sqlite3.Connection) -> Kept:
    if connection.execute("SELECT count(*) FROM alarm_setup").fetchone()[0] == 0:
        connection.execute("INSERT INTO alarm_setup VALUES (1)")
        for rule in default_rules():
            _put(connection, Table.RULES, _settings_row(rule))
    return Kept(
        rules=list(_read(connection, Table.RULES, Rule.model_validate_json)),
        receivers=list(_read(connection, Table.RECEIVERS, _RECEIVER.validate_json)),
        alarms=list(_read(connection, Table.ALARMS, _ALARM.validate_json)),
        messages=[
            Message(id_, receiver, created, json.loads(body))
            for id_, receiver, created, body in connection.execute(
                "SELECT id, receiver_id, created_ms, body FROM alarm_deliveries ORDER BY length(id), id"
            )
        ],
    )


def _read(connection: sqlite3.Connection, table: Table, parse: Callable[[str], T]) -> Iterable[T]:
    rows = connection.execute(f"SELECT document FROM {table} ORDER BY length(id), id")  # noqa: S608 - our own words
    for (document,) in rows:
        try:
            yield parse(document)
        except ValidationError as error:  # of a version that knew more: one row must not hide the others
            log.warning("gateway.db: something of the alarms cannot be read and is left out: %s", error.title)


def _write(connection: sqlite3.Connection, batch: dict[tuple[Table, str], Row | None]) -> None:
    for (table, id_), row in batch.items():
        if row is None:
            _drop(connection, table, id_)
        else:
            _put(connection, table, row)


def _put(connection: sqlite3.Connection, table: Table, row: Row) -> None:
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - our own words


def _drop(connection: sqlite3.Connection, table: Table, id_: str) -> None:
    connection.execute(f"DELETE FROM {table} WHERE id = ?", [id_])  # noqa: S608 - our own words


def _table(one: Rule | Receiver) -> Table:
    return Table.RULES if isinstance(one, Rule) else Table.RECEIVERS


def _settings_row(one: Rule | Receiver) -> Row:
    document: Json = one.model_dump(mode="json", by_alias=True)
    if isinstance(one, Webhook) and one.secret is not None:
        assert document["secret"] == MASK  # noqa: S101 - as everybody else is shown it
        document["secret"] = one.secret.get_secret_value()
    return one.id, json.dumps(document)


def _alarm_row(alarm: Alarm) -> Row:
    return alarm.id, alarm.raised_at, alarm.cleared_at, _ALARM.dump_json(alarm, by_alias=True).decode()


def _message_row(message: Message) -> Row:
    return message.id, message.receiver_id, message.created_at, json.dumps(message.body)
