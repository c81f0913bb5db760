"""When the daily backup is due, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from srt_router.storage.backup_folder import BackupFolder
from srt_router.storage.database import Database
from srt_router.supervision.backup_sets import verify
from srt_router.supervision.backups import BackupBusy, Backups, is_due
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.event import ServerEvent
from tests.harness.wait import until_async


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clocks change between summer and winter, by a rule that needs no database of zones."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime:
    """A moment of local time."""
    return datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(
    ("now", "newest", "due"),
    [
        ("2026-11-23T12:00:00", None, True),
        ("2026-11-23T02:59:59", "2026-11-22T03:00:05", False),
        ("2026-11-23T03:00:00", "2026-11-22T03:00:05", True),
        ("2026-11-23T03:00:30", "2026-11-23T03:00:05", False),
        ("2026-11-23T14:00:00", "2026-11-22T03:00:05", True),  # one was missed
        ("2026-11-23T02:00:00", "2026-11-21T03:00:05", True),  # one of yesterday was missed
        ("2026-11-23T14:00:00", "2026-11-23T13:00:00", False),  # one was made by hand since
        ("2026-03-29T03:00:00", "2026-03-28T03:00:05", True),  # two o'clock is three o'clock that night
        ("2026-03-29T03:10:00", "2026-03-29T03:00:05", False),
        ("2026-10-25T02:59:00", "2026-10-24T03:00:05", False),  # two o'clock comes twice
        ("2026-10-25T03:00:00", "2026-10-24T03:00:05", True),
        ("2026-10-25T03:01:00", "2026-10-25T03:00:05", False),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_when_it_is_due(now: str, newest: str | None, due: bool) -> None:
    made = at(newest).astimezone(UTC) if newest else None
    assert is_due(at(now), made) is due


@pytest.mark.usefixtures("berlin")
def test_once_a_day_whatever_the_clocks_do() -> None:
    now, newest, made = at("2026-01-01T00:00:00"), at("2025-12-31T03:00:00"), []
    while now < at("2027-01-01T00:00:00"):
        if is_due(now, newest):
            newest = now
            made.append(now)
        now = (now.astimezone(UTC) + timedelta(minutes=20)).astimezone()
    assert len(made) == 365
    assert {(one.hour, one.minute) for one in made} == {(3, 0)}


class Told(list[ServerEvent]):
    """Events as they are told."""

    def emit(self, event: ServerEvent) -> None:
        self.append(event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data() for event in self if event.kind == kind]


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    found = Database(tmp_path)
    await found.write(lambda c: c.execute("SELECT 1"))
    yield found
    await found.close()


def backups_of(database: Database, told: Told) -> Backups:
    editor = SimpleNamespace(manager=SimpleNamespace(configured=list, events=told))
    return Backups(database, cast("RouteEditor", editor), after_start_s=0)


async def test_one_that_was_missed_is_made_soon_after_the_start(database: Database) -> None:
    told = Told()
    backups = backups_of(database, told)
    task = asyncio.create_task(backups.run())
    await until_async(lambda: told.of("backupCreated"))
    task.cancel()
    (made,) = await backups.sets()
    assert [(one["name"], one["reason"]) for one in told.of("backupCreated")] == [(made.name, "daily")]
    with BackupFolder(database.path.parent) as folder:
        assert verify(folder, made).ok
    now, newest = datetime.now(UTC).astimezone(), datetime.fromtimestamp(made.created_at / 1000, UTC)
    assert not is_due(now, newest)


async def test_one_of_the_future_does_not_count(database: Database) -> None:
    with BackupFolder(database.path.parent) as folder:
        folder.publish(database.path, b"{}", time.time() + 86400 * 400)
    told = Told()
    task = asyncio.create_task(backups_of(database, told).run())
    await until_async(lambda: told.of("backupCreated"))
    task.cancel()


async def test_one_that_fails_is_told_and_takes_none_away(database: Database, tmp_path: Path) -> None:
    told = Told()
    backups = backups_of(database, told)
    good = await backups.create("order")
    os.utime(tmp_path / "backups" / good.name, (1, 1))
    await database.close()
    database.path.write_bytes(b"garbled" * 1000)
    for name in (good.name, good.routes_name):  # of the day before yesterday
        (tmp_path / "backups" / name).rename(tmp_path / "backups" / name.replace("_20", "_19"))
    task = asyncio.create_task(backups.run())
    await until_async(lambda: told.of("backupFailed"))
    task.cancel()
    assert "damaged" in told.of("backupFailed")[0]["reason"]
    assert backups.trouble is not None
    assert len(await backups.sets()) == 1
    database.path.unlink()
    await (again := Database(tmp_path)).write(lambda c: c.execute("SELECT 1"))
    await again.close()
    await backups.create("order")
    assert backups.trouble is None


async def test_one_at_a_time_and_whoever_hangs_up_stops_none(database: Database) -> None:
    backups = backups_of(database, Told())
    first = asyncio.create_task(backups.create("order"))
    await asyncio.sleep(0)
    with pytest.raises(BackupBusy):
        await backups.create("order")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await backups.close(20)
    assert len(await backups.sets()) == 1
