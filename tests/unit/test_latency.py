"""Marked packets and marked pictures, and what is read from them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from srt_router.latency.graph import svg
from srt_router.latency.measurement import Path
from srt_router.latency.packets import DATAGRAM_BYTES, marked, sent_at
from srt_router.latency.pictures import TURN_S, Pictures, added_ms


def test_a_mark_is_read_back() -> None:
    datagram = marked(7, 123_456_789_000)
    assert len(datagram) == DATAGRAM_BYTES
    assert {datagram[at] for at in range(0, DATAGRAM_BYTES, 188)} == {0x47}
    assert sent_at(datagram) == (7, 123_456_789_000)


def test_what_is_not_ours_has_no_mark() -> None:
    assert sent_at(b"") is None
    assert sent_at(b"\x47" * DATAGRAM_BYTES) is None


def picture(size: int) -> list[bytes]:
    """The packets of one picture of about so many bytes."""
    first = bytes((0x47, 0x41, 0x00, 0x10)) + b"\0\0\1\xe0" + bytes(180)
    rest = [bytes((0x47, 0x01, 0x00, 0x10)) + bytes(184)] * (size // 184)
    return [first, *rest]


def stream(seconds: float, delay_s: float) -> Pictures:
    """Dark and noise by turns, seen so much later."""
    found = Pictures()
    for frame in range(round(seconds * 25)):
        at = frame / 25
        for packet in picture(20_000 if at % (2 * TURN_S) >= TURN_S else 300):
            found.take(packet, at + delay_s)
    return found


def test_turns_are_found_and_compared() -> None:
    before, behind = stream(13, 0.0), stream(13, 0.42)
    assert before.turns() == pytest.approx([2.0, 6.0, 10.0])
    assert added_ms(before.turns(), behind.turns()) == pytest.approx([420.0] * 3)


def test_without_pictures_there_are_no_turns() -> None:
    empty = Pictures()
    empty.take(b"\x47" + bytes(187), 0.0)
    empty.take(b"no transport stream", 0.0)
    assert empty.turns() == []
    assert added_ms([1.0], []) == []


def test_what_srt_holds_is_told_apart() -> None:
    found = Path("one SRT leg more", 120.0, [121.0, 122.0, 130.0], 0).to_json()
    assert found["totalMs"] == {"p50": 122.0, "p99": 130.0, "max": 130.0}
    assert found["addedMs"] == {"p50": 2.0, "p99": 10.0, "max": 10.0}


def test_the_graph_is_a_picture() -> None:
    drawn = ET.fromstring(svg([Path("a & b", 0.0, [0.1, 0.2, 5.0], 0), Path("c", 120.0, [121.0, 119.9], 0)]))  # noqa: S314 - our own
    assert sum(one.tag.endswith("polyline") for one in drawn.iter()) == 2
    assert "a & b" in "".join(drawn.itertext())
