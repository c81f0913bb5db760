"""Totals, changes and rates of a leg, whatever is reported of it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from srt_router.monitoring.leg_meter import LegMeter
from srt_router.monitoring.leg_statistics import SRT_DESTINATION, SRT_SOURCE, UDP
from srt_router.monitoring.readings import Counts, Reading, read_srt
from srt_router.monitoring.statistics import StatisticsReader
from tests.unit.monitoring.test_readings import REPORT, REPORTS


def reading(at_s: float, packets: int, lost: int = 0, *, life: int = 1, dropped: int = 0) -> Reading:
    """A report of so many packets of 1000 bytes."""
    return Reading((life,), at_s, Counts(packets, packets * 1000, lost, lost, dropped, 0), ms_rtt=20.0)


def rates(meter: LegMeter) -> tuple[float | None, float | None]:
    return meter.bitrate, meter.packet_rate


def drops(meter: LegMeter) -> tuple[int | None, int | None]:
    return meter.bus_drops, meter.bus_drops_change


def metered(*readings: Reading | None, meter: LegMeter | None = None, start: float = 100.0) -> LegMeter:
    """One look a second; None: nothing new was reported."""
    meter = meter or LegMeter(countable=SRT_SOURCE)
    for second, one in enumerate(readings):
        if one is not None:
            meter.read(one, start + second)
        meter.look(start + second, nothing_flows=False)
    return meter


def test_a_rate_is_by_the_clock_of_who_reports() -> None:
    meter = metered(reading(1.0, 100), reading(2.5, 400))
    assert meter.bitrate == 300 * 1000 * 8 / 1000 / 1.5
    assert meter.packet_rate == 200
    assert (meter.total.packets, meter.change.packets) == (400, 300)


def test_before_the_second_report_the_rate_is_unknown() -> None:
    meter = metered(reading(1.0, 100))
    assert (meter.bitrate, meter.total.packets) == (None, 100)
    assert metered(None, None).total == Counts()


def test_silence_is_zero_only_when_it_is_known_that_nothing_flows() -> None:
    meter = metered(reading(1.0, 100), reading(2.0, 200), None, None)
    assert rates(meter) == (800.0, 100.0)  # the next report is not due yet
    assert meter.change == Counts()
    metered(None, None, None, meter=meter, start=104.0)
    assert rates(meter) == (None, None)  # it is late: who knows
    assert not meter.fresh
    meter.look(107.0, nothing_flows=True)
    assert rates(meter) == (0.0, 0.0)
    assert meter.change.packets == 0
    assert meter.total.packets == 200


def test_reports_that_come_rarely_are_waited_for() -> None:
    meter = metered(reading(10.0, 100), None, None, reading(20.0, 200), *[None] * 25)
    assert meter.bitrate == 80.0
    assert meter.fresh


def test_a_reconnect_counts_from_zero_and_the_total_goes_on() -> None:
    meter = metered(reading(1.0, 100), reading(2.0, 200), reading(0.5, 50, life=2), reading(1.5, 150, life=2))
    assert (meter.total.packets, meter.bitrate) == (350, 800.0)


def test_since_the_process_and_since_the_reset() -> None:
    meter = LegMeter(countable=SRT_SOURCE)
    meter.carried_by(10)
    metered(reading(1.0, 100), meter=meter)
    meter.reset()
    meter.carried_by(11)
    metered(reading(1.0, 30, life=2), meter=meter, start=102.0)
    assert meter.total.packets == 130
    assert (meter.since_process_start.packets, meter.since_reset.packets) == (30, 30)
    meter.reset()
    metered(reading(2.0, 35, life=2), meter=meter, start=103.0)
    assert (meter.since_process_start.packets, meter.since_reset.packets, meter.total.packets) == (35, 5, 135)


def test_what_a_process_counted_before_it_was_taken_over_did_not_happen_now() -> None:
    meter = LegMeter(countable=SRT_SOURCE)
    meter.carried_by(10, taken_over=True)
    meter.dropped({5: 1000})
    metered(reading(5000.0, 10**6, lost=10**5), meter=meter)
    assert (meter.total.packets, meter.change) == (10**6, Counts())
    assert (drops(meter), meter.loss_percent) == ((1000, None), None)
    meter.dropped({5: 1001})
    metered(reading(5001.0, 10**6 + 100, lost=10**5), meter=meter, start=101.0)
    assert (meter.change.packets, rates(meter), drops(meter)) == (100, (800.0, 100.0), (1001, 1))


def test_what_nobody_counts_stays_unknown() -> None:
    meter = LegMeter(countable=UDP)
    meter.look(1.0, nothing_flows=True)
    assert meter.total == Counts(0, 0, None, None, 0, None)
    assert meter.loss_percent is None
    meter = LegMeter(countable=SRT_DESTINATION)
    meter.look(1.0, nothing_flows=True)
    assert meter.total == Counts(0, 0, 0, 0, 0, None)


def test_the_share_of_lost_packets_is_that_of_ten_seconds() -> None:
    meter = metered(*[reading(1.0 + n, 100 * (n + 1), lost=n) for n in range(11)])
    assert meter.loss_percent == 1.0
    metered(*[reading(12.0 + n, 1200 + 100 * n, lost=10) for n in range(10)], meter=meter, start=111.0)
    assert meter.loss_percent == 0.0
    meter.look(200.0, nothing_flows=False)
    assert meter.loss_percent is None


def test_what_is_dropped_for_good_should_have_come_too() -> None:
    meter = metered(reading(1.0, 90, lost=10, dropped=10))
    assert meter.loss_percent == 10.0


def test_a_report_that_goes_back_is_doubted() -> None:
    meter = metered(reading(1.0, 1000), reading(2.0, 2000), reading(3.0, 5), reading(4.0, 4000))
    assert meter.total.packets == 4000  # the one in between was none
    meter = metered(reading(1.0, 1000), reading(2.0, 2000), reading(3.0, 5), reading(4.0, 105), reading(5.0, 205))
    assert (meter.total.packets, meter.bitrate) == (2200, 800.0)  # confirmed: it counts from there on


def test_a_clock_that_goes_back_makes_no_rate() -> None:
    meter = metered(reading(100.0, 100), reading(101.0, 200), reading(50.0, 300), reading(51.0, 400))
    assert (meter.bitrate, meter.total.packets) == (800.0, 300)


def test_more_than_any_network_carries_is_not_believed() -> None:
    meter = metered(reading(1.0, 100), reading(2.0, 10**15), reading(3.0, 300))
    assert meter.total.packets == 300
    assert metered(reading(1.0, 10**15)).total == Counts()


def test_bus_drops_are_counted_by_socket() -> None:
    meter = LegMeter()
    assert drops(meter) == (None, None)
    for by_socket in ({5: 3}, {5: 10}, {6: 2}, {6: 2}):
        meter.dropped(by_socket)
        meter.look(1.0, nothing_flows=False)
    assert drops(meter) == (12, 0)
    meter.look(2.0, nothing_flows=False)
    assert drops(meter) == (12, None)


NUMBERS = st.integers(0, 2**40) | st.none()
READINGS = st.builds(
    Reading,
    st.tuples(st.integers(1, 2)),
    st.floats(0, 1e6),
    st.builds(Counts, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)


@given(st.lists(st.tuples(READINGS | st.none(), st.booleans(), st.floats(0, 100), st.integers(1, 3)), max_size=30))
def test_no_disorder_makes_a_negative_number(
    looks: list[tuple[Reading | None, bool, float, int]],
) -> None:
    meter, now_s, before = LegMeter(countable=SRT_SOURCE), 0.0, Counts()
    for one, quiet, pause_s, pid in looks:
        now_s += pause_s
        meter.carried_by(pid)
        if one is not None:
            meter.read(one, now_s)
        meter.look(now_s, nothing_flows=quiet)
        numbers = [meter.bitrate, meter.packet_rate, meter.loss_percent]
        numbers += [*meter.total, *meter.change, *meter.since_process_start, *meter.since_reset]
        assert all(value is None or (value >= 0 and math.isfinite(value)) for value in numbers)
        assert meter.loss_percent is None or meter.loss_percent <= 100
        for now, then in zip(meter.total, before, strict=True):
            assert then is None or (now is not None and now >= then)  # totals never go back
        before = meter.total


def line(**more: Any) -> bytes:
    return json.dumps({**REPORT, **more}).encode() + b"\n"


GOOD = line()
PIECES = st.one_of(
    st.integers(0, 3000).map(lambda n: line(time=n * 10, recv={**REPORT["recv"], "packetsUnique": n})),
    st.integers(0, len(GOOD)).map(lambda n: GOOD[:n]),
    st.integers(0, len(GOOD)).map(lambda n: GOOD[n:]),
    st.sampled_from([b"\0" * 700, b"[" * 5000 + b"\n", b"{" * 5000 + b"\n", b"9" * 9000 + b"\n", b"x" * 70_000, b"\n"]),
    st.binary(max_size=80),
    REPORTS.map(lambda values: json.dumps(values).encode() + b"\n"),
)


@settings(deadline=None)
@given(st.lists(st.lists(PIECES, max_size=6), max_size=8))
def test_no_file_raises_or_makes_a_negative_number(tmp_path_factory: Any, seconds: list[list[bytes]]) -> None:
    path: Path = tmp_path_factory.mktemp("run")
    folder = os.open(path, os.O_RDONLY)
    reader, meter = StatisticsReader(folder), LegMeter(countable=SRT_SOURCE)
    reader.read({"a.stats"}, 0, 0.0)
    seen = None
    for second, pieces in enumerate(seconds, 1):
        with (path / "a.stats").open("ab") as file:
            file.write(b"".join(pieces))
        reader.read({"a.stats"}, second, float(second))
        sample = reader.sample("a.stats")
        if sample is not None and sample is not seen:
            for values in (*sample.earlier, sample.values):
                if found := read_srt(values, receiving=True):
                    meter.read(found, float(second))
        seen = sample
        meter.look(float(second), nothing_flows=False)
        assert all(value is None or value >= 0 for value in (meter.bitrate, meter.packet_rate, *meter.total))
    reader.close()
    os.close(folder)


def test_the_last_words_of_a_connection_are_read_too(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    reader = StatisticsReader(folder)
    reader.read({"a.stats"}, 0, 0.0)
    with (tmp_path / "a.stats").open("ab") as file:
        file.write(line(sid=1, time=1000))
    reader.read({"a.stats"}, 1, 1.0)
    with (tmp_path / "a.stats").open("ab") as file:
        file.write(line(sid=1, time=2000) + line(sid=1, time=2500) + line(sid=2, time=100) + line(sid=2, time=300))
    reader.read({"a.stats"}, 2, 2.0)
    sample = reader.sample("a.stats")
    assert sample is not None
    assert (sample.values["sid"], sample.values["time"]) == (2, 300)
    assert [(values["sid"], values["time"]) for values in sample.earlier] == [(1, 2500)]
    reader.close()
    os.close(folder)


def test_a_long_report_is_read_whole(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    reader = StatisticsReader(folder)
    reader.read({"a.stats"}, 0, 0.0)
    outputs = [{"host": "192.0.2.100", "port": 5000 + n, "datagrams": 10**9, "error": "x" * 60} for n in range(64)]
    with (tmp_path / "a.stats").open("ab") as file:
        file.write(json.dumps({"outputs": outputs}).encode() + b"\n")
    reader.read({"a.stats"}, 1, 1.0)
    sample = reader.sample("a.stats")
    assert sample is not None
    assert sample.values["outputs"] == outputs
    reader.close()
    os.close(folder)
