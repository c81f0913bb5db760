"""What the server makes of the stream monitor's lines: sums that outlive it, errors that begin and end, views."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from srt_router.supervision.stream_errors import QUIET_S, ErrorEpisodes, StreamErrorsBegan, StreamErrorsEnded
from srt_router.supervision.stream_results import KINDS, ResultsFile, StreamResults
from srt_router.supervision.stream_views import StreamItem, StreamLeg, StreamState, item, summary
from srt_router.transport_stream.indicators import Kind

BUS = "239.255.1.2:20001"
WANTED = {BUS: None}


def line(since: int = 1, errors: int = 0, state: str = "ok", **more: object) -> dict[str, Any]:
    return {
        "bus": BUS, "since": since, "at": 1000, "state": state, "format": "ts188", "bitrate": 6_000_000,
        "nullRatio": 0.25, "packets": 4000, "continuityErrors": errors, "transportErrors": 1, "crcErrors": 2,
        "tr101290": {
            kind: (errors, 990, False) if kind == "continuityCountError" and errors else (0, None, False)
            for kind in KINDS
        },
        "pids": [(256, 3000, 5_000_000, errors, 0, 40.0, 1.5), (8191, 1000, 1_000_000, 0, 0, None, None)],
        "pidsOmitted": 0, "sampled": False, "coverage": 1.0, "missed": 0,
    } | more  # fmt: skip


def taken(*lines: dict[str, Any]) -> StreamResults:
    results = StreamResults()
    results.take([{**each, "tr101290": _as_read(each)} for each in lines], WANTED, 500)
    return results


def _as_read(each: dict[str, Any]) -> object:
    found = each.get("tr101290")
    return {kind: list(told) for kind, told in found.items()} if isinstance(found, dict) else found


SERVICES = {
    "bus": BUS,
    "services": [
        {"number": 1, "name": None, "provider": None, "pmtPid": 4096, "pcrPid": 256,
         "streams": [[256, "video", "h264", None], [257, "audio", "mp2", "fra"], [258, "data", "scte_35", None]]},
        {"number": 2, "name": "Paris", "provider": "A", "pmtPid": 4097, "pcrPid": None, "streams": []},
    ],
    "transportStreamId": 7,
}  # fmt: skip


def test_both_sides_know_the_same_kinds() -> None:
    assert tuple(Kind) == KINDS


def test_sums_go_on_when_the_monitor_starts_anew() -> None:
    results = taken(line(1, 3), line(1, 5), line(2, 1), line(2, 2))
    result = results.buses[BUS]
    assert result.total.continuity_errors == 7
    assert result.total.packets == 8000
    assert result.total.kinds[KINDS.index("continuityCountError")] == 7
    assert {pid: found.continuity_errors for pid, found in result.pids().items()} == {256: 7, 8191: 0}


def test_a_reset_counts_anew_and_forgets_nothing() -> None:
    results = taken(line(1, 5))
    result = results.buses[BUS]
    result.reset(800)
    results.take([line(1, 6)], WANTED, 900)
    assert (result.total.continuity_errors, result.since_reset.continuity_errors) == (6, 1)
    view = item(StreamLeg.SOURCE, result, (), fresh=True)
    assert (view.continuity_errors, view.since_reset.continuity_errors, view.since_reset.at) == (6, 1, 800)


def test_a_bus_that_is_gone_is_forgotten() -> None:
    results = taken(line(1, 5))
    assert results.take([line(1, 6)], {}, 600) == set()
    assert results.buses == {}


def test_signs_of_life() -> None:
    results = StreamResults()
    results.take([line()], WANTED, 1)
    assert not results.alive
    results.take([{"at": 1, "cpu": 0.1, "every": 3}], WANTED, 1)
    assert (results.alive, results.every) == (True, 3)
    results.take([], WANTED, 1)
    assert not results.alive


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"bus": 7}, {"bus": BUS}, {"bus": BUS, "state": "ok"}, {"bus": BUS, "services": []},
        {"bus": BUS, "probe": {}}, {"bus": BUS, "state": "ok", "tr101290": {"syncLoss": [1]}, "packets": "many"},
    ],
)  # fmt: skip
def test_odd_lines_do_no_harm(odd: dict[str, Any]) -> None:
    results = taken(odd, line(1, 2))
    assert results.buses[BUS].total.continuity_errors == 2


# Views


def test_everything_about_a_stream() -> None:
    probe = {"at": 900, "streams": [{"pid": 256, "kind": "video", "codec": "h264", "width": 1280, "frameRate": 25}]}
    results = taken(line(1, 3), SERVICES, {"bus": BUS, "probe": probe})
    view = item(StreamLeg.SOURCE, results.buses[BUS], {"continuityCountError"}, fresh=True)
    assert TypeAdapter(StreamItem).dump_python(view, by_alias=True)["tr101290"]["syncLoss"] == {
        "count": 0, "lastAt": None, "active": False,
    }  # fmt: skip
    assert (view.state, view.bitrate, view.null_ratio, view.since) == (StreamState.ERRORS, 6_000_000, 0.25, 1)
    assert (view.tr101290.continuity_count_error.count, view.tr101290.continuity_count_error.active) == (3, True)
    assert [(one.pid, one.codec, one.pcr and one.pcr.interval_ms) for one in view.pids] == [
        (256, "h264", 40.0), (8191, "null", None),
    ]  # fmt: skip
    assert [(one.name, len(one.streams)) for one in view.services] == [(None, 3), ("Paris", 0)]
    assert view.probe is not None
    assert (view.probe.streams[0].width, view.probe.streams[0].height) == (1280, None)
    short = summary(results.buses[BUS], {"continuityCountError"}, fresh=True)
    assert (short.service, short.codecs, short.errors) == ("Paris", ["h264", "mp2"], ["continuityCountError"])


def test_what_nobody_looked_at_is_unknown() -> None:
    nothing = item(StreamLeg.TRANSCODE, None, (), fresh=True)
    assert (nothing.state, nothing.bitrate, nothing.at, nothing.since) == (StreamState.UNKNOWN, None, None, None)
    stale = item(StreamLeg.SOURCE, taken(line(1, 3)).buses[BUS], (), fresh=False)
    assert (stale.state, stale.bitrate, stale.continuity_errors) == (StreamState.UNKNOWN, None, 3)


@pytest.mark.parametrize(
    ("told", "errors", "state"),
    [
        ("ok", (), "ok"), ("errors", (), "ok"), ("ok", ("patError",), "errors"), ("silent", ("patError",), "silent"),
        ("noSync", ("syncLoss",), "noSync"), ("unknown", (), "unknown"),
    ],
)  # fmt: skip
def test_states(told: str, errors: tuple[str, ...], state: str) -> None:
    assert item(StreamLeg.SOURCE, taken(line(state=told)).buses[BUS], errors, fresh=True).state == state


# Errors begin and end


def test_errors_are_told_when_they_begin_and_when_they_have_ended() -> None:
    episodes = ErrorEpisodes("route_1", "source")
    kind = "continuityCountError"
    assert episodes.look({kind: (0, False)}, 0.0) == []
    assert episodes.look({kind: (3, True)}, 1.0) == [StreamErrorsBegan("route_1", "source", kind)]
    assert episodes.look({kind: (9, True)}, 2.0) == []
    assert episodes.active == {kind}
    assert episodes.look({kind: (9, False)}, 2.0 + QUIET_S - 0.1) == []
    assert episodes.look({kind: (9, False)}, 2.0 + QUIET_S) == [StreamErrorsEnded("route_1", "source", kind, 9, 1.0)]
    assert episodes.active == frozenset()
    assert episodes.look({kind: (10, False)}, 30.0) == [StreamErrorsBegan("route_1", "source", kind)]
    assert episodes.close() == [StreamErrorsEnded("route_1", "source", kind, 1, 0.0)]


def test_an_error_that_lasts_does_not_end() -> None:
    episodes = ErrorEpisodes("route_1", "source")
    told = [one for second in range(100) for one in episodes.look({"patError": (1, second < 50)}, float(second))]
    assert told == [
        StreamErrorsBegan("route_1", "source", "patError"),
        StreamErrorsEnded("route_1", "source", "patError", 1, 49.0),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0.1, 20)), max_size=50))
def test_every_beginning_has_one_end(seconds: list[tuple[int, bool, float]]) -> None:
    episodes, count, now, told = ErrorEpisodes("route_1", "source"), 0, 0.0, []
    for more, present, step in seconds:
        count, now = count + more, now + step
        told += episodes.look({"patError": (count, present)}, now)
    told += episodes.close()
    kinds = [type(one) for one in told]
    assert kinds == [StreamErrorsBegan, StreamErrorsEnded] * (len(kinds) // 2)
    assert sum(one.count for one in told if isinstance(one, StreamErrorsEnded)) == count


# The file


def test_a_file_is_read_as_it_grows_and_emptied_when_it_is_large(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        file = ResultsFile("lines", folder)
        with pytest.raises(FileNotFoundError):
            file.read()
        path.write_bytes(b'{"a": 1}\n{"b"')
        assert file.read() == [{"a": 1}]
        assert file.read() == []
        with path.open("ab") as out:
            out.write(b': 2}\nnonsense\n\xff\xfe\n[1]\n\n{"c": 3}\n' + b"[" * 100_000 + b"\n")
        assert file.read() == [{"b": 2}, {"c": 3}]
        with path.open("ab") as out:
            out.write(b'{"d": "%s"}\n' % (b"x" * 5_000_000))
        assert [set(one) for one in file.read()] == [{"d"}]
        assert path.stat().st_size == 0
        with path.open("ab") as out:
            out.write(b'{"e": 5}\n')
        assert file.read() == [{"e": 5}]
    finally:
        os.close(folder)
