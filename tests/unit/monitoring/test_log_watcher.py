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
