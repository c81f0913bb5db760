"""What the stream monitor is told, how much it looks at, what it makes of ffprobe's words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.transport_stream.budget import MOST_WINDOWS, SHARE, Budget
from srt_router.transport_stream.orders import Orders, OrdersFile, parse
from srt_router.transport_stream.probe import is_complete, read_answer
from srt_router.transport_stream.watch import _unbroken

# Orders


def text(**more: object) -> bytes:
    return json.dumps({"server": 7, "buses": [["239.255.1.2", 20001]], **more}).encode()


def test_orders() -> None:
    assert parse(text()) == Orders(7, (("239.255.1.2", 20001),))
    twice = [["239.255.1.2", 20001], ["239.255.1.3", 20001], ["239.255.1.2", 20001]]
    assert parse(text(buses=twice)).buses == (("239.255.1.2", 20001), ("239.255.1.3", 20001))


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"{", b"[]", b'{"server": 7}', text(server="7"), text(server=0), text(server=True), text(share=0.0),
        text(buses=[["10.0.0.1", 20001]]), text(buses=[["239.255.1.2", 0]]), text(buses=[["239.255.1.2"]]),
        text(thumbnails=7), text(thumbnails=[7]), text(thumbnailShare=0), text(thumbnailShare=1.5),
        text(buses=["239.255.1.2:20001"]), text(buses=[["239.255.1", 20001]]), text(buses=[["x\0", 20001]]),
    ],
)  # fmt: skip
def test_wrong_orders(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(wrong)


def test_a_file_is_read_when_it_is_new_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path, fresh = tmp_path / "orders.json", tmp_path / "new"
    file = OrdersFile(str(path))
    assert file.read() is None
    assert file.trouble
    for content, expected in ((text(), True), (b"{", False), (text(buses=[]), True)):
        fresh.write_bytes(content)
        fresh.rename(path)
        assert (file.read() is not None) is expected
        assert (file.trouble is None) is expected
        assert file.read() is None


# The budget


def spend(budget: Budget, cost: float, seconds: int) -> None:
    """Looking at everything costs `cost` of a core."""
    for _ in range(seconds):
        budget.spent(cost / budget.every, 1 / budget.every)


def test_within_the_budget_everything_is_looked_at() -> None:
    budget = Budget()
    spend(budget, 0.9 * SHARE, 100)
    assert budget.every == 1


def test_a_peak_changes_nothing() -> None:
    budget = Budget()
    spend(budget, 0.5 * SHARE, 10)
    spend(budget, 4 * SHARE, 2)
    spend(budget, 0.5 * SHARE, 10)
    assert budget.every == 1


@pytest.mark.parametrize(("times", "every"), [(1.5, 2), (2.9, 3), (10.5, 11), (1000, MOST_WINDOWS)])
def test_beyond_it_buses_take_turns(times: float, every: int) -> None:
    budget = Budget()
    spend(budget, times * SHARE, 60)
    assert budget.every == every
    for bus in range(5):
        assert sum(budget.looks_at(bus, window) for window in range(every * 10)) == 10
    spend(budget, 0.3 * SHARE, 200)
    assert budget.every == 1


def test_nothing_looked_at_says_nothing() -> None:
    budget = Budget()
    budget.spent(0.5, 0.0)
    assert budget.every == 1


# Our own losses


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 5))
def test_stretches_without_losses(steps: list[int], before: int) -> None:
    losses = [before + sum(steps[: number + 1]) for number in range(len(steps))]
    found = _unbroken(losses, before)
    assert [at for start, end, _ in found for at in range(start, end)] == list(range(len(losses)))
    assert sum(lost for _, _, lost in found) == losses[-1] - before
    for start, end, lost in found:
        assert len(set(losses[start:end])) == 1
        assert lost == losses[start] - (losses[start - 1] if start else before)


# ffprobe

STREAMS = [
    {
        "codec_type": "video", "codec_name": "h264", "profile": "High", "id": "0x100", "width": 1920, "height": 1080,
        "avg_frame_rate": "0/0", "r_frame_rate": "30000/1001", "field_order": "tt", "display_aspect_ratio": "16:9",
        "pix_fmt": "yuv420p",
    },
    {
        "codec_type": "audio", "codec_name": "aac", "id": "0x101", "sample_rate": "48000", "channels": 6,
        "channel_layout": "5.1", "tags": {"language": "fra"},
    },
    {"codec_type": "subtitle", "codec_name": "dvb_subtitle", "id": "0x102"},
    {"codec_type": "odd"},
]  # fmt: skip


def test_what_ffprobe_says(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_text(json.dumps({"streams": STREAMS}))
    probe = read_answer(path)
    assert is_complete(probe)
    assert probe == {
        "streams": [
            {
                "pid": 256, "kind": "video", "codec": "h264", "profile": "High", "language": None, "width": 1920,
                "height": 1080, "frameRate": 29.97, "scan": "interlaced", "aspect": "16:9", "pixelFormat": "yuv420p",
            },
            {
                "pid": 257, "kind": "audio", "codec": "aac", "profile": None, "language": "fra", "channels": 6,
                "layout": "5.1", "sampleRate": 48000,
            },
            {"pid": 258, "kind": "subtitle", "codec": "dvb_subtitle", "profile": None, "language": None},
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    ["", "{", "[]", '{"streams": 3}', '{"streams": [3]}', "{}", "[" * 100_000],
)
def test_an_answer_that_is_none(tmp_path: Path, answer: str) -> None:
    path = tmp_path / "answer"
    path.write_text(answer)
    assert read_answer(path) == {"error": "ffprobe cannot read this stream"}
    assert "error" in read_answer(tmp_path / "none")


@pytest.mark.parametrize(
    "stream",
    [
        {"codec_type": "video", "width": 0, "r_frame_rate": "25/0", "avg_frame_rate": "x", "field_order": "unknown"},
        {"codec_type": "video", "width": "wide", "tags": 7, "id": [], "codec_name": "\x1b[2J"},
        {"codec_type": "audio", "sample_rate": None},
    ],
)
def test_what_ffprobe_does_not_know(tmp_path: Path, stream: dict[str, object]) -> None:
    path = tmp_path / "answer"
    path.write_text(json.dumps({"streams": [stream]}))
    probe = read_answer(path)
    assert not is_complete(probe)
    streams = probe["streams"]
    assert isinstance(streams, list)
    (found,) = streams
    assert {value for name, value in found.items() if name != "kind"} == {None}
