"""The history of statistics in SQLite: whole numbers in fixed columns, which take a byte or two each."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from srt_router.storage.ring import COLUMNS, METRICS, Values

DAY_S = 24 * 3600
KEPT_S = {10: DAY_S, 60: 30 * DAY_S}
"""How long slots of so many seconds are kept."""
MAX_ROWS = 25_000_000
"""Rows in all, about 1.2 GB. With more than 480 legs the long history is therefore shorter than 30 days."""
REMOVED_KEPT_S = DAY_S
"""The history of a route that is no more is kept for so long."""
_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One slot of one leg."""

    route: str
    leg: str
    t: int
    """Seconds since the epoch at which the slot begins."""
    values: Values


def table(resolution: int) -> str:
    """The name of the table with slots of so many seconds."""
    return {10: "statistics_10s", 60: "statistics_60s"}[resolution]


def insert(connection: sqlite3.Connection, rows: Mapping[int, Sequence[Row]]) -> None:
    """Write slots, by their resolution. A slot that is there already is replaced."""
    newest: dict[tuple[str, str], int] = {}
    for some in rows.values():
        for row in some:
            key = (row.route, row.leg)
            newest[key] = max(row.t, newest.get(key, 0))
    connection.executemany(
        "INSERT INTO statistics_series (route_id, leg, last_t) VALUES (?, ?, ?) "
        "ON CONFLICT (route_id, leg) DO UPDATE SET last_t = excluded.last_t",
        [(route, leg, t) for (route, leg), t in newest.items()],
    )
    ids = {key: _series(connection, *key) for key in newest}
    places = ", ".join("?" * (len(COLUMNS) + 2))
    for resolution, some in rows.items():
        connection.executemany(
            f"INSERT OR REPLACE INTO {table(resolution)} VALUES ({places})",  # noqa: S608 - only our own words
            [(ids[row.route, row.leg], row.t, *_stored(row.values)) for row in some],
        )


def select(connection: sqlite3.Connection, key: tuple[str, str], span: tuple[int, int], resolution: int) -> list[Row]:
    """The slots of one leg that begin in [first, last), oldest first."""
    series = _series(connection, *key)
    if series is None:
        return []
    found = connection.execute(
        f"SELECT t, {', '.join(COLUMNS)} FROM {table(resolution)} WHERE series = ? AND t >= ? AND t < ? ORDER BY t",  # noqa: S608 - only our own words
        (series, *span),
    )
    return [Row(*key, t, _read(values)) for t, *values in found]


def prune(connection: sqlite3.Connection, now_t: int, routes: Collection[str] | None) -> None:
    """Remove what is too old, and what was left by routes that are no more (`routes`: those there are, if known)."""
    series = connection.execute("SELECT id, route_id, last_t FROM statistics_series").fetchall()
    for number, route, last_t in series:
        if routes is not None and route not in routes and last_t < now_t - REMOVED_KEPT_S:
            _remove(connection, [number])
    kept = kept_s(len(series))
    for resolution, seconds in kept.items():
        connection.executemany(
            f"DELETE FROM {table(resolution)} WHERE series = ? AND t < ?",  # noqa: S608 - only our own words
            [(number, now_t - seconds) for number, _, _ in series],
        )
        connection.executemany(
            f"DELETE FROM {table(resolution)} WHERE series = ? AND t > ?",  # noqa: S608 - written by a clock that was wrong
            [(number, now_t + DAY_S) for number, _, _ in series],
        )
    _remove(connection, [number for number, _, last_t in series if last_t < now_t - kept[60]])


def kept_s(legs: int) -> dict[int, int]:
    """How long slots are kept when there are so many legs."""
    rows = MAX_ROWS // max(legs, 1)
    short = min(KEPT_S[10], rows // 4 * 10)
    return {10: short, 60: min(KEPT_S[60], (rows - short // 10) * 60)}


def _remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    keys = [(number,) for number in numbers]
    for resolution in KEPT_S:
        connection.executemany(f"DELETE FROM {table(resolution)} WHERE series = ?", keys)  # noqa: S608
    connection.executemany("DELETE FROM statistics_series WHERE id = ?", keys)


def _series(connection: sqlite3.Connection, route: str, leg: str) -> int | None:
    found = connection.execute("SELECT id FROM statistics_series WHERE route_id = ? AND leg = ?", (route, leg))
    row = found.fetchone()
    return None if row is None else int(row[0])


def _stored(values: Values) -> list[int | None]:
    return [
        None if value is None else min(round(value * metric.scale), _INT64)
        for metric, value in zip(METRICS, values, strict=True)
    ]


def _read(stored: Sequence[int | None]) -> list[float | None]:
    return [None if value is None else value / metric.scale for metric, value in zip(METRICS, stored, strict=True)]
