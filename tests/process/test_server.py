"""The server from outside: start, stop, restart, replace, change, and what is left afterwards."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.harness.processes import alive, media, tags
from tests.harness.server import Server, caller, listener, route, routes_json, udp
from tests.harness.wait import until


def three_ways(number: int = 1, port: int = 4000) -> dict[str, object]:
    return route(number, listener(port), listener(port + 1), caller(port + 2), udp(port + 3))


def test_a_route_has_its_processes_tags_and_pid_files(tmp_path: Path) -> None:
    with Server(tmp_path, [three_ways()]) as server:
        until(lambda: server.processes("route_1")["srt"]["state"] == "running")
        files = server.pid_files()
        processes = server.processes("route_1")
        assert set(processes) == {"srt", "srtOut:4001", "srtOut:4002", "udpDuplicator"}
        instance = (server.data_dir / "instance-id").read_text().strip()
        for kind in ("srt", "srtOut:4001", "udpDuplicator"):
            pid = processes[kind]["pid"]
            assert files[f"route_1_{kind}"] == pid
            tag = tags(pid)
            assert tag["SRT_ROUTER_INSTANCE"] == instance
            assert (tag["SRT_ROUTER_ROUTE"], tag["SRT_ROUTER_PROCESS"]) == ("route_1", kind)
            assert tag["SRT_ROUTER_SPEC"]
            assert tag["SRT_ROUTER_NONCE"]
            assert os.getsid(pid) == os.getpgid(pid) == pid
            assert [Path(f"/proc/{pid}/fd/{fd}").readlink().name for fd in (0, 1, 2)] == [
                "null",
                f"route_1_{kind}.stats",
                f"route_1_{kind}.log",
            ]
        lines = (server.pid_dir / "route_1_srt.pid").read_text().split("\n")
        assert [len(lines), lines[2], lines[1].isdigit(), len(lines[1])] == [3, "", True, 13]
        assert (server.pid_dir.stat().st_mode & 0o777) == 0o755
    assert not media()
    assert not server.pid_files()


def test_whoever_is_answered_finds_every_route_started(tmp_path: Path) -> None:
    """The API is loaded when the starts are through: until then they need the processors."""
    routes = [route(number, listener(4000 + 2 * number), listener(4001 + 2 * number)) for number in range(1, 31)]
    with Server(tmp_path, routes) as server:
        assert len(server.pid_files()) == 60
        assert server.until_all_up("route_30")


def test_no_secret_reaches_a_child(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))], ADMIN_PASSWORD="a-secret-of-ours") as server:
        pid = server.until_all_up("route_1")["srt"]["pid"]
        assert b"a-secret-of-ours" not in Path(f"/proc/{pid}/environ").read_bytes()
        opened = [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any(path.is_relative_to(server.data_dir) or path == server.pid_dir for path in opened)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_the_server_leaves_nothing(tmp_path: Path, signum: int) -> None:
    server = Server(tmp_path, [three_ways(1, 4000), three_ways(2, 4100)]).start()
    until(lambda: len(media()) >= 6)
    assert server.stop(signum) == 0
    assert not media()
    assert not list(server.pid_dir.glob("*.pid"))


def test_stop_and_start_by_hand(tmp_path: Path) -> None:
    with Server(tmp_path, [three_ways()]) as server:
        server.until_status("route_1", "waiting")
        pids = [p["pid"] for p in server.processes("route_1").values() if p["pid"]]
        answer = server.post("/api/routes/route_1/stop")
        assert (answer.status_code, answer.json()["status"]) == (200, "stopped")
        assert not any(alive(pid) for pid in pids)
        assert not server.pid_files()
        assert server.post("/api/routes/route_1/stop").status_code == 200  # twice does no harm
        ended = {p["type"]: p for p in answer.json()["ended"]}
        assert ended["srt"]["exitCode"] == 0
        answer = server.post("/api/routes/route_1/start")
        assert answer.status_code == 200
        before = server.until_status("route_1", "waiting")
        assert server.post("/api/routes/route_1/start").status_code == 200
        assert server.processes("route_1")["srt"]["pid"] == {p["type"]: p for p in before["processes"]}["srt"]["pid"]
        assert server.post("/api/routes/route_1/restart").status_code == 200
        server.until_status("route_1", "waiting")


def test_only_what_died_is_started_again(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001), listener(4002))]) as server:
        before = server.until_all_up("route_1")
        os.kill(before["srtOut:4001"]["pid"], signal.SIGKILL)
        until(lambda: server.processes("route_1")["srtOut:4001"]["pid"] not in (None, before["srtOut:4001"]["pid"]))
        after = server.until_all_up("route_1")
        assert after["srt"]["pid"] == before["srt"]["pid"]
        assert after["srtOut:4002"]["pid"] == before["srtOut:4002"]["pid"]
        assert after["srtOut:4001"]["lastExit"] == "killed by SIGKILL"
        assert (after["srtOut:4001"]["exitCode"], after["srtOut:4001"]["signal"]) == (None, 9)
        assert after["srtOut:4001"]["restarts"] == 1
        os.kill(after["srt"]["pid"], signal.SIGTERM)  # ends with 0: that is a loss all the same
        until(lambda: server.processes("route_1")["srt"]["pid"] not in (None, before["srt"]["pid"]))
        assert server.processes("route_1")["srt"]["exitCode"] == 0
        files = server.pid_files()
        assert files == {f"route_1_{kind}": p["pid"] for kind, p in server.until_all_up("route_1").items()}


def test_a_hand_edit_touches_only_what_it_changes(tmp_path: Path) -> None:
    first = route(1, listener(4000), listener(4001), udp(5001))
    with Server(tmp_path, [first]) as server:
        before = server.until_all_up("route_1")
        server.write_routes([route(1, listener(4000), listener(4001, latency=500), udp(5002), listener(4003))])
        until(lambda: "srtOut:4003" in server.processes("route_1"))
        after = server.until_all_up("route_1")
        assert after["srt"]["pid"] == before["srt"]["pid"]
        assert after["udpDuplicator"]["pid"] == before["udpDuplicator"]["pid"]
        assert after["srtOut:4001"]["pid"] != before["srtOut:4001"]["pid"]
        assert "latency=500" in after["srtOut:4001"]["command"]
        assert '"port": 5002' in (server.run_dir / "route_1_udpDuplicator.json").read_text()
        server.write_routes([route(1, listener(4000), listener(4001, latency=500)), route(2, listener(4100))])
        until(lambda: set(server.processes("route_1")) == {"srt", "srtOut:4001"})
        assert server.processes("route_1")["srt"]["pid"] == before["srt"]["pid"]
        server.until_status("route_2", "waiting")
        server.write_routes([route(1, listener(4000), listener(4001, latency=500))])
        until(lambda: server.api.get("/api/routes/route_2").status_code == 404)
        until(lambda: len(media()) == 2)
        assert server.processes("route_1")["srt"]["pid"] == before["srt"]["pid"]


def test_an_edit_does_not_start_what_an_operator_stopped(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4100))]) as server:
        server.until_status("route_2", "waiting")
        server.post("/api/routes/route_1/stop")
        server.write_routes([route(1, listener(4000)), route(2, listener(4100), listener(4101))])
        until(lambda: "srtOut:4101" in server.processes("route_2"))
        server.write_routes([route(1, listener(4000), name="Renamed"), route(2, listener(4100), listener(4102))])
        until(lambda: "srtOut:4102" in server.processes("route_2"))
        assert server.route("route_1")["name"] == "Renamed"
        assert server.route("route_1")["status"] == "stopped"


BROKEN = {
    "cut in the middle": routes_json([three_ways()])[:100],
    "duplicate id": routes_json([three_ways(), {**three_ways(1, 4200)}]),
    "unknown field": routes_json([route(1, listener(4000, passphrse="correct-horse-42"))]),
    "wrong type": routes_json([route(1, listener("4000"))]),  # type: ignore[arg-type]
    "short passphrase": routes_json([route(1, listener(4000, passphrase="short-one"))]),
    "one port twice": routes_json([route(1, listener(4000), listener(4001), listener(4001))]),
    "its own destination": routes_json([route(1, listener(4000), caller(4000))]),
    "no JSON at all": "\0\1\2",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_disturbs_nothing(tmp_path: Path, text: str) -> None:
    with Server(tmp_path, [three_ways()]) as server:
        server.until_status("route_1", "waiting")
        pids = server.pid_files()["route_1_srt"], server.pid_files()["route_1_srtOut:4001"]
        server.write_routes(text)
        until(lambda: "not taken over" in server.log())
        assert "[RouteManager] routes.json: line" in server.log()
        assert "short-one" not in server.log()
        health = server.api.get("/api/health")
        assert health.status_code == 200
        assert health.json()["problems"]
        assert (server.pid_files()["route_1_srt"], server.pid_files()["route_1_srtOut:4001"]) == pids
        assert (server.data_dir / "routes.json").read_text() == text
        server.write_routes([three_ways(), route(7, listener(4700))])
        server.until_status("route_7", "waiting")
        assert server.pid_files()["route_1_srt"] == pids[0]
        assert not server.api.get("/api/health").json()["problems"]


def test_at_the_start_the_valid_routes_go_on_air(tmp_path: Path) -> None:
    text = routes_json([three_ways(1), route(2, listener(4200, latency=-1)), three_ways(3, 4300)])
    with Server(tmp_path, text) as server:
        server.until_status("route_1", "waiting")
        server.until_status("route_3", "waiting")
        assert server.api.get("/api/routes/route_2").status_code == 404
        assert "routes[1].source.latency" in server.api.get("/api/health").json()["problems"][0]
        assert (server.data_dir / "routes.json").read_text() == text


def test_nothing_usable_is_said_by_health(tmp_path: Path) -> None:
    with Server(tmp_path, '{"version": 1, "routes": [') as server:
        answer = server.api.get("/api/health")
        assert answer.status_code == 503
        assert "routes.json" in answer.json()["problems"][0]
        server.write_routes([route(1, listener(4000))])
        server.until_status("route_1", "waiting")
        assert server.api.get("/api/health").status_code == 200


def test_a_taken_port_names_its_holder(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 4000))
        with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4100))]) as server:
            server.until_status("route_2", "waiting")
            found = server.until_status("route_1", "failed")
            assert "source.port: UDP port 4000 is taken by" in found["reasons"][0]
            assert f"PID {os.getpid()}" in found["reasons"][0]
            server.post("/api/routes/route_1/stop")
            refused = server.post("/api/routes/route_1/start")
            assert refused.status_code == 409
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["code"] == "startRefused"
            assert f"PID {os.getpid()}" in refused.json()["detail"]
            assert server.route("route_1")["status"] == "stopped"
            taken.close()
            assert server.post("/api/routes/route_1/start").status_code == 200
            server.until_status("route_1", "waiting")


def test_a_route_refused_at_the_start_comes_on_air_by_itself(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 5000))
        with Server(tmp_path, [route(1, udp(5000), listener(4001))]) as server:
            server.until_status("route_1", "failed")
            assert not media()
            taken.close()
            server.until_status("route_1", "waiting")


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]).start(environment={"PATH": "/nonexistent"}) as server:
        found = server.until_status("route_1", "failed")
        assert "srt-live-transmit is not installed" in found["reasons"][0]


def test_a_second_server_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        server.until_all_up("route_1")
        assert server.process is not None
        for other in (
            Server(tmp_path / "same-data", DATA_DIR=str(server.data_dir)),
            Server(tmp_path / "same-pids", PID_DIR=str(server.pid_dir)),
        ):
            other.launch()
            assert other.process is not None
            assert other.process.wait(20) == 1
            assert f"PID {server.process.pid}" in other.log()
            assert "stop it first" in other.log()
            other.api.close()
        assert server.until_all_up("route_1")


def test_bad_settings_stop_the_start_with_one_line(tmp_path: Path) -> None:
    for settings, words in (
        ({"NO_SUCH_KEY": "1"}, "NO_SUCH_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"CLEANUP_SCOPE": "everything"}, "CLEANUP_SCOPE"),
        ({"HOST": "router.example.com"}, "HOST"),
    ):
        server = Server(tmp_path / words, **settings)
        server.launch()
        assert server.process is not None
        assert server.process.wait(20) == 1
        assert words in server.log()
        assert len(server.log().splitlines()) == 1
        server.api.close()


def test_the_demo_goes_on_air(tmp_path: Path) -> None:
    with Server(tmp_path).start("--demo-if-empty") as server:
        until(lambda: server.api.get("/api/routes").json()["items"])
        (found,) = server.api.get("/api/routes").json()["items"]
        server.until_status(found["id"], "running")
        until(lambda: "ffplay 'srt://127.0.0.1:" in server.log())
        assert "testSource" in {p["type"] for p in found["processes"]}
        stats = until(
            lambda: [s for s in server.api.get(f"/api/routes/{found['id']}/stats").json()["processes"] if s["report"]]
        )
        assert {s["type"] for s in stats} <= {"srt", "udpDuplicator"}
    assert not media()


def test_requests_of_foreign_pages_are_refused(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        foreign = server.api.get("/api/routes", headers={"Host": "rebound.example"})
        assert foreign.status_code == 403
        blind = server.api.post("/api/routes/route_1/stop", headers={"Origin": "https://elsewhere.example"})
        assert blind.status_code == 403
        assert server.route("route_1")["status"] != "stopped"
        unknown = server.api.get("/api/routes/route_99")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "routeNotFound")
        documentation = server.api.get("/docs").text
        assert "cdn" not in documentation
        assert "/api/routes/{route_id}/start" in server.api.get("/openapi.json").text


# A disk that refuses for a moment


def test_a_pid_file_that_could_not_be_written_is_written_when_it_can(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000))])
    server.pid_dir.mkdir()
    in_the_way = server.pid_dir / ".route_1_srt.tmp"
    in_the_way.mkdir()
    with server.start():
        pid = server.until_all_up("route_1")["srt"]["pid"]
        until(lambda: f"Cannot write PID file of route_1_srt (PID {pid})" in server.log())
        assert "route_1_srt" not in server.pid_files()
        in_the_way.rmdir()
        until(lambda: server.pid_files().get("route_1_srt") == pid)
        until(lambda: "route_1_srt.pid could be written at last" in server.log())
    assert not server.pid_files()


def test_a_configuration_that_could_not_be_written_is_written_when_it_can(tmp_path: Path) -> None:
    one = route(1, listener(4000), {"type": "udp", "host": "127.0.0.1", "port": 5000})
    two = route(1, listener(4000), {"type": "udp", "host": "127.0.0.1", "port": 5002})
    with Server(tmp_path, [one]) as server:
        pid = server.until_all_up("route_1")["udpDuplicator"]["pid"]
        config = server.run_dir / "route_1_udpDuplicator.json"
        good = config.read_bytes()
        config.unlink()
        config.mkdir()
        server.write_routes([two])
        until(lambda: "its new configuration cannot be written" in str(server.route("route_1")["reasons"]))
        config.rmdir()
        until(lambda: config.is_file() and config.read_bytes() != good)
        until(lambda: not server.route("route_1")["reasons"])
        assert server.processes("route_1")["udpDuplicator"]["pid"] == pid
