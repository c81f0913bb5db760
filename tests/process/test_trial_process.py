"""The process in which an installed version is tried out is no orphan, and no cleanup ends it."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.harness import cli
from tests.harness.processes import alive, media, tags
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

ROUTE = route(1, listener(4000), listener(4001))
WAITS = """
import os, pathlib, time
while "SRT_ROUTER_TRIAL" in os.environ and pathlib.Path(os.environ["WAITS"]).exists():
    time.sleep(0.01)
from srt_router.cli.app import main
main()
"""


def trial() -> int | None:
    """The process on trial."""
    return next((pid for pid in media() if "SRT_ROUTER_TRIAL" in tags(pid)), None)


def test_a_trial_is_no_orphan(tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    waits.touch()
    server = Server(tmp_path, [ROUTE])
    server.module = ["-c", WAITS, "serve"]
    with server.start(environment={"WAITS": str(waits)}):
        before = {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()}
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        pid = until(trial, what="a process on trial")
        assert server.api.get("/api/orphans").json()["items"] == []
        (listed,) = [one for one in server.api.get("/api/processes").json()["items"] if one["pid"] == pid]
        assert (listed["state"], listed["owner"], listed["type"]) == ("running", "ours", "probe")
        (shown,) = [one for one in cli.run_json(server, "ps")["items"] if one["pid"] == pid]
        assert shown["state"] == "running"
        assert cli.run_json(server, "cleanup", "--yes")["killed"] == []
        assert server.post("/api/cleanup").json()["killed"] == []
        waits.unlink()
        until(lambda: " goes on, " in server.log())
        assert {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()} == before


def test_a_trial_whose_server_was_killed_is_an_orphan(tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    waits.touch()
    server = Server(tmp_path, [ROUTE], ON_START="adopt")
    server.module = ["-c", WAITS, "serve"]
    server.start(environment={"WAITS": str(waits)})
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    pid = until(trial, what="a process on trial")
    server.kill()
    with server.start():
        assert pid
        assert not alive(pid)
    assert not media()
