"""What is inside a stream, told by the real server of real streams; and the process that finds it out."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.cli import run_json
from tests.harness.processes import alive, tags
from tests.harness.server import Json, Server, listener, route, udp
from tests.harness.wait import until
from tests.media.damage import LANGUAGE, PROVIDER, SERVICE, dropped, named, with_payload
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check

ROUTE = route(1, listener(4000), udp(5001))
MONITOR = "server_streamMonitor"
VIDEO = 256


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    return named(make(HD_6_MBPS, 8), tmp_path / "named.ts")


def item(server: Server, leg: str = "source") -> Json:
    """What is told of one stream; empty while nothing is."""
    answer = server.api.get("/api/routes/route_1/stream")
    assert answer.status_code == 200, answer.text
    return next((one for one in answer.json()["items"] if one["leg"] == leg), {})


def until_item(server: Server, condition: Callable[[Json], object], leg: str = "source", timeout_s: float = 40) -> Json:
    """Wait until what is told of one stream is so."""
    seen: list[Json] = []

    def met() -> bool:
        seen[:] = [item(server, leg)]
        return bool(seen[0] and condition(seen[0]))

    until(met, timeout_s, what="the stream to be as it should")
    return seen[0]


def monitor(server: Server) -> int | None:
    """The PID of the stream monitor."""
    return server.pid_files().get(MONITOR)


def play(file: Path) -> None:
    with SrtSender(file, SrtUrl(4000, "caller")) as sender:
        assert sender.wait_end(60) == 0


def events(server: Server, kind: str) -> list[Json]:
    found: list[Json] = server.api.get("/api/events", params={"kind": kind}).json()["items"]
    return found


def test_it_tells_what_a_stream_is(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path / "server", [ROUTE]) as server:
        server.until_status("route_1", "waiting")
        assert monitor(server) is None
        play(stream)
        seen = until_item(server, lambda one: one["probe"] and one["state"] == "silent")
        assert (seen["format"], seen["sampled"], seen["missed"], seen["continuityErrors"]) == ("ts188", False, 0, 0)
        (service,) = seen["services"]
        assert (service["name"], service["provider"]) == (SERVICE, PROVIDER)
        assert [(one["codec"], one["language"]) for one in service["streams"]] == [("h264", None), ("mp2", LANGUAGE)]
        video, audio = seen["probe"]["streams"]
        assert (video["width"], video["height"], video["frameRate"]) == (1280, 720, 25.0)
        assert (video["scan"], video["aspect"], video["pid"]) == ("progressive", "16:9", VIDEO)
        assert (audio["sampleRate"], audio["layout"], audio["language"]) == (48000, "mono", LANGUAGE)
        assert {0: "pat", 17: "sdt", VIDEO: "h264"}.items() <= {
            one["pid"]: one["codec"] for one in seen["pids"]
        }.items()
        shown = server.route("route_1")["stream"]
        assert shown == {
            "state": "silent", "continuityErrors": 0, "errors": [], "service": SERVICE, "codecs": ["h264", "mp2"],
        }  # fmt: skip


@pytest.mark.long
def test_every_missing_packet_is_counted_and_no_destination_is_disturbed(tmp_path: Path, stream: Path) -> None:
    video = with_payload(stream.read_bytes(), of=VIDEO)
    gaps = [video[len(video) // 2 + 50 * number] for number in range(7)]
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(dropped(stream.read_bytes(), gaps))
    both = stream.read_bytes() + damaged.read_bytes()
    assert check(damaged).continuity_total == len(gaps)
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(tmp_path / "server", [ROUTE]) as server,
    ):
        server.until_status("route_1", "waiting")
        play(stream)  # it is started by the first stream: what it begins with is seen by nobody
        before = until_item(server, lambda one: one["state"] == "silent")
        play(damaged)
        packets = before["packets"] + damaged.stat().st_size // 188
        seen = until_item(server, lambda one: one["state"] == "silent" and one["packets"] >= packets)
        assert (seen["missed"], seen["packets"]) == (0, packets)
        assert seen["continuityErrors"] == check(both).continuity_total
        errors = {one["pid"]: one["continuityErrors"] for one in seen["pids"] if one["continuityErrors"]}
        assert errors == check(both).continuity_errors
        indicator = seen["tr101290"]["continuityCountError"]
        assert indicator["count"] == seen["continuityErrors"]
        assert indicator["lastAt"] > before["at"]
        of_it = {"routeId": "route_1", "leg": "source", "error": "continuityCountError"}
        assert [one["data"] for one in until(lambda: events(server, "streamErrorsBegan"))] == [of_it]
        (ended,) = until(lambda: events(server, "streamErrorsEnded"), 40)
        assert ended["data"] == {**of_it, "count": seen["continuityErrors"], "lastedS": ended["data"]["lastedS"]}
        assert server.route("route_1")["stream"]["continuityErrors"] == seen["continuityErrors"]
        assert server.post("/api/routes/route_1/stats/reset").status_code == 200
        again = item(server)
        assert (again["sinceReset"]["continuityErrors"], again["continuityErrors"]) == (0, seen["continuityErrors"])
        unicast.wait_bytes(len(both))
        unicast.stop()
        assert unicast.file.read_bytes() == both


@pytest.mark.long
def test_it_comes_back_and_goes_with_its_server(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001), testSource=True)]) as server:
        server.until_status("route_1", "running")
        first = until(lambda: monitor(server), what="the monitor")
        assert first is not None
        assert tags(first)["SRT_ROUTER_PROCESS"] == "streamMonitor"
        until_item(server, lambda one: one["state"] == "ok")
        assert os.getpriority(os.PRIO_PROCESS, first) == 10
        shown = next(one for one in run_json(server, "ps")["items"] if one["type"] == "streamMonitor")
        assert (shown["route"], shown["state"], shown["owner"]) == ("server", "running", "ours")
        assert server.api.get("/api/orphans").json()["items"] == []
        assert server.post("/api/cleanup").json()["killed"] == []
        before = item(server)["packets"]
        os.kill(first, signal.SIGKILL)
        until(lambda: monitor(server) not in (None, first), what="a new monitor")
        second = monitor(server) or 0
        until_item(server, lambda one: one["state"] == "ok" and one["packets"] > before)
        server.kill()
        until(lambda: not alive(second), what="the monitor to end with its server")
        server.start()
        server.until_status("route_1", "running")
        until(lambda: monitor(server) not in (None, second), what="one more")
        third = monitor(server) or 0
        until_item(server, lambda one: one["state"] == "ok")
        server.stop()
        assert not alive(third)
        assert monitor(server) is None
        assert not list(server.run_dir.glob("server_streamMonitor*"))


def test_the_next_start_ends_one_that_was_left(tmp_path: Path) -> None:
    """Whatever carries its tag is ended, also where it did not end by itself."""
    with Server(tmp_path, [route(1, listener(4000), testSource=True)]) as server:
        first = until(lambda: monitor(server), what="the monitor")
        assert first is not None
        block = Path(f"/proc/{first}/environ").read_bytes().split(b"\0")
        environment = dict(one.split(b"=", 1) for one in block if one)
        left = os.posix_spawn("/bin/sleep", ["sleep", "600"], environment, setsid=True)
        server.kill()
        server.start()
        assert os.waitpid(left, 0)[1] == signal.SIGTERM


@pytest.mark.long
def test_one_that_is_stuck_is_replaced(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), testSource=True)]) as server:
        first = until(lambda: monitor(server), what="the monitor")
        assert first is not None
        until_item(server, lambda one: one["state"] == "ok")
        os.kill(first, signal.SIGSTOP)
        until_item(server, lambda one: one["state"] == "unknown")
        until(lambda: monitor(server) not in (None, first), 40, what="a new monitor")
        until_item(server, lambda one: one["state"] == "ok")


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(
            tmp_path / "server", [route(1, listener(4000), udp(5001), testSource=True)], STREAM_MONITOR="false"
        ) as server,
    ):
        unicast.wait_bytes(1_000_000)
        assert server.api.get("/api/routes/route_1/stream").json() == {"items": []}
        assert server.route("route_1")["stream"] is None
        assert monitor(server) is None


def test_behind_a_transcode(tmp_path: Path) -> None:
    transcode = {
        "video": {"codec": "h264", "bitrateKbps": 800, "width": 320, "height": 180, "preset": "ultrafast"},
        "audio": {"codec": "aac", "bitrateKbps": 128},
    }
    routes = [route(1, listener(4000), udp(5001), testSource=True, transcode=transcode)]
    with Server(tmp_path, routes) as server:
        server.until_status("route_1", "running")
        behind = until_item(server, lambda one: one["services"] and one["probe"], "transcode")
        assert [one["codec"] for one in behind["services"][0]["streams"]] == ["h264", "aac"]
        assert behind["probe"]["streams"][0]["width"] == 320
        assert item(server)["state"] == "ok"
