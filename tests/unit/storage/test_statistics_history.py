"""The history of statistics: seconds in memory, longer slots on disk, gaps that stay gaps."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from srt_router.storage import statistics_rows
from srt_router.storage.database import FILE_NAME, Database, migrate
from srt_router.storage.ring import COLUMNS, METRICS, NAMES, SECONDS, Ring, Values, together
from srt_router.storage.statistics import MAX_SLOTS, RESOLUTIONS, StatisticsStore, every, resolution_for
from srt_router.storage.statistics_rows import DAY_S, KEPT_S, MAX_ROWS, REMOVED_KEPT_S, kept_s

START = 1_800_000_000
assert START % 3600 == 0
KEY = ("route_1", "source")


def values(**known: float) -> Values:
    """One second of a leg."""
    return [known.get(name) for name in NAMES]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StatisticsStore]:
    found = StatisticsStore(Database(tmp_path))
    yield found
    await found.database.close()


def fill(store: StatisticsStore, seconds: range, key: tuple[str, str] = KEY) -> None:
    """Bitrate is the second's number, ten packets each."""
    for n in seconds:
        store.add(START + n, *key, values(bitrate=n, packets=10, msRTT=20.25))


def test_the_ring_keeps_ten_minutes() -> None:
    ring = Ring()
    for n in range(SECONDS + 5):
        ring.put(START + n, values(bitrate=n))
    assert ring.at(START + 4) is None
    first = ring.at(START + 5)
    assert first is not None
    assert (first[0], first[1]) == (5.0, None)


def test_counts_add_up_and_others_have_their_mean() -> None:
    ring = Ring()
    for n, rtt in enumerate([10.0, None, 30.0]):
        ring.put(START + n, values(bitrate=1000 + n, packets=5, **({} if rtt is None else {"msRTT": rtt})))
    slot = ring.slot(START, 10)
    assert slot is not None
    found = dict(zip(NAMES, slot, strict=True))
    assert (found["bitrate"], found["packets"], found["msRTT"], found["lost"]) == (1001.0, 15, 20.0, None)
    assert ring.slot(START + 10, 10) is None
    assert together([slot, slot])[NAMES.index("packets")] == 30


async def test_seconds_with_gaps(store: StatisticsStore) -> None:
    fill(store, range(3))
    fill(store, range(5, 7))
    found = await store.find(KEY, ["bitrate", "lost"], (START - 1, START + 8), 1)
    assert found.t == [(START + n) * 1000 for n in range(-1, 8)]
    assert found.values == {"bitrate": [None, 0, 1, 2, None, None, 5, 6, None], "lost": [None] * 9}


async def test_ten_seconds_from_memory_and_from_disk_are_the_same(store: StatisticsStore) -> None:
    fill(store, range(125))
    before = await store.find(KEY, ["bitrate", "packets", "msRTT"], (START, START + 130), 10)
    assert before.values["bitrate"] == [4.5 + 10 * n for n in range(12)] + [122.0]
    assert before.values["packets"] == [100.0] * 12 + [50.0]
    assert await store.flush()
    after = await store.find(KEY, ["bitrate", "packets", "msRTT"], (START, START + 130), 10)
    assert after.values["packets"] == before.values["packets"]
    assert after.values["msRTT"] == [20.25] * 13
    assert after.values["bitrate"] == pytest.approx(before.values["bitrate"], abs=0.5)  # on disk in whole kb/s


async def test_minutes_and_longer(store: StatisticsStore) -> None:
    fill(store, range(601))
    await store.close()
    minutes = await store.find(KEY, ["packets"], (START, START + 660), 60)
    assert minutes.values["packets"] == [600.0] * 10 + [10.0]
    longer = await store.find(KEY, ["packets", "bitrate"], (START, START + 1200), 600)
    assert longer.values == {"packets": [6000.0, 10.0], "bitrate": [pytest.approx(299.5, abs=1), 600.0]}


async def test_a_restart_keeps_the_slots(store: StatisticsStore, tmp_path: Path) -> None:
    fill(store, range(60))
    await store.close()
    again = StatisticsStore(Database(tmp_path))
    found = await again.find(KEY, ["packets"], (START, START + 70), 10)
    assert found.values["packets"] == [100.0] * 6 + [None]
    assert (await again.find(KEY, ["packets"], (START, START + 5), 1)).values["packets"] == [None] * 5
    await again.database.close()


async def test_a_restart_within_a_slot_loses_nothing(store: StatisticsStore, tmp_path: Path) -> None:
    fill(store, range(37))
    await store.close()
    again = StatisticsStore(Database(tmp_path))
    fill(again, range(44, 75))
    for written in (False, True):
        if written:
            await again.close()
        tens = await again.find(KEY, ["packets", "bitrate"], (START, START + 80), 10)
        assert tens.values["packets"] == [100.0, 100.0, 100.0, 70.0, 60.0, 100.0, 100.0, 50.0]
        minutes = await again.find(KEY, ["packets"], (START, START + 120), 60)
        assert minutes.values["packets"] == [370.0 + 160.0, 150.0]
    await again.database.close()


async def test_a_clock_that_is_set_back_replaces(store: StatisticsStore) -> None:
    fill(store, range(100))
    await store.flush()
    fill(store, range(20, 40))
    await store.close()
    found = await store.find(KEY, ["packets"], (START, START + 100), 10)
    assert len(found.t) == 10
    assert all(value is None or value > 0 for value in found.values["packets"])


async def test_what_is_old_goes_and_what_removed_routes_left_goes_after_a_day(store: StatisticsStore) -> None:
    fill(store, range(30))
    fill(store, range(30), ("route_2", "source"))
    await store.close()

    async def slots(key: tuple[str, str], resolution: int) -> int:
        found = await store.find(key, ["packets"], (START, START + 60), resolution)
        return sum(value is not None for value in found.values["packets"])

    fresh = StatisticsStore(store.database, lambda: {"route_1"})
    store = fresh
    await store.prune(START + REMOVED_KEPT_S - 100)
    assert (await slots(KEY, 10), await slots(("route_2", "source"), 10)) == (3, 3)
    await store.prune(START + REMOVED_KEPT_S + 100)
    assert (await slots(KEY, 10), await slots(KEY, 60), await slots(("route_2", "source"), 60)) == (0, 1, 0)
    await store.prune(START + KEPT_S[60] + 100)
    assert await slots(KEY, 60) == 0
    assert await store.database.read(lambda c: c.execute("SELECT count(*) FROM statistics_series").fetchone()[0]) == 0


async def test_a_clock_that_was_years_ahead_leaves_nothing(store: StatisticsStore) -> None:
    store.add(START + 10 * 365 * DAY_S, *KEY, values(packets=1))
    fill(store, range(30))
    await store.close()
    await store.prune(START + 100)
    rows = await store.database.read(lambda c: c.execute("SELECT max(t) FROM statistics_10s").fetchone()[0])
    assert rows == START + 20


def test_with_many_legs_the_long_history_is_shorter() -> None:
    assert kept_s(1) == KEPT_S
    assert kept_s(300) == KEPT_S
    for legs in (300, 1000, 5000, 100_000):
        kept = kept_s(legs)
        assert legs * sum(seconds // resolution for resolution, seconds in kept.items()) <= MAX_ROWS


async def test_a_database_that_cannot_be_written_costs_no_memory_without_end(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("no database")
    store = StatisticsStore(Database(tmp_path))
    fill(store, range(100))
    assert not await store.flush()
    assert not any(store._pending.values())
    found = await store.find(KEY, ["packets"], (START, START + 10), 1)
    assert found.values["packets"] == [10.0] * 10
    await store.database.close()


async def test_what_cannot_be_written_now_is_written_later(store: StatisticsStore, tmp_path: Path) -> None:
    fill(store, range(25))
    assert await store.flush()
    lock = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    await store.database.write(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    lock.execute("BEGIN IMMEDIATE")
    fill(store, range(25, 45))
    assert not await store.flush()
    lock.execute("ROLLBACK")
    lock.close()
    assert await store.flush()
    assert not any(store._pending.values())
    found = await store.find(KEY, ["packets"], (START, START + 40), 10)
    assert found.values["packets"] == [100.0] * 4


async def test_three_hundred_legs_are_cheap_and_small(store: StatisticsStore, tmp_path: Path) -> None:
    legs = [(f"route_{n}", "source") for n in range(300)]
    row = values(bitrate=6213.4, packets=590, lost=2, retransmitted=2, dropped=0, belated=0, msRTT=23.1,
                 mbpsBandwidth=311.2, bufferMs=118, connected=1, cpuPercent=1.3, memoryBytes=9_400_000)  # fmt: skip
    started = time.thread_time()
    for second in range(120):
        for leg in legs:
            store.add(START + second, *leg, row)
    used = time.thread_time() - started
    assert used / 120 < 0.05, "a second of 300 legs takes less than 50 ms even on a slow machine"
    await store.close()
    counts = "SELECT (SELECT count(*) FROM statistics_10s) + (SELECT count(*) FROM statistics_60s)"
    count = await store.database.read(lambda connection: connection.execute(counts).fetchone()[0])
    await store.database.close()
    assert count == 300 * (12 + 2)
    assert (tmp_path / FILE_NAME).stat().st_size / count < 150


def test_columns_are_those_of_the_tables() -> None:
    connection = sqlite3.connect(":memory:")
    migrate(connection, 0)
    for resolution in KEPT_S:
        table = statistics_rows.table(resolution)
        named = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        assert tuple(name for (name,) in named) == ("series", "t", *COLUMNS)
    connection.close()
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_resolution_fits_the_span() -> None:
    now = START
    assert resolution_for((now - 300, now), now) == 1
    assert resolution_for((now - 900, now - 600), now) == 10
    assert resolution_for((now - 3600, now), now) == 10
    assert resolution_for((now - DAY_S, now), now) == 60
    assert resolution_for((now - 2 * DAY_S, now - 2 * DAY_S + 60), now) == 60
    assert resolution_for((now - 7 * DAY_S, now), now) == 600
    assert resolution_for((now - 30 * DAY_S, now), now) == 3600
    for days in (0.001, 0.1, 1, 3, 7, 30, 365):
        span = (now - int(days * DAY_S), now)
        assert resolution_for(span, now) in RESOLUTIONS
        assert (span[1] - span[0]) / resolution_for(span, now) <= MAX_SLOTS


def test_metrics_by_name() -> None:
    assert every(["msRTT", "bitrate", "msRTT"]) == ["bitrate", "msRTT"]
