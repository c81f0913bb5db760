"""Copies of gateway.db: what a copy holds, and what comes back from it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from srt_router.storage.backup_database import (
    RULES,
    copy_database,
    inspect,
    install,
    modernise,
)
from srt_router.storage.database import APPLICATION_ID, Database, Refused, migrate, newest

STAMP = "2026-11-23T12-00-00"


def rows(path: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return [tuple(row) for row in connection.execute(sql, values)]


def event(path: Path, number: int) -> None:
    rows(path, "INSERT INTO events VALUES (?, 1, 'k', NULL, NULL, 'm', '{}', NULL, 0)", number)


def user(path: Path, number: int, name: str, *, role: str = "administrator", hashed: str = "h") -> None:
    rows(path, "INSERT INTO users VALUES (?, ?, ?, ?, 0, 0, 1, 1, NULL)", number, name, role, hashed)


def session(path: Path, name: str, user_id: int) -> None:
    rows(path, "INSERT INTO sessions VALUES (?, ?, ?, 1, 1, 9, NULL, 'c')", name, name.encode(), user_id)


def made(path: Path, *, events: Iterable[int] = ()) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, 0)
    for number in events:
        event(path, number)
    return path


def ids(path: Path, table: str = "events") -> list[object]:
    return [row[0] for row in rows(path, f"SELECT id FROM {table} ORDER BY id")]  # noqa: S608 - our own words


async def test_a_copy_is_made_while_it_is_written(tmp_path: Path) -> None:
    database = Database(tmp_path)
    insert = "INSERT INTO events VALUES (?, 2, 'k', NULL, NULL, 'm', '{}', NULL, 0)"
    await database.write(lambda c: c.execute(insert, [1]))
    with contextlib.closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute(insert, [2])
        copy_database(database.path, tmp_path / "copy")
        other.execute("COMMIT")
    await database.close()
    assert ids(tmp_path / "copy") == [1]
    assert [name for name in os.listdir(tmp_path) if name.startswith("copy")] == ["copy"]  # noqa: PTH208
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    found = inspect(tmp_path / "copy")
    assert (found.version, found.events, found.users) == (newest(), 1, 0)


def test_a_copy_that_is_whole_is_left_as_it_is_by_looking(tmp_path: Path) -> None:
    path = made(tmp_path / "copy", events=[1])
    before = path.read_bytes()
    inspect(path)
    assert path.read_bytes() == before


def newer(path: Path) -> None:
    rows(made(path), f"PRAGMA user_version = {newest() + 1}")


def foreign(path: Path) -> None:
    rows(path, "PRAGMA application_id = 4711")
    rows(path, "CREATE TABLE photos (a)")


def unlabelled(path: Path) -> None:
    rows(path, "CREATE TABLE photos (a)")


def cut(path: Path) -> None:
    made(path, events=range(1, 500))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 8192 * 4096])


def garbled(path: Path) -> None:
    made(path, events=range(1, 500))
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.touch()


BAD = {
    "newer": (newer, "newer SRT Router"),
    "foreign": (foreign, "another program"),
    "unlabelled": (unlabelled, "no database of SRT Router"),
    "cut": (cut, "damaged"),
    "garbled": (garbled, "damaged"),
    "text": (lambda path: path.write_text("not a database" * 100), "damaged, or no database"),
    "empty": (empty, "empty"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_copy_is_refused(tmp_path: Path, kind: str) -> None:
    make, words = BAD[kind]
    make(tmp_path / "copy")
    with pytest.raises(Refused, match=words):
        inspect(tmp_path / "copy")


@pytest.mark.parametrize("kind", ["newer", "foreign", "text"])
def test_what_is_not_ours_is_not_copied(tmp_path: Path, kind: str) -> None:
    BAD[kind][0](tmp_path / "gateway.db")
    before = (tmp_path / "gateway.db").read_bytes()
    with pytest.raises(Refused):
        copy_database(tmp_path / "gateway.db", tmp_path / "copy")
    assert (tmp_path / "gateway.db").read_bytes() == before


def test_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no"):
        copy_database(tmp_path / "gateway.db", tmp_path / "copy")


# Putting it in place


def test_what_happened_since_is_kept_and_what_was_lost_comes_back(tmp_path: Path) -> None:
    path, copy = made(tmp_path / "gateway.db", events=[2, 3, 4]), made(tmp_path / "copy", events=[1, 2])
    assert install(path, copy, STAMP) is None
    assert ids(path) == [1, 2, 3, 4]
    assert install(path, copy, STAMP) is None
    assert ids(path) == [1, 2, 3, 4]


def test_accounts_become_what_they_were(tmp_path: Path) -> None:
    path, copy = made(tmp_path / "gateway.db"), made(tmp_path / "copy")
    user(copy, 1, "admin")
    user(copy, 2, "bob", hashed="before")
    user(copy, 3, "gone", role="operator")
    session(copy, "ended-since", 1)
    user(path, 1, "admin")
    user(path, 2, "bob", hashed="since")
    user(path, 3, "another", role="operator")
    user(path, 4, "new", role="viewer")
    for number, name in enumerate(("admin", "bob", "another", "new"), 1):
        session(path, name, number)
    install(path, copy, STAMP)
    assert rows(path, "SELECT id, name, password_hash FROM users ORDER BY id") == [
        (1, "admin", "h"),
        (2, "bob", "before"),
        (3, "gone", "h"),
    ]
    assert ids(path, "sessions") == ["admin"]


def test_a_copy_that_knows_no_administrator_locks_nobody_out(tmp_path: Path) -> None:
    path, copy = made(tmp_path / "gateway.db"), made(tmp_path / "copy", events=[1])
    user(path, 1, "admin")
    session(path, "admin", 1)
    user(copy, 1, "viewer", role="viewer")
    install(path, copy, STAMP)
    assert rows(path, "SELECT name FROM users") == [("admin",)]
    assert ids(path, "sessions") == ["admin"]
    assert ids(path) == [1]


def test_a_copy_of_an_older_version_is_brought_up_to_date_first(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        migrate(connection, 0, upto=1)
    event(copy, 7)
    assert inspect(copy).version == 1
    modernise(copy)
    assert inspect(copy).version == newest()
    path = made(tmp_path / "gateway.db", events=[8])
    install(path, copy, STAMP)
    assert ids(path) == [7, 8]


@pytest.mark.parametrize("kind", ["newer", "foreign", "cut", "garbled", "text"])
def test_what_cannot_be_used_is_set_aside_whole(tmp_path: Path, kind: str) -> None:
    path, copy = tmp_path / "gateway.db", made(tmp_path / "copy", events=[1])
    BAD[kind][0](path)
    before = path.read_bytes()
    aside = install(path, copy, STAMP)
    assert aside == tmp_path / f"gateway.db.set-aside_{STAMP}"
    assert aside.read_bytes() == before
    assert ids(path) == [1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_without_its_database_never_meets_the_new_one(tmp_path: Path) -> None:
    path, copy = tmp_path / "gateway.db", made(tmp_path / "copy", events=[1])
    path.write_text("broken" * 100)
    (tmp_path / "gateway.db-wal").write_text("the log of the broken one")
    install(path, copy, STAMP)
    assert (tmp_path / f"gateway.db.set-aside_{STAMP}-wal").read_text() == "the log of the broken one"
    assert ids(path) == [1]


def test_where_there_is_none_it_is_made(tmp_path: Path) -> None:
    assert install(tmp_path / "gateway.db", made(tmp_path / "copy", events=[1]), STAMP) is None
    assert ids(tmp_path / "gateway.db") == [1]
    assert rows(tmp_path / "gateway.db", "PRAGMA application_id") == [(APPLICATION_ID,)]


async def test_the_server_goes_on_with_what_was_put_in_place(tmp_path: Path) -> None:
    path, copy = tmp_path / "gateway.db", made(tmp_path / "copy", events=[1])
    path.write_text("broken" * 100)
    database = Database(tmp_path)
    with pytest.raises(Refused):
        await database.write(lambda c: c.execute("SELECT 1"))
    assert database.trouble
    aside = await database.exclusively(lambda path: install(path, copy, STAMP))
    assert aside is not None
    assert database.trouble is None
    assert await database.read(lambda c: c.execute("SELECT id FROM events").fetchall()) == [(1,)]
    await database.close()


ALARM = "INSERT INTO alarms VALUES (?, 1, ?, '{}')"
RULE = "INSERT INTO alarm_rules VALUES (?, '{}')"


def test_alarm_rules_become_what_they_were_and_alarms_stay(tmp_path: Path) -> None:
    path, copy = made(tmp_path / "gateway.db"), made(tmp_path / "copy")
    rows(copy, "INSERT INTO alarm_setup VALUES (1)")
    rows(copy, RULE, "rule_1")
    rows(copy, ALARM, "alarm_1", 5)
    rows(copy, ALARM, "alarm_2", None)
    rows(path, RULE, "rule_2")
    rows(path, ALARM, "alarm_3", None)
    install(path, copy, STAMP)
    assert ids(path, "alarm_rules") == ["rule_1"]
    assert ids(path, "alarms") == ["alarm_1", "alarm_3"]


def test_a_copy_from_before_there_were_alarms_takes_no_rules_away(tmp_path: Path) -> None:
    path, copy = made(tmp_path / "gateway.db"), made(tmp_path / "copy")
    rows(path, RULE, "rule_2")
    install(path, copy, STAMP)
    assert ids(path, "alarm_rules") == ["rule_2"]


def test_what_was_measured_and_who_is_signed_in_is_in_no_copy(tmp_path: Path) -> None:
    path = made(tmp_path / "gateway.db", events=[1])
    user(path, 1, "admin")
    session(path, "here", 1)
    rows(path, "INSERT INTO statistics_series VALUES (1, 'route_1', 'source', 5)")
    rows(path, "INSERT INTO statistics_10s (series, t) VALUES (1, 5)")
    copy_database(path, tmp_path / "copy")
    assert [ids(tmp_path / "copy", table) for table in ("events", "users", "sessions")] == [[1], [1], []]
    assert rows(tmp_path / "copy", "SELECT * FROM statistics_10s") == []
    install(path, tmp_path / "copy", STAMP)
    assert ids(path, "sessions") == ["here"]
    assert rows(path, "SELECT series, t FROM statistics_10s") == [(1, 5)]


def test_a_copy_has_the_layout_of_what_it_was_made_of(tmp_path: Path) -> None:
    path = made(tmp_path / "gateway.db")
    copy_database(path, tmp_path / "copy")
    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    assert rows(tmp_path / "copy", schema) == rows(path, schema)
    for pragma in ("application_id", "user_version"):
        assert rows(tmp_path / "copy", f"PRAGMA {pragma}") == rows(path, f"PRAGMA {pragma}")


def test_every_table_has_its_rule(tmp_path: Path) -> None:
    """Whoever adds a table says what becomes of it."""
    path = made(tmp_path / "gateway.db")
    tables = rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert {name for (name,) in tables} == set(RULES)
