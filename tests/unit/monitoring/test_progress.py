"""What ffmpeg reports of its progress, whatever stands in the file."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.monitoring import output
from srt_router.monitoring.progress import Progress, ProgressParser, values
from srt_router.monitoring.statistics import StatisticsReader

BLOCK = """frame=221
fps=25.02
stream_0_0_q=-1.0
bitrate= 412.5kbits/s
total_size=461364
out_time_us=8947500
out_time_ms=8947500
out_time=00:00:08.947500
dup_frames=3
drop_frames=1
speed=1.11x
progress=continue
"""
WHOLE = Progress(221, 25.02, 412.5, 1.11, 8.9475, 461364, 1, 3)


def parsed(text: str) -> Progress | None:
    return ProgressParser().feed(text.split("\n"))


def test_a_block() -> None:
    assert parsed(BLOCK) == WHOLE
    assert parsed(BLOCK.replace("continue", "end")) == WHOLE


def test_only_a_whole_block_counts_and_the_newest_wins() -> None:
    parser = ProgressParser()
    head, _, tail = BLOCK.partition("total_size")
    assert parser.feed(head.split("\n")) is None
    found = parser.feed((f"total_size{tail}" + BLOCK.replace("221", "246")).split("\n"))
    assert found is not None
    assert found.frame == 246
    assert parser.feed([]) is None


def test_a_block_whose_end_is_lost_does_not_mix_with_the_next() -> None:
    cut = BLOCK[: BLOCK.index("dup_frames")]
    second = "frame=246\nspeed=1x\nprogress=continue\n"
    assert parsed(cut + second) == Progress(frame=246, speed=1.0)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("fps=25.02", "fps=N/A", "fps"),
        ("fps=25.02", "fps=nan", "fps"),
        ("fps=25.02", "fps=-1", "fps"),
        ("fps=25.02", "", "fps"),
        ("frame=221", "frame=2\u0662", "frame"),
        ("frame=221", "frame=22.1", "frame"),
        ("frame=221", f"frame={'9' * 30}", "frame"),
        ("bitrate= 412.5kbits/s", "bitrate=N/A", "bitrate_kbps"),
        ("speed=1.11x", "speed=N/A", "speed"),
        ("speed=1.11x", "speed=1.1.1x", "speed"),
        ("total_size=461364", "total_size=N/A", "total_size"),
    ],
)
def test_what_is_not_known_is_unknown(before: str, after: str, field: str) -> None:
    found = parsed(BLOCK.replace(before, after))
    assert found is not None
    assert getattr(found, field) is None
    assert found.out_time_s == 8.9475


def test_a_negative_time_is_unknown() -> None:
    text = BLOCK.replace("out_time_us=8947500", "out_time_us=-577014").replace("out_time_ms=8947500", "out_time_ms=N/A")
    found = parsed(text)
    assert found is not None
    assert found.out_time_s is None


def test_rates_are_those_between_two_blocks() -> None:
    before, now = Progress(frame=100, out_time_s=4.0, total_size=1_000_000), Progress(
        frame=150, fps=20.0, out_time_s=6.0, total_size=1_500_000, speed=0.8, bitrate_kbps=2000.0
    )  # fmt: skip
    assert values(now, before, 2.0) == {
        "frame": 150, "fps": 25.0, "bitrate": 2000.0, "speed": 1.0, "outTime": 6.0, "totalSize": 1_500_000,
        "averageFps": 20.0, "averageBitrate": 2000.0, "averageSpeed": 0.8,
    }  # fmt: skip
    assert values(before, before, 1.0)["fps"] == 0.0


@pytest.mark.parametrize("elapsed_s", [None, 0.0, -3.0])
def test_without_a_span_of_time_there_is_no_rate(elapsed_s: float | None) -> None:
    found = values(Progress(frame=150), Progress(frame=100), elapsed_s)
    assert found == {"frame": 150}


def test_a_new_process_counts_anew() -> None:
    assert values(Progress(frame=3), Progress(frame=5000), 1.0) == {"frame": 3}


@given(st.lists(st.text(max_size=60), max_size=60))
def test_anything_may_stand_there(lines: list[str]) -> None:
    found = ProgressParser().feed(lines)
    assert found is None or not found.empty


PIECES = st.sampled_from(
    [*BLOCK.split("\n"), "", "\0", "frame=N/A", "fps=", "=", "speed=1e400x", "bitrate=-1kbits/s", "{}", "x" * 5000]
)


@given(st.lists(PIECES, max_size=80), st.floats(allow_nan=False, allow_infinity=False))
def test_blocks_in_any_disorder_give_finite_numbers(lines: list[str], elapsed_s: float) -> None:
    parser = ProgressParser()
    first, second = parser.feed(lines), parser.feed(lines)
    for block in (first, second):
        if block is not None:
            for value in values(block, first, elapsed_s).values():
                assert isinstance(value, int | float)
                assert math.isfinite(value)


def test_the_statistics_of_an_ffmpeg_are_its_newest_block(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    file = tmp_path / "route_1_ffmpeg.stats"
    reader = StatisticsReader(folder)
    reader.read({file.name}, 1)
    for number in range(1, 4):
        with file.open("a") as opened:
            opened.write(BLOCK.replace("221", str(number * 25)) + "frame=99")
            opened.write("9\nprog")
        os.utime(file, (number, number))
        reader.read({file.name}, number * 1000, float(number))
        sample = reader.sample(file.name)
        assert sample is not None
        assert (sample.at_ms, sample.values["frame"]) == (number * 1000, number * 25)
        with file.open("a") as opened:
            opened.write("ress=\n")
    assert sample is not None
    assert sample.values["fps"] == 25.0
    reader.read({file.name}, 4)
    assert reader.sample(file.name) == sample
    reader.close()
    os.close(folder)


def test_the_file_of_an_ffmpeg_does_not_grow(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    file = tmp_path / "route_1_ffmpeg.stats"
    reader = StatisticsReader(folder)
    reader.read({file.name}, 1)
    for number in range(12):
        with file.open("a") as opened:
            opened.write(BLOCK.replace("221", str(number)) * 500)
        reader.read({file.name}, number)
        assert file.stat().st_size <= output.MAX_BYTES + len(BLOCK) * 500
        sample = reader.sample(file.name)
        assert sample is not None
        assert sample.values["frame"] == number
    reader.close()
    os.close(folder)
