"""Real streams through the real server: nothing is lost, whatever happens to a neighbour."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import FULL_HD_20_MBPS, HD_6_MBPS, Picture, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare

CHURNS = 50


def judge(sent: Path, received: Path) -> None:
    """What came is one unbroken stretch of what was sent, up to its end."""
    report, comparison = check(received), compare(sent, received)
    assert report.clean, f"{received.name}: {report}"
    assert comparison.identical, f"{received.name}: {comparison}"


@pytest.mark.parametrize(
    ("picture", "secret"),
    [(HD_6_MBPS, {}), (FULL_HD_20_MBPS, {"passphrase": "correct-horse-42", "pbkeylen": 32})],
    ids=["6 Mb/s", "20 Mb/s AES-256"],
)
def test_every_destination_gets_every_byte(tmp_path: Path, picture: Picture, secret: dict[str, Any]) -> None:
    sent = make(picture, 8)
    ends = [listener(4001, **secret), caller(4002, **secret), udp(5001), udp(5002, "239.1.2.3", interface="127.0.0.1")]
    waiting = SrtReceiver(url(4002, "listener", secret), tmp_path / "caller.ts")
    plain = [
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts"),
        UdpReceiver("239.1.2.3", 5002, tmp_path / "multicast.ts"),
    ]
    with Server(tmp_path / "server", [route(1, listener(4000, **secret), *ends)]) as server:
        server.until_status("route_1", "waiting")
        calling = SrtReceiver(url(4001, "caller", secret), tmp_path / "listener.ts")
        calling.wait_connected()
        waiting.wait_connected()
        with SrtSender(sent, url(4000, "caller", secret)) as sender:
            sender.wait_connected()
            server.until_status("route_1", "running")
            assert sender.wait_end(60) == 0
        receivers: list[SrtReceiver | UdpReceiver] = [calling, waiting, *plain]
        for receiver in receivers:
            receiver.wait_bytes(sent.stat().st_size)
        for receiver in receivers:
            receiver.stop()
            judge(sent, receiver.file)
            assert receiver.file.stat().st_size == sent.stat().st_size


def url(port: int, mode: str, secret: dict[str, Any]) -> SrtUrl:
    """The other side of one of our ends."""
    return SrtUrl(port, mode, **secret)


@pytest.mark.long
@pytest.mark.timeout(150)
def test_a_neighbour_that_comes_and_goes_is_not_noticed(tmp_path: Path) -> None:
    """A destination is killed, stopped, started, and its client leaves and comes back, fifty times in all."""
    sent = make(HD_6_MBPS, 45)
    quiet = [udp(5001), listener(4002)]
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(tmp_path / "server", [route(1, listener(4000), *quiet, listener(4001))]) as server,
        SrtReceiver(SrtUrl(4002, "caller"), tmp_path / "listener.ts") as steady,
        SrtSender(sent, SrtUrl(4000, "caller")) as sender,
    ):
        steady.wait_connected()
        sender.wait_connected()
        pids = {kind: p["pid"] for kind, p in server.until_all_up("route_1").items() if kind != "srtOut:4001"}
        done = 0
        while done < CHURNS:
            for disturb in (kill_destination, take_away, bring_back, come_and_go):
                disturb(server, tmp_path)
                done += 1
        assert not sender.all_events("closed"), "the stream ended before the disturbances did"
        assert sender.wait_end(90) == 0
        for receiver in (unicast, steady):
            receiver.wait_bytes(sent.stat().st_size)
            receiver.stop()
            judge(sent, receiver.file)
        assert {kind: server.processes("route_1")[kind]["pid"] for kind in pids} == pids


def kill_destination(server: Server, _folder: Path) -> None:
    """`kill -9` of the destination's process."""
    before = server.processes("route_1")["srtOut:4001"]["pid"]
    if before:
        os.kill(before, signal.SIGKILL)
    until(lambda: server.processes("route_1")["srtOut:4001"]["pid"] not in (None, before))


def take_away(server: Server, _folder: Path) -> None:
    """The destination is switched off."""
    server.write_routes([route(1, listener(4000), udp(5001), listener(4002), listener(4001, enabled=False))])
    until(lambda: "srtOut:4001" not in server.processes("route_1"))


def bring_back(server: Server, _folder: Path) -> None:
    """The destination is switched on."""
    server.write_routes([route(1, listener(4000), udp(5001), listener(4002), listener(4001))])
    until(lambda: "srtOut:4001" in server.processes("route_1"))
    server.until_all_up("route_1")


def come_and_go(_server: Server, folder: Path) -> None:
    """Its client connects, receives and leaves."""
    with SrtReceiver(SrtUrl(4001, "caller"), folder / "visitor.ts") as visitor:
        visitor.wait_bytes(100_000)


def test_wait_connect_lose_and_come_back_is_seen(tmp_path: Path) -> None:
    sent = make(HD_6_MBPS, 4)
    with Server(tmp_path / "server", [route(1, listener(4000), listener(4001), caller(4002))]) as server:
        server.until_status("route_1", "waiting")
        for round_ in (1, 2):
            with SrtSender(sent, SrtUrl(4000, "caller")) as sender:
                sender.wait_connected()
                found = server.until_status("route_1", "running")
                assert found["source"]["connection"] == "connected"
                process = server.processes("route_1")["srt"]
                assert process["peer"].startswith("127.0.0.1:")
                assert process["connects"] == round_
            server.until_status("route_1", "waiting")
        unanswered = until(lambda: server.processes("route_1")["srtOut:4002"]["lastExit"])
        assert unanswered == "exit status 0"
        assert not server.processes("route_1")["srtOut:4002"]["crashLooping"]
        assert any("does not answer" in reason for reason in until(lambda: server.route("route_1")["reasons"]))


def test_a_rejected_passphrase_is_named(tmp_path: Path) -> None:
    with (
        SrtReceiver(SrtUrl(4001, "listener", passphrase="another-horse-7"), tmp_path / "never.ts", reconnect=True),
        Server(tmp_path / "server", [route(1, listener(4000), caller(4001, passphrase="correct-horse-42"))]) as server,
    ):
        rejection = until(lambda: server.processes("route_1")["srtOut:4001"]["rejection"])
        assert "passphrase" in rejection
        shown = server.api.get("/api/routes").text + server.log()
        assert "correct-horse-42" not in shown
        assert "passphrase=•••" in shown
        server.until_status("route_1", "waiting")


def test_a_destination_that_gets_nothing_is_told(tmp_path: Path) -> None:
    """A UDP destination over an interface that is not there, and one whose peer rejects us."""
    wrong = [udp(5001, interface="192.0.2.1"), caller(4001, passphrase="correct-horse-42"), listener(4002)]
    with (
        SrtReceiver(SrtUrl(4001, "listener", passphrase="another-horse-7"), tmp_path / "never.ts", reconnect=True),
        Server(tmp_path / "server", [route(1, listener(4000), *wrong, testSource=True)]) as server,
    ):
        server.until_status("route_1", "degraded")
        for words in ("udp://127.0.0.1:5001 gets nothing", "passphrase rejected"):
            until(lambda words=words: words in " ".join(server.route("route_1")["reasons"]))  # type: ignore[misc]
        server.write_routes([route(1, listener(4000), listener(4002), testSource=True)])
        server.until_status("route_1", "running")
        assert not server.route("route_1")["reasons"]


def test_the_test_source_is_seen_everywhere(tmp_path: Path) -> None:
    ends = [listener(4001), udp(5001)]
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(tmp_path / "server", [route(1, listener(4000), *ends, testSource=True)]) as server,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "listener.ts") as client,
    ):
        for receiver in (unicast, client):
            receiver.wait_bytes(500_000)
        server.until_status("route_1", "running")
        for receiver in (unicast, client):
            receiver.stop()
            report = check(receiver.file.read_bytes()[188 * 700 :])
            assert report.continuity_total == 0
            assert report.sync_errors == 0


def test_rendezvous_both_ways(tmp_path: Path) -> None:
    """One route sends by rendezvous what another receives by rendezvous."""
    sent = make(HD_6_MBPS, 6)
    there = {"type": "srt", "mode": "rendezvous", "host": "127.0.0.2", "port": 4500, "adapter": "127.0.0.1"}
    back = {"type": "srt", "mode": "rendezvous", "host": "127.0.0.1", "port": 4500, "adapter": "127.0.0.2"}
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(tmp_path / "server", [route(1, listener(4000), there), route(2, back, udp(5001))]) as server,
    ):
        until(lambda: server.processes("route_1")["srtOut:4500"]["connection"] == "connected")
        until(lambda: server.processes("route_2")["srt"]["connection"] == "connected")
        with SrtSender(sent, SrtUrl(4000, "caller")) as sender:
            assert sender.wait_end(60) == 0
        unicast.wait_bytes(sent.stat().st_size)
        unicast.stop()
        judge(sent, unicast.file)
