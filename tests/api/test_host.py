"""What the API says of the machine and of the server itself."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from srt_router.settings import known_keys
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

PASSWORD = "a-password-for-admin-7"


def test_the_machine_and_the_server(tmp_path: Path) -> None:
    routes = [route(1, listener(6000), udp(5001), autoStart=False)]
    with Server(tmp_path, routes, ADMIN_PASSWORD=PASSWORD) as server:
        found = {one["name"]: one for one in server.api.get("/api/interfaces").json()["items"]}
        assert found["lo"]["loopback"]
        assert found["lo"]["up"]
        assert {"address": "127.0.0.1", "version": 4, "prefix": 8} in found["lo"]["addresses"]

        settings = {one["key"]: one for one in server.api.get("/api/settings").json()["items"]}
        assert list(settings) == known_keys()
        assert settings["DATA_DIR"]["value"] == str(server.data_dir)
        assert settings["ADMIN_PASSWORD"] == {"key": "ADMIN_PASSWORD", "value": None, "secret": True}
        assert PASSWORD not in server.api.get("/api/settings").text
        assert settings["TRUSTED_PROXIES"]["value"] == ""

        until(lambda: server.api.get("/api/engine").json()["encoders"] is not None)
        engine = server.api.get("/api/engine").json()
        assert engine["srtVersion"].startswith("1.")
        assert engine["ffmpegVersion"][0].isdigit()
        assert engine["version"] == server.api.get("/api/health").json()["version"]


def test_more_or_less_is_logged_without_a_restart(tmp_path: Path) -> None:
    def messages() -> list[str]:
        return [json.loads(line)["message"] for line in server.log().splitlines() if line.startswith("{")]

    with Server(tmp_path, [route(1, listener(6000), udp(5001))], LOG_FORMAT="json") as server:
        assert server.api.get("/api/log-level").json() == {"level": "info"}
        server.until_status("route_1", "waiting")
        assert server.api.put("/api/log-level", json={"level": "warning"}).json() == {"level": "warning"}
        server.post("/api/routes/route_1/stop")
        assert server.api.put("/api/log-level", json={"level": "info"}).status_code == 200
        server.post("/api/routes/route_1/start")
        until(lambda: messages().count("Route route_1 is waiting") == 2)
        assert "Route route_1 is stopped" not in messages()
        (started, _) = [one for line in server.log().splitlines() if "is waiting" in line for one in [json.loads(line)]]
        assert (started["component"], started["level"], started["route"]) == ("RouteManager", "info", "route_1")
        assert server.api.put("/api/log-level", json={"level": "loud"}).status_code == 422
        told = server.api.get("/api/events", params={"kind": "operatorAction"}).json()["items"]
        assert "log.level" in {one["data"]["action"] for one in told}


def test_free_ports(tmp_path: Path) -> None:
    with (
        Server(tmp_path, [route(1, listener(6000), udp(5001), autoStart=False)]) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder,
    ):
        holder.bind(("127.0.0.1", 6002))

        def free(query: str) -> list[int]:
            ports: list[int] = server.api.get(f"/api/ports/free?{query}").json()["ports"]
            return ports

        assert free("") == [6001]
        assert free("count=3") == [6001, 6003, 6004]
        assert free("protocol=udp&count=2") == [5000, 5002]
        assert free("first=19999&count=2") == [19999, 30000]
        for bad in ("count=0", "protocol=tcp", "first=80"):
            assert server.api.get(f"/api/ports/free?{bad}").status_code == 422


def test_the_doctor_looks_while_the_server_works(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server:
        server.until_all_up("route_1")
        found = server.api.get("/api/doctor").json()
        checks = {one["name"]: one for one in found["items"]}
        assert found["ok"] + found["warn"] + found["fail"] == len(found["items"])
        assert checks["server"]["state"] == "ok"
        assert checks["routes.json"]["state"] == "ok"
        assert checks["ports"]["state"] == "ok"
        assert checks["orphans"]["state"] == "ok"
        assert {one["state"] for one in server.processes("route_1").values()} == {"running"}
