"""Routes are made, changed and removed through the API of a real server; what is on air stays there."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Json, Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare

SECRET, OTHER = "correct-horse-42", "another-horse-7"
MASK = "**********"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server without routes."""
    with Server(tmp_path / "server") as server:
        yield server


def made(server: Server, **fields: object) -> Json:
    """Make a route."""
    body = {"name": "Paris", "source": listener(4000), "destinations": [listener(4001), udp(5001)], **fields}
    answer = server.api.post("/api/routes", json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    assert answer.headers["location"] == f"/api/routes/{found['id']}"
    return found


def on_disk(server: Server) -> list[Json]:
    """The routes in routes.json."""
    routes: list[Json] = json.loads((server.data_dir / "routes.json").read_text())["routes"]
    return routes


def pids(server: Server, route_id: str) -> dict[str, int]:
    """The PIDs of a route's processes by type."""
    return {kind: process["pid"] for kind, process in server.until_all_up(route_id).items()}


def actions(answer: Any) -> dict[str, str]:
    """What an answer says becomes of which process."""
    return {one["type"]: one["action"] for one in answer.json()["effects"]["processes"]}


def fields(answer: Any) -> dict[str, str]:
    """The fields that a problem names."""
    return {one["field"]: one["message"] for one in answer.json()["errors"]}


# A route's life


def test_make_read_change_copy_remove(server: Server) -> None:
    first = made(server, source=listener(4000, passphrase=SECRET), tags=["news"], description="Call 555-1234")
    path = f"/api/routes/{first['id']}"
    assert first["status"] == "stopped"
    assert first["config"]["source"]["passphrase"] == MASK
    assert first["effects"] == {"processes": [], "interrupts": False}
    assert on_disk(server)[0]["source"]["passphrase"] == SECRET

    read = server.api.get(path)
    assert read.json()["config"] == first["config"]
    assert SECRET not in read.text
    whole = server.api.put(path, json={**read.json()["config"], "name": "Paris 2"})
    assert whole.json()["config"] == {**first["config"], "name": "Paris 2"}
    assert on_disk(server)[0]["source"]["passphrase"] == SECRET
    part = server.api.patch(path, json={"source": {"latency": 300}, "description": None})
    assert part.json()["config"]["source"]["latency"] == 300
    assert "description" not in on_disk(server)[0]

    copy = server.api.post(f"{path}/duplicate", json={"tags": ["spare"]})
    assert copy.status_code == 201
    config = copy.json()["config"]
    assert (config["name"], config["tags"], config["autoStart"]) == ("Paris 2 (copy)", ["spare"], False)
    assert config["source"]["port"] != 4000
    assert on_disk(server)[1]["source"]["passphrase"] == SECRET
    assert server.api.post(f"{copy.headers['location']}/start").status_code == 200
    server.until_all_up(config["id"])

    assert server.api.delete(path).status_code == 204
    for gone in (
        server.api.get(path),
        server.api.delete(path),
        server.api.patch(path, json={}),
        server.post(f"{path}/stop"),
    ):
        assert (gone.status_code, gone.json()["code"]) == (404, "routeNotFound")
    assert [one["id"] for one in on_disk(server)] == [config["id"]]
    kinds = [event["kind"] for event in server.api.get("/api/events").json()["items"]]
    assert {"routeAdded", "routeEdited", "routeRemoved"} <= set(kinds)


def test_a_route_with_auto_start_goes_on_air_and_off_when_it_is_removed(server: Server) -> None:
    found = made(server, autoStart=True)
    assert {one["action"] for one in found["effects"]["processes"]} == {"start"}
    running = pids(server, found["id"])
    assert set(running) == {"srt", "srtOut:4001", "udpDuplicator"}
    tried = server.api.delete(f"/api/routes/{found['id']}?dryRun=true")
    assert tried.status_code == 200
    assert set(actions(tried).values()) == {"stop"}
    assert tried.json()["effects"]["interrupts"]
    assert server.api.delete(f"/api/routes/{found['id']}").status_code == 204
    assert not any(Path(f"/proc/{pid}").exists() for pid in running.values())
    assert server.pid_files() == {}


def test_start_and_stop_may_be_said_twice(server: Server) -> None:
    path = f"/api/routes/{made(server)['id']}"
    for order, status in (("stop", "stopped"), ("start", "waiting"), ("start", "waiting"), ("stop", "stopped")):
        assert server.post(f"{path}/{order}").status_code == 200
        server.until_status(path.rpartition("/")[2], status)
    assert server.post("/api/routes/route_9/stop").status_code == 404


# What an edit touches


def test_an_edit_restarts_what_it_says_and_nothing_else(server: Server) -> None:
    first = made(server, autoStart=True)
    path, before = f"/api/routes/{first['id']}", pids(server, first["id"])
    ends = first["config"]["destinations"]
    edits: list[tuple[Json, dict[str, str], bool]] = [
        ({"name": "Other", "tags": ["x"], "autoStart": False}, {}, False),
        ({"destinations": [*ends, listener(4002)]}, {"srtOut:4002": "start"}, False),
        ({"destinations": [{**ends[0], "latency": 500}, ends[1]]}, {"srtOut:4001": "restart"}, True),
        ({"destinations": [ends[0], {**ends[1], "ttl": 3}]}, {"udpDuplicator": "configure"}, False),
        ({"destinations": ends[1:]}, {"srtOut:4001": "stop"}, True),
        ({"source": {"latency": 500}}, {"srt": "restart"}, True),
    ]
    for patch, expected, interrupts in edits:
        tried = server.api.patch(f"{path}?dryRun=true", json=patch)
        assert actions(tried) == dict.fromkeys(before, "keep") | expected
        assert tried.json()["effects"]["interrupts"] is interrupts
        assert server.route(first["id"])["config"] == first["config"]
    assert pids(server, first["id"]) == before

    done = server.api.patch(path, json={"destinations": [{**ends[0], "latency": 500}, ends[1], listener(4002)]})
    assert actions(done) == {"srt": "keep", "udpDuplicator": "keep", "srtOut:4001": "restart", "srtOut:4002": "start"}
    until(lambda: server.processes(first["id"])["srtOut:4001"]["pid"] not in (None, before["srtOut:4001"]))
    after = pids(server, first["id"])
    assert {kind: after[kind] for kind in ("srt", "udpDuplicator")} == {
        kind: before[kind] for kind in ("srt", "udpDuplicator")
    }


@pytest.mark.long
@pytest.mark.timeout(120)
def test_edits_of_neighbours_are_not_seen_in_the_stream(server: Server, tmp_path: Path) -> None:
    """Destinations come, go and change through the API while every byte arrives at the others."""
    sent = make(HD_6_MBPS, 20)
    found = made(server, autoStart=True)
    path = f"/api/routes/{found['id']}"
    server.until_status(found["id"], "waiting")
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "unicast.ts") as unicast,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "listener.ts") as steady,
        SrtSender(sent, SrtUrl(4000, "caller")) as sender,
    ):
        steady.wait_connected()
        sender.wait_connected()
        before, rounds = pids(server, found["id"]), 0
        while rounds < 8:
            added = server.api.post(f"{path}/destinations", json=listener(4002))
            assert added.status_code == 201, added.text
            mine = added.headers["location"]
            assert server.api.patch(mine, json={"latency": 200 + rounds}).status_code == 200
            assert server.api.post(f"{path}/destinations", json=udp(5100 + rounds)).status_code == 201
            assert server.post(f"{mine}/stop").status_code == 200
            assert server.post(f"{mine}/start").status_code == 200
            assert server.api.patch(path, json={"name": f"Round {rounds}"}).status_code == 200
            assert server.api.delete(mine).status_code == 204
            rounds += 1
        assert not sender.all_events("closed"), "the stream ended before the edits did"
        assert sender.wait_end(90) == 0
        for receiver in (unicast, steady):
            receiver.wait_bytes(sent.stat().st_size)
            receiver.stop()
            report, comparison = check(receiver.file), compare(sent, receiver.file)
            assert report.clean, report
            assert comparison.identical, comparison
        after = server.processes(found["id"])
        assert {kind: after[kind]["pid"] for kind in before} == before


# Who else edits


def test_two_operators_do_not_overwrite_each_other(server: Server) -> None:
    path = f"/api/routes/{made(server)['id']}"
    tag = server.api.get(path).headers["etag"]
    assert tag.startswith('"')
    first = server.api.patch(path, json={"name": "A"}, headers={"If-Match": tag})
    assert first.status_code == 200
    for method, body in (("PATCH", {"name": "B"}), ("PUT", {"name": "B", "source": listener(4000)}), ("DELETE", None)):
        stale = server.api.request(method, path, json=body, headers={"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "preconditionFailed")
    assert server.api.get(path).headers["etag"] == first.headers["etag"] != tag
    assert (
        server.api.patch(path, json={"name": "C"}, headers={"If-Match": f'"x", {first.headers["etag"]}'}).status_code
        == 200
    )
    assert server.api.patch(path, json={"name": "D"}, headers={"If-Match": "*"}).status_code == 200
    assert server.api.patch(path, json={"name": "E"}, headers={"If-Match": f"W/{tag}"}).status_code == 412


def test_many_edits_at_once_all_count(server: Server) -> None:
    answers: list[int] = []

    def edit(number: int) -> None:
        body = {"name": f"Route {number}", "source": listener(7000 + number)}
        answers.append(server.api.post("/api/routes", json=body).status_code)

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 20
    assert len({one["id"] for one in on_disk(server)}) == 20
    assert len(server.api.get("/api/routes").json()["items"]) == 20


def test_an_edit_by_hand_and_one_through_the_api_both_count(server: Server) -> None:
    made(server)
    for number in range(5):
        by_hand = [*on_disk(server), route(100 + number, listener(7100 + number), autoStart=False)]
        server.write_routes(by_hand)
        assert server.api.post("/api/routes", json={"name": "x", "source": listener(7200 + number)}).status_code == 201
    ports = {one["source"]["port"] for one in on_disk(server)}
    assert ports == {4000, *range(7100, 7105), *range(7200, 7205)}
    assert {one["source"]["endpoint"]["port"] for one in server.api.get("/api/routes").json()["items"]} == ports


def test_a_broken_file_is_not_written_over(server: Server) -> None:
    path = f"/api/routes/{made(server)['id']}"
    text = (server.data_dir / "routes.json").read_text()
    server.write_routes(text[:-20])
    for answer in (server.api.patch(path, json={"name": "B"}), server.api.delete(path)):
        assert (answer.status_code, answer.json()["code"]) == (409, "routesFileInvalid")
        assert "line" in answer.json()["detail"]
    assert (server.data_dir / "routes.json").read_text() == text[:-20]
    (server.data_dir / "routes.json").unlink()
    until(lambda: "was removed" in server.api.patch(path, json={"name": "B"}).text)
    server.write_routes(text)
    until(lambda: server.api.patch(path, json={"name": "B"}).status_code == 200)
    assert on_disk(server)[0]["name"] == "B"


def test_a_disk_that_refuses_changes_nothing(server: Server) -> None:
    found = made(server, autoStart=True)
    before, text = pids(server, found["id"]), (server.data_dir / "routes.json").read_text()
    (server.data_dir / "routes.json.bak.tmp").mkdir()
    answer = server.api.patch(f"/api/routes/{found['id']}", json={"source": {"port": 4009}})
    assert (answer.status_code, answer.json()["code"]) == (503, "routesFileUnwritable")
    assert (server.data_dir / "routes.json").read_text() == text
    assert server.route(found["id"])["config"] == found["config"]
    assert pids(server, found["id"]) == before
    (server.data_dir / "routes.json.bak.tmp").rmdir()
    assert server.api.patch(f"/api/routes/{found['id']}", json={"name": "B"}).status_code == 200


# What is refused


def test_what_is_wrong_is_named_field_by_field(server: Server) -> None:
    first = made(server)
    text = (server.data_dir / "routes.json").read_text()
    bad = {
        "name": "",
        "source": {"type": "srt", "mode": "caller", "prot": 7},
        "destinations": [udp(0)],
        "id": "route_1",
    }
    answer = server.api.post("/api/routes", json={**bad})
    assert (answer.status_code, answer.json()["code"]) == (422, "routeInvalid")
    assert set(fields(answer)) == {"id"}
    del bad["id"]
    answer = server.api.post("/api/routes", json=bad)
    assert set(fields(answer)) == {"name", "source.port", "source.prot", "destinations[0].port"}
    answer = server.api.post("/api/routes", json={"name": "B", "source": listener(4001)})
    assert fields(answer) == {
        "source.port": f'4001 is already taken by destinations[0] of route "Paris" ({first["id"]})'
    }
    answer = server.api.patch(f"/api/routes/{first['id']}", json={"transcode": "nothing"})
    assert set(fields(answer)) == {"transcode.preset"}
    for body in ("[]", "7", "{", '"x"', ""):
        answer = server.api.post("/api/routes", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, body
        assert answer.headers["content-type"] == "application/problem+json"
    assert server.api.post(
        "/api/routes", content="[" * 100_000, headers={"Content-Type": "application/json"}
    ).status_code in (400, 422)
    assert server.api.post("/api/routes?dryRun=maybe", json={}).status_code == 422
    assert (server.data_dir / "routes.json").read_text() == text


def test_a_port_that_somebody_holds_is_named_before_anything_on_air_changes(server: Server) -> None:
    found = made(server, autoStart=True)
    path, before = f"/api/routes/{found['id']}", pids(server, found["id"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 4009))
        for method, url, body, field in [
            ("PATCH", path, {"source": {"port": 4009}}, "source.port"),
            ("POST", f"{path}/destinations", listener(4009), "destinations[2].port"),
            ("POST", "/api/routes", {"name": "B", "autoStart": True, "source": listener(4009)}, "source.port"),
        ]:
            for suffix in ("?dryRun=true", ""):
                answer = server.api.request(method, url + suffix, json=body)
                assert (answer.status_code, answer.json()["code"]) == (409, "changeRefused")
                assert f"(PID {os.getpid()})" in fields(answer)[field]
        stopped = server.api.post("/api/routes", json={"name": "B", "source": listener(4009)})
        assert stopped.status_code == 201  # it is not on air: looked at when it starts
        assert server.post(f"{stopped.headers['location']}/start").status_code == 409
    assert pids(server, found["id"]) == before
    assert server.route(found["id"])["config"] == found["config"]


def test_ports_that_the_edit_itself_sets_free_may_be_used(server: Server) -> None:
    found = made(server, autoStart=True, destinations=[listener(4001), listener(4002)])
    pids(server, found["id"])
    one, two = found["config"]["destinations"]
    swapped = [{**one, "port": 4002}, {**two, "port": 4001}]
    answer = server.api.patch(f"/api/routes/{found['id']}", json={"destinations": swapped})
    assert answer.status_code == 200, answer.text
    assert server.api.patch(f"/api/routes/{found['id']}", json={"source": {"port": 4004}}).status_code == 200
    other = server.api.post("/api/routes", json={"name": "B", "autoStart": True, "source": listener(4005)})
    pids(server, other.json()["id"])
    assert server.api.delete(other.headers["location"]).status_code == 204
    assert server.api.patch(f"/api/routes/{found['id']}", json={"source": {"port": 4005}}).status_code == 200
    server.until_all_up(found["id"])


# Secrets


def test_passphrases_are_read_in_one_place_only(server: Server) -> None:
    ends = [listener(4001, passphrase=OTHER), caller(4002), udp(5001)]
    found = made(server, source=listener(4000, passphrase=SECRET), destinations=ends)
    path = f"/api/routes/{found['id']}"
    secrets = server.api.get(f"{path}/secrets").json()["items"]
    assert [one["passphrase"] for one in secrets] == [SECRET, OTHER, None]
    assert [one["index"] for one in secrets] == [None, 0, 1]
    assert secrets[1]["id"] == found["config"]["destinations"][0]["id"]
    answers = [server.api.patch(path, json={"source": {"passphrase": "a-third-horse-9"}, "name": "B"})]
    answers += [
        server.api.get(one)
        for one in (path, "/api/routes", f"{path}/destinations", "/api/routes/export", "/api/events")
    ]
    answers += [server.api.patch(path, json={"source": {"passphrase": "short"}})]
    for answer in answers:
        assert not [word for word in (SECRET, OTHER, "a-third-horse-9", "short") if f'"{word}' in answer.text], (
            answer.url
        )
    assert "horse" not in server.log()
    assert server.api.get(f"{path}/secrets").json()["items"][0]["passphrase"] == "a-third-horse-9"
    assert server.api.patch(path, json={"source": {"passphrase": None}}).status_code == 200
    assert server.api.get(f"{path}/secrets").json()["items"][0]["passphrase"] is None


def test_the_history_tells_who_did_what(server: Server) -> None:
    found = made(server, source=listener(4000, passphrase=SECRET))
    path = f"/api/routes/{found['id']}"
    server.api.patch(path, json={"name": "B", "source": {"passphrase": OTHER}})
    server.api.get(f"{path}/secrets")
    server.api.get("/api/routes/export?secrets=true")
    server.post(f"{path}/start")
    server.api.post(f"{path}/destinations", json=udp(5009))
    server.api.delete(path)

    def told() -> list[Json]:
        items = server.api.get("/api/events?kind=operatorAction").json()["items"]
        return [one["data"] | {"actor": one["actor"]} for one in reversed(items)]

    until(lambda: len(told()) >= 7)
    assert [one["action"] for one in told()] == [
        "route.create", "route.edit", "route.secrets", "route.export", "route.start", "destination.add", "route.delete",
    ]  # fmt: skip
    edit = told()[1]
    assert (edit["routeId"], edit["actor"], edit["role"]) == (found["id"], "local", "administrator")
    assert (edit["before"]["name"], edit["after"]["name"]) == ("Paris", "B")
    assert "horse" not in str(told())


# Presets, tags, lists


def test_a_preset_by_name(server: Server) -> None:
    presets = server.api.get("/api/presets").json()["items"]
    assert {"id", "name", "description", "transcode", "builtIn"} == set(presets[0])
    for number, preset in enumerate(presets):
        found = made(server, source=listener(7000 + number), destinations=[], transcode=preset["name"])
        assert found["config"]["transcode"] == preset["transcode"]


def test_lists_are_searched_and_paged(server: Server) -> None:
    server.write_routes(
        [
            route(
                number,
                listener(7000 + number),
                autoStart=number == 1,
                tags=["all", "even" if number % 2 == 0 else "odd"],
            )
            for number in range(1, 8)
        ]
    )
    until(lambda: len(server.api.get("/api/routes").json()["items"]) == 7)
    server.until_status("route_1", "waiting")

    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in server.api.get("/api/routes", params=query).json()["items"]]

    assert ids(tag=["even", "all"]) == ["route_2", "route_4", "route_6"]
    assert ids(status="waiting") == ["route_1"]
    assert ids(status=["waiting", "stopped"], q="ROUTE 3") == ["route_3"]
    assert server.api.get("/api/tags").json()["items"] == [
        {"name": "all", "routes": 7}, {"name": "even", "routes": 3}, {"name": "odd", "routes": 4},
    ]  # fmt: skip
    first = server.api.get("/api/routes", params={"limit": 5}).json()
    rest = server.api.get("/api/routes", params={"limit": 5, "cursor": first["nextCursor"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == ids()
    assert rest["nextCursor"] is None
    for bad in ({"limit": 0}, {"cursor": "x"}, {"status": "great"}, {"tags": "x"}):
        assert server.api.get("/api/routes", params=bad).status_code == 422
