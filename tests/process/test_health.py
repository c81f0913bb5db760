"""What lives but makes no progress is restarted, alone; what merely waits never is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

FAST = {"HEALTH_BANDWIDTH_S": "1.5", "HEALTH_ATTEMPTS": "2", "RETRY_FAILED_AFTER": "4"}


@contextmanager
def silent_encoder(port: int, feed: int) -> Iterator[None]:
    """An SRT caller that connects and sends only what comes in on a UDP port: nothing, until somebody feeds it."""
    argv = ["srt-live-transmit", "-a:yes", f"udp://127.0.0.1:{feed}", f"srt://127.0.0.1:{port}?mode=caller"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as encoder:
        try:
            yield
        finally:
            encoder.kill()


def health_lines(server: Server) -> list[str]:
    """What the health checker said."""
    return re.findall(r"^\[HealthChecker\].*$", server.log(), re.MULTILINE)


def test_a_silent_source_is_restarted_given_up_and_comes_back(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))], **FAST) as server:
        before = server.until_all_up("route_1")
        with silent_encoder(4000, 5555):
            server.until_status("route_1", "failed")
            assert health_lines(server)[:5] == [
                "[HealthChecker] Route route_1 unhealthy: no bandwidth for 1.5s",
                "[HealthChecker] Restarting route route_1 (attempt 1)",
                "[HealthChecker] Route route_1 unhealthy: no bandwidth for 1.5s",
                "[HealthChecker] Restarting route route_1 (attempt 2)",
                "[HealthChecker] Route route_1 gave up after 2 attempts",
            ]
            after = server.processes("route_1")
            assert after["srt"]["pid"] != before["srt"]["pid"]
            assert after["srtOut:4001"]["pid"] == before["srtOut:4001"]["pid"]
            until(lambda: len(health_lines(server)) > 5)  # it is tried again after a while
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feed:

                def flows() -> bool:
                    for _ in range(20):
                        feed.sendto(b"\x47" + b"x" * 1315, ("127.0.0.1", 5555))
                    return bool(server.route("route_1")["status"] == "running")

                until(flows)


def test_who_waits_is_left_alone(tmp_path: Path) -> None:
    quiet = [route(1, listener(4000), listener(4001)), route(2, udp(5000), listener(4002))]
    with Server(tmp_path, quiet, **FAST) as server, silent_encoder(4100, 5556):
        before = {number: server.until_all_up(f"route_{number}") for number in (1, 2)}
        server.write_routes([*quiet, route(3, listener(4100))])
        until(lambda: "Route route_3 gave up" in server.log())  # time enough for the others to be misjudged
        for number in (1, 2):
            now = server.until_all_up(f"route_{number}")
            assert {kind: p["pid"] for kind, p in now.items()} == {k: p["pid"] for k, p in before[number].items()}
        assert not any("route_1" in line or "route_2" in line for line in health_lines(server))


def test_a_frozen_destination_is_restarted_alone(tmp_path: Path) -> None:
    sent = make(HD_6_MBPS, 20)
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        Server(tmp_path / "server", [route(1, listener(4000), listener(4001), udp(5001))], **FAST) as server,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "client.ts", reconnect=True) as client,
        SrtSender(sent, SrtUrl(4000, "caller")) as sender,
    ):
        sender.wait_connected()
        client.wait_bytes(100_000)
        before = server.until_all_up("route_1")
        for frozen in ("srtOut:4001", "udpDuplicator"):
            os.kill(before[frozen]["pid"], signal.SIGSTOP)
            until(lambda frozen=frozen: server.processes("route_1")[frozen]["pid"] not in (None, before[frozen]["pid"]))  # type: ignore[misc]
        after = server.until_all_up("route_1")
        assert after["srt"]["pid"] == before["srt"]["pid"]
        client.wait_event("connected", number=2)
        received = unicast.bytes
        unicast.wait_bytes(received + 100_000)
