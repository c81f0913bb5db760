"""The list of routes says of each what the route itself says, at any moment, though it is not made anew each time."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.harness.server import Server, listener, route, udp
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
