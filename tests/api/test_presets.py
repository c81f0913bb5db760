"""The operator's own transcode presets: made, chosen by routes, changed and removed, kept, and told of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from srt_router.supervision.presets import MOST_PRESETS
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

Json = dict[str, Any]

SMALL: Json = {"video": {"codec": "h264", "bitrateKbps": 900}, "audio": "none"}
LOUD: Json = {"video": "copy", "audio": {"codec": "mp2", "bitrateKbps": 256}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("presets")) as found:
        yield found


@pytest.fixture
def server(running: Server) -> Server:
    """A server with one route, and no preset of anybody's own."""
    routes = {"version": 1, "routes": [route(1, listener(4001), autoStart=False)]}
    assert running.api.post("/api/routes/import?mode=replace", json=routes).status_code == 200
    for one in own(running):
        ask(running, "DELETE", f"/{one['id']}", 204)
    return running


def ask(server: Server, method: str, path: str = "", status: int = 200, body: object = None, **more: Any) -> Any:
    answer = server.api.request(method, f"/api/presets{path}", json=body, **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def made(server: Server, name: str = "House", transcode: object = SMALL, **more: object) -> Json:
    found: Json = ask(server, "POST", "", 201, {"name": name, "transcode": transcode, **more})
    return found


def own(server: Server) -> list[Json]:
    return [one for one in ask(server, "GET")["items"] if not one["builtIn"]]


def transcode_of(server: Server, route_id: str = "route_1") -> object:
    return server.route(route_id)["config"]["transcode"]


def rows(server: Server, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(server.data_dir / "gateway.db", timeout=10)) as connection, connection:
        connection.execute(statement, values)


def test_made_changed_and_removed(server: Server) -> None:
    answer = server.api.post("/api/presets", json={"name": "House", "description": "for all", "transcode": SMALL})
    house = answer.json()
    assert house == {
        "id": house["id"],
        "name": "House",
        "description": "for all",
        "transcode": SMALL,
        "builtIn": False,
    }
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/presets/{house['id']}")
    other = made(server, "Other")
    assert own(server) == [house, other]
    listed = ask(server, "GET")["items"]
    assert [one["name"] for one in listed[-2:]] == ["House", "Other"]
    assert all(one["builtIn"] and one["id"] == one["name"] for one in listed[:-2])

    changed = ask(server, "PUT", f"/{house['id']}", body={"name": "house", "transcode": LOUD})
    assert changed == {**house, "name": "house", "description": "", "transcode": LOUD}
    ask(server, "DELETE", f"/{other['id']}", 204)
    assert own(server) == [changed]

    def told() -> list[Json]:
        items = server.api.get("/api/events?kind=operatorAction").json()["items"]
        return [one["data"] for one in reversed(items)][-4:]

    wanted = ["preset.add", "preset.add", "preset.change", "preset.remove"]
    until(lambda: [one["action"] for one in told()] == wanted)
    change = told()[2]
    assert (change["before"]["name"], change["after"]["name"]) == ("House", "house")
    assert told()[3]["before"]["id"] == other["id"]


def test_what_is_refused(server: Server) -> None:
    house = made(server)

    def refused(method: str, path: str, status: int, code: str, body: object = None) -> Json:
        found: Json = ask(server, method, path, status, body)
        assert found["code"] == code
        return found

    good = {"name": "Other", "transcode": SMALL}
    for name in ("House", "HOUSE ", "remux", "Remux"):
        refused("POST", "", 409, "presetNameTaken", {**good, "name": name})
    other = made(server, "Other")
    refused("PUT", f"/{other['id']}", 409, "presetNameTaken", {**good, "name": "house"})
    for method, body in (("PUT", good), ("DELETE", None)):
        refused(method, "/h264-1080p-6M", 409, "presetBuiltIn", body)
        refused(method, "/preset_1", 404, "presetNotFound", body)
    wrong: list[tuple[Json, str, str]] = [
        ({"name": ""}, "name", "must not be empty"),
        ({"name": None}, "name", "must be text"),
        ({"description": "a\nb"}, "description", "must not contain a control character"),
        ({"description": "x" * 201}, "description", "at most 200 characters"),
        ({"transcode": "remux"}, "transcode", "must be an object"),
        ({"transcode": {**SMALL, "muxrateKbps": 200}}, "transcode.muxrateKbps", "must be at least"),
        ({"transcode": {**LOUD, "video": {"codec": "av1"}}}, "transcode.video.codec", "must be 'h264'"),
        ({"transcode": {**SMALL, "codec": "h264"}}, "transcode.codec", "it belongs in 'transcode.video'"),
        ({"descripton": "x"}, "descripton", "did you mean 'description'?"),
        ({"tags": []}, "tags", "is not a known field"),
    ]
    for change, field, words in wrong:
        for method, path in (("POST", ""), ("PUT", f"/{house['id']}")):
            body = {"name": "Another", "transcode": SMALL} | change
            error = refused(method, path, 422, "presetInvalid", body)["errors"][0]
            assert error["field"] == field
            assert words in error["message"]
    assert own(server) == [house, other]


def test_there_are_only_so_many(server: Server) -> None:
    documents = [json.dumps({"name": f"P{number}", "transcode": SMALL}) for number in range(MOST_PRESETS - 1)]
    with closing(sqlite3.connect(server.data_dir / "gateway.db", timeout=10)) as connection, connection:
        connection.executemany(
            "INSERT INTO presets VALUES (?, ?)", [(f"preset_{n}", d) for n, d in enumerate(documents)]
        )
    made(server)
    assert len(own(server)) == MOST_PRESETS
    assert ask(server, "POST", "", 409, {"name": "One more", "transcode": SMALL})["code"] == "presetLimit"
    ask(server, "DELETE", "/preset_7", 204)
    made(server, "One more")


def test_a_route_keeps_what_it_was_given(server: Server) -> None:
    house = made(server)
    path = "/api/routes/route_1"
    assert server.api.patch(path, json={"transcode": "House"}).status_code == 200
    assert transcode_of(server) == SMALL
    revision = server.api.get(path).headers["etag"]
    ask(server, "PUT", f"/{house['id']}", body={"name": "House", "transcode": LOUD})
    assert transcode_of(server) == SMALL
    ask(server, "DELETE", f"/{house['id']}", 204)
    assert transcode_of(server) == SMALL
    assert server.api.get(path).headers["etag"] == revision
    assert json.loads((server.data_dir / "routes.json").read_text())["routes"][0]["transcode"] == SMALL
    answer = server.api.patch(path, json={"transcode": "House"})
    assert answer.status_code == 422
    assert "is not the name of a preset" in answer.json()["detail"]


def test_every_way_to_a_route_knows_them(server: Server) -> None:
    made(server, "House", LOUD)
    body = {
        "name": "A",
        "source": listener(4100),
        "destinations": [],
        "transcode": {"preset": "House", "audio": "copy"},
    }
    remix = {"video": "copy", "audio": "copy"}
    first = server.api.post("/api/routes", json=body).json()
    assert first["config"]["transcode"] == remix
    path = f"/api/routes/{first['id']}"
    replaced = server.api.put(path, json={**body, "transcode": "House"})
    assert replaced.json()["config"]["transcode"] == LOUD
    copy = server.api.post("/api/routes/route_1/duplicate", json={"transcode": "House"}).json()
    assert copy["config"]["transcode"] == LOUD
    document = {"version": 1, "routes": [{**body, "id": first["id"]}, {**body, "source": listener(4300)}]}
    assert server.api.post("/api/routes/import", json=document).status_code == 200
    assert transcode_of(server, first["id"]) == remix
    steps = [
        {"action": "patch", "routeId": "route_1", "patch": {"transcode": "House"}},
        {"action": "replace", "routeId": copy["id"], "route": {**body, "source": listener(4400)}},
        {"action": "create", "route": {**body, "source": listener(4500), "transcode": "House"}},
    ]
    assert server.api.post("/api/routes/salvo", json={"steps": steps}).status_code == 200
    assert (transcode_of(server), transcode_of(server, copy["id"])) == (LOUD, remix)
    last = server.api.get("/api/routes").json()["items"][-1]["id"]
    assert transcode_of(server, last) == LOUD


def test_kept_over_a_crash_and_by_backups(server: Server) -> None:
    house = made(server)
    server.kill()
    server.start()
    until(lambda: own(server) == [house], what="the preset of the server before")
    name = server.api.post("/api/backups").json()["name"]
    ask(server, "DELETE", f"/{house['id']}", 204)
    made(server, "Later")
    assert server.api.post(f"/api/backups/{name}/restore").status_code == 200
    assert own(server) == [house]
    server.api.patch("/api/routes/route_1", json={"transcode": "House"})
    assert transcode_of(server) == SMALL


def test_a_backup_without_presets_takes_none_away(server: Server) -> None:
    name = server.api.post("/api/backups").json()["name"]
    house = made(server)
    assert server.api.post(f"/api/backups/{name}/restore").status_code == 200
    assert own(server) == [house]


def test_what_cannot_be_read_hides_nothing(server: Server) -> None:
    house = made(server)
    for number, document in enumerate(("", "7", '{"name": "Newer", "transcode": {"video": "vvc"}}', "[" * 100_000)):
        rows(server, "INSERT INTO presets VALUES (?, ?)", f"x{number}", document)
    other = made(server, "Other")
    assert own(server) == [house, other]
    rows(server, "DELETE FROM presets WHERE id LIKE 'x%'")


def test_while_gateway_db_cannot_be_used(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4001), autoStart=False)])
    (server.data_dir / "gateway.db").write_bytes(b"no database at all" * 1000)
    with server:
        assert all(one["builtIn"] for one in ask(server, "GET")["items"])
        found = ask(server, "POST", "", 503, {"name": "House", "transcode": SMALL})
        assert found["code"] == "storageUnavailable"
        server.api.patch("/api/routes/route_1", json={"transcode": "remux"})
        assert transcode_of(server) == {"video": "copy", "audio": "copy"}


def test_viewers_look_and_operators_make_them(server: Server) -> None:
    def token(role: str) -> dict[str, str]:
        answer = server.api.post("/api/tokens", json={"name": role, "role": role})
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    viewer, operator = token("viewer"), token("operator")
    body = {"name": "House", "transcode": SMALL}
    house = ask(server, "POST", "", 201, body, headers=operator)
    assert ask(server, "GET", headers=viewer)["items"][-1] == house
    for method, path in (("POST", ""), ("PUT", f"/{house['id']}"), ("DELETE", f"/{house['id']}")):
        assert ask(server, method, path, 403, body, headers=viewer)["code"] == "roleTooLow"
    ask(server, "PUT", f"/{house['id']}", 200, body, headers=operator)
    ask(server, "DELETE", f"/{house['id']}", 204, headers=operator)
