"""Sections, text, codecs: what is written in tables."""

from __future__ import annotations

import pytest

from srt_router.transport_stream.essences import descriptors, essence
from srt_router.transport_stream.sections import Assembler, checksum_fits
from srt_router.transport_stream.text import decode
from tests.unit.transport_stream import builders as b


def test_checksums() -> None:
    section = b.pat({1: 0x100})
    assert checksum_fits(section)
    for position in range(len(section)):
        damaged = bytearray(section)
        damaged[position] ^= 0x10
        assert not checksum_fits(bytes(damaged))


def test_sections_that_begin_where_another_ends() -> None:
    first, second = b.sdt({1: (b"A" * 40, b"B" * 150)}), b.pat({1: 0x100})
    data = first + second
    head = bytes((0x47, 0x40, 0x11, 0x10)) + b"\x00" + data[:183]
    tail = bytes((0x47, 0x40, 0x11, 0x11)) + bytes((len(first) - 183,)) + data[183:]
    assembler = Assembler()
    assert assembler.feed(head, broken=True) == []
    assert assembler.feed(tail.ljust(188, b"\xff"), broken=False) == [first, second]


@pytest.mark.parametrize("packet", [b"\x47\x40\x00\x30" + b"\xff" * 184, b"\x47\x40\x00\x10" + b"\xff" * 184])
def test_a_packet_whose_content_lies_elsewhere(packet: bytes) -> None:
    assert Assembler().feed(packet, broken=False) == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"Paris feed", "Paris feed"),
        (b"\x15" + "Zürich €".encode(), "Zürich €"),
        ("Zürich".encode(), "Zürich"),
        (b"Z\xc8urich", "Zürich"),
        (b"Fran\xcbcaise \xc2E", "Française É"),
        (b"\x05\xe7a va", "ça va"),
        (b"\x10\x00\x0f\xa4", "€"),
        (b"\x01\xbf", "П"),
        (b"\x11\x00A\x00B", "AB"),
        (b"\x86Bold\x87\x8a", "Bold"),
        (b"\x1fodd", "odd"),
        (b"x" * 100, "x" * 64),
        (b"\x15\xff\xfe", "\ufffd\ufffd"),
    ],
)  # fmt: skip
def test_text(data: bytes, text: str) -> None:
    assert decode(data) == text


@pytest.mark.parametrize(
    ("kind", "info", "named"),
    [
        (0x02, b"", ("video", "mpeg2video", None)),
        (0x24, b"", ("video", "hevc", None)),
        (0x0F, b.descriptor(0x0A, b"ENG\x01"), ("audio", "aac", "eng")),
        (0x0F, b.descriptor(0x0A, b"und\x00"), ("audio", "aac", None)),
        (0x0F, b.descriptor(0x0A, b"\xff\xff\xff\x00"), ("audio", "aac", None)),
        (0x06, b.descriptor(0x6A, b"\x00"), ("audio", "ac3", None)),
        (0x06, b.descriptor(0x05, b"Opus") + b.descriptor(0x0A, b"deu\x00"), ("audio", "opus", "deu")),
        (0x06, b.descriptor(0x56, b"swe\x09\x00"), ("data", "dvb_teletext", "swe")),
        (0x06, b.descriptor(0x05, b"BSSD"), ("audio", "s302m", None)),
        (0x06, b"", ("data", "private", None)),
        (0x81, b.descriptor(0x05, b"AC-3"), ("audio", "ac3", None)),
        (0x1B, b.descriptor(0x05, b"AC-3"), ("video", "h264", None)),
        (0x7F, b"", ("data", "type_0x7F", None)),
        (0x86, b.descriptor(0x05, b"CUEI"), ("data", "scte_35", None)),
    ],
)
def test_essences(kind: int, info: bytes, named: tuple[str, str, str | None]) -> None:
    assert tuple(essence(kind, info)) == named


def test_a_descriptor_that_is_cut_ends_the_list() -> None:
    assert list(descriptors(b"\x05\x02ab\x0a\x09c")) == [(5, b"ab")]
