"""Datagrams leave as the stream's clock says, and none is left out."""

from __future__ import annotations

import pytest

from tests.media.pacing import bursts
from tests.media.transport_stream import DATAGRAM_BYTES, PACKET_BYTES

_HZ = 27_000_000


def with_pcr(seconds: float, pid: int = 256) -> bytes:
    ticks = round(seconds * _HZ)
    field = (ticks // 300 % (1 << 33)) << 15 | ticks % 300
    head = bytes([0x47, pid >> 8, pid & 0xFF, 0x30, 7, 0x10]) + field.to_bytes(6, "big")
    return head.ljust(PACKET_BYTES, b"\x00")


def without_pcr(packets: int) -> bytes:
    return bytes([0x47, 1, 0, 0x10]).ljust(PACKET_BYTES, b"\x00") * packets


def test_what_lies_between_two_clock_ticks_leaves_at_once() -> None:
    data = without_pcr(7) + with_pcr(10.0) + without_pcr(20) + with_pcr(10.04) + without_pcr(6)

    times = [(round(burst.at_s, 3), burst.end - burst.start) for burst in bursts(data)]

    assert times == [(0.0, DATAGRAM_BYTES), (0.0, 3 * DATAGRAM_BYTES), (0.04, DATAGRAM_BYTES)]


def test_the_datagrams_are_the_stream() -> None:
    data = b"".join(with_pcr(n / 25) + without_pcr(n % 13) for n in range(100))

    sent = [datagram for burst in bursts(data) for datagram in burst.datagrams(data)]

    assert b"".join(sent) == data
    assert all(len(datagram) == DATAGRAM_BYTES for datagram in sent[:-1])


def test_the_clock_may_wrap() -> None:
    wrap_s = (1 << 33) / 90_000
    data = b"".join(with_pcr(wrap_s + offset) + without_pcr(6) for offset in (-1.0, 0.0, 1.0))

    assert [burst.at_s for burst in bursts(data)] == pytest.approx([0.0, 1.0, 2.0])


def test_only_one_pid_keeps_the_time() -> None:
    data = with_pcr(1.0) + without_pcr(6) + with_pcr(900.0, pid=300) + without_pcr(6) + with_pcr(1.5) + without_pcr(6)

    assert [burst.at_s for burst in bursts(data)] == pytest.approx([0.0, 0.5])


def test_a_stream_without_a_clock_leaves_at_once() -> None:
    assert [(burst.at_s, burst.end) for burst in bursts(without_pcr(9))] == [(0.0, 9 * PACKET_BYTES)]
