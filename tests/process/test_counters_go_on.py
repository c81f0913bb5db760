"""What was counted goes on under the next server: totals since the start of the route, connections, restarts."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

BEHIND = 400
"""Packets by which the last report may be behind: one comes after each hundred, of what had left the buffer by then."""


def legs(server: Server) -> dict[str, Any]:
    answer = server.api.get("/api/routes/route_1/stats")
    assert answer.status_code == 200, answer.text
    return {leg["leg"]: leg for leg in answer.json()["items"]}


def packets(server: Server, leg: str) -> int:
    """Since the route was started."""
    counted = legs(server)[leg]["sinceRouteStart"] or {}  # nobody has looked yet
    return counted.get("packets") or 0


def since_reset(server: Server, leg: str) -> int:
    return legs(server)[leg]["packets"] or 0


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed", "replaced"])
def test_counters_go_on(how: str, tmp_path: Path) -> None:
    server = Server(
        tmp_path / "server",
        [route(1, listener(4000, latency=1000), listener(4001, latency=1000), udp(5001))],
        ON_START="adopt",
    )
    stream = make(HD_6_MBPS, 20)
    with server.start(), SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "client.ts", reconnect=True) as client:
        client.wait_connected()
        first = server.until_all_up("route_1")
        os.kill(first["srtOut:4001"]["pid"], signal.SIGKILL)  # one restart, two connections
        client.wait_connected(number=2)
        until(lambda: server.processes("route_1")["srtOut:4001"]["connects"] == 2)
        with SrtSender(stream, SrtUrl(4000, "caller")) as sender:
            sender.wait_connected()
            until(lambda: packets(server, "destination:0") > 500)
            assert server.post("/api/routes/route_1/stats/reset").status_code in (200, 204)
            until(lambda: 0 < since_reset(server, "destination:0") < packets(server, "destination:0"))
            before, at = server.processes("route_1"), legs(server)
            reset_at = server.api.get("/api/routes/route_1/stats").json()["resetAt"]
            if how == "killed":
                until(lambda: (server.run_dir / "counters.state").exists())
                server.kill()
                server.start()
            else:
                seen = server.log().count(" goes on, ")
                assert server.process is not None
                server.process.send_signal(signal.SIGHUP)
                until(lambda: server.log().count(" goes on, ") > seen)
            until(lambda: packets(server, "destination:0") > at["destination:0"]["sinceRouteStart"]["packets"])
            assert sender.wait_end(60) == 0
            sent = sender.all_events("sent")
        now = server.processes("route_1")
        for kind in ("srt", "srtOut:4001", "udpDuplicator"):
            for field in ("pid", "connects", "restarts", "lastExit", "lastExitAt"):
                wanted = before[kind][field]
                assert now[kind][field] == wanted or (field == "connects" and kind == "udpDuplicator"), (kind, field)
        assert now["srtOut:4001"]["connectedSince"] == before["srtOut:4001"]["connectedSince"]
        assert now["srtOut:4001"]["restarts"] == 1
        assert server.api.get("/api/routes/route_1/stats").json()["resetAt"] == reset_at
        assert sent
        whole = -(-stream.stat().st_size // 1316)
        for leg in ("source", "destination:0"):
            until(lambda leg=leg: packets(server, leg) > whole - BEHIND)  # type: ignore[misc]
            assert packets(server, leg) <= whole
            assert 0 < since_reset(server, leg) < packets(server, leg)
