"""Where packets begin, how that is lost, and how it is found again."""

from __future__ import annotations

import numpy as np
import pytest

from srt_router.transport_stream.framing import Framer, StreamFormat
from tests.unit.transport_stream import builders as b

SOUND = b.joined([b.raw(b.VIDEO, number & 0x0F, bytes((number & 0x3F,)) * 184) for number in range(100)])


def cut(framer: Framer, data: bytes, datagram: int = 1316) -> bytes:
    """Feed in datagrams; the answer is the packets that were found."""
    found = []
    for at in range(0, len(data), datagram):
        piece = np.frombuffer(data[at : at + datagram], np.uint8)
        for packets in framer.cut(piece, np.array([len(piece)]), np.array([at / 1e6])):
            assert len(packets.rows) == len(packets.times)
            found.append(packets.rows.tobytes())
    return b"".join(found)


@pytest.mark.parametrize("datagram", [1316, 1456, 188, 100, 7, 1])
def test_whatever_the_datagrams_are(datagram: int) -> None:
    framer = Framer()
    assert cut(framer, SOUND, datagram) == SOUND
    assert (framer.sync_losses, framer.sync_byte_errors, framer.format) == (0, 0, StreamFormat.TS188)


@pytest.mark.parametrize("lead", [1, 100, 187])
def test_a_beginning_in_the_middle_of_a_packet_is_no_loss(lead: int) -> None:
    framer = Framer()
    assert cut(framer, SOUND[lead:]) == SOUND[188:]
    assert (framer.sync_losses, framer.sync_byte_errors) == (0, 0)


def test_packets_with_parity() -> None:
    packets = [SOUND[at : at + 188] for at in range(0, len(SOUND), 188)]
    framer = Framer()
    assert cut(framer, b.joined([packet + b"\x11" * 16 for packet in packets]), 1428) == SOUND
    assert framer.format is StreamFormat.TS204


def test_one_wrong_sync_byte_costs_one_packet_and_not_the_lock() -> None:
    damaged = bytearray(SOUND)
    damaged[50 * 188] = 0
    damaged[7 * 188 - 188] = 0  # the last one of a datagram: what comes next decides
    framer = Framer()
    found = cut(framer, bytes(damaged))
    assert (framer.sync_losses, framer.sync_byte_errors) == (0, 2)
    assert found == SOUND[: 6 * 188] + SOUND[7 * 188 : 50 * 188] + SOUND[51 * 188 :]


@pytest.mark.parametrize("first", [50, 6, 7])
def test_two_in_a_row_are_a_loss(first: int) -> None:
    damaged = bytearray(SOUND)
    damaged[first * 188] = damaged[(first + 1) * 188] = 0
    framer = Framer()
    assert cut(framer, bytes(damaged)) == SOUND[: first * 188] + SOUND[(first + 2) * 188 :]
    assert (framer.sync_losses, framer.sync_byte_errors, framer.locked) == (1, 2, True)


def test_bytes_that_are_missing_are_a_loss_that_is_mended() -> None:
    framer = Framer()
    found = cut(framer, SOUND[: 40 * 188 + 50] + SOUND[40 * 188 + 60 :])
    assert (framer.sync_losses, framer.locked, framer.in_vain) == (1, True, False)
    assert found == SOUND[: 41 * 188 - 138] + SOUND[40 * 188 + 60 : 40 * 188 + 198] + SOUND[41 * 188 + 10 :] or len(
        found
    ) in (98 * 188, 99 * 188)


def test_what_comes_after_a_loss_is_marked() -> None:
    framer = Framer()
    damaged = np.frombuffer(SOUND[: 40 * 188] + b"\0" * 500 + SOUND[40 * 188 :], np.uint8)
    stretches = framer.cut(damaged, np.array([len(damaged)]), np.array([0.0]))
    assert [(len(one.rows), one.after_loss) for one in stretches] == [(40, False), (60, True)]


def test_noise_is_told_once_however_long_it_lasts() -> None:
    framer = Framer()
    noise = np.random.default_rng(7).integers(0, 256, 200_000, np.uint8).tobytes()
    assert cut(framer, noise) == b""
    assert (framer.sync_losses, framer.in_vain, framer.locked) == (1, True, False)
    assert cut(framer, SOUND) == SOUND
    assert (framer.sync_losses, framer.in_vain) == (1, False)


def test_little_noise_is_told_by_nobody() -> None:
    framer = Framer()
    cut(framer, b"\0" * 1316)
    assert (framer.sync_losses, framer.in_vain) == (0, False)


def test_what_was_not_seen_is_no_loss() -> None:
    framer = Framer()
    cut(framer, SOUND[: 20 * 188])
    framer.reset()
    assert cut(framer, SOUND[30 * 188 + 17 :]) == SOUND[31 * 188 :]
    assert (framer.sync_losses, framer.sync_byte_errors) == (0, 0)
