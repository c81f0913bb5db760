"""The numbers of routes on a real server, against what sender, receiver and relay counted themselves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_live import kind, live, told
from tests.harness.server import Json, Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.lossy_relay import LossyRelay
from tests.media.pacing import bursts
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender, UdpSender
from tests.media.srt_url import SrtUrl

SECONDS = 16


@pytest.fixture(scope="module")
def stream() -> Path:
    return make(HD_6_MBPS, SECONDS)


def url(port: int, latency_ms: int = 120) -> SrtUrl:
    return SrtUrl(host="127.0.0.1", port=port, mode="caller", latency_ms=latency_ms)


def stats(server: Server, route_id: str = "route_1") -> Json:
    answer = server.api.get(f"/api/routes/{route_id}/stats")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def leg(server: Server, name: str, route_id: str = "route_1") -> Json:
    (found,) = [one for one in stats(server, route_id)["items"] if one["leg"] == name]
    return dict(found)


def until_leg(server: Server, name: str, fits: Callable[[Json], object], timeout_s: float = 20) -> Json:
    def look() -> Json | None:
        found = leg(server, name)
        return found if fits(found) else None

    found = until(look, timeout_s, f"{name} to fit")
    assert found is not None
    return found


def history(server: Server, **query: Any) -> Json:
    answer = server.api.get("/api/routes/route_1/history", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def moment(file: Path) -> Callable[[int], float]:
    """When the sender sends a byte of the file, in seconds since its start."""
    data = file.read_bytes()
    cuts = [(burst.start, burst.at_s) for burst in bursts(data)]

    def at(position: int) -> float:
        return max(at_s for start, at_s in cuts if start <= position)

    return at


def test_the_bitrate_is_that_of_the_stream(tmp_path: Path, stream: Path) -> None:
    """Over a window of reports: what the stream has between two of its bytes, by its own clock."""
    with Server(tmp_path, [route(1, listener(4000, latency=1000), listener(4001, latency=1000), udp(5001))]) as server:
        until_leg(server, "source", lambda one: one["connection"] == "waiting" and one["bitrate"] == 0)
        seen: dict[str, dict[float, Json]] = {"source": {}, "destination:0": {}}
        with SrtReceiver(url(4001), tmp_path / "out.ts") as receiver, ExitStack() as later:
            receiver.wait_connected()
            sender = later.enter_context(SrtSender(stream, url(4000)))
            while not sender.all_events("sent"):
                for one in stats(server)["items"]:
                    if one["leg"] in seen and one["srt"] and one["bitrate"]:
                        seen[one["leg"]][one["srt"]["msTimeStamp"]] = one
                time.sleep(0.1)
            sender.wait_end()
        at = moment(stream)
        for name, reports in seen.items():
            samples = [reports[stamp] for stamp in sorted(reports)]
            assert len(samples) > SECONDS / 2, name
            first, last = samples[0], samples[-1]
            known = (last["bytes"] - first["bytes"]) * 8 / 1000 / (at(last["bytes"]) - at(first["bytes"]))
            elapsed_ms = last["srt"]["msTimeStamp"] - first["srt"]["msTimeStamp"]
            moved = sum(
                one["bitrate"] * (one["srt"]["msTimeStamp"] - before["srt"]["msTimeStamp"])
                for before, one in pairwise(samples)
            )
            assert moved / elapsed_ms == pytest.approx(known, rel=0.02), name
        size = stream.stat().st_size
        for name in ("source", "destination:0"):  # but the last 99 packets
            counted = until_leg(server, name, lambda one: one["bytes"] >= size * 0.98)
            assert (counted["bytes"] <= size, counted["lost"]) == (True, 0)
        assert until_leg(server, "destination:1", lambda one: one["bytes"] == size)["packets"] == -(-size // 1316)
        nothing = until_leg(server, "source", lambda one: one["connection"] == "waiting" and one["bitrate"] == 0)
        assert (nothing["msRTT"], nothing["latency"], nothing["peer"]) == (None, None, None)


@pytest.mark.long
def test_loss_and_retransmission_are_those_of_sender_and_receiver(tmp_path: Path, stream: Path) -> None:
    settings = {"WARN_LOSS_PERCENT": "0.5"}
    with (
        Server(tmp_path, [route(1, listener(4000), listener(4001))], **settings) as server,
        LossyRelay(4100, 4000, every=100) as before,
        LossyRelay(4101, 4001, every=100) as behind,
    ):
        until_leg(server, "destination:0", lambda one: one["connection"] == "waiting")
        with (
            SrtReceiver(url(4101), tmp_path / "out.ts") as receiver,
            SrtSender(stream, url(4100)) as sender,
        ):
            sender.wait_connected()
            raised = until(lambda: server.route("route_1")["warnings"], 30, "a warning")
            assert {one["metric"] for one in raised} == {"lossPercent"}
            share = leg(server, "source")["lossPercent"]
            truth: Any = sender.wait_event("flushed", SECONDS + 10)["counters"]
            source = until_leg(
                server, "source", lambda one: one["packets"] > truth["sent"] - truth["retransmitted"] - 120
            )
            out = leg(server, "destination:0")
            sender.wait_end()
            until_leg(server, "destination:0", lambda one: one["bitrate"] == 0)
            received: Any = receiver.stop()["counters"]
        assert share == pytest.approx(1.0, rel=0.3)
        assert before.lost > 50
        assert abs(source["lost"] - before.lost) <= 2  # the last report may be 99 packets old
        assert abs(source["lost"] - truth["lost_sending"]) <= 2 + truth["retransmitted"] - before.lost
        assert abs(source["retransmitted"] - truth["retransmitted"]) <= 2
        assert source["dropped"] == truth["dropped_sending"] == 0
        assert abs(out["lost"] - behind.lost) <= 2 + behind.sent_again - behind.lost
        assert abs(out["lost"] - received["lost_receiving"]) <= 2 + behind.sent_again - behind.lost
        assert abs(out["retransmitted"] - behind.sent_again) <= 2
        kinds = [one["kind"] for one in server.api.get("/api/events").json()["items"]]
        assert "warningRaised" in kinds
        assert "routeRestarting" not in kinds


def test_counters_since_the_reset(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001))]) as server:
        until_leg(server, "source", lambda one: one["connection"] == "waiting")
        with SrtSender(stream, url(4000)) as sender:
            sender.wait_connected()
            before = until_leg(server, "source", lambda one: (one["packets"] or 0) > 1000)
            assert stats(server)["resetAt"] is None
            answer = server.post("/api/routes/route_1/stats/reset")
            assert answer.status_code == 200
            at = answer.json()["resetAt"]
            assert abs(at - time.time() * 1000) < 5000
            assert [one["packets"] for one in answer.json()["items"]] == [0, 0]
            after = until_leg(server, "source", lambda one: one["packets"] > 0)
            assert after["sinceRouteStart"]["packets"] == after["sinceProcessStart"]["packets"] > before["packets"]
            assert after["packets"] < before["packets"]
            assert stats(server)["resetAt"] == at
        assert server.post("/api/routes/route_9/stats/reset").status_code == 404
        (told_of,) = server.api.get("/api/events", params={"kind": "operatorAction"}).json()["items"]
        assert told_of["data"]["action"] == "statistics.reset"


def test_what_cannot_be_known_is_null(tmp_path: Path, stream: Path) -> None:
    ends = (udp(5001), listener(4001, latency=200), caller(4002), {**listener(4003), "enabled": False})
    with Server(tmp_path, [route(1, listener(4000), *ends), route(2, listener(4010), autoStart=False)]) as server:
        until_leg(server, "destination:2", lambda one: one["connection"] == "waiting")
        off = leg(server, "source", "route_2")
        assert {key for key, value in off.items() if value is not None} == {"leg", "connection", "latencyWanted"}
        with (
            SrtReceiver(url(4001, latency_ms=350), tmp_path / "out.ts"),
            SrtReceiver(SrtUrl(host="127.0.0.1", port=4002, mode="listener"), tmp_path / "called.ts"),
            SrtSender(stream, url(4000, latency_ms=250)) as sender,
        ):
            sender.wait_connected()
            source = until_leg(server, "source", lambda one: one["msRTT"] and one["bitrate"])
            assert (source["latency"], source["latencyWanted"]) == (250, 120)
            assert source["peer"].startswith("127.0.0.1:")
            assert source["peerVersion"].startswith("1.")
            assert source["busDrops"] is None  # it reads no bus
            answered = until_leg(server, "destination:1", lambda one: one["msRTT"])
            assert (answered["latency"], answered["latencyWanted"]) == (350, 200)
            assert answered["belated"] is None
            assert answered["busDrops"] == 0
            called = until_leg(server, "destination:2", lambda one: one["msRTT"])
            assert called["latency"] is None  # its peer tells nobody what it wants
            out = until_leg(server, "destination:0", lambda one: one["bitrate"])
            unknown = ("lost", "retransmitted", "belated", "lossPercent", "msRTT", "latency", "reconnects", "peer")
            assert [out[key] for key in unknown] == [None] * len(unknown)
            assert (out["connection"], out["dropped"]) == ("unknown", 0)
            disabled = leg(server, "destination:3")
            assert (disabled["process"], disabled["bitrate"], disabled["packets"]) == (None, None, None)
            used = until_leg(server, "source", lambda one: one["memoryBytes"])
            assert used["cpuPercent"] is not None
            assert {one["type"] for one in stats(server)["processes"] if one["memoryBytes"]} >= {"srt", "srtOut:4001"}


@pytest.mark.long
def test_a_udp_source_is_counted_and_falls_to_zero(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, udp(5000), listener(4001))]) as server:
        silent = until_leg(server, "source", lambda one: one["connection"] == "waiting" and one["bitrate"] == 0)
        assert (silent["packets"], silent["lost"], silent["connection"]) == (0, None, "waiting")
        with UdpSender(stream, "127.0.0.1", 5000) as sender:
            flowing = until_leg(server, "source", lambda one: one["bitrate"])
            assert (flowing["connection"], flowing["reconnects"]) == ("connected", 0)
            sender.wait_end(SECONDS + 10)
        until_leg(server, "source", lambda one: one["bitrate"] == 0 and one["bytes"] == stream.stat().st_size)


def test_a_reader_that_stands_still_drops_datagrams_of_its_bus(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001), listener(4002))]) as server:
        until_leg(server, "destination:1", lambda one: one["busDrops"] == 0)
        pid = server.processes("route_1")["srtOut:4001"]["pid"]
        with SrtSender(stream, url(4000)) as sender:
            sender.wait_connected()
            os.kill(pid, signal.SIGSTOP)
            try:
                dropped = until_leg(server, "destination:0", lambda one: one["busDrops"], SECONDS)
                assert dropped["busDrops"] > 0
                warned = until(lambda: server.route("route_1")["warnings"], 10, "a warning")
            finally:
                os.kill(pid, signal.SIGCONT)
            assert [(one["leg"], one["metric"]) for one in warned] == [("destination:0", "busDrops")]
            assert leg(server, "destination:1")["busDrops"] == 0  # on the same bus


def test_the_history_of_a_leg(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001))]) as server:
        until_leg(server, "source", lambda one: one["connection"] == "waiting")
        with SrtSender(stream, url(4000)) as sender:
            sender.wait_connected()
            until_leg(server, "source", lambda one: (one["packets"] or 0) > 2000)
        now = int(time.time() * 1000)
        span = {"from": now - 30_000, "to": now, "resolution": 1}
        found = history(server, leg="destination:0", metrics="bitrate,packets,lost", **span)
        assert set(found["values"]) == {"bitrate", "packets", "lost"}
        assert all(len(column) == len(found["t"]) for column in found["values"].values())
        assert {b - a for a, b in pairwise(found["t"])} == {1000}
        flowing = [value for value in found["values"]["bitrate"] if value]
        assert statistics.median(flowing) == pytest.approx(6100, rel=0.5)  # one second may have some of another's
        assert found["values"]["lost"] == [None] * len(found["t"])
        assert found["values"]["packets"][0] is None  # the server was not there yet: a gap
        coarse = history(server, metrics="all", resolution="10")
        assert sum(value or 0 for value in coarse["values"]["packets"]) > 2000
        server.stop()
        server.start()
        kept = history(server, metrics="packets", resolution="10")
        assert sum(value or 0 for value in kept["values"]["packets"]) > 2000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"metrics": "bitrate,beauty"}, "query.metrics"),
        ({"leg": "destination:7"}, "query.leg"),
        ({"leg": "sauce"}, "query.leg"),
        ({"from": 2000, "to": 1000}, "query.from"),
        ({"from": 0, "to": 1_800_000_000_000, "resolution": "10"}, "query.resolution"),
        ({"resolution": "7"}, "query.resolution"),
        ({"till": 1}, "query.till"),
    ],
)
def test_a_bad_question_names_its_field(server: Server, query: Json, field: str) -> None:
    answer = server.api.get("/api/routes/route_1/history", params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Server(tmp_path_factory.mktemp("server"), [route(1, listener(4900))]) as found:
        yield found


async def test_who_follows_sees_numbers_at_once_and_every_second(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001)), route(2, listener(4010))]) as server:
        await asyncio.to_thread(until_leg, server, "source", lambda one: one["connection"] == "waiting")
        with SrtSender(stream, url(4000)) as sender:
            await asyncio.to_thread(sender.wait_connected)
            await asyncio.to_thread(until_leg, server, "source", lambda one: one["bitrate"])
            async with live(server) as client:
                first = json.loads(await client.recv())
                assert set(first["stats"]) == {"route_1", "route_2"}
                source, out = first["stats"]["route_1"]
                assert (source["leg"], out["leg"]) == ("source", "destination:0")
                assert source["bitrate"] > 0
                assert "lost" not in out  # not known
                assert first["stats"]["route_2"][0]["bitrate"] == 0
                shape = set(leg(server, "source"))
                for _ in range(2):
                    message = await told(client, kind("stats"))
                    assert set(message["routes"]["route_1"][0]) <= shape
