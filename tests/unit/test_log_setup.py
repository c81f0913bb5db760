"""What others named forges no line and steers no terminal."""

from __future__ import annotations

import gzip
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.log_setup import FILE_NAME, LogFormat, LogLevel, LogSettings, log_level, logging_to, set_log_level
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


@pytest.mark.usefixtures("_root")
def test_a_line_that_repeats_itself_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("RouteManager")
    with logging_to(tmp_path):
        for _ in range(13):
            log.warning("the same %d", 7)
        log.info("another")
        log.info("another")
    expected = [*["the same 7"] * 3, "(the line before, again 10 times)", "another", "another"]
    assert capsys.readouterr().out.splitlines() == [f"[RouteManager] {line}" for line in expected]
    in_file = (tmp_path / FILE_NAME).read_text().splitlines()
    assert [line.partition("] ")[2] for line in in_file] == expected
    assert " WARNING [RouteManager] (the line before" in in_file[3]


@pytest.mark.usefixtures("_root")
def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path, LogSettings(format=LogFormat.JSON)):
        logging.getLogger("RouteManager").warning('Route route_1 says "%s"', "a\nb\x1b")
        logging.getLogger("SrtRouter").info("Stopped")
    out = capsys.readouterr().out
    assert out == (tmp_path / FILE_NAME).read_text()
    first, second = map(json.loads, out.splitlines())
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "warning", "component": "RouteManager", "message": 'Route route_1 says "a�b�"',
        "route": "route_1",
    }  # fmt: skip
    assert "route" not in second


@pytest.mark.usefixtures("_root")
def test_a_full_file_is_compressed_and_so_many_are_kept(tmp_path: Path) -> None:
    with logging_to(tmp_path, LogSettings(file_bytes=10_000, files=3)):
        for number in range(2000):
            logging.getLogger("PidManager").info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [FILE_NAME, *(f"{FILE_NAME}.{number}.gz" for number in (1, 2, 3))]
    packed = [gzip.decompress((tmp_path / name).read_bytes()).decode() for name in reversed(files[1:])]
    lines = "".join([*packed, (tmp_path / FILE_NAME).read_text()]).splitlines()
    numbers = [int(line.rpartition(" ")[2]) for line in lines]
    assert numbers == list(range(numbers[0], 2000))
    assert len(numbers) > 400


@pytest.mark.usefixtures("_root")
def test_the_level_is_changed_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("PidManager")
    with logging_to(None, LogSettings(level=LogLevel.WARNING)):
        log.info("not yet")
        assert log_level() is LogLevel.WARNING
        set_log_level(LogLevel.DEBUG)
        log.debug("now")
    assert capsys.readouterr().out == "[PidManager] now\n"


@pytest.mark.usefixtures("_root")
def test_a_terminal_that_does_not_read_stops_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w", encoding="utf-8") as out:
        monkeypatch.setattr("sys.stdout", out)
        with logging_to(tmp_path):
            for number in range(5000):
                logging.getLogger("PidManager").info("line %d", number)
            until(lambda: "line 4999" in (tmp_path / FILE_NAME).read_text(), what="the last line in the file")
            os.set_blocking(writing, False)  # so that the thread that writes there ends, too
            os.read(reading, 1 << 20)
