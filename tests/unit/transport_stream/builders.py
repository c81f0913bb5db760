"""Transport streams made by hand: every bit of them is meant."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PACKET = 188
VIDEO, AUDIO, PMT = 0x100, 0x101, 0x1000
NULL = bytes((0x47, 0x1F, 0xFF, 0x10)) + b"\xff" * 184


def crc(data: bytes) -> int:
    """CRC-32/MPEG-2, bit by bit: another way than the product's."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


def section(table: int, number: int, body: bytes, version: int = 0, parts: tuple[int, int] = (0, 0)) -> bytes:
    """A section with the long header and its checksum; `parts`: its number, and that of the last one."""
    length = 5 + len(body) + 4
    head = struct.pack(">BHHBBB", table, 0xB000 | length, number, 0xC1 | version << 1, *parts)
    return head + body + struct.pack(">I", crc(head + body))


def pat(programs: dict[int, int], *, version: int = 0, parts: tuple[int, int] = (0, 0)) -> bytes:
    body = b"".join(struct.pack(">HH", number, 0xE000 | pid) for number, pid in programs.items())
    return section(0x00, 1, body, version, parts)


def descriptor(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def pmt(streams: Iterable[tuple[int, int, bytes]], *, number: int = 1, version: int = 0, pcr: int = VIDEO) -> bytes:
    """`streams`: type, PID, descriptors."""
    body = struct.pack(">HH", 0xE000 | pcr, 0xF000)
    for kind, pid, info in streams:
        body += struct.pack(">BHH", kind, 0xE000 | pid, 0xF000 | len(info)) + info
    return section(0x02, number, body, version)


def sdt(services: dict[int, tuple[bytes, bytes]]) -> bytes:
    """`services`: provider and name by number."""
    body = b"\x00\x01\xff"
    for number, (provider, name) in services.items():
        info = descriptor(0x48, b"\x01" + bytes((len(provider),)) + provider + bytes((len(name),)) + name)
        body += struct.pack(">HBH", number, 0xFC, 0x8000 | len(info)) + info
    return section(0x42, 1, body)


MAP = pmt([(0x1B, VIDEO, b""), (0x03, AUDIO, descriptor(0x0A, b"fra\x00"))])


@dataclass
class Writer:
    """Makes packets and counts for each PID."""

    counters: dict[int, int] = field(default_factory=dict)

    def packet(self, pid: int, payload: bytes = b"", *, start: bool = False, field_: bytes | None = None) -> bytes:
        """One packet with payload; `field_` is its adaptation field without the length."""
        counter = self.counters.get(pid, 0)
        self.counters[pid] = (counter + 1) & 0x0F
        return raw(pid, counter, payload or bytes((counter,)) * 184, start=start, field_=field_)

    def table(self, pid: int, *sections: bytes) -> bytes:
        """One or more sections, in as many packets as they need."""
        data = b"\x00" + b"".join(sections)
        found = b""
        for at in range(0, len(data), 184):
            found += self.packet(pid, data[at : at + 184].ljust(184, b"\xff"), start=at == 0)
        return found

    def tables(self) -> bytes:
        """PAT and program map of one service."""
        return self.table(0, pat({1: PMT})) + self.table(PMT, MAP)


def raw(pid: int, counter: int, payload: bytes, *, start: bool = False, field_: bytes | None = None) -> bytes:
    """One packet as it is said; without payload it is all adaptation field."""
    control = (0x10 if payload else 0) | (0x20 if field_ is not None or not payload else 0)
    head = bytes((0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, control | counter))
    if not control & 0x20:
        return head + payload[:184].ljust(184, b"\xff")
    room = 183 if not payload else len(field_ or b"")
    adaptation = bytes((room,)) + (field_ or b"\x00").ljust(room, b"\xff")
    return (head + adaptation + payload)[:PACKET].ljust(PACKET, b"\xff")


def pcr_field(ticks: int, *, discontinuity: bool = False) -> bytes:
    """An adaptation field with a clock reference."""
    base, extension = divmod(ticks, 300)
    flags = 0x10 | (0x80 if discontinuity else 0)
    return bytes((flags,)) + (base << 15 | 0x7E00 | extension).to_bytes(6, "big")


def joined(packets: Sequence[bytes]) -> bytes:
    return b"".join(packets)
