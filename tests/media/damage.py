"""Streams with known names in them, and streams damaged on purpose."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.media.transport_stream import NULL_PID, PACKET_BYTES

SERVICE, PROVIDER, LANGUAGE = "Paris feed", "Broadcaster", "fra"


def named(source: Path, target: Path) -> Path:
    """The same pictures and sounds, in a service with a name and a language."""
    command = ["ffmpeg", "-v", "error", "-y", "-nostdin", "-i", str(source), "-map", "0", "-c", "copy"]
    metadata = [f"service_name={SERVICE}", f"service_provider={PROVIDER}"]
    words = [word for one in metadata for word in ("-metadata", one)]
    argv = [*command, *words, "-metadata:s:a:0", f"language={LANGUAGE}", "-f", "mpegts", str(target)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return target


def packets(stream: bytes) -> list[bytes]:
    """The packets of a sound stream."""
    return [stream[at : at + PACKET_BYTES] for at in range(0, len(stream), PACKET_BYTES)]


def pid(packet: bytes) -> int:
    """The PID of a packet."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def with_payload(stream: bytes, *, of: int) -> list[int]:
    """The positions of the packets of one PID that carry something."""
    return [index for index, packet in enumerate(packets(stream)) if pid(packet) == of and packet[3] & 0x10]


def dropped(stream: bytes, positions: Iterable[int]) -> bytes:
    """Without these packets."""
    gone = set(positions)
    return b"".join(packet for index, packet in enumerate(packets(stream)) if index not in gone)


def repeated(stream: bytes, position: int, times: int) -> bytes:
    """One packet stands there so often."""
    found = packets(stream)
    return b"".join([*found[:position], *[found[position]] * times, *found[position + 1 :]])


def swapped(stream: bytes, one: int, other: int) -> bytes:
    """Two packets in each other's place."""
    found = packets(stream)
    found[one], found[other] = found[other], found[one]
    return b"".join(found)


def changed(stream: bytes, position: int, change: Callable[[bytearray], None]) -> bytes:
    """One packet changed in place."""
    found = packets(stream)
    packet = bytearray(found[position])
    change(packet)
    found[position] = bytes(packet)
    return b"".join(found)


def null_packet() -> bytes:
    """A packet that carries nothing."""
    return bytes((0x47, NULL_PID >> 8, NULL_PID & 0xFF, 0x10)) + b"\xff" * (PACKET_BYTES - 4)
