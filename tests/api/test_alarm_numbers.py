"""Alarms about streams that are damaged on purpose: raised when it happens, cleared when it is over."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, listener, route
from tests.harness.wait import until
from tests.media.damage import dropped, with_payload
from tests.media.generate import HD_6_MBPS, make
from tests.media.lossy_relay import LossyRelay
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

Json = dict[str, Any]
SECONDS = 12
VIDEO = 0x100


@pytest.fixture
def stream() -> Path:
    return make(HD_6_MBPS, SECONDS)


def url(port: int) -> SrtUrl:
    return SrtUrl(port, "caller")


def add_rule(server: Server, condition: Json) -> str:
    body = {"name": "Watched", "condition": condition, "recoverAfter": 0}
    answer = server.api.post("/api/alarms/rules", json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def alarm(server: Server, rule: str, state: str = "active") -> Json | None:
    items = server.api.get("/api/alarms", params={"state": state}).json()["items"]
    return next((one for one in items if one["ruleId"] == rule), None)


@pytest.mark.long
def test_loss_is_told_for_as_long_as_it_lasts(tmp_path: Path, stream: Path) -> None:
    with (
        Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server,
        LossyRelay(4100, 4000, every=50) as relay,
    ):
        server.until_status("route_1", "waiting")
        rule = add_rule(server, {"kind": "lossAbove", "percent": 1})
        never = add_rule(server, {"kind": "lossAbove", "percent": 20})
        with SrtSender(stream, url(4100)) as sender:
            sender.wait_connected()
            raised = until(lambda: alarm(server, rule), 30, "the alarm about loss")
            assert raised is not None
            assert (raised["kind"], raised["routeId"]) == ("lossAbove", "route_1")
            sender.wait_end(SECONDS + 10)
        assert relay.lost > 20
        with SrtSender(stream, url(4000)):  # past the relay: nothing is lost
            over = until(lambda: alarm(server, rule, "past"), 30, "the end of the alarm")
        assert over is not None
        assert over["clearedBecause"] == "recovered"
        assert alarm(server, never) is alarm(server, never, "past") is None


@pytest.mark.long
def test_continuity_errors_are_told(tmp_path: Path, stream: Path) -> None:
    video = with_payload(stream.read_bytes(), of=VIDEO)
    gaps = [video[len(video) // 2 + 50 * number] for number in range(7)]
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(dropped(stream.read_bytes(), gaps))
    with Server(tmp_path / "server", [route(1, listener(4000), listener(4001))]) as server:
        server.until_status("route_1", "waiting")
        rule = add_rule(server, {"kind": "continuityErrorsAbove", "errorsPerMinute": 3})
        never = add_rule(server, {"kind": "continuityErrorsAbove", "errorsPerMinute": 1000})
        with SrtSender(damaged, url(4000)) as sender:
            raised = until(lambda: alarm(server, rule), SECONDS + 20, "the alarm about continuity errors")
            assert raised is not None
            assert (raised["kind"], raised["routeId"]) == ("continuityErrorsAbove", "route_1")
            sender.wait_end(SECONDS + 10)
        assert alarm(server, never) is None


def test_datagrams_that_the_bus_drops_are_told(tmp_path: Path, stream: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server:
        server.until_status("route_1", "waiting")
        rule = add_rule(server, {"kind": "busDropsAbove", "datagramsPerMinute": 10})
        pid = server.until_all_up("route_1")["srtOut:4001"]["pid"]
        with (
            SrtReceiver(url(4001), tmp_path / "out.ts") as receiver,
            SrtSender(stream, url(4000)) as sender,
        ):
            receiver.wait_connected()
            sender.wait_connected()
            os.kill(pid, signal.SIGSTOP)
            try:
                raised = until(lambda: alarm(server, rule), SECONDS + 20, "the alarm about dropped datagrams")
            finally:
                os.kill(pid, signal.SIGCONT)
            assert raised is not None
            assert (raised["kind"], raised["routeId"]) == ("busDropsAbove", "route_1")
