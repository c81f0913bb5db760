"""The list of routes says of each what the route itself says, at any moment, though it is not made anew each time."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.harness.server import Server, caller, listener, route, routes_json, udp
from tests.harness.wait import until

Json = dict[str, Any]


def listed(server: Server, route_id: str) -> Json:
    items: list[Json] = server.api.get("/api/routes").json()["items"]
    return next(item for item in items if item["id"] == route_id)


def same(server: Server, route_id: str) -> bool:
    """Asked for until nothing happens in between."""

    def agrees() -> bool:
        one = server.route(route_id)
        item = listed(server, route_id)
        return item == {name: one[name] for name in item} and one == server.route(route_id)

    return until(agrees, 10, f"the list to say of {route_id} what it says itself")


def test_the_list_is_never_out_of_date(tmp_path: Path) -> None:
    routes = [route(1, listener(4000), listener(4001), testSource=True), route(2, listener(4010), autoStart=False)]
    with Server(tmp_path, routes) as server:
        server.until_status("route_1", "running")
        assert same(server, "route_1")
        assert same(server, "route_2")
        for number in range(5):
            assert server.api.patch("/api/routes/route_2", json={"name": f"Name {number}"}).status_code == 200
            assert listed(server, "route_2")["name"] == f"Name {number}", "at once"
        assert server.api.post("/api/routes/route_2/destinations", json=udp(5000)).status_code == 201
        assert len(listed(server, "route_2")["destinations"]) == 1
        for order, statuses in (("start", {"waiting", "starting"}), ("stop", {"stopped"}), ("restart", {"waiting"})):
            assert server.post(f"/api/routes/route_2/{order}").status_code == 200
            assert listed(server, "route_2")["status"] == server.route("route_2")["status"] or order != "stop"
            until(lambda statuses=statuses: listed(server, "route_2")["status"] in statuses)  # type: ignore[misc]
            assert same(server, "route_2")
        before = server.processes("route_1")["srtOut:4001"]
        os.kill(before["pid"], signal.SIGKILL)
        until(
            lambda: [p["restarts"] for p in listed(server, "route_1")["processes"] if p["type"] == "srtOut:4001"] == [1]
        )
        assert same(server, "route_1")
        assert server.api.delete("/api/routes/route_2").status_code in (200, 204)
        assert [item["id"] for item in server.api.get("/api/routes").json()["items"]] == ["route_1"]


def test_whatever_changes_is_in_the_next_answer(tmp_path: Path) -> None:
    """A peer that comes, its numbers, the log, the stream, edits, the order of the file."""
    fed = route(1, listener(4000), udp(5000), testSource=True, description="one")
    passed = route(2, caller(4001), listener(4011), autoStart=False)
    with Server(tmp_path, [fed, passed], WARN_RTT_MS="0.000001") as server:
        server.until_status("route_1", "running")
        until(lambda: listed(server, "route_1")["source"]["connection"] == "connected")
        until(lambda: listed(server, "route_1")["warnings"], 30, "a round trip that takes too long")
        until(lambda: (listed(server, "route_1")["stream"] or {}).get("codecs"), 30, "what is inside")
        assert same(server, "route_1")
        process = server.processes("route_1")["srt"]
        name = process["pidFile"].removesuffix(".pid")
        with (server.run_dir / f"{name}.log").open("a") as log:
            log.write("a word that changes nothing else\n")
        until(lambda: "a word that changes nothing else" in listed_process(server, "route_1", "srt")["log"])
        assert server.post("/api/routes/route_1/stop").status_code == 200
        assert listed(server, "route_1")["status"] == "stopped"
        until(lambda: not listed(server, "route_1")["warnings"], 10, "no number to be warned of")
        until(lambda: listed(server, "route_1")["stream"] is None, 10, "no stream")
        assert same(server, "route_1")

        assert server.api.post("/api/routes/route_2/destinations", json=listener(4012)).status_code == 201
        for enabled in (False, True):
            path = "/api/routes/route_2/destinations/1"
            assert server.api.patch(path, json={"enabled": enabled}).status_code == 200
            assert listed(server, "route_2")["destinations"][1]["endpoint"].get("enabled", True) is enabled
        assert server.api.patch("/api/routes/route_2", json={"tags": ["news"]}).status_code == 200
        assert listed(server, "route_2")["tags"] == ["news"]
        assert [one["id"] for one in server.api.get("/api/routes?tag=news").json()["items"]] == ["route_2"]
        assert server.post("/api/routes/route_2/start").status_code == 200
        until(lambda: listed_process(server, "route_2", "srt")["restarts"] > 0, 20, "a caller that calls again")
        assert same(server, "route_2")
        assert server.post("/api/routes/route_2/stop").status_code == 200

        server.write_routes(routes_json([passed, fed]))
        until(lambda: [one["id"] for one in server.api.get("/api/routes").json()["items"]] == ["route_2", "route_1"])


def test_an_entity_tag_lasts_as_long_as_the_list(tmp_path: Path) -> None:
    routes = [route(n, listener(4000 + n), autoStart=False, description=f"about {n}") for n in range(1, 41)]
    with Server(tmp_path, routes) as server:
        first = server.api.get("/api/routes")
        tag = {"If-None-Match": f'"x", W/{first.headers["etag"]}'}
        again = server.api.get("/api/routes", headers=tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        page = server.api.get("/api/routes?limit=10")
        assert page.headers["etag"] == first.headers["etag"]
        assert server.api.get("/api/routes?limit=10", headers=tag).status_code == 304
        filtered = server.api.get("/api/routes?q=about 7", headers=tag)
        assert (filtered.status_code, [one["id"] for one in filtered.json()["items"]]) == (200, ["route_7"])
        assert "etag" not in filtered.headers, "a description is found, and not shown"
        assert server.api.patch("/api/routes/route_7", json={"name": "Other"}).status_code == 200
        changed = server.api.get("/api/routes", headers=tag)
        assert changed.status_code == 200
        assert changed.json()["items"][6]["name"] == "Other"
        assert changed.headers["etag"] != first.headers["etag"]
        assert server.api.patch("/api/routes/route_7", json={"name": "Route 7"}).status_code == 200
        back = server.api.get("/api/routes", headers={"If-None-Match": changed.headers["etag"]})
        assert (back.status_code, back.content) == (200, first.content)
        server.stop()
        server.start()
        assert server.api.get("/api/routes", headers={"If-None-Match": back.headers["etag"]}).status_code == 200


def test_what_is_kept_holds_no_secret_and_is_for_everybody_who_may_ask(tmp_path: Path) -> None:
    secret, other = "correct-horse-42", "battery-staple-43"
    routes = [route(1, listener(4000, passphrase=secret), listener(4001, passphrase=secret))]
    with Server(tmp_path, routes) as server:
        server.until_all_up("route_1")
        for word in (secret, other):
            assert server.api.get("/api/routes/route_1/secrets").text.count(word) > 0
            contents = {}
            for role in ("administrator", "operator", "viewer"):
                body = {"name": f"{role}-{word[:3]}", "role": role}
                made = server.api.post("/api/tokens", json=body)
                assert made.status_code == 201, made.text
                headers = {"Authorization": f"Bearer {made.json()['token']}"}
                until(lambda headers=headers: server.api.get("/api/routes", headers=headers).status_code == 200)  # type: ignore[misc]
                contents[role] = server.api.get("/api/routes", headers=headers)
            for answer in contents.values():
                assert word not in answer.text
                assert "**********" in answer.text
                keys = [sorted(one) for one in answer.json()["items"]]
                assert keys == [sorted(one) for one in contents["viewer"].json()["items"]]
            tag = {"If-None-Match": contents["viewer"].headers["etag"], "Authorization": "Bearer nobody"}
            assert server.api.get("/api/routes", headers=tag).status_code == 401, "not even that nothing has changed"
            source = listener(4000, passphrase=other)
            assert server.api.patch("/api/routes/route_1", json={"source": source}).status_code == 200
            server.until_all_up("route_1")


def listed_process(server: Server, route_id: str, process_type: str) -> Json:
    (found,) = [one for one in listed(server, route_id)["processes"] if one["type"] == process_type]
    return dict(found)
