from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from srt_router.routes import store
from srt_router.routes.document import Parsed, render
from srt_router.routes.errors import RoutesFileChanged, RoutesFileInvalid
from srt_router.routes.model import Route
from srt_router.routes.store import RoutesFile
from tests.unit.routes.examples import CONTRACT, listener, route

ONE = (route(),)
TWO = (route(), route(number=2, source=listener(4083)))
BROKEN = CONTRACT[:200]


@pytest.fixture
def file(tmp_path: Path) -> RoutesFile:
    return RoutesFile(tmp_path)


def loaded(file: RoutesFile, text: str) -> RoutesFile:
    file.path.write_text(text)
    file.load()
    return file


def test_no_file_is_no_routes(file: RoutesFile) -> None:
    assert file.load() == Parsed()


def test_what_is_saved_is_loaded(file: RoutesFile) -> None:
    file.load()
    file.save(TWO)
    assert RoutesFile(file.path.parent).load() == Parsed(TWO)
    assert os.listdir(file.path.parent) == ["routes.json"]  # noqa: PTH208


def test_only_the_owner_may_read(file: RoutesFile) -> None:
    file.save(ONE)
    file.save(TWO)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.backup_path.stat().st_mode & 0o777 == 0o600


def test_the_previous_file_is_kept(file: RoutesFile) -> None:
    loaded(file, CONTRACT).save(TWO)
    assert file.backup_path.read_text() == CONTRACT
    file.save(ONE)
    assert file.backup_path.read_text() == render(TWO)
    assert file.path.read_text() == render(ONE)


@pytest.mark.parametrize("call", ["replace", "fsync", "open"])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_save_that_fails_leaves_old_or_new(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch, call: str, fails_at: int
) -> None:
    loaded(file, CONTRACT)
    real: Callable[..., object] = getattr(os, call)
    calls = 0

    def failing(*arguments: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(28, "No space left on device")
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, failing)
    if call == "replace" and fails_at == 3:
        file.save(TWO)
    else:
        with pytest.raises(OSError, match="No space left"):
            file.save(TWO)
        assert file.path.read_text() == CONTRACT
    monkeypatch.undo()
    assert not list(file.path.parent.glob("*.tmp"))
    file.save(ONE)
    assert file.load() == Parsed(ONE)


def test_a_file_left_half_written_by_a_crash_is_no_obstacle(file: RoutesFile) -> None:
    file.path.with_name("routes.json.tmp").write_text("{")
    file.save(ONE)
    assert RoutesFile(file.path.parent).load() == Parsed(ONE)


@pytest.mark.parametrize("text", [BROKEN, CONTRACT.replace('"version": 1', '"version": 2'), "", "\ufeff{"])
def test_a_broken_file_is_never_overwritten(file: RoutesFile, text: str) -> None:
    file.path.write_text(text)
    assert file.load().errors
    with pytest.raises(RoutesFileInvalid, match=r"routes\.json line \d+"):
        file.save(ONE)
    assert file.path.read_text() == text
    assert not file.backup_path.exists()


def test_a_file_that_broke_after_it_was_read_is_not_overwritten(file: RoutesFile) -> None:
    loaded(file, CONTRACT).path.write_text(BROKEN)
    with pytest.raises(RoutesFileInvalid):
        file.save(ONE)
    assert file.path.read_text() == BROKEN


def test_a_change_by_hand_is_not_overwritten(file: RoutesFile) -> None:
    loaded(file, CONTRACT).path.write_text(render(TWO))
    with pytest.raises(RoutesFileChanged, match="changed by somebody else"):
        file.save(ONE)
    assert file.path.read_text() == render(TWO)


def test_a_file_that_was_never_read_is_not_overwritten(file: RoutesFile) -> None:
    file.path.write_text(CONTRACT)
    with pytest.raises(RoutesFileChanged):
        file.save(ONE)


def test_routes_that_collide_are_not_saved(file: RoutesFile) -> None:
    with pytest.raises(RoutesFileInvalid, match=r"routes\.json, routes\[1\]\.source\.port: 4082 is"):
        file.save((route(), route(number=2)))
    assert not file.path.exists()


def test_a_save_needs_no_file(file: RoutesFile) -> None:
    loaded(file, CONTRACT).path.unlink()
    file.save(ONE)
    assert file.load() == Parsed(ONE)


def test_what_is_no_text_or_too_large_is_an_error(file: RoutesFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.path.write_bytes(b'{\n"\xff"}')
    assert [str(error) for error in file.load().errors] == ["line 2: is not UTF-8 text"]
    monkeypatch.setattr(store, "MAX_BYTES", 100)
    file.path.write_text(CONTRACT)
    assert "is larger than" in file.load().errors[0].message


def test_a_byte_order_mark_does_no_harm(file: RoutesFile) -> None:
    file.path.write_text("\ufeff" + CONTRACT)
    assert file.load().errors == ()


@asynccontextmanager
async def watching(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[AsyncGenerator[Parsed, None], None]:
    monkeypatch.setattr(store, "LOOK_EVERY_MS", 50)
    monkeypatch.setattr(store, "SETTLE_S", 0.1)
    stop = asyncio.Event()
    with anyio.fail_after(10):
        async with aclosing(file.changes(stop)) as changes:
            yield changes
            stop.set()
            assert [parsed async for parsed in changes] == []


def by_rename(path: Path, text: str) -> None:
    new = path.with_name("routes.json~")
    new.write_text(text)
    new.replace(path)


def by_delete(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.anyio
@pytest.mark.parametrize("edit", [by_rename, by_delete, in_place])
async def test_an_edit_by_hand_is_seen(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path, str], None]
) -> None:
    loaded(file, CONTRACT)
    async with watching(file, monkeypatch) as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        edit(file.path, render(TWO))
        assert await waiting == Parsed(TWO)
        assert file.backup_path.read_text() == CONTRACT
        await asyncio.to_thread(file.save, ONE)


@pytest.mark.anyio
async def test_a_broken_edit_is_reported_and_the_last_good_one_kept(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(file, CONTRACT)
    async with watching(file, monkeypatch) as changes:
        file.path.write_text(BROKEN)
        broken = await anext(changes)
        assert broken.routes == ()
        assert "is not JSON" in broken.errors[0].message
        assert file.backup_path.read_text() == CONTRACT
        assert file.path.read_text() == BROKEN
        file.path.unlink()
        assert "was removed" in (await anext(changes)).errors[0].message
        file.path.write_text(CONTRACT)
        assert (await anext(changes)).errors == ()


@pytest.mark.anyio
async def test_a_file_written_in_two_steps_is_no_error(file: RoutesFile, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(file, CONTRACT)
    text = render(TWO)
    real_read = RoutesFile._read
    half_seen = False

    def read(self: RoutesFile) -> bytes | None:
        """Complete the file once its first half was read."""
        nonlocal half_seen
        content = real_read(self)
        if content == text[:100].encode() and not half_seen:
            half_seen = True
            file.path.write_text(text)
        return content

    monkeypatch.setattr(RoutesFile, "_read", read)
    async with watching(file, monkeypatch) as changes:
        file.path.write_text(text[:100])
        assert await anext(changes) == Parsed(TWO)
    assert half_seen


@pytest.mark.anyio
async def test_our_own_writes_are_no_changes(file: RoutesFile, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(file, CONTRACT)
    async with watching(file, monkeypatch) as changes:
        waiting = asyncio.ensure_future(anext(changes))
        saved: list[tuple[Route, ...]] = [ONE, TWO, ONE]
        for routes in saved:
            await asyncio.to_thread(file.save, routes)
        file.path.write_text(CONTRACT)
        assert [made.name for made in (await waiting).routes] == ["Paris feed"]


@pytest.mark.anyio
async def test_a_backup_that_cannot_be_written_stops_nothing(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loaded(file, CONTRACT)
    file.backup_path.mkdir()
    async with watching(file, monkeypatch) as changes:
        file.path.write_text(render(TWO))
        assert await anext(changes) == Parsed(TWO)
    assert "Could not keep the last good routes" in caplog.text


@pytest.mark.anyio
async def test_a_file_that_cannot_be_read_is_an_error(file: RoutesFile, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(file, CONTRACT)
    async with watching(file, monkeypatch) as changes:
        file.path.unlink()
        file.path.mkdir()
        assert (await anext(changes)).errors[0].message == "cannot be read: Is a directory"


@pytest.mark.anyio
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("too many instances")])
async def test_a_folder_that_cannot_be_watched_is_looked_at(
    file: RoutesFile, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def no_watch(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(store, "awatch", no_watch)
    monkeypatch.setattr(store, "LOOK_EVERY_MS", 10)
    loaded(file, CONTRACT)
    stop = asyncio.Event()
    async with aclosing(file.changes(stop)) as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        by_rename(file.path, render(TWO))
        assert await waiting == Parsed(TWO)
        stop.set()
        assert [changed async for changed in changes] == []
