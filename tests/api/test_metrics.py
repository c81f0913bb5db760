"""`/metrics` of a real server on air."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

Found = dict[tuple[str, ...], float]


def scrape(server: Server, headers: dict[str, str] | None = None) -> Found:
    answer = httpx.get(f"{server.api.base_url}metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_route_on_air_is_measured(tmp_path: Path) -> None:
    secret = "correct-horse-42"
    routes = [
        route(1, listener(4000), listener(4001, passphrase=secret), udp(5001), testSource=True),
        route(2, listener(4010), udp(5002), autoStart=False),
    ]
    with Server(tmp_path, routes) as server:
        server.until_all_up("route_1")
        sent = ("srt_router_leg_sent_bytes_total", "destination:1", "Route 1", "route_1")
        until(lambda: scrape(server).get(sent, 0) > 0, what="something to be sent")
        first = scrape(server)[sent]
        until(lambda: scrape(server)[sent] > first, what="the counter to grow")
        received = ("srt_router_leg_received_bytes_total", "source", "Route 1", "route_1")
        until(lambda: scrape(server).get(received, 0) > 0, what="something to be received")
        found = scrape(server)
        assert found["srt_router_leg_connected", "source", "Route 1", "route_1"] == 1
        assert found["srt_router_leg_latency_seconds", "source", "Route 1", "route_1"] == 0.12
        assert 0 < found["srt_router_leg_rtt_seconds", "source", "Route 1", "route_1"] < 1
        assert 20_000 < found["srt_router_leg_throughput_bytes_per_second", "source", "Route 1", "route_1"] < 2_000_000
        assert found["srt_router_leg_srt_received_packets_total", "source", "Route 1", "route_1"] > 0
        assert found["srt_router_route_wanted", "Route 1", "route_1"] == 1
        assert found["srt_router_route_wanted", "Route 2", "route_2"] == 0
        assert found["srt_router_route_status", "Route 2", "route_2", "stopped"] == 1
        assert found["srt_router_routes", "stopped"] == 1
        processes = server.processes("route_1")
        for kind in processes:
            labels = ("Route 1", kind, "route_1")
            assert found["srt_router_process_up", *labels] == 1
            assert found["srt_router_process_restarts_total", *labels] == 0
            assert found["srt_router_process_resident_memory_bytes", *labels] > 100_000
            assert found["srt_router_process_cpu_seconds_total", *labels] >= 0
        assert found["srt_router_storage_up",] == 1
        assert found["srt_router_able",] == 1
        assert found["srt_router_events_total", "serverStarted"] == 1
        assert found["srt_router_event_loop_lag_seconds_count",] > 0
        assert found["process_open_fds",] > 10
        assert found["process_resident_memory_bytes",] > 1e6
        assert secret not in httpx.get(f"{server.api.base_url}metrics").text
        # on this machine nobody needs to sign in; behind a proxy, everybody does
        forwarded = {"X-Forwarded-For": "192.0.2.1"}
        assert httpx.get(f"{server.api.base_url}metrics", headers=forwarded).status_code == 401
        scrape(server, {**forwarded, **server.signed_in()})
        assert server.api.post("/api/backups").status_code == 201
        assert until(lambda: scrape(server).get(("srt_router_backup_last_time_seconds",)))


def test_what_goes_wrong_is_measured(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server:
        server.until_all_up("route_1")
        server.write_routes('{"version": 1, "routes": [')
        until(lambda: scrape(server)["srt_router_routes_file_errors",] == 1)
        pid = server.processes("route_1")["srtOut:4001"]["pid"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: scrape(server)["srt_router_process_restarts_total", "Route 1", "srtOut:4001", "route_1"] == 1)
        assert scrape(server)["srt_router_events_total", "processEnded"] == 1
