"""Text as DVB writes it (EN 300 468, annex A): names of services and providers."""

from __future__ import annotations

import unicodedata

_LONGEST = 64
_ISO_8859 = {code: f"iso8859-{code + 4}" for code in (*range(0x01, 0x08), *range(0x09, 0x0C))}
_CODECS = {0x11: "utf-16-be", 0x12: "euc-kr", 0x13: "gb2312", 0x14: "utf-16-be", 0x15: "utf-8"}
_ACCENTS = {
    0xC1: "\u0300", 0xC2: "\u0301", 0xC3: "\u0302", 0xC4: "\u0303", 0xC5: "\u0304", 0xC6: "\u0306", 0xC7: "\u0307",
    0xC8: "\u0308", 0xCA: "\u030a", 0xCB: "\u0327", 0xCD: "\u030b", 0xCE: "\u0328", 0xCF: "\u030c",
}  # fmt: skip
_LETTERS = {
    0xA1: "¡", 0xA2: "¢", 0xA3: "£", 0xA4: "€", 0xA5: "¥", 0xA7: "§", 0xA9: "\u2018", 0xAA: "\u201c", 0xAB: "«",
    0xB0: "°", 0xB1: "±", 0xB2: "²", 0xB3: "³", 0xB4: "\u00d7", 0xB5: "µ", 0xB6: "¶", 0xB7: "·", 0xB8: "÷",
    0xB9: "\u2019", 0xBA: "\u201d", 0xBB: "»", 0xBC: "¼", 0xBD: "½", 0xBE: "¾", 0xBF: "¿", 0xD2: "®", 0xD3: "©",
    0xD4: "™",
    0xE1: "Æ", 0xE2: "Đ", 0xE8: "Ł", 0xE9: "Ø", 0xEA: "Œ", 0xEC: "Þ", 0xF1: "æ", 0xF2: "đ", 0xF3: "ð", 0xF5: "\u0131",
    0xF8: "ł", 0xF9: "ø", 0xFA: "œ", 0xFB: "ß", 0xFC: "þ",
}  # fmt: skip


def decode(data: bytes) -> str:
    """A name as printable text of at most 64 characters; never raises."""
    shown = "".join(char for char in unicodedata.normalize("NFC", _decode(data)) if char.isprintable())
    return shown.strip()[:_LONGEST]


def _decode(data: bytes) -> str:
    if not data:
        return ""
    first = data[0]
    if first >= 0x20:
        return _without_prefix(data)
    if first == 0x10 and len(data) >= 3 and data[2] in range(1, 17) and data[2] != 12:
        return data[3:].decode(f"iso8859-{data[2]}", "replace")
    if first in _ISO_8859:
        return data[1:].decode(_ISO_8859[first], "replace")
    return data[1:].decode(_CODECS.get(first, "latin-1"), "replace")


def _without_prefix(data: bytes) -> str:
    """ISO 6937 by the book; but UTF-8 without its prefix is what many encoders really write."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _iso_6937(data)


def _iso_6937(data: bytes) -> str:
    letters: list[str] = []
    accent = ""
    for byte in data:
        if byte in _ACCENTS:
            accent = _ACCENTS[byte]
            continue
        letters.append((chr(byte) if byte < 0x80 else _LETTERS.get(byte, "")) + accent)
        accent = ""
    return "".join(letters)
