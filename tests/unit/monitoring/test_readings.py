"""What reports say of a leg, in the same words for every tool."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from srt_router.monitoring.readings import (
    SRT_HEADER_BYTES,
    Counts,
    count,
    in_libsrt_names,
    number,
    read_srt,
    read_transcode,
    read_udp_input,
    read_udp_output,
)

REPORT = json.loads(
    '{"sid":813495372,"timepoint":"2026-11-23T03:22:13.388005+0000","time":621,'
    '"window":{"flow":8192,"congestion":8192,"flight":3},"link":{"rtt":0.086,"bandwidth":12.18,"maxBandwidth":1000},'
    '"send":{"packets":9,"packetsUnique":8,"packetsLost":2,"packetsDropped":1,"packetsRetransmitted":1,'
    '"packetsFilterExtra":0,"bytes":12240,"bytesUnique":10880,"bytesDropped":1360,"byteAvailBuf":12288000,"msBuf":4,'
    '"mbitRate":0,"sendPeriod":12},'
    '"recv":{"packets":151,"packetsUnique":150,"packetsLost":5,"packetsDropped":4,"packetsRetransmitted":3,'
    '"packetsBelated":2,"packetsFilterExtra":0,"packetsFilterSupply":0,"packetsFilterLoss":0,"bytes":205360,'
    '"bytesUnique":204000,"bytesLost":6800,"bytesDropped":5440,"byteAvailBuf":12208500,"msBuf":120,'
    '"mbitRate":2.64316,"msTsbPdDelay":300}}'
)
"""A line as srt-live-transmit 1.5.1 writes it, with numbers that can be told apart."""

DUPLICATOR = {
    "time": 1795405555297,
    "monotonic": 13237.756,
    "config": "ff79693b6ce1e4d1",
    "input": {"datagrams": 7384, "bytes": 9717344, "drops": 7, "rcvbuf": 4000000},
    "outputs": [
        {"host": "127.0.0.1", "port": 5001, "datagrams": 7000, "bytes": 9000000, "lost": 3, "error": None},
        {"host": "127.0.0.1", "port": 5002, "datagrams": 1, "bytes": 1316, "lost": 0, "error": None},
    ],
}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*REPORT, *REPORT["recv"]]), inner),
    max_leaves=12,
)
REPORTS = st.dictionaries(st.sampled_from([*REPORT, "input", "outputs", "monotonic", "totalSize", "fps"]), ANYTHING)


def test_a_source_over_srt() -> None:
    found = read_srt(REPORT, receiving=True)
    assert found is not None
    assert found.counts == Counts(150, 204000 - 150 * SRT_HEADER_BYTES, 5, 3, 4, 2)
    assert (found.at_s, found.ms_rtt, found.mbps_bandwidth, found.buffer_ms) == (0.621, 0.086, 12.18, 120)
    assert (found.latency_ms, found.life) == (300, (813495372,))


def test_a_destination_over_srt_knows_nothing_of_belated_packets_nor_of_the_latency() -> None:
    found = read_srt(REPORT, receiving=False)
    assert found is not None
    assert found.counts == Counts(8, 10880 - 8 * SRT_HEADER_BYTES, 2, 1, 1, None)
    assert (found.buffer_ms, found.latency_ms) == (4, None)


def test_a_report_in_libsrts_own_names() -> None:
    received = in_libsrt_names(REPORT, receiving=True)
    assert {"pktRecv": 151, "pktRcvLoss": 5, "pktRcvDrop": 4, "pktRcvRetrans": 3, "pktRcvBelated": 2}.items() <= (
        received.items()
    )
    assert {"msRTT": 0.086, "mbpsBandwidth": 12.18, "msRcvBuf": 120, "pktFlightSize": 3}.items() <= received.items()
    sent = in_libsrt_names(REPORT, receiving=False)
    assert {"pktSent": 9, "pktSndLoss": 2, "pktSndDrop": 1, "pktRetrans": 1, "msSndBuf": 4}.items() <= sent.items()
    assert "pktRecv" not in sent
    assert type(received["pktRecv"]) is int


def test_udp_in_and_out() -> None:
    source = read_udp_input(DUPLICATOR, 7, 1.0)
    assert source is not None
    assert (source.counts, source.at_s) == (Counts(7384, 9717344, None, None, 7, None), 13237.756)
    out = read_udp_output(DUPLICATOR, 7, 1.0, ("127.0.0.1", 5001))
    assert out is not None
    assert out.counts == Counts(7000, 9000000, None, None, 3, None)
    assert read_udp_output(DUPLICATOR, 7, 1.0, ("127.0.0.1", 5003)) is None


def test_a_transcode_counts_bytes_only() -> None:
    found = read_transcode({"totalSize": 1000, "fps": 25.0, "speed": 1.0, "frame": 7}, 7, 5.0)
    assert (found.counts, found.fps, found.speed, found.at_s) == (Counts(bytes=1000), 25.0, 1.0, 5.0)


def test_what_is_missing_is_unknown_and_not_zero() -> None:
    found = read_srt({"time": 5, "recv": {"packetsUnique": 7}}, receiving=True)
    assert found is not None
    assert found.counts == Counts(packets=7)
    assert (found.ms_rtt, found.mbps_bandwidth, found.buffer_ms, found.latency_ms) == (None,) * 4
    assert read_srt({"time": 5}, receiving=True) is None
    assert read_srt({"recv": {}}, receiving=True) is None


def test_numbers_that_are_none() -> None:
    none: list[object] = [True, "7", None, -1, 2**70, math.nan, math.inf, [7], {}]
    assert [number(bad) for bad in none] == [None] * len(none)
    assert [count(bad) for bad in [*none, 7.5]] == [None] * (len(none) + 1)
    assert count(7.0) == 7
    assert number(7) == 7.0


@given(REPORTS, st.booleans())
def test_anything_may_stand_in_a_report(values: dict[str, object], receiving: bool) -> None:
    found = [
        read_srt(values, receiving=receiving),
        read_udp_input(values, 1, 0.0),
        read_udp_output(values, 1, 0.0, ("127.0.0.1", 5001)),
        read_transcode(values, 1, 0.0),
    ]
    for reading in found:
        if reading is not None:
            assert math.isfinite(reading.at_s)
            assert all(value is None or value >= 0 for value in reading.counts)
    assert all(math.isfinite(value) and value >= 0 for value in in_libsrt_names(values, receiving=receiving).values())
