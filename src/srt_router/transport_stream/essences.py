"""Names for what a program map calls by numbers: codecs, as ffmpeg names them, and languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VIDEO, AUDIO, DATA = "video", "audio", "data"

_TYPES: dict[int, tuple[str, str]] = {
    0x01: (VIDEO, "mpeg1video"),
    0x02: (VIDEO, "mpeg2video"),
    0x03: (AUDIO, "mp2"),
    0x04: (AUDIO, "mp2"),
    0x05: (DATA, "private_sections"),
    0x0B: (DATA, "dsmcc"),
    0x0F: (AUDIO, "aac"),
    0x10: (VIDEO, "mpeg4"),
    0x11: (AUDIO, "aac_latm"),
    0x15: (DATA, "metadata"),
    0x1B: (VIDEO, "h264"),
    0x1C: (AUDIO, "aac"),
    0x21: (VIDEO, "jpeg2000"),
    0x24: (VIDEO, "hevc"),
    0x32: (VIDEO, "jpegxs"),
    0x33: (VIDEO, "vvc"),
    0x42: (VIDEO, "cavs"),
    0x81: (AUDIO, "ac3"),
    0x82: (AUDIO, "dts"),
    0x83: (AUDIO, "truehd"),
    0x84: (AUDIO, "eac3"),
    0x85: (AUDIO, "dts"),
    0x86: (DATA, "scte_35"),
    0x87: (AUDIO, "eac3"),
    0xD1: (VIDEO, "dirac"),
    0xEA: (VIDEO, "vc1"),
}
_BY_DESCRIPTOR: dict[int, tuple[str, str]] = {
    0x46: (DATA, "dvb_teletext"),
    0x56: (DATA, "dvb_teletext"),
    0x59: (DATA, "dvb_subtitle"),
    0x6A: (AUDIO, "ac3"),
    0x7A: (AUDIO, "eac3"),
    0x7B: (AUDIO, "dts"),
    0x7C: (AUDIO, "aac"),
}
_BY_REGISTRATION: dict[bytes, tuple[str, str]] = {
    b"AC-3": (AUDIO, "ac3"),
    b"EAC3": (AUDIO, "eac3"),
    b"AC-4": (AUDIO, "ac4"),
    b"DTS1": (AUDIO, "dts"),
    b"DTS2": (AUDIO, "dts"),
    b"DTS3": (AUDIO, "dts"),
    b"BSSD": (AUDIO, "s302m"),
    b"Opus": (AUDIO, "opus"),
    b"HEVC": (VIDEO, "hevc"),
    b"VC-1": (VIDEO, "vc1"),
    b"drac": (VIDEO, "dirac"),
    b"AV01": (VIDEO, "av1"),
    b"CUEI": (DATA, "scte_35"),
    b"KLVA": (DATA, "klv"),
    b"ID3 ": (DATA, "timed_id3"),
}
_REGISTRATION, _LANGUAGE = 0x05, 0x0A
_LANGUAGE_TAGS = (_LANGUAGE, 0x46, 0x56, 0x59)
_PRIVATE = (0x05, 0x06)


class Essence(NamedTuple):
    """What one elementary stream is said to be."""

    kind: str
    """`video`, `audio`, `data`."""
    codec: str
    """ffmpeg's name; `type_0x7F` for a type that is nowhere assigned."""
    language: str | None
    """ISO 639-2; None where nothing is said."""


def descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each descriptor; one that is cut ends the list."""
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], data[at + 1]
        content = data[at + 2 : at + 2 + length]
        if len(content) < length:
            return
        yield tag, content
        at += 2 + length


def essence(stream_type: int, info: bytes) -> Essence:
    """Name an elementary stream by its type and descriptors."""
    kind, codec = _TYPES.get(stream_type, (DATA, f"type_0x{stream_type:02X}"))
    private = stream_type in _PRIVATE or stream_type >= 0x80
    if stream_type == 0x06:
        codec = "private"
    language = None
    for tag, content in descriptors(info):
        named = _BY_REGISTRATION.get(content[:4]) if tag == _REGISTRATION else _BY_DESCRIPTOR.get(tag)
        if named and private:
            kind, codec = named
        if tag in _LANGUAGE_TAGS and language is None:
            language = _language(content[:3])
    return Essence(kind, codec, language)


def _language(code: bytes) -> str | None:
    text = code.decode("ascii", "replace").lower()
    return text if len(text) == 3 and text.isascii() and text.isalpha() and text != "und" else None
