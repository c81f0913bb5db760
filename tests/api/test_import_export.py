"""Salvos, import and export: many routes at once, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.server import Json, Server, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Three routes; the first two are on air."""
    routes = [
        route(1, listener(4000, passphrase=SECRET), listener(4001)),
        route(2, listener(4100), listener(4101)),
        route(3, listener(4200), udp(5001), autoStart=False),
    ]
    with Server(tmp_path / "server", routes) as server:
        for number in (1, 2):
            server.until_all_up(f"route_{number}")
        yield server


def text(server: Server) -> str:
    return (server.data_dir / "routes.json").read_text()


def pids(server: Server, number: int) -> dict[str, int]:
    return {kind: one["pid"] for kind, one in server.until_all_up(f"route_{number}").items()}


def statuses(server: Server) -> list[str]:
    return [one["status"] for one in server.api.get("/api/routes").json()["items"]]


# Import and export


def test_an_export_can_be_imported_again(server: Server) -> None:
    plain = server.api.get("/api/routes/export")
    assert SECRET not in plain.text
    assert 'filename="routes.json"' in plain.headers["content-disposition"]
    before = [pids(server, number) for number in (1, 2)]
    for mode in ("merge", "replace"):
        answer = server.api.post(f"/api/routes/import?mode={mode}", json=plain.json())
        assert answer.status_code == 200
        assert answer.json() == {
            "differences": {"added": [], "changed": [], "removed": []},
            "effects": {"processes": [], "interrupts": False},
        }
    assert [pids(server, number) for number in (1, 2)] == before
    assert json.loads(text(server))["routes"][0]["source"]["passphrase"] == SECRET
    one = server.api.get("/api/routes/export", params={"route": "route_2", "secrets": "true"}).json()
    assert [found["id"] for found in one["routes"]] == ["route_2"]
    assert SECRET in server.api.get("/api/routes/export?secrets=true").text
    assert server.api.get("/api/routes/export?route=route_9").status_code == 404


def test_an_import_says_first_what_it_would_do(server: Server) -> None:
    document = server.api.get("/api/routes/export").json()
    document["routes"][0]["source"]["latency"] = 400
    document["routes"][1]["name"] = "Two"
    del document["routes"][2]
    document["routes"].append({"name": "New", "source": listener(4300)})
    before = text(server)
    tried = server.api.post("/api/routes/import?mode=replace&dryRun=true", json=document).json()
    assert text(server) == before
    done = server.api.post("/api/routes/import?mode=replace", json=document).json()
    for answer in (tried, done):
        found = answer["differences"]
        assert [one["name"] for one in found["added"]] == ["New"]
        assert [one["id"] for one in found["removed"]] == ["route_3"]
        assert {one["id"]: one["fields"] for one in found["changed"]} == {
            "route_1": [{"field": "source.latency", "before": 120, "after": 400}],
            "route_2": [{"field": "name", "before": "Route 2", "after": "Two"}],
        }
        ended = [one for one in answer["effects"]["processes"] if one["action"] != "keep"]
        assert ended == [{"routeId": "route_1", "type": "srt", "action": "restart"}]
    assert len(json.loads(text(server))["routes"]) == 3


def test_an_import_with_one_mistake_changes_nothing(server: Server) -> None:
    before, running = text(server), [pids(server, number) for number in (1, 2)]
    document: Json = {"version": 1, "routes": [route(1, listener(4050)), route(8, listener(4101)), {"name": ""}]}
    answer = server.api.post("/api/routes/import", json=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "routeInvalid")
    assert {one["field"] for one in answer.json()["errors"]} == {"routes[2].name", "routes[2].source"}
    del document["routes"][2]
    answer = server.api.post("/api/routes/import", json=document)
    assert {one["field"] for one in answer.json()["errors"]} == {"routes[1].source.port"}
    assert server.api.post("/api/routes/import", json={"version": 2, "routes": []}).status_code == 422
    assert server.api.post("/api/routes/import?mode=wipe", json=document).status_code == 422
    assert text(server) == before
    assert [pids(server, number) for number in (1, 2)] == running


# Salvos


def test_a_salvo_edits_starts_and_stops_at_once(server: Server) -> None:
    kept = pids(server, 1)
    steps: list[Json] = [
        {"action": "stop", "routeId": "route_2"},
        {"action": "start", "routeId": "route_3"},
        {"action": "patch", "routeId": "route_3", "patch": {"name": "Three", "source": {"port": 4250}}},
        {"action": "patch", "routeId": "route_1", "patch": {"name": "One"}},
        {"action": "create", "route": {"name": "Four", "source": listener(4300), "autoStart": True}},
    ]
    before = text(server)
    tried = server.api.post("/api/routes/salvo?dryRun=true", json={"steps": steps})
    assert tried.status_code == 200, tried.text
    assert text(server) == before
    done = server.api.post("/api/routes/salvo", json={"steps": steps})
    assert done.status_code == 200, done.text
    for answer in (tried.json(), done.json()):
        what = {(one["routeId"], one["action"]) for one in answer["effects"]["processes"]}
        assert {("route_1", "keep"), ("route_2", "stop"), ("route_3", "start")} <= what
        assert [one["name"] for one in answer["differences"]["added"]] == ["Four"]
    until(lambda: statuses(server) == ["waiting", "stopped", "waiting", "waiting"])
    assert pids(server, 1) == kept
    gone = {"steps": [{"action": "delete", "routeId": "route_2"}, {"action": "restart", "routeId": "route_1"}]}
    assert server.api.post("/api/routes/salvo", json=gone).status_code == 200
    assert pids(server, 1).keys() == kept.keys()
    assert not set(pids(server, 1).values()) & set(kept.values())
    assert server.api.get("/api/routes/route_2").status_code == 404


def test_a_salvo_with_a_wrong_step_does_nothing(server: Server) -> None:
    before, running = text(server), pids(server, 1)
    steps: list[Json] = [
        {"action": "stop", "routeId": "route_1"},
        {"action": "start", "routeId": "route_9"},
        {"action": "patch", "routeId": "route_2", "patch": {"source": {"port": 7}}},
        {"action": "delete", "routeId": "route_8"},
    ]
    answer = server.api.post("/api/routes/salvo", json={"steps": steps})
    assert (answer.status_code, answer.json()["code"]) == (422, "routeInvalid")
    named = {one["field"] for one in answer.json()["errors"]}
    assert named == {"steps[1].routeId", "steps[2].patch.source.port", "steps[3].routeId"}
    twice = [{"action": "stop", "routeId": "route_1"}, {"action": "start", "routeId": "route_1"}]
    for wrong in (twice, [], [{"action": "explode", "routeId": "route_1"}], [{"action": "start"}]):
        assert server.api.post("/api/routes/salvo", json={"steps": wrong}).status_code == 422
    assert (text(server), pids(server, 1)) == (before, running)


def test_a_salvo_that_fails_half_way_is_taken_back(server: Server) -> None:
    """While a process that does not listen to SIGTERM is being stopped, somebody takes the port of another route."""
    before, kept = text(server), pids(server, 1)
    os.kill(pids(server, 2)["srt"], signal.SIGSTOP)
    steps: list[Json] = [
        {"action": "stop", "routeId": "route_2"},
        {"action": "patch", "routeId": "route_1", "patch": {"name": "One"}},
        {"action": "create", "route": {"name": "Four", "source": listener(4300), "autoStart": True}},
        {"action": "start", "routeId": "route_3"},
    ]
    answers: list[httpx.Response] = []
    firing = threading.Thread(
        target=lambda: answers.append(server.api.post("/api/routes/salvo", json={"steps": steps}))
    )
    firing.start()
    server.until_status("route_2", "stopping")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 4200))
        firing.join()
    (answer,) = answers
    assert (answer.status_code, answer.json()["code"]) == (409, "salvoRefused")
    assert answer.json()["errors"][0]["field"] == "steps[3]"
    assert f"(PID {os.getpid()})" in answer.json()["detail"]
    assert json.loads(text(server)) == json.loads(before)
    until(lambda: statuses(server) == ["waiting", "waiting", "stopped"])
    assert pids(server, 1) == kept


def test_a_salvo_whose_start_cannot_be_is_refused_as_a_whole(server: Server) -> None:
    before, running = text(server), pids(server, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 4200))
        steps: list[Json] = [
            {"action": "stop", "routeId": "route_1"},
            {"action": "patch", "routeId": "route_2", "patch": {"name": "Two"}},
            {"action": "start", "routeId": "route_3"},
        ]
        answer = server.api.post("/api/routes/salvo", json={"steps": steps})
    assert (answer.status_code, answer.json()["code"]) == (409, "changeRefused")
    assert "4200" in answer.json()["detail"]
    encoder = {"video": {"codec": "h264", "bitrateKbps": 3000, "encoder": "nvenc"}, "audio": "copy"}
    steps[1] = {"action": "patch", "routeId": "route_2", "patch": {"transcode": encoder}}
    answer = server.api.post("/api/routes/salvo", json={"steps": steps})
    assert (answer.status_code, answer.json()["code"]) == (409, "changeRefused")
    assert [one["field"] for one in answer.json()["errors"]] == ["transcode.video.encoder"]
    assert (text(server), pids(server, 1)) == (before, running)
    assert statuses(server) == ["waiting", "waiting", "stopped"]
