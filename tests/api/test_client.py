"""The client library, against a real server: every operation of the API, and what it does when things fail."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from srt_router.client import ApiProblem, Client, NoAnswer
from tests.harness.server import Server, caller, listener, route, udp

PASSPHRASE = "correct-horse-42"
PASSWORD = "planted-password-7"
NEW_ROUTE = {"name": "Paris", "source": listener(4100, passphrase=PASSPHRASE), "destinations": [listener(4101)]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("client")
    with Server(folder, [route(1, listener(4000), listener(4001), udp(5001), tags=["news"])]) as found:
        yield found


@pytest.fixture
def router(server: Server) -> Iterator[Client]:
    with Client(str(server.api.base_url), token=token(server)) as found:
        yield found


def token(server: Server) -> str:
    return server.signed_in()["Authorization"].removeprefix("Bearer ")


def asked(router: Client) -> list[str]:
    """Every request from now on: `GET /api/routes`."""
    found: list[str] = []
    hooks = router._connection._http.event_hooks
    hooks["request"] = [lambda request: found.append(f"{request.method} {request.url.path}")]
    router._connection._http.event_hooks = hooks
    return found


# Every operation


def use_routes(router: Client) -> None:
    routes, destinations = router.routes, router.destinations
    assert [one["id"] for one in routes.list(tag=["news"], q="Route 1")] == ["route_1"]
    assert routes.tags() == [{"name": "news", "routes": 1}]
    made = routes.create(NEW_ROUTE)
    route_id = made["id"]
    assert made["config"]["source"]["passphrase"] == "**********"
    assert routes.secrets(route_id)[0]["passphrase"] == PASSPHRASE
    assert routes.dry_run("PATCH", {"name": "Oslo"}, route_id=route_id)["config"]
    assert routes.patch(route_id, {"name": "Oslo"})["name"] == "Oslo"
    assert routes.replace(route_id, {**made["config"], "name": "Rome"})["name"] == "Rome"
    copy = routes.duplicate(route_id, {"name": "Copy"})
    assert routes.get(copy["id"])["name"] == "Copy"
    assert routes.start(route_id)["status"] != "stopped"
    routes.restart(route_id)
    assert routes.apply(route_id) == []
    assert routes.statistics(route_id)["items"]
    assert routes.reset_statistics(route_id)["items"]
    assert set(routes.history(route_id, metrics=["bitrate", "lost"], resolution="1")["values"]) == {
        "bitrate",
        "lost",
    }
    assert routes.stream(route_id)["items"] is not None
    assert [one["routeId"] for one in routes.thumbnails([route_id])] == [route_id]
    with pytest.raises(ApiProblem, match=r"picture|thumbnail|air"):
        routes.thumbnail(route_id)

    added = destinations.add(route_id, caller(7000))
    key = added["id"]
    assert key
    assert destinations.replace(route_id, key, udp(5100))["config"]["port"] == 5100
    assert destinations.patch(route_id, key, {"port": 5101})["config"]["port"] == 5101
    assert destinations.stop(route_id, key)["config"]["enabled"] is False
    assert destinations.start(route_id, key)["id"] == key
    assert destinations.get(route_id, 1)["id"] == key
    assert len(destinations.list(route_id)) == 2
    destinations.delete(route_id, key)

    assert routes.stop(route_id)["status"] == "stopped"
    document = routes.export([route_id], secrets=True)
    assert document["routes"][0]["source"]["passphrase"] == PASSPHRASE
    assert routes.import_(document, dry_run=True)["differences"] == {"added": [], "changed": [], "removed": []}
    done = routes.salvo([{"action": "delete", "routeId": copy["id"]}])
    assert [one["id"] for one in done["differences"]["removed"]] == [copy["id"]]
    routes.delete(route_id)


def use_machine(router: Client) -> None:
    machine = router.machine
    assert machine.health()["status"] == "ok"
    assert {one["type"] for one in machine.processes()} >= {"srt"}
    assert machine.orphans() == []
    assert machine.cleanup()["killed"] == []
    assert machine.doctor()["items"]
    assert machine.engine()["srtVersion"]
    assert any(one["key"] == "PORT" for one in machine.settings())
    assert any("127.0.0.1" in json.dumps(one) for one in machine.interfaces())
    assert any(one["name"] == "h264-720p-3M" for one in machine.presets())
    own = machine.add_preset({"name": "House", "transcode": {"video": "copy", "audio": "none"}})
    assert machine.replace_preset(own["id"], {"name": "Ours", "transcode": own["transcode"]})["name"] == "Ours"
    machine.delete_preset(own["id"])
    assert all(one["builtIn"] for one in machine.presets())
    machine.set_log_level(machine.log_level())
    assert machine.free_ports(count=2, first=9000)[0] >= 9000
    assert "srt_router" in machine.metrics()


def use_alarms(router: Client) -> None:
    rules, receivers = router.alarms.rules, router.alarms.receivers
    wanted = {"type": "webhook", "name": "Pager", "url": "https://127.0.0.1:9/hook", "secret": PASSWORD}
    pager = receivers.create(wanted)
    assert receivers.get(pager["id"])["name"] == "Pager"
    assert receivers.replace(pager["id"], wanted)["id"] == pager["id"]
    assert receivers.patch(pager["id"], {"name": "Phone"})["name"] == "Phone"
    assert receivers.test(pager["id"])["delivered"] is False
    rule = rules.create({"name": "Off air", "condition": {"kind": "routeFailed"}, "receivers": [pager["id"]]})
    assert rules.get(rule["id"])["name"] == "Off air"
    assert rules.replace(rule["id"], {"name": "Off", "condition": {"kind": "routeFailed"}})["name"] == "Off"
    assert rules.patch(rule["id"], {"name": "Failed"})["name"] == "Failed"
    assert router.alarms.list() == []
    with pytest.raises(ApiProblem, match="there is no alarm"):
        router.alarms.acknowledge("alarm_1")
    assert [len(rules.list()) > 0, len(receivers.list())] == [True, 1]
    rules.delete(rule["id"])
    receivers.delete(pager["id"])


def use_accounts(server: Server, router: Client, folder: Path) -> list[str]:
    router.users.add("anna", "administrator", PASSWORD)
    assert router.users.change("anna", disabled=False)["disabled"] is False
    assert router.users.get("anna")["role"] == "administrator"
    assert "anna" in [one["name"] for one in router.users.list()]
    made = router.tokens.add("script", "viewer")
    router.tokens.remove(next(one["id"] for one in router.tokens.list() if one["name"] == "script"))
    with Client(str(server.api.base_url), token=made["token"]) as script, pytest.raises(ApiProblem, match="sign in"):
        script.me()
    with Client(str(server.api.base_url)) as anna:
        found = asked(anna)
        anna.sign_in("anna", PASSWORD)
        assert anna.me()["name"] == "anna"
        anna.change_password(PASSWORD, PASSWORD[::-1])
        anna.sessions.end_others()
        (session,) = [one for one in anna.sessions.list() if one["current"]]
        anna.sign_out()
        anna.sign_in("anna", PASSWORD[::-1])
        with pytest.raises(ApiProblem, match="no such session"):
            anna.sessions.end(session["id"])
        anna.sign_out()
    router.users.remove("anna")

    made_backup = router.backups.create()
    assert router.backups.verify(made_backup["name"])["ok"]
    router.backups.download(made_backup["routesName"], folder / "routes.json.gz")
    assert (folder / "routes.json.gz").stat().st_mode & 0o777 == 0o600
    assert json.loads(gzip.decompress((folder / "routes.json.gz").read_bytes()))["routes"][0]["id"] == "route_1"
    restored = router.backups.restore(made_backup["name"])
    assert restored["removed"] == []
    assert made_backup["name"] in [one["name"] for one in router.backups.list()]
    router.backups.remove(made_backup["name"])
    return found


def test_every_operation_of_the_document_is_there(server: Server, router: Client, tmp_path: Path) -> None:
    requests = asked(router)
    use_routes(router)
    use_machine(router)
    use_alarms(router)
    requests += use_accounts(server, router, tmp_path)
    assert next(router.machine.events(kind=["operatorAction"]))["kind"] == "operatorAction"
    requests += asked(router)

    document: dict[str, Any] = server.api.get("/openapi.json").json()
    patterns = {
        f"{method.upper()} {path}": re.compile(f"{method.upper()} " + re.sub(r"\{\w+\}", "[^/]+", path))
        for path, methods in document["paths"].items()
        for method in methods
    }
    missing = [key for key, pattern in patterns.items() if not any(pattern.fullmatch(one) for one in requests)]
    assert missing == [], "add them to srt_router.client, and use them here"


# Somebody else changes it meanwhile


def test_an_edit_overwrites_nobody(router: Client) -> None:
    made = router.routes.create(NEW_ROUTE)
    tagged = router.routes.get_tagged(made["id"])
    router.routes.patch(made["id"], {"description": "of a colleague"})
    with pytest.raises(ApiProblem) as caught:
        router.routes.replace(made["id"], tagged.value["config"], if_match=tagged.etag)
    assert (caught.value.status, caught.value.code) == (412, "preconditionFailed")

    seen: list[str] = []

    def rename(config: dict[str, Any]) -> None:
        if not seen:  # somebody is faster, once
            router.routes.patch(made["id"], {"tags": ["fast"]})
        seen.append(config["name"])
        config["name"] = "Renamed"

    edited = router.routes.edit(made["id"], rename)
    assert (len(seen), edited["name"], edited["tags"]) == (2, "Renamed", ["fast"])
    assert edited["config"]["description"] == "of a colleague"

    end = router.destinations.get_tagged(made["id"], 0)
    router.destinations.patch(made["id"], 0, {"latency": 200}, if_match=end.etag)
    with pytest.raises(ApiProblem, match="changed since"):
        router.destinations.delete(made["id"], 0, if_match=end.etag)
    router.routes.delete(made["id"])


def test_a_mistake_names_each_field(router: Client) -> None:
    with pytest.raises(ApiProblem) as caught:
        router.routes.create({"name": "Oslo", "source": {"type": "srt", "mode": "listener", "prot": 4100}})
    problem = caught.value
    assert (problem.status, problem.code) == (422, "routeInvalid")
    assert [(one.field, one.message) for one in problem.fields] == [
        ("source.port", "is required"),
        ("source.prot", "is not a known field; did you mean 'port'?"),
    ]
    assert "source.port: is required" in str(problem)
    with pytest.raises(ApiProblem) as caught:
        router.routes.get("route_404")
    assert (caught.value.status, caught.value.code) == (404, "routeNotFound")


def test_names_of_any_kind_stay_one_part_of_a_path(router: Client) -> None:
    with pytest.raises(ApiProblem) as caught:
        router.routes.get("../users")
    assert caught.value.status in (404, 422)


# Live


def test_live_begins_with_everything_and_goes_on_with_changes(server: Server, router: Client) -> None:
    messages = router.live()
    first = next(messages)
    assert first["type"] == "snapshot"
    assert [one["id"] for one in first["routes"]] == ["route_1"]
    made = router.routes.create(NEW_ROUTE)
    names = []
    for message in messages:
        if message["type"] == "route" and message["route"]["id"] == made["id"]:
            names.append(message["route"]["name"])
            router.routes.delete(made["id"])
        elif message["type"] == "removed":
            break
    assert names[0] == "Paris"
    with Client(router.url, token="srt_wrong") as nobody, pytest.raises(ApiProblem) as caught:
        next(nobody.live())
    assert (caught.value.status, caught.value.code) == (401, "notSignedIn")


def test_live_ends_with_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    with server, Client(str(server.api.base_url), token=token(server)) as router:
        messages = router.live()
        assert next(messages)["type"] == "snapshot"
        server.stop()
        with pytest.raises(NoAnswer, match="tells no more"):
            list(messages)
        with pytest.raises(NoAnswer, match="does not answer"):
            next(router.live())


# Where the server is


def test_the_server_of_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")  # leads to nobody, and never to this machine
    monkeypatch.setenv("SRT_ROUTER_RUN_DIR", str(server.run_dir))
    with Client.local() as router:
        assert router.me()["role"] == "administrator"
    monkeypatch.setenv("SRT_ROUTER_RUN_DIR", str(tmp_path))
    with pytest.raises(NoAnswer, match=r"server\.json"):
        Client.local()


def test_a_certificate_is_believed_where_it_is_known(tmp_path: Path) -> None:
    cert, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=elsewhere -keyout {key}"
    subprocess.run([*words.split(), "-out", cert], check=True, capture_output=True, timeout=30)
    server = Server(tmp_path / "srt", TLS_CERT=str(cert), TLS_KEY=str(key))
    server.verify = False
    with server:
        url = str(server.api.base_url)
        for believed in (cert, False):
            with Client(url, token=token(server), verify=believed) as router:
                assert router.me()["role"] == "administrator"
                assert next(router.live())["type"] == "snapshot"
        with Client(url, token=token(server), again=False) as router:
            with pytest.raises(NoAnswer, match="certificate verify failed"):
                router.me()
            with pytest.raises(NoAnswer, match="certificate verify failed"):
                next(router.live())


# When the network fails


class Moody(BaseHTTPRequestHandler):
    """Hangs up, is busy, or is no SRT Router at all, in this order; then answers."""

    moods: ClassVar[list[str]] = []
    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mood = self.moods.pop(0) if self.moods else "good"
        if mood == "hang up":
            self.close_connection = True
            return
        body = b'{"items": [], "nextCursor": null}'
        if mood == "busy":
            body = b'{"status": 503, "code": "storageUnavailable", "detail": "try again"}'
        if mood == "foreign":
            body = b"<html>Bad Gateway</html>"
        self.send_response({"busy": 503, "foreign": 502}.get(mood, 200))
        self.send_header("Content-Length", str(len(body)))
        if mood == "busy":
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - as it is looked for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def moody() -> Iterator[str]:
    Moody.moods, Moody.heard = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as found:
        found.daemon_threads = True
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("moods", [["hang up"], ["hang up", "busy"], ["busy", "busy"]])
def test_who_looks_looks_again(moody: str, moods: list[str]) -> None:
    Moody.moods = list(moods)
    with Client(moody) as router:
        assert router.routes.list() == []
    assert Moody.heard == ["GET"] * (len(moods) + 1)


def test_three_times_at_most(moody: str) -> None:
    Moody.moods = ["hang up"] * 9
    with Client(moody) as router, pytest.raises(NoAnswer, match="does not answer"):
        router.routes.list()
    assert Moody.heard == ["GET"] * 3


@pytest.mark.parametrize(("mood", "error"), [("hang up", NoAnswer), ("busy", ApiProblem), ("foreign", NoAnswer)])
def test_a_change_is_asked_for_once(moody: str, mood: str, error: type[Exception]) -> None:
    Moody.moods = [mood]
    with Client(moody) as router, pytest.raises(error):
        router.routes.create(NEW_ROUTE)
    assert Moody.heard == ["POST"]


def test_whoever_is_told_to_wait_long_is_told(moody: str) -> None:
    from srt_router.client.connection import problem_of

    found = problem_of(429, httpx.Headers({"Retry-After": "60"}), b'{"code": "tooMany", "detail": "later"}', moody)
    assert isinstance(found, ApiProblem)
    assert (found.retry_after_s, str(found)) == (60.0, "later")
