"""Single destinations of a route on air: they come, go and change, and the others keep their processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.server import Json, Server, caller, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"
PATH = "/api/routes/route_1/destinations"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a route on air that was written by hand: its destinations have no ids yet."""
    ends = [listener(4001, passphrase=SECRET), caller(4002, name="Oslo"), udp(5001)]
    with Server(tmp_path / "server", [route(1, listener(4000), *ends)]) as server:
        server.until_all_up("route_1")
        yield server


def pids(server: Server) -> dict[str, int | None]:
    """PIDs by type; the caller, whose peer is away, comes and goes."""
    return {kind: one["pid"] for kind, one in server.processes("route_1").items() if kind != "srtOut:4002"}


def ends(server: Server) -> list[Json]:
    """The destinations as the API lists them."""
    found: list[Json] = server.api.get(PATH).json()["items"]
    return found


def actions(answer: httpx.Response) -> dict[str, Any]:
    return {one["type"]: one["action"] for one in answer.json()["effects"]["processes"] if one["action"] != "keep"}


def test_add_change_switch_and_remove(server: Server) -> None:
    before = pids(server)
    assert [one["id"] for one in ends(server)] == [None, None, None]
    tried = server.api.post(f"{PATH}?dryRun=true", json=listener(4003))
    assert (tried.status_code, actions(tried), len(ends(server))) == (200, {"srtOut:4003": "start"}, 3)

    added = server.api.post(PATH, json=listener(4003))
    assert (added.status_code, actions(added)) == (201, {"srtOut:4003": "start"})
    mine, found = added.headers["location"], added.json()
    assert mine == f"{PATH}/{found['id']}"
    assert (found["index"], found["process"]) == (3, "srtOut:4003")
    assert all(one["id"] for one in ends(server))

    assert actions(server.api.patch(mine, json={"latency": 300, "name": "Tower"})) == {"srtOut:4003": "restart"}
    stopped = server.post(f"{mine}/stop")
    assert (stopped.status_code, actions(stopped)) == (200, {"srtOut:4003": "stop"})
    until(lambda: "srtOut:4003" not in server.processes("route_1"))
    again = server.post(f"{mine}/stop")
    assert (again.status_code, actions(again)) == (200, {})
    assert actions(server.post(f"{mine}/start")) == {"srtOut:4003": "start"}
    until(lambda: server.processes("route_1")["srtOut:4003"]["pid"])
    assert server.api.get(mine).json()["config"] == {
        "id": found["id"], "type": "srt", "name": "Tower", "mode": "listener", "port": 4003, "latency": 300,
    }  # fmt: skip
    assert actions(server.api.put(mine, json=udp(5003))) == {"srtOut:4003": "stop", "udpDuplicator": "configure"}
    assert server.api.delete(mine).status_code == 204
    assert server.api.delete(mine).status_code == 404
    until(lambda: "srtOut:4003" not in server.processes("route_1"))
    assert pids(server) == before
    assert len(ends(server)) == 3


def test_an_id_means_the_same_destination_wherever_it_stands(server: Server) -> None:
    assert server.api.patch(f"{PATH}/1", json={"name": "Bergen"}).json()["config"]["name"] == "Bergen"
    first, second, third = [one["id"] for one in ends(server)]
    assert server.api.delete(f"{PATH}/{first}").status_code == 204
    assert server.api.get(f"{PATH}/{third}").json()["index"] == 1
    assert server.api.patch(f"{PATH}/{second}", json={"name": "Oslo"}).json()["index"] == 0
    assert server.api.patch(f"{PATH}/{first}", json={"name": "?"}).json()["code"] == "destinationNotFound"
    assert server.api.get(f"{PATH}/2").status_code == 404


def test_a_position_is_safe_with_its_tag(server: Server) -> None:
    tag = server.api.get(f"{PATH}/1").headers["etag"]
    assert server.api.delete(f"{PATH}/0").status_code == 204
    stale = server.api.delete(f"{PATH}/1", headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "preconditionFailed")
    assert [one["config"]["type"] for one in ends(server)] == ["srt", "udp"]


def test_operators_of_different_destinations_do_not_meet(server: Server) -> None:
    server.api.patch(f"{PATH}/0", json={"name": "A"})
    tags = [server.api.get(f"{PATH}/{index}").headers["etag"] for index in range(3)]
    for index, tag in enumerate(tags):
        answer = server.api.patch(f"{PATH}/{index}", json={"name": f"New {index}"}, headers={"If-Match": tag})
        assert answer.status_code == 200
    assert [one["config"]["name"] for one in ends(server)] == ["New 0", "New 1", "New 2"]


def test_its_passphrase_stays_and_is_not_shown(server: Server) -> None:
    answer = server.api.put(f"{PATH}/0", json=listener(4001, latency=200))
    assert answer.json()["config"]["passphrase"] == "**********"
    assert SECRET not in answer.text
    assert server.api.get("/api/routes/route_1/secrets").json()["items"][1]["passphrase"] == SECRET
    server.api.patch(f"{PATH}/0", json={"passphrase": None})
    assert server.api.get("/api/routes/route_1/secrets").json()["items"][1]["passphrase"] is None


def test_what_is_wrong_with_a_destination_is_named_as_its_sender_knows_it(server: Server) -> None:
    answer = server.api.post(PATH, json={"type": "srt", "mode": "caller", "prot": 7})
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["errors"]} == {"port", "prot"}
    assert server.api.post(PATH, json={"type": "rtmp"}).json()["errors"] == [
        {"field": "type", "message": "must be 'srt' or 'udp'"}
    ]
    taken = server.api.post(PATH, json=listener(4000))
    assert taken.json()["errors"] == [{"field": "destinations[3].port", "message": "4000 is already taken by source"}]
    assert server.api.get("/api/routes/route_9/destinations").status_code == 404
    assert server.api.post("/api/routes/route_9/destinations", json=udp(5009)).status_code == 404
