"""The event history: paging, filters, bounds, a database that fails for a while, secrets."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srt_router.storage import events as module
from srt_router.storage.database import Database, migrate
from srt_router.storage.events import Event, EventFilter, EventStore, Limits, insert, plain, select
from tests.harness.wait import until_async

FIRST = Event(id=0, at=1_700_000_000_000, kind="k", route_id="route_1", process_type=None, message="Something", data={})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    found = EventStore(Database(tmp_path), Limits(count=50, age_ms=1_000_000, in_memory=30))
    yield found
    await found.database.close()


def add(store: EventStore, count: int, **more: object) -> list[Event]:
    return [store.add(replace(FIRST, at=FIRST.at + n, **more)) for n in range(count)]  # type: ignore[arg-type]


async def test_newest_first_from_memory_and_disk_alike(store: EventStore) -> None:
    added = add(store, 10)
    assert await store.flush()
    added += add(store, 10)
    assert await store.find(EventFilter(), 100) == added[::-1]
    assert await store.find(EventFilter(), 15) == added[:4:-1]
    assert await store.find(EventFilter(before=added[12].id), 5) == added[11:6:-1]
    assert [e.id for e in added] == sorted({e.id for e in added})


async def test_pages_end(store: EventStore) -> None:
    added = add(store, 25)
    await store.flush()
    found: list[Event] = []
    before = None
    while page := await store.find(EventFilter(before=before), 7):
        found += page
        before = page[-1].id
    assert found == added[::-1]


async def test_ids_grow_when_the_clock_goes_back(store: EventStore, tmp_path: Path) -> None:
    first = store.add(FIRST)
    second = store.add(replace(FIRST, at=5))
    assert second.id > first.id
    await store.flush()
    again = EventStore(Database(tmp_path))
    await again.open()
    assert again.add(replace(FIRST, at=5)).id > second.id
    await again.database.close()


async def test_too_many_and_too_old_are_removed(store: EventStore) -> None:
    for _ in range(3):
        add(store, 30)
        await store.flush()
    await store.prune(FIRST.at)
    found = await store.find(EventFilter(), 1000)
    assert len(found) == 50
    store.add(replace(FIRST, at=FIRST.at + 5_000_000))
    await store.flush()
    await store.prune(FIRST.at + 5_000_000)
    assert [e.at for e in await store.find(EventFilter(), 1000)] == [FIRST.at + 5_000_000]


async def test_a_full_disk_is_waited_for(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "insert", full)
        added = add(store, 40)
        assert not await store.flush()
        assert store.trouble is not None
        assert "full" in store.trouble
        assert "10 events are lost" in store.trouble
        assert await store.find(EventFilter(), 100) == added[:9:-1]
    assert await store.flush()
    assert store.trouble is None
    assert await store.find(EventFilter(), 100) == added[:9:-1]


async def test_without_a_database_the_newest_are_in_memory(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"no database" * 100)
    store = EventStore(Database(tmp_path), Limits(in_memory=5))
    await store.open()
    added = add(store, 8)
    assert await store.flush()
    assert await store.find(EventFilter(), 100) == added[:2:-1]
    await store.database.close()


async def test_it_is_written_without_being_asked(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GATHER_S", 0.001)
    task = asyncio.create_task(store.run())
    added = [store.add(replace(FIRST, at=time.time_ns() // 1_000_000)) for _ in range(3)]
    await until_async(lambda: store.database.read(lambda c: len(select(c, EventFilter(), 9)) == 3))
    assert await store.find(EventFilter(), 9) == added[::-1]
    task.cancel()


async def test_subscribers_are_told(store: EventStore) -> None:
    told: list[Event] = []
    store.subscribe(told.append)
    assert add(store, 2) == told


async def test_secrets_and_nonsense_are_taken_out(store: EventStore) -> None:
    kept = store.add(
        replace(
            FIRST,
            message="srt://x?passphrase=correct-horse-42&mode=caller \udcff",
            data={
                "a": ["passphrase=correct-horse-42"],
                "b": {"c": "token=geheim \ud800"},
                "d": object(),
                "e": "x" * 9999,
            },
        )
    )
    await store.flush()
    (read,) = await store.find(EventFilter(), 9)
    assert read == kept
    assert "correct-horse-42" not in repr(read)
    assert "geheim" not in repr(read)
    assert len(str(read.data["e"])) == 2000


TEXT = st.text(max_size=20)
EVENTS = st.builds(
    replace,
    st.just(FIRST),
    at=st.integers(0, 50),
    kind=st.sampled_from("abc"),
    route_id=st.sampled_from([None, "r1", "r2"]),
    message=st.text("abcXYZ %_'", max_size=8),
)
FILTERS = st.builds(
    EventFilter,
    route=st.sampled_from([None, "r1", "r2"]),
    kinds=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    since=st.none() | st.integers(0, 50),
    until=st.none() | st.integers(0, 50),
    text=st.none() | st.text("abcXYZ %_'", max_size=2),
    before=st.none() | st.integers(0, 60),
)


@given(st.lists(EVENTS, max_size=20), FILTERS, st.integers(1, 10))
@settings(max_examples=60, deadline=None)
def test_memory_and_disk_choose_the_same(events: list[Event], wanted: EventFilter, limit: int) -> None:
    numbered = [replace(event, id=number) for number, event in enumerate(events, 1)]
    connection = sqlite3.connect(":memory:")
    migrate(connection, 0)
    insert(connection, numbered)
    assert select(connection, wanted, limit) == [e for e in reversed(numbered) if wanted.fits(e)][:limit]
    connection.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_whatever_comes_can_be_written(value: object) -> None:
    json.dumps(plain(value)).encode()
