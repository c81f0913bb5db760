"""What the analyser makes of streams that are made, and damaged, by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest

from srt_router.transport_stream.analyser import Analyser, Report, State
from srt_router.transport_stream.framing import StreamFormat
from srt_router.transport_stream.indicators import Kind
from tests.unit.transport_stream import builders as b

RATE = 100
"""Datagrams per second in these streams."""


class Stream:
    """A usual stream."""

    def __init__(self, tables_s: float = 0.1) -> None:
        self._writer, self._every, self._number = b.Writer(), max(1, round(tables_s * RATE)), 0

    def datagrams(self, seconds: float, *, without: frozenset[int] = frozenset()) -> Iterator[bytes]:
        """The next ones; PIDs in `without` do not come."""
        writer = self._writer
        for _ in range(round(seconds * RATE)):
            packets = []
            if self._number % self._every == 0:
                packets += [(0, b.pat({1: b.PMT})), (b.PMT, b.MAP)]
            self._number += 1
            tables = [writer.table(pid, table) for pid, table in packets if pid not in without]
            rest = [writer.packet(pid) for pid in (b.VIDEO, b.AUDIO) if pid not in without]
            yield b"".join([*tables, *rest, b.NULL])


def datagrams(seconds: float, *, without: frozenset[int] = frozenset()) -> Iterator[bytes]:
    return Stream().datagrams(seconds, without=without)


def feed(analyser: Analyser, stream: Iterator[bytes], start: float = 0.0) -> float:
    """Feed datagrams at their rate; the answer is when the last one came."""
    at = start
    for number, datagram in enumerate(stream):
        at = start + number / RATE
        analyser.feed(datagram, at)
    return at


def counts(report: Report) -> dict[str, int]:
    return {kind: told.total for kind, told in report.indicators.items() if told.total}


def active(report: Report) -> set[str]:
    return {kind for kind, told in report.indicators.items() if told.active}


def test_a_sound_stream() -> None:
    analyser = Analyser()
    feed(analyser, datagrams(1))
    report = analyser.report(1.0)
    assert (report.state, report.format, counts(report)) == (State.OK, StreamFormat.TS188, {})
    assert report.packets == 320
    assert report.bitrate == 320 * 188 * 8
    assert report.null_ratio == pytest.approx(100 / 320)
    assert {one.pid: (one.packets, one.bitrate) for one in report.pids} == {
        0: (10, 15_040),
        b.VIDEO: (100, 150_400),
        b.AUDIO: (100, 150_400),
        b.PMT: (10, 15_040),
        0x1FFF: (100, 150_400),
    }
    (program,) = analyser.tables.programs.values()
    assert {pid: tuple(one) for pid, one in program.streams.items()} == {
        b.VIDEO: ("video", "h264", None),
        b.AUDIO: ("audio", "mp2", "fra"),
    }


def test_nothing_is_unknown_and_then_silence() -> None:
    analyser = Analyser()
    assert analyser.report(1.0).state is State.UNKNOWN
    last = feed(analyser, datagrams(1))
    analyser.report(1.0)
    silent = analyser.report(1.0)
    assert (silent.state, silent.bitrate, silent.null_ratio, counts(silent)) == (State.SILENT, 0, None, {})
    feed(analyser, datagrams(0.2), last + 3600)
    after = analyser.report(1.0)
    assert Kind.PAT_ERROR not in counts(after)
    assert Kind.PID_ERROR not in counts(after)


def test_a_batch_is_the_same_as_its_datagrams() -> None:
    one, other = Analyser(), Analyser()
    stream = list(datagrams(2))
    feed(one, iter(stream))
    lengths = np.array([len(each) for each in stream])
    other.feed(b"".join(stream), np.arange(len(stream)) / RATE, lengths)
    assert one.report(2.0) == other.report(2.0)


def missing(video: list[int]) -> Iterator[bytes]:
    """The stream without some of its video packets."""
    for number, datagram in enumerate(datagrams(1)):
        cut = datagram.find(bytes((0x47, b.VIDEO >> 8, b.VIDEO & 0xFF)))
        yield datagram[:cut] + datagram[cut + 188 :] if number in video else datagram


def test_missing_packets_are_counted_once_each() -> None:
    analyser = Analyser()
    feed(analyser, missing([10, 20, 21, 22, 50]))
    report = analyser.report(1.0)
    assert counts(report) == {Kind.CONTINUITY_COUNT_ERROR: 3}
    assert report.continuity_errors == 3
    assert {one.pid: one.continuity_errors for one in report.pids if one.continuity_errors} == {b.VIDEO: 3}
    assert report.indicators[Kind.CONTINUITY_COUNT_ERROR].last_at == pytest.approx(0.51)
    assert active(report) == {Kind.CONTINUITY_COUNT_ERROR}
    assert report.state is State.ERRORS
    assert active(analyser.report(1.0)) == set()


def continuity(*packets: bytes) -> int:
    """Errors in these packets, fed at once and one by one: the same."""
    whole, single = Analyser(), Analyser()
    lead = b.joined([b.NULL] * 5)
    whole.feed(lead + b.joined(packets), 0.0)
    single.feed(lead, 0.0)
    for packet in packets:
        single.feed(packet, 0.0)
    errors = whole.report(1.0).continuity_errors
    assert single.report(1.0).continuity_errors == errors
    return errors


def of(counter: int, fill: int = 0, **more: bytes) -> bytes:
    return b.raw(b.VIDEO, counter, bytes((fill or counter,)) * 180, **more)  # type: ignore[arg-type]


CLOCK, LATER = b.pcr_field(27_000_000), b.pcr_field(27_500_000)


@pytest.mark.parametrize(
    ("packets", "errors"),
    [
        ([of(14), of(15), of(0), of(1)], 0),
        ([of(3), of(5)], 1),
        ([of(3), of(3)], 0),
        ([of(3), of(3), of(3)], 1),
        ([of(3), of(3), of(4), of(4)], 0),
        ([of(3), of(3, 99)], 1),
        ([of(3, 7, field_=CLOCK), of(3, 7, field_=LATER)], 0),
        ([of(3, 7, field_=CLOCK), of(3, 8, field_=LATER)], 1),
        ([of(3), of(9, field_=b"\x80"), of(10)], 0),
        ([of(3), b.raw(b.VIDEO, 3, b""), of(4)], 0),
        ([of(3), b.raw(b.VIDEO, 9, b""), of(4)], 0),
        ([of(3), b.raw(b.VIDEO, 9, b"", field_=b"\x80"), of(10)], 0),
        ([of(3), of(5), of(4), of(6)], 3),
        ([of(3), b.raw(b.AUDIO, 9, b"x"), of(4), b.raw(b.AUDIO, 10, b"x")], 0),
        ([b.NULL, b.raw(0x1FFF, 7, b"x"), b.NULL], 0),
    ],
    ids=[
        "in order", "one missing", "twice", "three times", "each twice", "another one with its counter",
        "twice, but for the clock", "not a copy", "announced", "no payload", "no payload, odd counter",
        "announced without payload", "swapped", "two PIDs", "null packets",
    ],
)  # fmt: skip
def test_continuity(packets: list[bytes], errors: int) -> None:
    assert continuity(*packets) == errors


def test_a_gap_of_our_own_is_no_error_of_the_stream() -> None:
    analyser = Analyser()
    stream = list(datagrams(3))
    feed(analyser, iter(stream[:100]))
    analyser.gap()
    feed(analyser, iter(stream[233:]), 2.33)
    report = analyser.report(1.0)
    assert counts(report) == {}
    assert report.state is State.OK


def test_damaged_packets_are_counted_and_not_believed() -> None:
    writer = b.Writer()
    good = [writer.packet(b.VIDEO) for _ in range(20)]
    bad = bytearray(good[10])
    bad[1] |= 0x80
    analyser = Analyser()
    analyser.feed(b.joined([*good[:10], bytes(bad), *good[11:]]), 0.0)
    report = analyser.report(1.0)
    assert (report.transport_errors, report.continuity_errors) == (1, 1)
    assert [one.pid for one in report.pids] == [b.VIDEO]


def test_scrambled_packets_are_counted() -> None:
    writer = b.Writer()
    packets = [bytearray(writer.packet(b.VIDEO)) for _ in range(10)]
    for packet in packets[:4]:
        packet[3] |= 0x80
    analyser = Analyser()
    analyser.feed(b"".join(map(bytes, packets)), 0.0)
    assert analyser.report(1.0).pids[0].scrambled == 4


# Tables and what they ask for


def test_a_pat_that_stays_away_is_one_error_that_lasts() -> None:
    analyser, stream = Analyser(), Stream()
    last = feed(analyser, stream.datagrams(1))
    for second in range(3):
        last = feed(analyser, stream.datagrams(1, without=frozenset({0})), last + 0.01)
        report = analyser.report(1.0)
        assert counts(report) == {Kind.PAT_ERROR: 1}, second
        assert active(report) == {Kind.PAT_ERROR}
    feed(analyser, stream.datagrams(1), last + 0.01)
    report = analyser.report(1.0)
    assert active(report) == set()
    assert counts(report) == {Kind.PAT_ERROR: 1}


def test_tables_that_come_too_rarely_are_errors_each_time() -> None:
    analyser = Analyser()
    feed(analyser, Stream(tables_s=0.7).datagrams(3.2))
    assert counts(analyser.report(3.2)) == {Kind.PAT_ERROR: 4, Kind.PMT_ERROR: 4}


def test_a_program_map_that_never_comes() -> None:
    analyser = Analyser()
    feed(analyser, datagrams(1, without=frozenset({b.PMT})))
    report = analyser.report(1.0)
    assert counts(report) == {Kind.PMT_ERROR: 1}
    assert active(report) == {Kind.PMT_ERROR}


def test_a_sound_that_does_not_come_is_an_error_after_five_seconds() -> None:
    analyser, stream, last = Analyser(), Stream(), -0.01
    told = []
    for _ in range(7):
        last = feed(analyser, stream.datagrams(1, without=frozenset({b.AUDIO})), last + 0.01)
        told.append(Kind.PID_ERROR in active(analyser.report(1.0)))
    assert told == [False] * 5 + [True] * 2
    feed(analyser, stream.datagrams(1), last + 0.01)
    report = analyser.report(1.0)
    assert active(report) == set()
    assert counts(report) == {Kind.PID_ERROR: 1}


def test_a_subtitle_may_be_silent() -> None:
    writer, analyser = b.Writer(), Analyser()
    tables = b.pmt([(0x06, 0x200, b.descriptor(0x59, b"deu\x10\x00\x01\x00\x01")), (0x86, 0x201, b"")])
    for tenth in range(100):
        analyser.feed(writer.table(0, b.pat({1: b.PMT})) + writer.table(b.PMT, tables) + b.NULL * 5, tenth / 10)
    report = analyser.report(10.0)
    assert counts(report) == {}
    streams = analyser.tables.programs[1].streams
    assert [tuple(one) for one in streams.values()] == [("data", "dvb_subtitle", "deu"), ("data", "scte_35", None)]


@pytest.mark.parametrize("pid", [0, b.PMT])
def test_scrambled_tables_are_errors(pid: int) -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(writer.tables() + b.NULL * 5, 0.0)
    packet = bytearray(writer.table(pid, b.pat({1: b.PMT}) if pid == 0 else b.MAP))
    packet[3] |= 0xC0
    analyser.feed(bytes(packet), 0.1)
    assert counts(analyser.report(1.0)) == {(Kind.PAT_ERROR if pid == 0 else Kind.PMT_ERROR): 1}


def test_another_table_on_pid_0_is_an_error() -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(writer.tables() + b.NULL * 5 + writer.table(0, b.section(0x02, 1, b"x" * 8)), 0.0)
    assert counts(analyser.report(1.0)) == {Kind.PAT_ERROR: 1}


def test_a_wrong_checksum_is_counted_and_changes_nothing() -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(writer.tables() + b.NULL * 5, 0.0)
    bad = bytearray(b.pat({2: 0x1234}))
    bad[9] ^= 1
    analyser.feed(writer.table(0, bytes(bad)), 0.1)
    assert analyser.report(1.0).crc_errors == 1
    assert analyser.tables.map_pids == {1: b.PMT}


def test_programs_come_change_and_go() -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(b.NULL * 5 + writer.tables(), 0.0)
    first = analyser.tables.changes
    analyser.feed(writer.tables(), 0.1)
    assert analyser.tables.changes == first
    analyser.feed(writer.table(b.PMT, b.pmt([(0x24, b.VIDEO, b"")], version=1)), 0.2)
    assert [one.codec for one in analyser.tables.programs[1].streams.values()] == ["hevc"]
    analyser.feed(writer.table(0, b.pat({2: 0x1100}, version=1)), 0.3)
    assert analyser.tables.programs == {}
    analyser.feed(writer.tables(), 0.4)
    analyser.feed(writer.table(b.PMT, b.MAP), 0.5)
    assert [one.codec for one in analyser.tables.programs[1].streams.values()] == ["h264", "mp2"]


def test_a_pat_in_two_sections() -> None:
    analyser, writer = Analyser(), b.Writer()
    parts = [b.pat({1: 0x100}, parts=(0, 1)), b.pat({2: 0x200}, parts=(1, 1))]
    analyser.feed(b.NULL * 5 + writer.table(0, *parts), 0.0)
    assert analyser.tables.map_pids == {1: 0x100, 2: 0x200}
    analyser.feed(writer.table(0, b.pat({3: 0x300}, version=1)), 0.1)
    assert analyser.tables.map_pids == {3: 0x300}


def test_a_long_section_in_many_packets_and_one_with_a_gap() -> None:
    analyser, writer = Analyser(), b.Writer()
    long = b.sdt({number: (b"Provider", b"Service %d" % number) for number in range(1, 26)})
    assert len(long) > 3 * 184
    analyser.feed(b.NULL * 5 + writer.table(0, b.pat({1: b.PMT})), 0.0)
    packets = writer.table(0x11, long)
    analyser.feed(packets[:188] + packets[2 * 188 :], 0.1)
    assert analyser.tables.services == {}
    analyser.feed(writer.table(0x11, long), 0.2)
    assert analyser.tables.services[25].name == "Service 25"
    assert analyser.report(1.0).crc_errors == 0


# Clocks


def test_clock_intervals_and_jitter() -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(b.NULL * 5, 0.0)
    late = {10: 0.004, 20: -0.002}
    for number in range(50):
        clock = b.pcr_field(27_000_000 * number // 50)
        analyser.feed(writer.packet(b.VIDEO, b"x" * 176, field_=clock), number / 50 + late.get(number, 0.0))
    clock_report = analyser.report(1.0).pids[0].clock
    assert clock_report is not None
    assert clock_report.interval_ms == pytest.approx(20.0)
    assert clock_report.jitter_ms == pytest.approx(6.0, abs=0.01)
    assert analyser.report(1.0).pids[0].clock is None


@pytest.mark.parametrize("discontinuity", [True, False])
def test_a_clock_that_jumps_is_no_interval(discontinuity: bool) -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(b.NULL * 5, 0.0)
    wrap = 300 << 33
    for number, ticks in enumerate((wrap - 540_000, 0, 540_000, 27_000_000_000, 27_000_540_000)):
        clock = b.pcr_field(ticks, discontinuity=discontinuity and number == 3)
        analyser.feed(writer.packet(b.VIDEO, b"x" * 176, field_=clock), number / 50)
    found = analyser.report(1.0).pids[0].clock
    assert found is not None
    assert found.interval_ms == pytest.approx(20.0)
    assert found.jitter_ms == pytest.approx(0.0, abs=0.01)


def test_an_rtp_stream_is_seen_as_what_it_is() -> None:
    analyser = Analyser()
    for number, datagram in enumerate(datagrams(1)):
        header = struct.pack(">BBHII", 0x80, 33, number, number * 900, 7)
        analyser.feed(header + datagram, number / RATE)
    report = analyser.report(1.0)
    assert (report.state, report.format, report.packets, counts(report)) == (State.OK, StreamFormat.RTP, 320, {})
