"""gateway.db: migrations, and what is left alone."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from srt_router.storage import database as module
from srt_router.storage.database import APPLICATION_ID, Database, Refused, Unavailable, migrate, migrations, newest


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()


def names(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


async def test_from_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path)
    assert "events" in await database.write(names)
    assert "events" in await database.read(names)
    assert database.trouble is None
    await database.close()
    path = tmp_path / "gateway.db"
    assert query(path, "PRAGMA user_version") == [(newest(),)]
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", range(1, newest() + 1))
def test_from_every_version(version: int) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as new:
        migrate(new, 0)
        with contextlib.closing(sqlite3.connect(":memory:")) as old:
            migrate(old, 0, upto=version)
            migrate(old, version)
            schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
            assert old.execute(schema).fetchall() == new.execute(schema).fetchall()
            assert old.execute("PRAGMA user_version").fetchone() == (newest(),)


async def test_one_version_more_keeps_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Database(tmp_path)
    await first.write(lambda c: c.execute("INSERT INTO events VALUES (1, 2, 'k', NULL, NULL, 'm', '{}', NULL, 0)"))
    await first.close()
    more = [*migrations(), "CREATE TABLE more (a INTEGER) STRICT;"]
    monkeypatch.setattr(module, "migrations", lambda: more)
    second = Database(tmp_path)
    assert {"events", "more"} <= await second.write(names)
    assert await second.read(lambda c: c.execute("SELECT count(*) FROM events").fetchone()) == (1,)
    await second.close()


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (first := Database(tmp_path)).write(names)
    await first.close()
    now = newest()
    bad = [*migrations(), "CREATE TABLE half (a INTEGER); CREATE TABLE half (b);"]
    monkeypatch.setattr(module, "migrations", lambda: bad)
    second = Database(tmp_path)
    with pytest.raises(Unavailable):
        await second.write(names)
    await second.close()
    assert query(tmp_path / "gateway.db", "SELECT name FROM sqlite_schema WHERE name = 'half'") == []
    assert query(tmp_path / "gateway.db", "PRAGMA user_version") == [(now,)]


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {newest() + 1}")
        connection.execute("CREATE TABLE of_tomorrow (a)")


def foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE holiday_photos (a)")


def foreign_with_id(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA application_id = 4711")
        connection.execute("CREATE TABLE holiday_photos (a)")


def half(path: Path) -> None:
    newer(path)
    path.write_bytes(path.read_bytes()[:60])


def garbled(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        migrate(connection, 0)
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (newer, "newer SRT Router"),
        (foreign, "another program"),
        (foreign_with_id, "another program"),
        (half, "damaged"),
        (garbled, "damaged"),
        (lambda path: path.write_bytes(b"x" * 5000), "damaged"),
        (lambda path: path.mkdir(), "no regular file"),
        (lambda path: path.symlink_to("/etc/passwd"), "cannot be opened"),
    ],
    ids=["newer", "foreign", "foreign with id", "half", "garbled", "no database", "folder", "link"],
)
async def test_what_is_not_ours_to_write_is_left_alone(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "gateway.db"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else None
    database = Database(tmp_path)
    for _ in range(2):
        with pytest.raises(Refused, match=words):
            await database.write(names)
        with pytest.raises(Refused, match=words):
            await database.read(names)
    assert database.trouble is not None
    assert "Remedy" in database.trouble
    await database.close()
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [name for _, folders, files in os.walk(tmp_path) for name in folders + files] == ["gateway.db"]


async def test_damage_that_shows_later_ends_the_writing(tmp_path: Path) -> None:
    database = Database(tmp_path)
    await database.write(names)

    def corrupt(_: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with pytest.raises(Refused, match="malformed"):
        await database.write(corrupt)
    with pytest.raises(Refused):
        await database.write(names)
    await database.close()


async def test_a_job_that_fails_writes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO events VALUES (1, 2, 'k', NULL, NULL, 'm', '{}', NULL, 0)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    assert await database.read(lambda c: c.execute("SELECT count(*) FROM events").fetchone()) == (0,)
    with pytest.raises(Unavailable):
        await database.read(lambda c: c.execute("DELETE FROM events"))
    await database.close()
    await database.close()


def test_the_numbers_have_no_gap() -> None:
    assert len(migrations()) == newest() >= 1
