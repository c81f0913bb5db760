"""Copies of gateway.db: made while it is written, looked into without changing them, and put in its place.

What happened stays: a restore adds the events and past alarms of the copy to those that are there and takes none
away. What was configured becomes as it is in the copy, in one transaction. What was measured, and who is signed in,
is in no copy: `RULES` says for each table what becomes of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from srt_router.storage.database import Refused, Unavailable, connect, examine, is_damage, migrate, newest


class Keep(Enum):
    """What a backup and a restore do with a table."""

    STATE = auto()
    """It is in the copy, and comes back as it was."""
    ACCOUNTS = auto()
    """Likewise, unless the copy knows no administrator: nobody could sign in any more."""
    ALARMS = auto()
    """Likewise, unless the copy was made before there were alarms."""
    PRESETS = auto()
    """Likewise, unless there is none in the copy, which may be older than they are: those that are here stay."""
    HISTORY = auto()
    """It is in the copy; a restore adds what is missing and takes nothing away."""
    HERE = auto()
    """It is not in the copy, and stays as it is."""


RULES: dict[str, Keep] = {
    "events": Keep.HISTORY,
    "users": Keep.ACCOUNTS,
    "tokens": Keep.ACCOUNTS,
    "account_keys": Keep.ACCOUNTS,
    "sessions": Keep.HERE,  # ended ones must not come back
    "statistics_series": Keep.HERE,  # up to a gigabyte, and out of date in a month
    "statistics_10s": Keep.HERE,
    "statistics_60s": Keep.HERE,
    "alarm_rules": Keep.ALARMS,
    "alarm_receivers": Keep.ALARMS,
    "alarm_setup": Keep.ALARMS,
    "alarms": Keep.HISTORY,
    "presets": Keep.PRESETS,
    "alarm_deliveries": Keep.HERE,  # nobody wants a message of last week
}
"""A table without a line here is state."""

_PRESENT = {
    Keep.STATE: "SELECT 1",
    Keep.ACCOUNTS: "SELECT EXISTS (SELECT 1 FROM copy.users WHERE role = 'administrator' AND NOT disabled)",
    Keep.ALARMS: "SELECT EXISTS (SELECT 1 FROM copy.alarm_setup)",
    Keep.PRESETS: "SELECT EXISTS (SELECT 1 FROM copy.presets)",
}
"""Whether the copy has anything to say about that."""
_OVER = {"alarms": "WHERE cleared_ms IS NOT NULL"}
"""Of this history only what has ended comes back."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a copy."""

    version: int
    """Of the layout: the number of its last migration."""
    events: int
    users: int


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that may be in use, as it is at one moment, into a new file that stands for itself.

    Raises Refused for one that is missing, not ours or damaged, Unavailable where reading or writing fails.
    """
    examine(source)
    if not source.exists():
        raise Refused(f"there is no {source}")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(target.as_uri(), isolation_level=None, uri=True)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # what is made of it is synced
            copy.execute("ATTACH DATABASE ? AS original", [f"{source.as_uri()}?mode=ro"])
            copy.execute("BEGIN")  # all that is read comes from one moment, and holds up no writer
            if copy.execute("PRAGMA original.user_version").fetchone()[0] == 0:
                raise Refused(f"{source} is a database of another program, or an empty one")
            _copy_tables(copy)
            copy.execute("COMMIT")
    except sqlite3.Error as error:
        kind = Refused if is_damage(error) else Unavailable
        raise kind(f"{source} could not be copied: {error}") from error


def _copy_tables(copy: sqlite3.Connection) -> None:
    schema = copy.execute("SELECT type, name, sql FROM original.sqlite_schema WHERE sql IS NOT NULL").fetchall()
    for kind, name, sql in schema:
        if kind == "table":
            copy.execute(sql)
            if RULES.get(name) is not Keep.HERE:
                copy.execute(f'INSERT INTO main."{name}" SELECT * FROM original."{name}"')  # noqa: S608 - names of our schema
    for kind, _, sql in schema:
        if kind != "table":
            copy.execute(sql)
    for number in ("application_id", "user_version"):
        value = int(copy.execute(f"PRAGMA original.{number}").fetchone()[0])
        copy.execute(f"PRAGMA main.{number} = {value}")


def inspect(path: Path) -> Contents:
    """Look at a copy from its first to its last page. Raises Refused with what is wrong."""
    examine(path)
    if not path.exists() or path.stat().st_size == 0:
        raise Refused(f"{path.name} is empty")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                raise Refused(f"{path.name} is damaged: {'; '.join(found)}")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                raise Refused(f"{path.name} is no database of SRT Router")
            _refuse_foreign_layout(connection, path.name, version)
            return Contents(version, _count(connection, "events"), _count(connection, "users"))
    except sqlite3.Error as error:
        raise Refused(f"{path.name} is damaged: {error}") from error


def _refuse_foreign_layout(connection: sqlite3.Connection, name: str, version: int) -> None:
    """Somebody may have made the copy: what acts by itself is not ours, and columns are taken over by their order."""
    acting = "SELECT type, name FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
    if found := connection.execute(acting).fetchone():
        raise Refused(f"{name} holds a {found[0]} {found[1][:80]!r}, which no database of SRT Router has")
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        migrate(ours, 0, version)
        for table in sorted(_tables(ours)):
            if _columns(connection, table) != _columns(ours, table):
                raise Refused(f"{name} has another table {table} than version {version} of SRT Router")


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    found = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) ORDER BY cid', [table])
    return [tuple(row) for row in found]


def modernise(path: Path) -> None:
    """Bring a copy to the newest layout. Raises Unavailable."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            migrate(connection, int(connection.execute("PRAGMA user_version").fetchone()[0]))
    except sqlite3.Error as error:
        raise Unavailable(f"{path} could not be brought to version {newest()}: {error}") from error


def install(path: Path, copy: Path, stamp: str) -> Path | None:
    """Make the database at `path` what `copy` says, durably, wholly or not at all. Nobody else may write it.

    One that is damaged, of another program or of a newer version is moved aside, never overwritten; the answer is
    where to. Raises Unavailable where it cannot be written; it is as it was then.
    """
    try:
        if _is_sound(path):
            _merge(path, copy)
            return None
        aside = _set_aside(path, stamp)
        _place(copy, path)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{path} cannot be written ({error})") from error
    return aside


def _is_sound(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        examine(path)
        with contextlib.closing(connect(path)) as connection:
            return [tuple(row) for row in connection.execute("PRAGMA quick_check(1)")] == [("ok",)]
    except Refused:
        return False
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise


def _merge(path: Path, copy: Path) -> None:
    with contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA synchronous = FULL")  # it is on the disk before anybody is told
        connection.execute("ATTACH DATABASE ? AS copy", [str(copy)])
        connection.execute("BEGIN IMMEDIATE")
        try:
            take_from(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _set_aside(path: Path, stamp: str) -> Path | None:
    """Rename a database with what lies beside it; the database last: alone its log would spoil the next one."""
    aside: Path | None = None
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if os.path.lexists(part):
            aside = part.rename(part.with_name(f"{path.name}.set-aside_{stamp}{suffix}"))
    return aside


def _place(copy: Path, path: Path) -> None:
    temporary = path.with_name(path.name + ".restoring")
    temporary.unlink(missing_ok=True)
    shutil.copyfile(copy, temporary)
    temporary.chmod(0o600)
    sync(temporary)
    temporary.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """What stands in a file, or which files are in a folder, is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_from(connection: sqlite3.Connection) -> None:
    """Make the database what the copy attached as `copy` says, within the transaction that is open."""
    told = {keep: bool(connection.execute(query).fetchone()[0]) for keep, query in _PRESENT.items()}
    if told[Keep.ACCOUNTS]:
        _end_sessions(connection)
    for table in sorted(_tables(connection)):
        keep = RULES.get(table, Keep.STATE)
        if keep is Keep.HISTORY:
            which = _OVER.get(table, "")
            connection.execute(f'INSERT OR IGNORE INTO main."{table}" SELECT * FROM copy."{table}" {which}')  # noqa: S608 - names of our schema
        elif told.get(keep):
            connection.execute(f'DELETE FROM main."{table}"')  # noqa: S608 - as above
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM copy."{table}"')  # noqa: S608 - as above


def _end_sessions(connection: sqlite3.Connection) -> None:
    """Sign everybody out whose account is not the same in the copy."""
    connection.execute(
        "DELETE FROM main.sessions WHERE NOT EXISTS (SELECT 1 FROM main.users AS now JOIN copy.users AS old "
        "ON now.id = old.id AND now.name = old.name AND now.password_hash = old.password_hash "
        "AND now.role = old.role WHERE now.id = main.sessions.user_id AND NOT old.disabled)"
    )


def _tables(connection: sqlite3.Connection) -> set[str]:
    names = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {str(name) for (name,) in names}


def _count(connection: sqlite3.Connection, table: str) -> int:
    there = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = ?", [table]).fetchone()[0]
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) if there else 0  # noqa: S608 - our own words
