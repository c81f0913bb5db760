"""A version that makes other command lines restarts nothing by itself: it says what waits, and does it when told."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness import cli
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import Picture, make
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

OLDER = """
from srt_router.processes import spec
from srt_router.routes import plan
spec.FORMAT = 0
plan.STATS_EVERY_PACKETS = 99
from srt_router.cli.app import main
main()
"""
"""The version before: it made other command lines for srt-live-transmit, and the same for udpDuplicator."""


def upgraded(folder: Path, *routes: dict[str, Any]) -> tuple[Server, dict[str, int]]:
    """A server that has followed the version before; and what runs since then, on route 1."""
    server = Server(folder, routes, ON_START="adopt")
    server.module = ["-c", OLDER, "serve"]
    server.start()
    before = {kind: process["pid"] for kind, process in server.until_all_up("route_1").items()}
    server.kill()
    server.module = ["-m", "srt_router", "serve"]
    return server.start(), before


def pids(server: Server) -> dict[str, int]:
    return {kind: process["pid"] for kind, process in server.processes("route_1").items()}


def events(server: Server, kind: str) -> list[Any]:
    found = server.api.get("/api/events", params={"kind": kind, "route": "route_1"}).json()["items"]
    return [event["data"] for event in reversed(found)]


def test_it_is_said_and_not_done(tmp_path: Path) -> None:
    server, before = upgraded(tmp_path, route(1, listener(4000), listener(4001), udp(5001)))
    with server:
        assert pids(server) == before
        processes = server.processes("route_1")
        assert {kind for kind, process in processes.items() if process["pendingRestart"]} == {"srt", "srtOut:4001"}
        assert server.route("route_1")["pendingRestarts"] == ["srtOut:4001", "srt"]
        assert "Route route_1: this version would restart srtOut:4001, srt; that waits" in server.log()
        assert events(server, "routeTakenOver")[-1]["pendingRestart"] == ["srtOut:4001", "srt"]


@pytest.mark.timeout(120)
def test_one_after_the_other_and_each_is_back_before_the_next(tmp_path: Path) -> None:
    one = route(1, listener(4000), listener(4001), listener(4002), caller(4003), udp(5001))
    stream = make(Picture("640x360", 2, 10), 60)  # its source is connected to the end, also on a busy machine
    with SrtReceiver(SrtUrl(4003, "listener"), tmp_path / "called.ts", reconnect=True) as called:
        server, before = upgraded(tmp_path / "server", one)
        with (
            server,
            SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "client.ts", reconnect=True) as client,
            SrtSender(stream, SrtUrl(4000, "caller"), reconnect=True) as sender,
        ):
            for peer in (client, called, sender):
                peer.wait_connected()
            until(
                lambda: all(server.processes("route_1")[kind]["peer"] for kind in ("srt", "srtOut:4001", "srtOut:4003"))
            )
            said = cli.run(server, "routes", "apply", "route_1")
            assert said.returncode == 0, said.stderr
            done = [event["processType"] for event in events(server, "pendingRestartApplied")]
            assert done[-1] == "srt"
            assert sorted(done) == ["srt", "srtOut:4001", "srtOut:4002", "srtOut:4003"]
            after = server.processes("route_1")
            assert {kind for kind in before if after[kind]["pid"] == before[kind]} == {"udpDuplicator"}
            assert all(after[kind]["connection"] == "connected" for kind in ("srt", "srtOut:4001", "srtOut:4003"))
            starts = [event for event in events(server, "processStarted") if event["processType"] in done]
            assert [event["processType"] for event in starts[-4:]] == done
            assert server.route("route_1")["pendingRestarts"] == []
            assert "No process" in cli.run(server, "routes", "apply", "route_1").stdout


def test_one_process_alone_and_what_is_none(tmp_path: Path) -> None:
    server, before = upgraded(tmp_path, route(1, listener(4000), listener(4001)))
    with server:
        url = "/api/routes/route_1/apply"
        assert server.api.post(url, json={"process": "udpDuplicator"}).json()["code"] == "processNotFound"
        assert server.api.post("/api/routes/route_9/apply").json()["code"] == "routeNotFound"
        answer = server.api.post(url, json={"process": "srtOut:4001"})
        assert (answer.status_code, answer.json()) == (202, {"items": ["srtOut:4001"]})
        until(lambda: events(server, "pendingRestartApplied") == [{"routeId": "route_1", "processType": "srtOut:4001"}])
        assert server.route("route_1")["pendingRestarts"] == ["srt"]
        assert pids(server)["srt"] == before["srt"]
        assert server.post("/api/routes/route_1/restart").status_code == 200
        server.until_all_up("route_1")
        assert server.route("route_1")["pendingRestarts"] == []
        assert server.post(url).json() == {"items": []}


def test_the_first_that_does_not_come_back_is_the_last(tmp_path: Path) -> None:
    server, before = upgraded(tmp_path, route(1, listener(4000), listener(4001), listener(4002)))
    with server:
        os.kill(before["srtOut:4001"], signal.SIGSTOP)  # it takes its time to end, and meanwhile the route is stopped
        assert server.post("/api/routes/route_1/apply").status_code == 202
        assert server.post("/api/routes/route_1/stop").status_code == 200
        until(lambda: events(server, "pendingRestartFailed"))
        failed = events(server, "pendingRestartFailed")[0]
        assert "off air" in failed["reason"]
        assert failed["left"] == ["srtOut:4002", "srt"]
