"""Log lines reach their listener, also where the kernel has no inotify instance or watch left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from srt_router.monitoring import log_watcher
from srt_router.monitoring.inotify import Inotify
from srt_router.monitoring.log_watcher import LogWatcher
from tests.harness.wait import until_async


def none_left(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("missing", [None, "watch", "__init__"])
async def test_lines_reach_their_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str | None
) -> None:
    monkeypatch.setattr(log_watcher, "_POLL_S", 0.01)
    if missing:
        monkeypatch.setattr(Inotify, missing, none_left)
    folder = os.open(tmp_path, os.O_RDONLY)
    before = open_descriptors()
    logs = LogWatcher(folder)
    found: list[str] = []
    for name in ("a.log", "b.log"):
        logs.follow(name, found.extend)
    with (tmp_path / "a.log").open("a") as file:
        file.write("first\n")
    await until_async(lambda: found == ["first"])
    with (tmp_path / "b.log").open("a") as file:
        file.write("last\n")
    logs.drain("b.log")
    assert found == ["first", "last"]
    logs.unfollow("a.log")
    logs.close()
    assert open_descriptors() == before
    os.close(folder)
    assert len([one for one in caplog.messages if "fs.inotify.max_user_watches" in one]) == (1 if missing else 0)


async def test_where_a_log_goes_on_is_known_before_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("read by the server before\nnew\n")
    folder = os.open(tmp_path, os.O_RDONLY)
    logs = LogWatcher(folder)
    logs.expect("a.log", 26)
    assert logs.position("a.log") == 26  # so it stands in what is kept for the next server, whenever that is written
    found: list[str] = []
    logs.follow("a.log", found.extend, 26)
    logs.drain("a.log")
    assert found == ["new"]
    assert logs.position("a.log") == 30
    logs.expect("b.log", 5)
    logs.unfollow("b.log")
    assert logs.position("b.log") == 0
    logs.close()
    os.close(folder)
