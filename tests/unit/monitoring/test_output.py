"""Following files that others write, cut and fill with anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.monitoring import output
from srt_router.monitoring.output import LastLines, Tail, printable
from srt_router.monitoring.statistics import StatisticsReader, parse


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_whole_lines_only_and_each_once(tmp_path: Path, folder: int) -> None:
    tail = Tail("a.log", folder)
    append(tmp_path / "a.log", b"one\ntw")
    assert tail.lines() == ["one"]
    append(tmp_path / "a.log", b"o\nthree\r\n")
    assert tail.lines() == ["two", "three"]
    assert tail.lines() == []
    tail.close()


def test_a_file_that_was_emptied_is_read_from_its_start(tmp_path: Path, folder: int) -> None:
    tail = Tail("a.log", folder)
    append(tmp_path / "a.log", b"a long line before\n")
    tail.lines()
    os.truncate(tmp_path / "a.log", 0)
    append(tmp_path / "a.log", b"new\n")
    assert tail.lines() == ["new"]
    tail.close()


def test_a_file_does_not_grow_without_end(tmp_path: Path, folder: int) -> None:
    tail = Tail("a.log", folder)
    writer = os.open(tmp_path / "a.log", os.O_WRONLY | os.O_APPEND)
    seen = 0
    for number in range(3000):
        os.write(writer, b"%d " % number + b"x" * 1000 + b"\n")
        if number % 100 == 99:
            seen += len(tail.lines())
            assert (tmp_path / "a.log").stat().st_size <= output.MAX_BYTES + 101_000
    assert seen == 3000
    os.close(writer)
    tail.close()


def test_a_storm_is_cut_to_its_newest_part(tmp_path: Path, folder: int) -> None:
    tail = Tail("a.log", folder)
    append(tmp_path / "a.log", b"old\n" * 1_000_000 + b"newest\n")
    lines = tail.lines()
    assert lines[-1] == "newest"
    assert len(lines) < 100_000
    assert (tmp_path / "a.log").stat().st_size == 0
    tail.close()


def test_a_symlink_is_not_followed(tmp_path: Path, folder: int) -> None:
    (tmp_path / "a.log").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        Tail("a.log", folder)


@given(st.binary(max_size=300))
def test_a_line_never_carries_control_characters(data: bytes) -> None:
    assert printable(data).isprintable()


def test_last_lines_are_bounded() -> None:
    lines = LastLines(3)
    for number in range(10):
        lines.add(str(number))
    assert lines.tail(2) == ["8", "9"]
    assert lines.tail(50) == ["7", "8", "9"]


@given(st.text(max_size=200))
def test_garbled_statistics_are_no_statistics(line: str) -> None:
    values = parse(line)
    assert values is None or isinstance(values, dict)


def test_the_newest_whole_report_counts(tmp_path: Path, folder: int) -> None:
    reader = StatisticsReader(folder)
    reader.read({"a.stats"}, 1)
    assert reader.sample("a.stats") is None
    append(tmp_path / "a.stats", b'{"sid": 1}\n\0\0\0{"sid": 2}\n{"sid": 3')
    reader.read({"a.stats"}, 2)
    sample = reader.sample("a.stats")
    assert sample is not None
    assert (sample.at_ms, sample.values) == (2, {"sid": 2})
    append(tmp_path / "a.stats", b"garbage}\n")
    reader.read({"a.stats"}, 3)
    assert reader.sample("a.stats") == sample
    reader.read(set(), 4)
    assert reader.sample("a.stats") is None
