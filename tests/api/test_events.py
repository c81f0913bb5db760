"""`/api/events` of a real server: what happened is told, kept over restarts and crashes, and holds no secret."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


def events(server: Server, **query: Any) -> list[dict[str, Any]]:
    answer = server.api.get("/api/events", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def kinds(server: Server, **query: Any) -> list[str]:
    """Oldest first."""
    return [event["kind"] for event in reversed(events(server, limit=1000, **query))]


def test_the_life_of_a_route_is_told(tmp_path: Path) -> None:
    first = route(1, listener(4000, passphrase=SECRET), udp(5001))
    with Server(tmp_path, [first]) as server:
        pids = {kind: p["pid"] for kind, p in server.until_all_up("route_1").items()}
        assert kinds(server)[:2] == ["orphansCleanedUp", "serverStarted"]
        started = events(server, kind="processStarted")
        assert {(e["processType"], e["data"]["pid"]) for e in started} == set(pids.items())
        assert {e["routeId"] for e in started} == {"route_1"}
        assert [e["data"] for e in events(server, kind="routeStarted")] == [
            {"routeId": "route_1", "reason": "autoStart"}
        ]
        os.kill(pids["srt"], signal.SIGKILL)
        (end,) = until(lambda: events(server, kind="processEnded"))
        assert end["data"]["exit"] == "killed by SIGKILL"
        assert (end["data"]["signal"], end["data"]["outcome"], end["data"]["pid"]) == (9, "failed", pids["srt"])
        until(lambda: len(events(server, kind="processStarted")) == 3)
        server.post("/api/routes/route_1/restart")
        server.post("/api/routes/route_1/stop")
        assert [e["data"]["reason"] for e in events(server, kind="routeStopped")] == ["order", "restart"]
        assert events(server, kind="routeStatus", limit=1)[0]["data"]["status"] == "stopped"
        assert SECRET not in server.api.get("/api/events", params={"limit": 1000}).text
        assert [e["id"] for e in events(server)] == sorted((e["id"] for e in events(server)), reverse=True)


def test_edits_of_routes_json_are_told(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4001))]) as server:
        changed = route(1, listener(4000, passphrase=SECRET), name="Paris")
        server.write_routes([changed, route(3, listener(4003), autoStart=False)])
        (taken,) = until(lambda: events(server, kind="routesFileTakenOver"))
        assert taken["data"] == {"routes": 2, "added": ["route_3"], "changed": ["route_1"], "removed": ["route_2"]}
        (edited,) = events(server, kind="routeEdited")
        assert edited["data"] == {"routeId": "route_1", "name": "Paris", "fields": ["name", "source"]}
        assert [e["routeId"] for e in events(server, kind=["routeAdded", "routeRemoved"])] == ["route_3", "route_2"]
        assert events(server, kind="routeStopped", route="route_2")[0]["data"]["reason"] == "removed"
        server.write_routes("{ broken")
        (refused,) = until(lambda: events(server, kind="routesFileRefused"))
        assert len(refused["data"]["errors"]) == 1
        assert SECRET not in server.api.get("/api/events", params={"limit": 1000}).text


def test_a_refused_start_is_told_with_its_reasons(tmp_path: Path) -> None:
    taken = [route(1, listener(4000)), route(2, listener(4001), listener(4002))]
    with Server(tmp_path, taken) as server:
        server.until_all_up("route_1")
        server.post("/api/routes/route_2/stop")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
            holder.bind(("0.0.0.0", 4001))
            assert server.post("/api/routes/route_2/start").status_code == 409
        (refused,) = events(server, kind="startRefused")
        assert "4001" in refused["data"]["reasons"][0]
        assert refused["data"]["keepsTrying"] is False


def test_a_caller_that_waits_is_told_once(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, caller(4999), udp(5001))]) as server:
        until(lambda: server.processes("route_1").get("srt", {}).get("restarts", 0) >= 2, 30)
        ends = events(server, kind="processEnded")
        assert [(e["data"]["outcome"], e["repeated"]) for e in ends] == [("unanswered", 0)]
        assert len(events(server, kind="processStarted", text="srt started")) == 1
        assert server.stop() == 0
        server.start()
        sums = events(server, kind="processEnded", route="route_1")
        assert [e["repeated"] for e in sums if e["repeated"]] != []


def test_pages_and_filters(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4001))]) as server:
        server.until_all_up("route_1")
        server.until_all_up("route_2")
        for _ in range(5):
            server.post("/api/routes/route_1/restart")
        until(lambda: server.route("route_1")["status"] == "waiting")
        server.api.get("/api/events")
        everything = events(server, limit=1000)
        paged: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = server.api.get("/api/events", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
            paged += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert paged == everything
        assert len(paged) > 20
        assert {e["routeId"] for e in events(server, route="route_2")} == {"route_2"}
        middle = everything[len(everything) // 2]["at"]
        late, early = events(server, since=middle, limit=1000), events(server, until=middle, limit=1000)
        assert late + early == everything
        assert all("STARTED" in e["message"].upper() for e in events(server, text="Started"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"kind": "routeExploded"}, "kind"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "'; DROP TABLE events"}, "cursor"),
        ({"since": "yesterday"}, "since"),
        ({"since": 10**30}, "since"),
        ({"rute": "route_1"}, "rute"),
        ({"text": "x" * 201}, "text"),
    ],
)
def test_bad_queries(bad: Server, query: dict[str, Any], field: str) -> None:
    answer = bad.api.get("/api/events", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert any(field in error["field"] for error in answer.json()["errors"]), answer.text


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bad")) as server:
        yield server


def test_events_survive_a_restart_and_a_crash(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        server.until_all_up("route_1")
        assert server.stop() == 0
        server.start()
        names = kinds(server)
        assert names.count("serverStarted") == 2
        assert names.index("serverStopping") < names.index("routeStopped")
        server.until_all_up("route_1")
        before = events(server, limit=1000)
        until(lambda: len(stored(server)) >= len(before), what="everything to be committed")
        server.kill()
        server.start()
        after = events(server, limit=1000)
        assert after[-len(before) :] == before
        assert after[0]["id"] > before[0]["id"]
        assert (server.data_dir / "gateway.db").stat().st_mode & 0o777 == 0o600
        assert (server.data_dir / "gateway.db-wal").stat().st_mode & 0o777 == 0o600


def stored(server: Server) -> list[Any]:
    with sqlite3.connect(f"file:{server.data_dir}/gateway.db?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT id FROM events").fetchall()
    connection.close()
    return found


def test_a_database_that_cannot_be_used_stops_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000))])
    content = b"this is no database" * 100
    (server.data_dir / "gateway.db").write_bytes(content)
    with server.start():
        server.until_all_up("route_1")
        health = server.api.get("/api/health")
        assert health.status_code == 200
        assert any("gateway.db" in problem and "Remedy" in problem for problem in health.json()["problems"])
        assert {"serverStarted", "routeStarted", "processStarted"} <= set(kinds(server))
        assert server.stop() == 0
    assert (server.data_dir / "gateway.db").read_bytes() == content
    assert server.log().count("gateway.db is damaged") == 1


def test_it_is_described(bad: Server) -> None:
    described = bad.api.get("/openapi.json").json()
    parameters = described["paths"]["/api/events"]["get"]["parameters"]
    assert {p["name"] for p in parameters} == {"route", "kind", "since", "until", "text", "limit", "cursor"}
    assert "routeGaveUp" in json.dumps(parameters)


def test_peers_come_and_go(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001, passphrase=SECRET))]) as server:
        server.until_all_up("route_1")
        caller_of = "srt-live-transmit", "-a:no", "-q", "udp://127.0.0.1:5999", "srt://127.0.0.1:4000?mode=caller"
        with subprocess.Popen(caller_of) as peer:
            (came,) = until(lambda: events(server, kind="peerConnected"))
            peer.terminate()
        assert (came["routeId"], came["processType"]) == ("route_1", "srt")
        assert came["data"]["peer"].startswith("127.0.0.1:")
        (gone,) = until(lambda: events(server, kind="peerDisconnected"))
        assert gone["data"]["peer"] == came["data"]["peer"]
        assert 0 <= gone["data"]["connectedMs"] < 20_000
        wrong = "srt://127.0.0.1:4001?mode=caller&passphrase=something-else"
        with subprocess.Popen(("srt-live-transmit", "-a:no", "-q", wrong, "udp://127.0.0.1:5998")):
            (refused,) = until(lambda: events(server, kind="peerRejected"))
        assert refused["processType"] == "srtOut:4001"
        assert "passphrase" in refused["data"]["reason"]
        assert SECRET not in server.api.get("/api/events").text
