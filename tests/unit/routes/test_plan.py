from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest

from srt_router.processes.spec import Leg, Peer, ProcessSpec
from srt_router.routes.engine import Engine, parse_srt_version
from srt_router.routes.model import SrtEndpoint
from srt_router.routes.plan import plan
from srt_router.routes.uri import srt_uri
from tests.unit.routes.examples import BUS, CONTEXT, ENGINE, Json, caller, listener, route, udp

BUS_OUT = "udp://239.255.1.2:20001?adapter=127.0.0.1&ttl=0&mcloop=1"
BUS_IN = "udp://239.255.1.2:20001?adapter=127.0.0.1&rcvbuf=4000000"
OPTIONS = ("-s:100", "-f", "-pf:json", "-ll:note", "-lfa:conn")


def planned(*destinations: Json, source: Json | None = None, test_source: bool = False) -> dict[str, ProcessSpec]:
    specs = plan(route(*destinations, source=source, testSource=test_source), CONTEXT)
    found = {spec.process_type: spec for spec in specs}
    assert len(found) == len(specs)
    return found


def names(specs: list[ProcessSpec]) -> list[str]:
    return [spec.process_type for spec in specs]


def uri_of(end: Json, *, receiving: bool = True, engine: Engine = ENGINE) -> str:
    made = route(source=end).source
    assert isinstance(made, SrtEndpoint)
    return srt_uri(made, engine, receiving=receiving)


def test_an_srt_listener_as_source() -> None:
    source = listener(passphrase="correct-horse-42", streamId="live/paris")
    assert planned(source=source) == {
        "srt": ProcessSpec(
            route_id="route_1",
            process_type="srt",
            argv=(
                "srt-live-transmit", "-a:yes", *OPTIONS,
                "srt://:4082?mode=listener&latency=120&passphrase=correct-horse-42", BUS_OUT,
            ),
            legs=(Leg("source"),),
            peer=Peer.LISTENER,
            feeds=(BUS.group, BUS.port),
        )
    }  # fmt: skip


@pytest.mark.parametrize(("mode", "again"), [("caller", "no"), ("rendezvous", "yes")])
def test_who_calls_runs_without_auto_reconnect(mode: str, again: str) -> None:
    specs = planned({**caller(port=7001), "mode": mode}, source={**caller(), "mode": mode})
    for name, uri in (("srt", "192.0.2.7:7000"), ("srtOut:7001", "192.0.2.7:7001")):
        assert specs[name].argv[1] == f"-a:{again}"
        assert specs[name].peer == Peer(mode)
        assert f"srt://{uri}?mode={mode}&latency=120" in specs[name].argv


def test_an_srt_destination_reads_the_bus() -> None:
    spec = planned(caller(streamId="#!::r=a/b,m=publish"))["srtOut:7000"]
    uri = "srt://192.0.2.7:7000?mode=caller&latency=120&streamid=#!::r=a/b,m=publish"
    assert spec.argv == ("srt-live-transmit", "-a:no", *OPTIONS, BUS_IN, uri)
    assert spec.joins == (BUS.group, BUS.port)
    assert spec.legs == (Leg("destination", 0),)


def test_udp_destinations_share_one_process_and_stand_in_its_file() -> None:
    spec = planned(listener(6000), udp(), udp("192.0.2.9", enabled=False), udp("192.0.2.8", tos=184))["udpDuplicator"]
    path = "/run/x/route_1_udpDuplicator.json"
    source = "udp://239.255.1.2:20001?interface=127.0.0.1&rcvbuf=4000000"
    start = ("/usr/bin/python3", "-I", "-S", "/opt/duplicator.py")
    assert spec.argv == (*start, "--input", source, "--config", path)
    assert spec.joins == (BUS.group, BUS.port)
    assert spec.legs == (Leg("destination", 1), Leg("destination", 3))
    assert spec.config_path == path
    assert json.loads(spec.config or "") == {
        "destinations": [
            {"host": "239.10.0.1", "port": 5000, "ttl": 64, "tos": None, "interface": None},
            {"host": "192.0.2.8", "port": 5000, "ttl": 64, "tos": 184, "interface": None},
        ]
    }


def test_a_changed_udp_destination_restarts_nothing() -> None:
    before, after = (planned(udp(ttl=ttl))["udpDuplicator"] for ttl in (1, 2))
    assert before.spec_hash == after.spec_hash
    assert before.config != after.config


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        (udp(None), "udp://0.0.0.0:5000?rcvbuf=4000000"),
        (udp("192.0.2.1", rcvbuf=8000000), "udp://192.0.2.1:5000?rcvbuf=8000000"),
        (
            udp("232.1.1.1", interface="eth0", sourceAddress="192.0.2.9"),
            "udp://232.1.1.1:5000?interface=eth0&source=192.0.2.9&rcvbuf=4000000",
        ),
    ],
)
def test_a_udp_source_is_taken_onto_the_bus_by_the_duplicator(source: Json, uri: str) -> None:
    specs = planned(listener(6000), udp("192.0.2.8", 5009), source=source)
    assert list(specs) == ["srtOut:6000", "udpDuplicator"]
    spec = specs["udpDuplicator"]
    assert spec.argv[4:8] == ("--input", uri, "--bus", str(BUS))
    assert spec.legs == (Leg("source"), Leg("destination", 1))
    assert spec.joins is None
    alone = planned(source=source)["udpDuplicator"]
    assert alone.spec_hash == spec.spec_hash
    assert json.loads(alone.config or "") == {"destinations": []}


def test_who_reads_the_bus_starts_before_who_feeds_it() -> None:
    made = route(udp(), listener(6000), caller(), testSource=True)
    assert names(plan(made, CONTEXT)) == ["srtOut:6000", "srtOut:7000", "udpDuplicator", "srt", "testSource"]


def test_a_disabled_destination_has_no_process() -> None:
    assert list(planned(listener(6000, enabled=False), udp(enabled=False))) == ["srt"]


def test_a_plan_is_pure() -> None:
    made = route(udp(), listener(6000), caller())
    assert plan(made, CONTEXT) == plan(made, CONTEXT)


TWO = (caller("192.0.2.7"), caller("192.0.2.8"), caller("192.0.2.9"))


def test_destinations_on_one_port_are_told_apart() -> None:
    assert names(plan(route(*TWO), CONTEXT))[:3] == ["srtOut:7000", "srtOut:7000.2", "srtOut:7000.3"]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_what_stays_keeps_its_name(gone: int) -> None:
    running = plan(route(*TWO), CONTEXT)
    left = [end for position, end in enumerate(TWO) if position != gone]
    after = plan(route(*left), CONTEXT, running)
    kept = {spec.process_type: spec.spec_hash for spec in after}
    before = {spec.process_type: spec.spec_hash for spec in running}
    del before[("srtOut:7000", "srtOut:7000.2", "srtOut:7000.3")[gone]]
    assert kept == before
    again = plan(route(*left, caller("192.0.2.10")), CONTEXT, after)
    assert len({spec.process_type for spec in again}) == 4
    assert names(again)[2] == ("srtOut:7000", "srtOut:7000.2", "srtOut:7000.3")[gone]


def test_a_changed_destination_takes_the_free_name() -> None:
    running = plan(route(*TWO), CONTEXT)
    after = plan(route(TWO[0], {**TWO[1], "latency": 900}, TWO[2]), CONTEXT, running)
    assert names(after) == names(running)


def test_what_runs_twice_does_not_give_a_name_twice() -> None:
    running = plan(route(*TWO), CONTEXT)
    alien = replace(running[0], route_id="route_2", process_type="srtOut:7000.9")
    odd = replace(running[0], process_type="srtOut:70001")
    after = plan(route(*TWO[::-1]), CONTEXT, [alien, odd, *running, *running])
    assert names(after)[:3] == ["srtOut:7000.3", "srtOut:7000.2", "srtOut:7000"]


def test_options_have_the_names_of_the_tool() -> None:
    end = caller(
        "2001:db8::1", ttl=5, tos=184, minversion="1.3.0", localPort=5001, tlpktdrop=False, maxbw=0,
        oheadbw=50, passphrase="0123456789", pbkeylen=32, packetfilter="fec,cols:10", conntimeo=4000,
    )  # fmt: skip
    query = uri_of(end).partition("?")[2].split("&")
    assert set(query) == {
        "mode=caller", "latency=120", "ipttl=5", "iptos=184", "minversion=0x010300", "port=5001",
        "adapter=::", "ipv6only=1", "tlpktdrop=0", "maxbw=0", "oheadbw=50", "passphrase=0123456789", "pbkeylen=32",
        "packetfilter=fec,cols:10", "conntimeo=4000",
    }  # fmt: skip
    assert uri_of(end).startswith("srt://[2001:db8::1]:7000?")


def test_every_option_reaches_the_tool() -> None:
    spec = planned(caller(payloadsize=1316, linger=2, congestion="live"))["srtOut:7000"]
    assert "-chunk:1316" in spec.argv
    assert "payloadsize=1316&linger=2&congestion=live" in spec.argv[-1]


def test_a_listener_on_any_ipv6_address_says_whom_it_takes() -> None:
    assert uri_of(listener(adapter="::")).endswith("&adapter=::&ipv6only=0")
    assert uri_of(listener(adapter="::", ipv6only=1)).endswith("&adapter=::&ipv6only=1")
    assert "adapter=::&ipv6only=1" in uri_of({**caller("2001:db8::1"), "mode": "rendezvous"})


SECRET = "50%25#=/?@+'\";$x"


def test_values_are_raw_where_the_tool_takes_them_raw() -> None:
    assert f"passphrase={SECRET}" in uri_of(listener(passphrase=SECRET)).split("&")


def test_values_are_encoded_where_the_tool_decodes() -> None:
    engine = replace(ENGINE, srt_version=(1, 5, 4))
    query = uri_of(listener(passphrase=SECRET), engine=engine).partition("?")[2].split("&")
    values = dict(pair.split("=") for pair in query)
    assert "%25" in values["passphrase"]
    assert unquote(values["passphrase"]) == SECRET


@pytest.mark.parametrize(
    ("end", "receiving", "expected"),
    [
        (listener(latency=673), True, ""),
        (listener(latency=700), True, "&rcvbuf=12"),
        (listener(latency=700), False, "&sndbuf=12"),
        (listener(latency=120, peerlatency=700), False, "&sndbuf=12"),
        (listener(latency=2000), True, "&rcvbuf=35"),
        (listener(latency=60000), True, "&fc=712576&rcvbuf=1048911872"),
        (listener(latency=60000), False, "&fc=712576&sndbuf=1048911872"),
        (listener(latency=60000, fc=30000), True, "&fc=30000&rcvbuf=44160000"),
        (listener(rcvbuf=50_000_000), True, "&fc=33968&rcvbuf=50000000"),
        (listener(rcvbuf=2_000_000, latency=2000), True, "&rcvbuf=2000000"),
    ],
)
def test_buffers_grow_with_latency(end: Json, receiving: bool, expected: str) -> None:
    found = uri_of(end, receiving=receiving).partition("?mode=listener&latency=")[2]
    tail = "&".join(["", *(part for part in found.split("&")[1:] if "latency" not in part)])
    assert tail.startswith(expected) if expected else tail == ""


def test_the_test_source_calls_the_listener() -> None:
    source = listener(latency=200, passphrase="a+b%20c=d#ef", pbkeylen=32)
    spec = planned(source=source, test_source=True)["testSource"]
    assert spec.argv[0] == "ffmpeg"
    assert spec.argv[-1] == "srt://127.0.0.1:4082"
    assert spec.peer is Peer.CALLER
    assert spec.legs == (Leg("testSource"),)
    joined = " ".join(spec.argv)
    assert "-latency 200000 -pkt_size 1316 -passphrase a+b%20c=d#ef -pbkeylen 32" in joined
    assert "text='Feed 1'" in joined


@pytest.mark.parametrize(
    ("adapter", "host"),
    [("0.0.0.0", "127.0.0.1"), ("192.0.2.1", "192.0.2.1"), ("::", "[::1]"), ("2001:db8::1", "[2001:db8::1]")],
)
def test_the_test_source_goes_where_the_listener_is(adapter: str, host: str) -> None:
    spec = planned(source=listener(adapter=adapter), test_source=True)["testSource"]
    assert spec.argv[-1] == f"srt://{host}:4082"


def test_a_name_cannot_reach_into_the_filter() -> None:
    made = route(testSource=True, name="a',drawtext=textfile=/etc/passwd:x=[0];%{pts}\\'")
    spec = plan(made, CONTEXT)[-1]
    picture = spec.argv[spec.argv.index("-i") + 1]
    assert "text='a drawtext textfile /etc/passwd x 0 pts'" in picture
    assert picture.count("drawtext=") == 2


def test_without_a_font_there_is_no_text() -> None:
    context = replace(CONTEXT, engine=replace(ENGINE, clock=False))
    assert "drawtext" not in " ".join(plan(route(testSource=True), context)[-1].argv)


def test_the_version_in_use_counts() -> None:
    text = "Built with SRT Library version: 1.5.4\nSRT Library version: 1.5.1, clock type: GETTIME_MONOTONIC\n"
    assert parse_srt_version(text) == (1, 5, 1)
    with pytest.raises(ValueError, match="did not name a version"):
        parse_srt_version("srt-live-transmit: not found")
