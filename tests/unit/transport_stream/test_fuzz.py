"""Random damage: nothing raises, memory stays bounded, and the count is that of an independent judge."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from srt_router.transport_stream.analyser import MOST_PIDS_TOLD, Analyser
from tests.media.transport_stream import check
from tests.unit.transport_stream import builders as b


def usual(count: int) -> list[bytes]:
    """Packets of a stream, pictures and sounds in turn, tables now and then."""
    writer = b.Writer()
    packets: list[bytes] = []
    for number in range(count):
        if number % 40 == 0:
            packets += [writer.table(0, b.pat({1: b.PMT})), writer.table(b.PMT, b.MAP)]
        packets.append(writer.packet(b.AUDIO if number % 5 == 0 else b.VIDEO, number.to_bytes(8, "big") * 23))
    return packets


SOUND = usual(400)

damages = st.lists(
    st.tuples(st.sampled_from(["drop", "repeat", "swap"]), st.integers(10, len(SOUND) - 10), st.integers(1, 8)),
    max_size=12,
)


def damaged(how: list[tuple[str, int, int]]) -> bytes:
    packets = list(SOUND)
    for kind, position, amount in how:
        at = position % (len(packets) - 9)
        if kind == "drop":
            del packets[at : at + amount]
        elif kind == "repeat":
            packets[at:at] = [packets[at]] * min(amount, 2)
        else:
            packets[at], packets[at + amount] = packets[at + amount], packets[at]
    return b"".join(packets)


def at_most_three_in_a_row(stream: bytes) -> bool:
    """The judge counts every second copy beyond the second only; there, and only there, the two differ."""
    runs: dict[int, tuple[bytes, int]] = {}
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        before, count = runs.get(pid, (b"", 0))
        runs[pid] = (packet, count + 1 if packet == before else 1)
        if runs[pid][1] > 3:
            return False
    return True


@given(damages, st.integers(1, 40))
@settings(deadline=None)
def test_continuity_errors_are_those_of_an_independent_judge(how: list[tuple[str, int, int]], batch: int) -> None:
    stream = damaged(how)
    analyser = Analyser()
    for at in range(0, len(stream), 188 * batch):
        analyser.feed(stream[at : at + 188 * batch], at / 1e6)
    report, expected = analyser.report(1.0), check(stream)
    assert report.packets == expected.packets
    assert {one.pid: one.packets for one in report.pids} == expected.pids
    if at_most_three_in_a_row(stream):
        errors = {one.pid: one.continuity_errors for one in report.pids if one.continuity_errors}
        assert errors == expected.continuity_errors


@given(st.lists(st.tuples(st.integers(0, len(SOUND) * 188 - 1), st.integers(0, 255)), max_size=60), st.data())
@settings(deadline=None)
def test_changed_bytes_never_raise(changes: list[tuple[int, int]], data: st.DataObject) -> None:
    stream = bytearray(b"".join(SOUND))
    for position, value in changes:
        stream[position] = value
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    analyser, before = Analyser(), 0
    for number, cut in enumerate([*cuts, len(stream)]):
        analyser.feed(bytes(stream[before:cut]), number / 10)
        if number % 5 == 4:
            analyser.gap()
            analyser.report(0.5)
        before = cut
    analyser.report(1.0)


@given(st.binary(max_size=4000), st.integers(1, 300))
@settings(deadline=None)
def test_noise_never_raises(noise: bytes, size: int) -> None:
    analyser = Analyser()
    lengths = np.full(-(-len(noise) // size), size)
    if len(noise):
        lengths[-1] = len(noise) - size * (len(lengths) - 1)
        analyser.feed(noise, np.arange(len(lengths)) / 3, lengths)
    analyser.report(1.0)


@given(st.lists(st.binary(min_size=1, max_size=180), max_size=30), st.sampled_from([0, 0x11, b.PMT]))
@settings(deadline=None)
def test_garbage_in_tables_never_raises(contents: list[bytes], pid: int) -> None:
    analyser, writer = Analyser(), b.Writer()
    analyser.feed(b.NULL * 5 + writer.tables(), 0.0)
    for content in contents:
        table = b.section(content[0] % 0x50, content[-1], content)
        analyser.feed(writer.table(pid, table) + writer.packet(pid, content, start=bool(content[0] & 1)), 0.1)
    analyser.report(1.0)


def test_memory_is_bounded_with_every_pid_there_is() -> None:
    """Every PID, each with a clock, each the PID of a program map, over and over."""
    numbers = np.arange(8192)
    rows = np.full((8192, 188), 0xFF, np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2] = 0x47, numbers >> 8, numbers & 0xFF
    rows[:, 4], rows[:, 5] = 7, 0x10
    analyser, writer = Analyser(), b.Writer()
    tracemalloc.start()
    for turn in range(12):
        rows[:, 3] = 0x30 | turn & 0x0F
        rows[:, 6:12] = turn
        programs = {number + 1: 0x20 + (number * 37 + turn) % 8000 for number in range(250)}
        tables = b"".join(writer.table(0, b.pat(programs, version=turn & 0x1F, parts=(part, 255))) for part in range(2))
        analyser.feed(rows.tobytes() + tables, float(turn))
        report = analyser.report(1.0)
        if turn == 6:
            size_then, _ = tracemalloc.get_traced_memory()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert analyser.pids.count == 8192
    assert len(report.pids) == MOST_PIDS_TOLD
    assert report.pids_omitted == 8192 - MOST_PIDS_TOLD
    assert size < 8_000_000
    assert size < 1.2 * size_then
