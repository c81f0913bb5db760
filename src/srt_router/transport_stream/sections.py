"""Sections of PSI and SI tables, put together from packets, and their checksums."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = 3
_LONGEST = 4096
_STUFFING = 0xFF
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum_fits(section: bytes) -> bool:
    """Is the CRC at the end of a section right? (CRC-32/MPEG-2: zlib's, with the bits the other way round.)"""
    return zlib.crc32(section.translate(_REVERSED)) == 0xFFFFFFFF


@dataclass(slots=True)
class Assembler:
    """Puts the sections of one PID together."""

    _held: bytearray = field(default_factory=bytearray)
    _open: bool = False
    """A section has begun, and nothing of it is missing so far."""

    def reset(self) -> None:
        """Something is missing: what was begun stays unfinished."""
        self._held.clear()
        self._open = False

    def feed(self, packet: bytes, *, broken: bool) -> list[bytes]:
        """The sections that end in this packet (188 bytes, with payload). `broken`: packets before it are missing."""
        if broken:
            self.reset()
        payload = packet[_payload_offset(packet) :]
        if not packet[1] & 0x40:
            return list(self._add(payload)) if self._open else []
        if not payload or payload[0] >= len(payload):
            self.reset()
            return []
        pointer = payload[0]
        found = list(self._add(payload[1 : 1 + pointer])) if self._open else []
        self.reset()
        self._open = True
        return found + list(self._add(payload[1 + pointer :]))

    def _add(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        while self._open and len(self._held) >= _HEADER:
            if self._held[0] == _STUFFING:
                self.reset()
                return
            length = _HEADER + ((self._held[1] & 0x0F) << 8 | self._held[2])
            if length > _LONGEST:
                self.reset()
                return
            if len(self._held) < length:
                return
            yield bytes(self._held[:length])
            del self._held[:length]


def _payload_offset(packet: bytes) -> int:
    return 5 + packet[4] if packet[3] & 0x20 else 4
