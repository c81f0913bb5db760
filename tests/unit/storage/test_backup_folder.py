"""The folder of backups: names, whole sets, and everything in it that is none of ours."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from srt_router.errors import UnsafeDirectory
from srt_router.storage.backup_folder import (
    KEPT,
    BackupFolder,
    BackupInvalid,
    BackupNotFound,
    set_name,
    stamp_of,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC).timestamp()
NAME = "gateway_2026-11-23T12-00-00.db.gz"
BESIDE = "routes_2026-11-23T12-00-00.json.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[BackupFolder]:
    with BackupFolder(tmp_path) as found:
        yield found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    path.write_bytes(b"a database" * 1000)
    return path


def old(path: Path) -> None:
    os.utime(path, (1, 1))


def test_a_set_is_two_private_files_in_a_private_folder(folder: BackupFolder, database: Path) -> None:
    made = folder.publish(database, b"{}", NOON)
    assert (made.name, made.routes_name, made.created_at) == (NAME, BESIDE, int(NOON * 1000))
    assert sorted(path.name for path in folder.path.iterdir()) == [NAME, BESIDE]
    assert [path.stat().st_mode & 0o777 for path in (folder.path, *folder.path.iterdir())] == [0o700, 0o600, 0o600]
    assert gzip.decompress((folder.path / NAME).read_bytes()) == database.read_bytes()
    assert gzip.decompress((folder.path / BESIDE).read_bytes()) == b"{}"
    assert folder.sets() == [made]
    assert folder.find(NAME) == made
    assert made.size == sum(path.stat().st_size for path in folder.path.iterdir())


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir(mode=0o755)
    with BackupFolder(tmp_path) as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700


def test_two_in_one_second_have_two_names(folder: BackupFolder, database: Path) -> None:
    names = [folder.publish(database, b"{}", NOON).name for _ in range(3)]
    assert names == [NAME, NAME.replace("00.db", "01.db"), NAME.replace("00.db", "02.db")]
    assert [one.name for one in folder.sets()] == names[::-1]


def test_the_last_thirty_are_kept(folder: BackupFolder, database: Path) -> None:
    for number in range(KEPT + 3):
        folder.publish(database, b"{}", NOON + 60 * number)
    gone = folder.prune()
    assert [one.created_at for one in gone] == [int((NOON + 60 * number) * 1000) for number in (2, 1, 0)]
    assert len(folder.sets()) == KEPT == 30
    assert len(list(folder.path.iterdir())) == 2 * KEPT
    assert folder.prune() == []


FOREIGN = (
    "gateway_2026-11-22T12-00-00.db",
    "gateway_2026-11-22T12-00-00.db.gz.txt",
    "gateway_2026-11-22 12-00-00.db.gz",
    "gateway_2026-13-41T12-00-00.db.gz",
    "notes.txt",
    "gateway_٢٠٢٦-11-22T12-00-00.db.gz",
)


def test_links_and_foreign_files_are_neither_listed_nor_followed_nor_removed(
    folder: BackupFolder, database: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    stamp = "2026-11-21T12-00-00"
    (folder.path / f"gateway_{stamp}.db.gz").symlink_to(outside)
    (folder.path / f"routes_{stamp}.json.gz").symlink_to(outside)
    os.mkfifo(folder.path / "gateway_2026-11-20T12-00-00.db.gz")
    (folder.path / "gateway_2026-11-19T12-00-00.db.gz").mkdir()
    for name in FOREIGN:
        (folder.path / name).write_text("foreign")
        old(folder.path / name)
    made = folder.publish(database, b"{}", NOON)
    before = sorted(path.name for path in folder.path.iterdir())
    assert folder.sets() == [made]
    assert folder.prune() == []
    assert sorted(path.name for path in folder.path.iterdir()) == before
    assert outside.read_text() == "precious"
    for day in (21, 20, 19):
        with pytest.raises(BackupNotFound):
            folder.open(f"gateway_2026-11-{day}T12-00-00.db.gz")
        with pytest.raises(BackupNotFound):
            folder.find(f"gateway_2026-11-{day}T12-00-00.db.gz")


@pytest.mark.parametrize(
    "name",
    [
        "../gateway.db",
        "../../etc/passwd",
        "/etc/passwd",
        "",
        ".",
        "gateway_2026-11-23T12-00-00.db.gz/../../routes.json",
        "gateway_2026-11-23T12-00-00.db.gz\n",
        "gateway_2026-11-23T12-00-00.db.gz\0",
        *FOREIGN,
    ],
)
def test_a_name_that_is_none_leads_nowhere(folder: BackupFolder, database: Path, name: str) -> None:
    folder.publish(database, b"{}", NOON)
    for look in (folder.find, folder.open):
        with pytest.raises(BackupNotFound):
            look(name)


def test_what_people_may_write_for_a_name() -> None:
    assert set_name(NAME) == set_name(BESIDE) == set_name("2026-11-23T12-00-00") == NAME
    unfit = [text for text in FOREIGN if "13-41" not in text]  # a day that is none is no backup, but its shape is right
    assert [set_name(text) for text in (*unfit, "", "../x", f"{NAME}\n")] == [None] * (len(unfit) + 3)
    assert stamp_of(NAME) == "2026-11-23T12-00-00"
    assert stamp_of(BESIDE) is None


def test_a_set_without_its_other_file_is_none(folder: BackupFolder, database: Path) -> None:
    folder.publish(database, b"{}", NOON)
    (folder.path / BESIDE).unlink()
    assert folder.sets() == []
    with pytest.raises(BackupNotFound, match=f"{BESIDE} is missing"):
        folder.find(NAME)
    folder.prune()
    assert (folder.path / NAME).exists()


def test_what_a_crash_left_half_made_goes_when_it_is_old(folder: BackupFolder, database: Path) -> None:
    made = folder.publish(database, b"{}", NOON)
    half, alone = folder.path / f".making-{NAME}", folder.path / "routes_2026-11-01T12-00-00.json.gz"
    for path in (half, alone):
        path.write_bytes(b"x")
    folder.prune()
    assert half.exists()
    assert alone.exists()
    old(half)
    old(alone)
    old(folder.path / BESIDE)
    folder.prune()
    assert not half.exists()
    assert not alone.exists()
    assert folder.sets() == [made]


def test_what_cannot_be_packed_leaves_nothing(folder: BackupFolder, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        folder.publish(tmp_path / "missing", b"{}", NOON)
    assert list(folder.path.iterdir()) == []


def unpacked(folder: BackupFolder, tmp_path: Path) -> tuple[Path, Path]:
    targets = tmp_path / f"a{time.monotonic_ns()}", tmp_path / f"b{time.monotonic_ns()}"
    folder.unpack(folder.find(NAME), *targets)
    return targets


def test_a_set_comes_out_as_it_went_in(folder: BackupFolder, database: Path, tmp_path: Path) -> None:
    folder.publish(database, b'{"version": 1}', NOON)
    first, second = unpacked(folder, tmp_path)
    assert first.read_bytes() == database.read_bytes()
    assert second.read_bytes() == b'{"version": 1}'
    assert first.stat().st_mode & 0o777 == second.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [NAME, BESIDE])
@pytest.mark.parametrize("spoil", ["cut", "garbled", "flipped", "empty", "more"])
def test_a_damaged_file_is_found(folder: BackupFolder, database: Path, tmp_path: Path, name: str, spoil: str) -> None:
    folder.publish(database, b'{"version": 1, "routes": []}', NOON)
    content = (folder.path / name).read_bytes()
    spoilt = {
        "cut": content[:-9],
        "garbled": b"x" * len(content),
        "flipped": content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],
        "empty": b"\x1f\x8b",
        "more": content + b"rubbish",
    }
    (folder.path / name).write_bytes(spoilt[spoil])
    with pytest.raises(BackupInvalid, match=name):
        unpacked(folder, tmp_path)


def test_what_grows_without_end_is_refused(folder: BackupFolder, database: Path, tmp_path: Path) -> None:
    folder.publish(database, b"\0" * (17 * 1024 * 1024), NOON)
    with pytest.raises(BackupInvalid, match="larger than"):
        unpacked(folder, tmp_path)


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "backups").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeDirectory, match="symbolic link"):
        BackupFolder(tmp_path)
