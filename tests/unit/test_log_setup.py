"""What others named forges no line and steers no terminal."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.log_setup import FILE_NAME, logging_to
from tests.harness.wait import until


@pytest.fixture
def _root() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


@pytest.mark.usefixtures("_root")
def test_one_record_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path):
        log = logging.getLogger("PidManager")
        log.info("UDP port %d is taken by %s", 4000, "x\x1b[2J\r\n[RouteManager] Route route_1 is stopped")
        try:
            int("two\nlines")
        except ValueError:
            log.exception("Something failed")
    out = capsys.readouterr().out
    assert out.startswith("[PidManager] UDP port 4000 is taken by x�[2J��[RouteManager] Route route_1 is stopped\n")
    assert "\x1b" not in out
    assert "Traceback (most recent call last):\n" in out
    assert (tmp_path / FILE_NAME).read_text().count("Z INFO [PidManager] UDP port") == 1


@pytest.mark.usefixtures("_root")
def test_a_full_disk_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE_NAME).symlink_to("/dev/full")
    with logging_to(tmp_path):
        for number in range(100):
            logging.getLogger("PidManager").info("line %d", number)
    shown = capsys.readouterr()
    assert shown.out.count("[PidManager] line ") == 100
    assert shown.err == (
        f"[SrtRouter] The log file {tmp_path / FILE_NAME} cannot be written (No space left on device): "
        "lines are lost there until it can\n"
    )


@pytest.mark.usefixtures("_root")
def test_lines_that_nobody_reads_are_counted_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as reader, os.fdopen(writing, "w", encoding="utf-8") as out:
        monkeypatch.setattr("sys.stdout", out)
        said: list[str] = []
        with logging_to(None):
            queued = logging.getLogger().handlers[0]
            for number in range(30_000):
                logging.getLogger("PidManager").info("line %d", number)
            assert queued.queue.qsize() <= 20_000  # type: ignore[attr-defined]
            lines = threading.Thread(target=lambda: said.extend(reader))
            lines.start()
            until(lambda: queued.queue.qsize() == 0, what="the lines to be read")  # type: ignore[attr-defined]
            logging.getLogger("PidManager").info("the last line")
        out.close()
        lines.join()
    assert said[0] == "[PidManager] line 0\n"
    assert said[-1] == "[PidManager] the last line\n"
    kept = sum(line.startswith("[PidManager] line ") for line in said)
    assert f"[SrtRouter] {30_000 - kept} log lines were lost here" in said[-2]
