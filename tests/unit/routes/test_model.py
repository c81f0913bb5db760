from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from srt_router.routes.errors import RouteInvalid
from srt_router.routes.fields import MASK
from srt_router.routes.model import Route, RouteInput, new_route_id
from srt_router.routes.parsing import field_errors, parse_route, parse_route_input
from tests.unit.routes.examples import CONTRACT, Json, caller, listener, route, route_json, udp


def errors_of(data: object) -> dict[str, str]:
    with pytest.raises(RouteInvalid) as caught:
        parse_route(data)
    return {error.field: error.message for error in caught.value.errors}


def source_errors(source: Json) -> dict[str, str]:
    return errors_of(route_json(source=source))


def destination_errors(destination: Json) -> dict[str, str]:
    return errors_of(route_json(destination))


def test_the_contract_goes_through_unchanged() -> None:
    example = json.loads(CONTRACT)["routes"][0]
    assert json.dumps(parse_route(example).to_json()) == json.dumps(example)


def test_only_what_differs_from_the_default_is_written() -> None:
    data = route_json(
        {**listener(6000), "enabled": True, "pbkeylen": 0, "host": None},
        {**udp(), "enabled": False, "name": "Tower"},
        testSource=False,
        tags=[],
    )
    written = parse_route(data).to_json()
    assert "testSource" not in written
    assert "tags" not in written
    assert written["destinations"] == [listener(6000), {**udp(), "name": "Tower", "enabled": False}]
    assert parse_route(written) == parse_route(data)


def test_required_fields_are_written_even_if_nobody_gave_them() -> None:
    made = Route.of("route_7", parse_route_input({"name": "A", "source": listener()}))
    assert list(made.to_json()) == ["id", "name", "autoStart", "source", "transcode", "destinations"]
    assert made.id == "route_7"


def test_all_options_go_through() -> None:
    source = listener(
        rcvlatency=1, peerlatency=2, passphrase="0123456789", pbkeylen=32, kmrefreshrate=1000,
        kmpreannounce=400, enforcedencryption=False, maxbw=-1, inputbw=0, mininputbw=5, oheadbw=50, mss=1400,
        fc=60000, sndbuf=9000000, rcvbuf=9000001, payloadsize=1316, ttl=5, tos=184, bindtodevice="eth0",
        ipv6only=0, conntimeo=4000, peeridletimeo=6000, linger=1, lossmaxttl=3, tlpktdrop=True,
        snddropdelay=-1, nakreport=False, drifttracer=True, retransmitalgo=0, congestion="live",
        packetfilter="fec,cols:10,rows:5,layout:staircase,arq:onreq", messageapi=True, minversion="1.3.0",
        adapter="192.0.2.1",
    )  # fmt: skip
    assert route(source=source).to_json()["source"] == source


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"port": 0}, "port", "must be between 1 and 65535"),
        ({"port": 65536}, "port", "must be between 1 and 65535"),
        ({"port": 443}, "port", "must be between 1024 and 65535: srt-live-transmit refuses lower ports"),
        ({"port": "4082"}, "port", "must be a whole number, not text: write it without quotes"),
        ({"port": True}, "port", "must be a whole number, not true or false"),
        ({"port": 4082.0}, "port", "must be a whole number"),
        ({"passphrse": "0123456789"}, "passphrse", "is not a known field; did you mean 'passphrase'?"),
        ({"qqqqqq": 1}, "qqqqqq", "is not a known field"),
        ({"autoStart": True}, "autoStart", "is not a known field here; it belongs in the route itself"),
        ({"passphrase": "short"}, "passphrase", "must have 10 to 79 characters"),
        ({"passphrase": "x" * 80}, "passphrase", "must have 10 to 79 characters"),
        ({"passphrase": 1234567890}, "passphrase", "must be text"),
        ({"passphrase": "tom&jerry-2024"}, "passphrase", "an ampersand"),
        ({"passphrase": "tom and jerry"}, "passphrase", "a space"),
        ({"passphrase": "tom\njerry-2024"}, "passphrase", "a control character (U+000A)"),
        ({"passphrase": "tom\0jerry-2024"}, "passphrase", "a control character (U+0000)"),
        ({"passphrase": "tömundjerry"}, "passphrase", "a character outside ASCII"),
        ({"passphrase": MASK}, "passphrase", "is the mask"),
        ({"streamId": "a&b"}, "streamId", "an ampersand"),
        ({"streamId": "x" * 513}, "streamId", "must have 1 to 512 characters"),
        ({"mode": "server"}, "mode", "must be 'listener', 'caller' or 'rendezvous'"),
        ({"mode": "caller"}, "host", "is required for a caller"),
        ({"mode": "rendezvous"}, "host", "is required for a rendezvous"),
        ({"host": "192.0.2.1"}, "host", "must not be given for a listener"),
        ({"localPort": 5000}, "localPort", "must not be given for a listener"),
        ({"latency": -1}, "latency", "must be between 0 and 60000 ms"),
        ({"latency": None}, "latency", "must be a whole number"),
        ({"adapter": "eth0"}, "adapter", "must be an IPv4 or IPv6 address of this machine"),
        ({"adapter": "239.1.1.1"}, "adapter", "must be the address of a network interface"),
        ({"pbkeylen": 16}, "pbkeylen", "needs a passphrase"),
        ({"pbkeylen": 17}, "pbkeylen", "must be 0 (as the peer says), 16, 24 or 32 bytes"),
        (
            {"passphrase": "0123456789", "kmrefreshrate": 100, "kmpreannounce": 50},
            "kmpreannounce",
            "must be at most (kmrefreshrate - 1) / 2, here 49",
        ),
        ({"fc": 32, "rcvbuf": 1_000_000}, "rcvbuf", "must be at most fc packets, here 47104 bytes"),
        ({"payloadsize": 188}, "payloadsize", "must be between 1316 and 1456 bytes"),
        ({"congestion": "file"}, "congestion", 'must be "live"'),
        ({"messageapi": False}, "messageapi", "must be true"),
        ({"packetfilter": "fec,cols:1"}, "packetfilter", "has a wrong value for cols"),
        ({"packetfilter": "fec,colls:9"}, "packetfilter", "has an unknown parameter"),
        ({"packetfilter": "rot13"}, "packetfilter", 'must be "fec"'),
        ({"minversion": "1.3"}, "minversion", "must be a version"),
        ({"bindtodevice": "-eth0"}, "bindtodevice", "must be the name of a network interface"),
        ({"tlpktdrop": 1}, "tlpktdrop", "must be true or false"),
        ({"type": "rtp"}, "type", "must be 'srt' or 'udp'"),
    ],
)
def test_bad_srt_sources(change: Json, field: str, message: str) -> None:
    found = source_errors({**listener(), **change})
    assert list(found) == [f"source.{field}"]
    assert message in found[f"source.{field}"]


@pytest.mark.parametrize(
    "host",
    ["-v", "a b", "a_b", "a/b", "user@host", "[::1]", "host:80", "", "x" * 64, "1.2.3", "300.1.1.1", "a..b",
     "0x7f000001", "fe80::1%eth0", "0.0.0.0", "::", "239.1.1.1", "ff02::1", "255.255.255.255", "a&b", "ä.de"],
)  # fmt: skip
def test_bad_srt_hosts(host: str) -> None:
    assert list(destination_errors(caller(host))) == ["destinations[0].host"]


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "ingest.example.net", "a-1", "localhost"])
def test_good_srt_hosts(host: str) -> None:
    assert route(caller(host)).to_json()["destinations"] == [caller(host)]


def test_adapter_and_host_are_of_one_ip_version() -> None:
    found = destination_errors(caller("2001:db8::1", adapter="192.0.2.1"))
    assert found == {"destinations[0].adapter": "must be of the same IP version as 'host'"}


@pytest.mark.parametrize(
    ("end", "field", "message"),
    [
        (udp("0.0.0.0"), "host", "0.0.0.0 is nobody"),
        (udp("tower.example.net"), "host", "must be an IPv4 address, not a name"),
        (udp("ff15::1"), "host", "UDP over IPv6 is not supported"),
        (udp("224.0.0.5"), "host", "kept for routing protocols"),
        (udp("240.0.0.1"), "host", "reserved"),
        (udp("255.255.255.255"), "host", "broadcast"),
        (udp("239.255.3.4", 20500), "host", "the router's own buses"),
        (udp(None), "host", "is required"),
        (udp(port=0), "port", "must be between 1 and 65535"),
        (udp(ttl=0), "ttl", "must be between 1 and 255"),
        (udp(tos=256), "tos", "must be between 0 and 255"),
        (udp(interface="much-too-long-a-name"), "interface", "at most 15"),
        (udp(interface="300.1.1.1"), "interface", "looks like an IPv4 address"),
        (udp(interface="::1"), "interface", "must be an IPv4 address or the name"),
        (udp(name="a\nb"), "name", "a control character (U+000A)"),
        (udp(enabled="yes"), "enabled", "must be true or false"),
        (udp(sourceAddress="192.0.2.9"), "sourceAddress", "is not a known field"),
    ],
)
def test_bad_udp_destinations(end: Json, field: str, message: str) -> None:
    found = destination_errors(end)
    assert list(found) == [f"destinations[0].{field}"]
    assert message in found[f"destinations[0].{field}"]


@pytest.mark.parametrize(
    ("end", "field", "message"),
    [
        (udp("192.0.2.1", sourceAddress="192.0.2.9"), "sourceAddress", "needs a multicast group"),
        (udp(None, sourceAddress="192.0.2.9"), "sourceAddress", "needs a multicast group"),
        (udp(sourceAddress="239.1.1.1"), "sourceAddress", "one machine"),
        (udp("255.255.255.255"), "host", "broadcast"),
        (udp("224.0.0.1"), "host", "kept for routing protocols"),
        (udp("239.255.3.4", 20500), "host", "the router's own buses"),
        (udp(rcvbuf=1), "rcvbuf", "must be between"),
    ],
)
def test_bad_udp_sources(end: Json, field: str, message: str) -> None:
    found = source_errors(end)
    assert list(found) == [f"source.{field}"]
    assert message in found[f"source.{field}"]


def test_a_group_of_the_bus_network_with_another_port_is_free_to_use() -> None:
    assert route(udp("239.255.3.4", 5000))


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"id": "route_x"}, "id", "must be 'route_' and 1 to 20 digits"),
        ({"id": "../route_1"}, "id", "must be 'route_' and 1 to 20 digits"),
        ({"id": "route_1\n"}, "id", "must be 'route_' and 1 to 20 digits"),
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "x" * 101}, "name", "at most 100 characters"),
        ({"name": "a\x1bb"}, "name", "a control character (U+001B)"),
        ({"name": "a\ud800b"}, "name", "a control character (U+D800)"),
        ({"autoStart": 1}, "autoStart", "must be true or false"),
        ({"auto_start": True}, "auto_start", "is not a known field"),
        ({"transcode": "h264"}, "transcode", "must be an object"),
        ({"destinations": {}}, "destinations", "must be a list"),
        ({"destinations": [udp(port=5000 + n) for n in range(65)]}, "destinations", "at most 64 entries"),
        ({"destinations": [1]}, "destinations[0]", "must be an object"),
        ({"destinations": [{}]}, "destinations[0].type", "is required"),
        ({"tags": ["a", 1]}, "tags[1]", "must be text"),
        ({"source": caller(), "testSource": True}, "testSource", "needs a source that is an SRT listener"),
        ({"source": listener(bindtodevice="eth0"), "testSource": True}, "testSource", "bindtodevice"),
    ],
)
def test_bad_routes(change: Json, field: str, message: str) -> None:
    found = errors_of({**route_json(), **change})
    assert list(found) == [field]
    assert message in found[field]


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_what_is_no_object_is_no_route(data: object) -> None:
    assert errors_of(data) == {"": "must be an object"}


def test_all_errors_are_reported_at_once() -> None:
    data = route_json(caller("-x"), udp(port=0), source=listener(0), name="")
    assert set(errors_of(data)) == {"name", "source.port", "destinations[0].host", "destinations[1].port"}


@pytest.mark.parametrize("bad", ["secret&secret", "s3cr", "secret\n" * 5])
def test_a_passphrase_is_never_in_an_error(bad: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RouteInput.model_validate(route_json(source=listener(passphrase=bad)))
    assert "s3cr" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(field_errors(caught.value))
    with pytest.raises(RouteInvalid) as invalid:
        parse_route(route_json(source=listener(passphrase=bad)))
    assert "secret" not in str(invalid.value)
    assert invalid.value.__cause__ is None


def test_a_passphrase_is_never_in_repr() -> None:
    made = route(caller(passphrase="another-one-42"), source=listener(passphrase="correct-horse-42"))
    assert "horse" not in repr(made)
    assert "another" not in str(made)
    assert "horse" not in made.model_dump_json()
    assert "horse" not in json.dumps(made.to_json(hide_secrets=True))
    assert made.secrets() == {"another-one-42", "correct-horse-42"}


def test_new_ids_are_unique() -> None:
    assert new_route_id({"route_5", "route_6"}, now_ms=5) == "route_7"
    assert parse_route({**route_json(), "id": new_route_id(())})
