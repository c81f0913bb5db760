"""Which thumbnails are made, whose they are, and what becomes of them when nobody looks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.supervision.thumbnails import (
    LOOKED_AT_S,
    MAX_BYTES,
    NoPicture,
    Thumbnail,
    ThumbnailPending,
    Thumbnails,
)

A, B = "239.255.1.2:20001", "239.255.1.3:20002"
JPEG = b"\xff\xd8 picture \xff\xd9"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def desk(folder: int) -> Thumbnails:
    made = Thumbnails(folder)
    made.share = 0.1
    made.begin(A)
    return made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def take(made: Thumbnails, at: int | None = None, **told: object) -> None:
    await made.take([{"bus": A, "thumbnail": {"at": now_ms() if at is None else at, **told}}])


def asked(made: Thumbnails, key: str = A) -> Thumbnail | str:
    """What is answered: a picture, or why there is none."""
    try:
        return made.ask(key, "route_1")
    except (ThumbnailPending, NoPicture) as error:
        return error.code


async def test_who_asks_has_it_made(folder: int, tmp_path: Path) -> None:
    made = desk(folder)
    made.begin(B)
    now = time.monotonic()
    assert made.wanted(lambda _: True, now) == []
    assert asked(made) == "thumbnailPending"
    assert made.wanted(lambda _: True, now) == [A]
    assert made.wanted(lambda _: False, now) == []
    (tmp_path / "x.1.jpg.tmp").write_bytes(JPEG)
    await take(made, file="x.1.jpg.tmp")
    found = asked(made)
    assert isinstance(found, Thumbnail)
    assert found.data == JPEG


async def test_what_nobody_looks_at_is_thrown_away(folder: int, tmp_path: Path) -> None:
    made = desk(folder)
    asked(made)
    (tmp_path / "x.1.jpg.tmp").write_bytes(JPEG)
    await take(made, file="x.1.jpg.tmp")
    assert made.wanted(lambda _: True, time.monotonic() + LOOKED_AT_S + 1) == []
    assert asked(made) == "thumbnailPending"


async def test_nobody_sees_the_picture_of_the_route_that_had_the_bus_before(folder: int, tmp_path: Path) -> None:
    made = desk(folder)
    asked(made)
    (tmp_path / "x.1.jpg.tmp").write_bytes(JPEG)
    of_before = now_ms() - 1000
    made.forget(A)
    await take(made, of_before, file="x.1.jpg.tmp")
    made.begin(A)
    asked(made)
    await take(made, of_before, file="x.1.jpg.tmp")
    assert asked(made) == "thumbnailPending"


@pytest.mark.parametrize(
    "name", ["../secret.jpg.tmp", "/etc/x.jpg.tmp", "none.jpg.tmp", "link.jpg.tmp", "text.jpg.tmp", "long.jpg.tmp", "a"]
)
async def test_only_pictures_of_the_monitor_are_read(folder: int, tmp_path: Path, name: str) -> None:
    made = desk(folder)
    asked(made)
    (tmp_path.parent / "secret.jpg.tmp").write_bytes(JPEG)
    (tmp_path / "link.jpg.tmp").symlink_to(tmp_path.parent / "secret.jpg.tmp")
    (tmp_path / "text.jpg.tmp").write_bytes(b"no picture")
    (tmp_path / "long.jpg.tmp").write_bytes(JPEG[:4] + bytes(MAX_BYTES) + JPEG[-2:])
    await take(made, file=name)
    assert asked(made) == "thumbnailPending"


@pytest.mark.parametrize("told", [{}, {"file": 7}, {"at": "now", "file": "x"}, {"error": 7}])
async def test_odd_lines_do_no_harm(folder: int, told: dict[str, object]) -> None:
    made = desk(folder)
    asked(made)
    await made.take([{"bus": A, "thumbnail": told}, {"bus": 7, "thumbnail": {}}, {"bus": A, "thumbnail": 7}, {}])
    assert asked(made) == "thumbnailPending"


async def test_why_there_is_none(folder: int, tmp_path: Path) -> None:
    made = desk(folder)
    asked(made)
    await take(made, error="it shows no picture that ffmpeg can read")
    assert asked(made) == "noPicture"
    (tmp_path / "x.1.jpg.tmp").write_bytes(JPEG)
    await take(made, file="x.1.jpg.tmp")
    assert isinstance(asked(made), Thumbnail)


def test_without_a_share_none_is_wanted(folder: int) -> None:
    made = desk(folder)
    asked(made)
    made.share = None
    assert made.wanted(lambda _: True, time.monotonic()) == []
