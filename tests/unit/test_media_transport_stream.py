"""The judge of transport streams sees every kind of damage, and none where there is none."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.media.transport_stream import DATAGRAM_BYTES, NULL_PID, PACKET_BYTES, check, compare

PAYLOAD, ADAPTATION, BOTH = 0x10, 0x20, 0x30


def packet(counter: int, *, pid: int = 256, control: int = PAYLOAD, adaptation: int = 0, fill: int = 1) -> bytes:
    """Make a packet; with an adaptation field of seven bytes if `control` says so."""
    head = bytes([0x47, pid >> 8, pid & 0xFF, control | counter % 16])
    if control & ADAPTATION:
        head += bytes([7, adaptation, *range(6)])
    return head + bytes([fill]) * (PACKET_BYTES - len(head))


def stream(packets: int, seed: int = 1) -> bytes:
    """Make a clean stream of one PID, no two packets alike."""
    noise = random.Random(seed)  # noqa: S311
    return b"".join(packet(counter)[:4] + noise.randbytes(PACKET_BYTES - 4) for counter in range(packets))


def test_a_clean_stream_has_no_errors() -> None:
    report = check(b"".join(packet(n, pid=256 + n % 2)[:3] + packet(n // 2)[3:] for n in range(100)))

    assert report.clean
    assert report.packets == 100
    assert report.pids == {256: 50, 257: 50}


def test_nothing_is_not_clean() -> None:
    assert not check(b"").clean


def test_a_lost_packet_is_one_continuity_error_of_its_pid() -> None:
    report = check(packet(0) + packet(0, pid=257) + packet(2) + packet(1, pid=257) + packet(3))

    assert report.continuity_errors == {256: 1}
    assert report.continuity_total == 1
    assert not report.clean


def test_a_packet_may_come_twice() -> None:
    assert check(packet(0) + packet(1) + packet(1) + packet(2)).clean


def test_a_packet_may_not_come_three_times() -> None:
    assert check(packet(0) + packet(1) * 3 + packet(2)).continuity_errors == {256: 1}


def test_the_same_counter_with_other_content_is_an_error() -> None:
    assert check(packet(0) + packet(1) + packet(1, fill=2) + packet(2)).continuity_errors == {256: 1}


def test_the_pcr_of_a_repeated_packet_may_differ() -> None:
    first = packet(1, control=BOTH, adaptation=0x10)
    again = first[:6] + bytes(6) + first[12:]

    assert check(packet(0) + first + again + packet(2)).clean


def test_packets_without_payload_do_not_count() -> None:
    assert check(packet(5) + packet(5, control=ADAPTATION) * 3 + packet(6)).clean
    assert check(packet(5) + packet(6, control=ADAPTATION) + packet(7)).continuity_errors == {256: 1}


def test_an_announced_discontinuity_is_no_error() -> None:
    assert check(packet(0) + packet(9, control=BOTH, adaptation=0x80) + packet(10)).clean
    assert not check(packet(0) + packet(9, control=BOTH, adaptation=0x00) + packet(10)).clean


def test_null_packets_have_no_continuity() -> None:
    assert check(packet(0) + packet(7, pid=NULL_PID) + packet(3, pid=NULL_PID) + packet(1)).clean


def test_a_broken_sync_byte_costs_its_packet() -> None:
    data = bytearray(stream(20))
    data[5 * PACKET_BYTES] = 0
    report = check(bytes(data))

    assert report.packets == 19
    assert report.sync_errors == 1
    assert report.continuity_total == 1


def test_sync_is_found_again_after_stray_bytes() -> None:
    data = stream(20)
    report = check(data[: 5 * PACKET_BYTES] + b"stray" + data[5 * PACKET_BYTES :])

    assert report.packets == 20
    assert report.sync_errors == 1
    assert not report.continuity_errors


def test_a_cut_last_packet_is_an_error() -> None:
    report = check(stream(3)[:-1])

    assert report.packets == 2
    assert report.sync_errors == 1


@given(st.binary(max_size=3000) | st.lists(st.binary(min_size=188, max_size=188)).map(b"G".join))
def test_any_bytes_can_be_judged(data: bytes) -> None:
    report = check(data)

    assert report.packets <= len(data) // PACKET_BYTES
    assert sum(report.pids.values()) == report.packets


SENT = stream(7 * 200)


def test_all_of_it_is_identical(tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(SENT)
    (tmp_path / "received").write_bytes(SENT)

    result = compare(tmp_path / "sent", tmp_path / "received")

    assert result.identical
    assert (result.offset, result.missing_at_end, result.first_difference) == (0, 0, None)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_contiguous_stretch_is_identical(first: int, last: int) -> None:
    received = SENT[first * DATAGRAM_BYTES : last * DATAGRAM_BYTES]
    result = compare(SENT, received)

    assert result.identical == (first < last)
    if received:
        assert result.offset == first * DATAGRAM_BYTES
        assert result.missing_at_end == (200 - last) * DATAGRAM_BYTES


@given(st.integers(1, 198), st.integers(1, 20))
def test_a_gap_is_found_where_it_is(first: int, datagrams: int) -> None:
    datagrams = min(datagrams, 199 - first)
    start, length = first * DATAGRAM_BYTES, datagrams * DATAGRAM_BYTES
    result = compare(SENT, SENT[:start] + SENT[start + length :])

    assert not result.identical
    assert [(one.kind, one.received_at, one.length) for one in result.differences] == [("missing", start, length)]
    assert result.missing_bytes == length


def test_two_gaps_close_together_are_both_found() -> None:
    pieces = [SENT[n * DATAGRAM_BYTES : (n + 1) * DATAGRAM_BYTES] for n in range(200) if n not in (2, 4)]

    assert [one.length for one in compare(SENT, b"".join(pieces)).differences] == [DATAGRAM_BYTES] * 2


def test_a_repeated_datagram_is_found() -> None:
    at = 50 * DATAGRAM_BYTES
    result = compare(SENT, SENT[:at] + SENT[at - DATAGRAM_BYTES :])

    assert [(one.kind, one.length) for one in result.differences] == [("repeated", DATAGRAM_BYTES)]


def test_one_altered_bit_is_found() -> None:
    received = bytearray(SENT)
    received[100_000] ^= 1
    result = compare(SENT, bytes(received))

    assert not result.identical
    assert result.differences[0].kind == "foreign"
    assert len(result.differences) == 1


def test_extra_bytes_at_the_end_are_found() -> None:
    result = compare(SENT, SENT + b"G" * PACKET_BYTES)

    assert [one.kind for one in result.differences] == ["foreign"]


def test_another_stream_is_not_found() -> None:
    result = compare(SENT, stream(70, seed=2))

    assert result.offset is None
    assert not result.identical
    assert result.first_difference == 0
    assert "not found" in str(result)


def test_nothing_received_is_not_identical() -> None:
    assert not compare(SENT, b"").identical
