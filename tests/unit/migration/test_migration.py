"""Files of other gateways become routes; what cannot be taken over is told by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srt_router.migration.convert import MOST_BYTES, Migration, Origin, migrated
from srt_router.migration.findings import FileRefused
from srt_router.routes.transfer import ImportMode, imported

SAMPLES = Path(__file__).parent / "samples"
HEADER = "name,source,destination1,destination2,passphrase,latency,tags\n"


def sample(name: str, origin: Origin, **options: Any) -> Migration:
    found = migrated((SAMPLES / name).read_bytes(), origin, **options)
    imported(found.document, (), ImportMode.MERGE)  # the server would take it
    return found


def routes(found: Migration) -> dict[str, dict[str, Any]]:
    return {route["name"]: route for route in found.document["routes"]}


def remarks(found: Migration) -> list[str]:
    return list(map(str, found.remarks))


def refused(text: str | bytes, origin: Origin) -> list[str]:
    with pytest.raises(FileRefused) as info:
        migrated(text.encode() if isinstance(text, str) else text, origin)
    return list(map(str, info.value.errors))


def test_mediamtx() -> None:
    found = sample("mediamtx.yml", Origin.MEDIAMTX, first_port=9999, taken_ports={10001})
    by_name = routes(found)
    assert list(by_name) == ["studio/oslo", "bergen", "multicast", "older_multicast"]
    readers = {"type": "srt", "name": "readers", "mode": "listener"}
    # 10000 is the multicast's own, 10001 is taken
    assert by_name["studio/oslo"] == {
        "name": "studio/oslo",
        "autoStart": False,
        "source": {"type": "srt", "mode": "listener", "port": 9999, "passphrase": "publish-oslo-42"},
        "destinations": [readers | {"port": 10002, "passphrase": "read-oslo-4242"}],
    }
    assert by_name["bergen"]["source"] == {
        "type": "srt",
        "mode": "caller",
        "host": "198.51.100.7",
        "port": 7000,
        "latency": 400,
        "streamId": "read:bergen",
        "passphrase": "bergen-passphrase",
    }
    assert by_name["bergen"]["destinations"] == [readers | {"port": 10003, "passphrase": "read-for-everybody"}]
    assert by_name["multicast"]["source"] == {"type": "udp", "host": "239.10.0.1", "port": 10000, "interface": "eth0"}
    function = "is not taken over: the router has no such function"
    user = "is not taken over: who may publish or read is decided by the passphrase of its port"
    reader = "one SRT reader calls port {} from now on; add a destination for each further one"
    assert remarks(found) == [
        f"line 14, runOnConnect: {function}",
        f"line 7, authInternalUsers.user: {user}",
        f"line 28, paths.studio/oslo.runOnReady: {function}",
        f"line 29, paths.studio/oslo.runOnReadyRestart: {function}",
        f"line 32, paths.bergen.sourceOnDemand: {function}",
        f"line 33, paths.bergen.sourceOnDemandStartTimeout: {function}",
        "line 39, paths.camera.source: the path was left out: the router takes no rtsp source",
        f"line 41, paths.~^live/(.+)$.record: {function}",
        "line 40, paths.~^live/(.+)$: was left out: it stands for any number of paths; make a route for each",
        "line 42, paths.all_others: was left out: it stands for any number of paths; make a route for each",
        "line 25, paths.studio/oslo: the publisher calls port 9999 from now on; no stream id is needed",
        f"line 25, paths.studio/oslo: {reader.format(10002)}",
        f"line 30, paths.bergen: {reader.format(10003)}",
        f"line 34, paths.multicast: {reader.format(10004)}",
        f"line 36, paths.older_multicast: {reader.format(10005)}",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "line 1: the file is empty"),
        ("paths: {a: ", "line 1: is not YAML: "),
        ("a: 1\n\tb: 2", "line 2: is not YAML: "),
        ("srt: yes\n", "line 1, paths: is required: there is nothing to take over"),
        ("- paths", "line 1: must have keys and values"),
        ("paths:\n  a:\n  a:\n", "line 3, paths.a: stands twice"),
        ("paths:\n  a: 5\n", "line 2, paths.a: must have keys and values"),
        ("paths:\n  a:\n    source: srt://h?x=1\n", "line 3, paths.a.source: is not a URI like srt://"),
        ("paths:\n  a:\n    source: srt://h:9?zz=1\n", "line 3, paths.a.source.port: must be between 1024 and 65535"),
        ("paths:\n  a:\n    source: srt://u:p@h:9000\n", "line 3, paths.a.source: names a user before '@'"),
        (
            "paths:\n  a:\n    srtReadPassphrase: short\n",
            "line 3, paths.a.srtReadPassphrase: must have 10 to 79 characters",
        ),
        ("paths: " + "[" * 5000, "line 1: is not YAML"),
        ("paths: &a\n  <<: *a\n", "line 1, paths: is merged ('<<') too deeply"),
    ],
)
def test_mediamtx_refused(text: str, error: str) -> None:
    assert refused(text, Origin.MEDIAMTX)[0].startswith(error)


def test_mediamtx_without_a_port_left() -> None:
    text = b"paths:\n  a:\n  b:\n"
    with pytest.raises(FileRefused, match=r"line 3, paths\.b: no free port is left: choose a lower --first-port"):
        migrated(text, Origin.MEDIAMTX, first_port=65534)


def test_one_sender_alone_is_heard_of_a_group_only() -> None:
    text = "paths:\n  a: {source: 'udp://0.0.0.0:1234?source=192.0.2.5'}\n  b: {source: 'udp://239.1.1.1:1234?source=192.0.2.5'}\n"
    found = migrated(text.encode(), Origin.MEDIAMTX)
    assert routes(found)["a"]["source"] == {"type": "udp", "port": 1234}
    assert routes(found)["b"]["source"]["sourceAddress"] == "192.0.2.5"
    limit = "line 2, paths.a.source.source: is not taken over: only a multicast group can be limited to one sender"
    assert limit in remarks(found)


def test_mediamtx_anchors_are_merged() -> None:
    text = "x: &base\n  srtReadPassphrase: from-the-anchor\npaths:\n  a:\n    <<: *base\n  b: {source: $G1}\n"
    found = migrated(text.encode(), Origin.MEDIAMTX)
    assert routes(found)["a"]["destinations"][0]["passphrase"] == "from-the-anchor"
    assert "line 6, paths.b.source: the path was left out: its source has a variable" in remarks(found)


def test_csv() -> None:
    found = sample("feeds.csv", Origin.CSV, auto_start=True)
    by_name = routes(found)
    assert by_name["Oslo"] == {
        "name": "Oslo",
        "autoStart": True,
        "source": {"type": "srt", "mode": "listener", "port": 4082, "passphrase": "correct-horse-42", "latency": 200},
        "destinations": [
            {"type": "udp", "host": "239.10.0.1", "port": 5000, "ttl": 8},
            {"type": "srt", "mode": "listener", "port": 6000, "latency": 300, "passphrase": "correct-horse-42"},
        ],
        "tags": ["news", "north"],
    }
    assert by_name["Bergen, main"]["source"] == {
        "type": "srt",
        "mode": "caller",
        "host": "198.51.100.7",
        "port": 7000,
        "streamId": "#!::r=bergen",
        "passphrase": "another-horse+7",
    }
    assert by_name["Studio"]["source"] == {"type": "udp", "host": "239.20.0.1", "port": 5004, "interface": "eth1"}
    assert remarks(found) == ["line 1, owner: is not taken over: the router has no such column"]


def test_csv_with_semicolons() -> None:
    route = routes(sample("feeds-semicolon.csv", Origin.CSV))["Oslo"]
    assert [end["host"] for end in route["destinations"]] == ["239.10.0.1", "192.0.2.7", "192.0.2.8"]
    assert route["tags"] == ["news", "north"]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", ["line 1, name: the header has no such column; it needs name and source at least"]),
        ("name,name,source\n", ["line 1, name: there are two columns of this name"]),
        (HEADER + ",srt://:4000,,,,,\n", ["line 2, name: must not be empty"]),
        (HEADER + "a,,,,,,\n", ["line 2, source: is required"]),
        (HEADER + "a,rtmp://h/live,,,,,\n", ["line 2, source: is not a URI like srt://host:4082?mode=caller or "]),
        (HEADER + "a,srt://:4000,,udp://10.0.0.1,,,\n", ["line 2, destination2: is not a URI like udp://"]),
        (HEADER + "a,srt://:4000,,udp://10.0.0.1:0,,,\n", ["line 2, destination2.port: must be between 1 and 65535"]),
        (HEADER + "a,srt://:4000,,,short,,\n", ["line 2, passphrase: must have 10 to 79 characters"]),
        (HEADER + "a,srt://:4000,,,,fast,\n", ["line 2, latency: must be a whole number of milliseconds"]),
        (HEADER + "a,srt://:4000,,,,99999,\n", ["line 2, latency: must be between 0 and 60000 ms"]),
        (HEADER + "a,srt://:4000?latency=1&latency=2,,,,,\n", ["line 2, source.latency: stands twice"]),
        (HEADER + "a,srt://:4000?secret,,,,,\n", ["line 2, source: has a parameter that is not name=value"]),
        (HEADER + "a,srt://:4000?mode=pull,,,,,\n", ["line 2, source.mode: must be "]),
        (HEADER + "a,udp://:5000,udp://10.0.0.1:6,,a-passphrase,,\n", ["line 2, passphrase: this row has no SRT end"]),
        (HEADER + "a,srt://:4000,,,,,,,x\n", ["line 2: has more cells than the header has columns (7)"]),
        (HEADER + 'a,"srt://:4000\n', ["line 2: is not CSV: look at the quotes of this row"]),
        (HEADER + 'a,srt://:4000,"udp://10.0.0.1:6\n",,,,\nb,srt://:4000,,,,,\n', ["line 4, source.port: "]),
        (HEADER + "a,srt://:1,,,,,\n\nb,srt://:2,,,,,\n", ["line 2, source.port: ", "line 4, source.port: "]),
        (HEADER.encode() + b"K\xf8benhavn,srt://:4000,,,,,\n", ["line 2: is not UTF-8 text: save the file as UTF-8"]),
        (b"x" * (MOST_BYTES + 1), ["line 1: the file has more than 4000000 bytes"]),
    ],
)
def test_csv_refused(text: str | bytes, errors: list[str]) -> None:
    found = refused(text, Origin.CSV)
    assert len(found) == len(errors)
    assert all(one.startswith(error) for one, error in zip(found, errors, strict=True)), found


def test_srt_live_transmit() -> None:
    found = sample("streams.sh", Origin.SRT_LIVE_TRANSMIT)
    by_name = routes(found)
    assert by_name["Oslo"]["source"] == {
        "type": "srt",
        "mode": "listener",
        "port": 4082,
        "passphrase": "correct-horse-42",
    }
    assert by_name["Oslo"]["destinations"] == [
        {"type": "udp", "host": "239.10.0.1", "port": 5000, "ttl": 8},
        {
            "type": "srt",
            "mode": "caller",
            "host": "192.0.2.7",
            "port": 7001,
            "streamId": "#!::r=oslo,m=publish",
            "latency": 300,
        },
    ]
    assert list(by_name) == ["Oslo", "srt://198.51.100.7:7000", "srt://0.0.0.0:4100"]
    assert by_name["srt://0.0.0.0:4100"]["source"] == {"type": "srt", "mode": "listener", "port": 4100, "latency": 80}
    option = "is not taken over: the router chooses the options of its processes"
    assert remarks(found) == [
        f"line 9, -q: {option}",
        *(f"line 12, -{name}: {option}" for name in ("s", "pf", "t")),
        f"line 13, -chunk: {option}",
        "line 13, destination.sndbuf: is not taken over: the router has no such parameter",
        "line 14, destination: the command was left out: the router takes no file:// here",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("srt-live-transmit srt://:4000\n", "line 1: srt-live-transmit takes a source and a destination, here are 1"),
        ("\nsrt-live-transmit srt://:4000 udp://$HOST:5000", "line 2, destination: has a variable whose value is not"),
        ("srt-live-transmit 'srt://:4000 udp://10.0.0.1:5000", "line 1: has a quote that is not closed"),
        ("srt-live-transmit srt://:4000 srt://:4000", "line 1, destination.port: "),
        ("srt-live-transmit srt://:80 udp://10.0.0.1:5000", "line 1, source.port: must be between 1024 and 65535"),
    ],
)
def test_srt_live_transmit_refused(text: str, error: str) -> None:
    assert refused(text, Origin.SRT_LIVE_TRANSMIT)[0].startswith(error)


@pytest.mark.parametrize(
    ("uri", "end"),
    [
        ("srt://192.0.2.1:4000?mode=listener", {"mode": "listener", "port": 4000, "adapter": "192.0.2.1"}),
        ("srt://h:4000?adapter=192.0.2.2", {"mode": "rendezvous", "host": "h", "port": 4000, "adapter": "192.0.2.2"}),
        ("srt://h:4000?mode=client&port=5000", {"mode": "caller", "host": "h", "port": 4000, "localPort": 5000}),
        ("srt://h:4000?bind=192.0.2.2:5000", {"host": "h", "mode": "caller", "adapter": "192.0.2.2"}),
        ("srt://h:4000?minversion=0x010300&tlpktdrop=no", {"minversion": "1.3.0", "tlpktdrop": False}),
        ("srt://[2001:db8::1]:4000?iptos=184&transtype=live", {"host": "2001:db8::1", "tos": 184}),
        ("srt://[::]:4000?mode=server", {"mode": "listener", "adapter": "::"}),
        ("srt://h:4000?passphrase=1234567890123", {"passphrase": "1234567890123"}),
    ],
)
def test_the_tools_own_names(uri: str, end: dict[str, Any]) -> None:
    found = migrated(f"srt-live-transmit '{uri}' udp://10.0.0.1:5000".encode(), Origin.SRT_LIVE_TRANSMIT)
    source = found.document["routes"][0]["source"]
    assert {name: source.get(name) for name in end} == end
    assert not found.remarks


def test_no_secret_is_told() -> None:
    secrets = (
        "correct-horse-42",
        "another-horse+7",
        "publish-oslo-42",
        "bergen-passphrase",
        "a-password",
        "user:password",
    )
    for name, origin in (("feeds.csv", "csv"), ("mediamtx.yml", "mediamtx"), ("streams.sh", "srt-live-transmit")):
        told = "\n".join(remarks(sample(name, Origin(origin))))
        assert not [secret for secret in secrets if secret in told]
    bad = HEADER + "a,srt://:4000?passphrase=tell nobody this&mode=x,udp://h:x?passphrase=tell-nobody,,shh,,\n"
    told = "\n".join(refused(bad, Origin.CSV))
    assert not [secret for secret in ("nobody", "shh") if secret in told]


PIECES = st.sampled_from(
    [
        *("name,source,destination1,passphrase,latency\n", "a,", "srt://", "udp://", "h", ":4000", ":", "?", "&", "="),
        *("mode=listener", "latency=1", "passphrase=", "port=7000", "bind=h:1", "minversion=0x10300", "[::1]", "@"),
        *("239.1.1.1", "\n", "\r", "\x00", '"', "'", "\\\n", "#", "$X", "X=1\n", "srt-live-transmit ", " ", "-t", ";"),
        *("paths:\n", "  a:\n", "    source: ", "<<: ", "*a", "&a ", "!!binary ", "- ", "{", "}", "[", "]", "|", "%zz"),
        *(
            "publisher",
            "srtReadPassphrase: ",
            "1" * 30,
            "é",
            "\u2028",
            "\ud7ff",
            "~",
            "? ",
            "pathDefaults:\n",
            "%YAML 9",
        ),
    ]
)


@pytest.mark.parametrize("origin", Origin)
@given(
    data=st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode()))
)
@example(data=b"name,source\na,srt://[:4000\n")
@example(data=b"paths: {a: {source: 'srt://[h:4000'}}")
@example(data=b"paths: {a: {? {b: c} : d}}")
@example(data=b"paths: {!!int x: 5, 2001-99-99: {}}")
def test_no_input_makes_it_fail_otherwise(origin: Origin, data: bytes) -> None:
    try:
        found = migrated(data, origin, taken_ports={10000})
    except FileRefused:
        return
    imported(found.document, (), ImportMode.MERGE)


NAMES = st.sampled_from(
    [
        *("mode", "latency", "passphrase", "streamid", "port", "localport", "bind", "adapter", "interface", "ttl"),
        *("iptos", "tos", "source", "rcvbuf", "minversion", "tlpktdrop", "pkt_size", "transtype", "type", "host"),
        *("pbkeylen", "linger", "packetfilter", "messageapi", "name", "id", "enabled", "__class__"),
    ]
)
VALUES = st.sampled_from(
    [
        *("listener", "caller", "rendezvous", "200", "correct-horse-42", "192.0.2.1", "::1", "h:1", ":5000", "5000"),
        *(
            "0x010300",
            "1.3.0",
            "yes",
            "no",
            "1",
            "-1",
            "live",
            "#!::r=a",
            "a+b",
            "%23",
            "%00",
            "",
            "fec,cols:10",
            "eth0",
        ),
    ]
)
URIS = st.builds(
    lambda scheme, host, port, query: (
        f"{scheme}://{host}{port}" + ("?" + "&".join(map("=".join, query)) if query else "")
    ),
    st.sampled_from(["srt", "udp", "udp+mpegts", "rtsp", "SRT"]),
    st.sampled_from(["", "192.0.2.7", "239.1.1.1", "0.0.0.0", "[::1]", "[::]", "@", "@239.1.1.1", "encoder.example"]),
    st.sampled_from([":4000", ":5000", ":1", ":70000", "", ":", ":4000/", ":4000/live"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=3, unique_by=lambda pair: pair[0]),
)


def written(origin: Origin, pairs: list[tuple[str, str]]) -> str:
    """A file of this origin with a route for each pair of URIs."""
    match origin:
        case Origin.CSV:
            rows = [f'r{number},"{source}","{end}"' for number, (source, end) in enumerate(pairs)]
            return "\n".join(["name,source,destination", *rows])
        case Origin.MEDIAMTX:
            paths = [f"  r{number}:\n    source: '{source}'" for number, (source, _) in enumerate(pairs)]
            return "\n".join(["paths:", *paths])
    return "\n".join(f"srt-live-transmit '{source}' '{end}' &" for source, end in pairs)


@pytest.mark.parametrize("origin", Origin)
@given(pairs=st.lists(st.tuples(URIS, URIS), min_size=1, max_size=2))
@example(pairs=[("srt://:4000?latency=200", "udp://239.1.1.1:5000?ttl=8")])
def test_what_is_accepted_can_be_imported(origin: Origin, pairs: list[tuple[str, str]]) -> None:
    try:
        found = migrated(written(origin, pairs).encode(), origin)
    except FileRefused:
        return
    after = imported(found.document, (), ImportMode.MERGE)
    assert len(after) == len(found.document["routes"]) <= len(pairs)
    assert not {route.source.port for route in after} - {1, 4000, 5000, *range(10000, 10010)}
