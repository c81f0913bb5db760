"""What the stream monitor has counted goes on under the next server, though it ends with its own."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.harness.server import Json, Server
from tests.harness.wait import until
from tests.media.damage import dropped, with_payload
from tests.media.generate import HD_6_MBPS, make
from tests.process.test_stream_monitor import ROUTE, VIDEO, item, play, until_item

GAPS = 7


def next_server(server: Server, how: str) -> None:
    """Killed and started again, or replaced in place."""
    if how == "killed":
        server.kill()
        server.start()
        return
    seen = server.log().count(" goes on, ")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count(" goes on, ") > seen)


def kept(server: Server) -> Json:
    """What the next server would count on from."""
    try:
        found = json.loads((server.run_dir / "counters.state").read_text())
    except FileNotFoundError:
        return {}
    counted: Json = found["routes"].get("route_1", {}).get("streams", {}).get("source", {})
    return counted


def counted(seen: Json) -> Json:
    total = {name: seen[name] for name in ("packets", "continuityErrors", "transportErrors", "crcErrors", "since")}
    errors = {kind: one["count"] for kind, one in seen["tr101290"].items() if isinstance(one, dict)}
    return {**total, "errors": errors, "sinceReset": seen["sinceReset"]}


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["killed", "replaced"])
def test_what_was_counted_of_a_stream_goes_on(how: str, tmp_path: Path) -> None:
    stream, damaged = make(HD_6_MBPS, 8), tmp_path / "damaged.ts"
    video = with_payload(stream.read_bytes(), of=VIDEO)
    damaged.write_bytes(dropped(stream.read_bytes(), [video[len(video) // 2 + 50 * number] for number in range(GAPS)]))
    packets = stream.stat().st_size // 188, damaged.stat().st_size // 188
    server = Server(tmp_path / "server", [ROUTE], ON_START="adopt")
    with server.start():
        pids = {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()}
        play(stream)  # it is started by the first stream: what it begins with is seen by nobody
        begun = until_item(server, lambda one: one["state"] == "silent")
        assert server.post("/api/routes/route_1/stats/reset").status_code == 200
        play(damaged)
        all_of_it = begun["packets"] + packets[1]
        seen = until_item(server, lambda one: one["state"] == "silent" and one["packets"] >= all_of_it)
        assert seen["sinceReset"]["continuityErrors"] >= GAPS
        if how == "killed":  # what was counted since it was kept last is lost with a server that crashes
            until(lambda: kept(server).get("total", [0])[0] >= all_of_it, 30, what="the counters to be kept")
        before, before_pids = counted(seen), {one["pid"]: one["continuityErrors"] for one in seen["pids"]}
        for _ in range(2):  # the second time nothing has flowed under the server that is followed
            next_server(server, how)
            assert {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()} == pids
            until(lambda: item(server))
            assert counted(item(server)) == before
        play(damaged)  # the stream monitor starts with it: what it begins with is seen by nobody
        more = until_item(server, lambda one: one["state"] == "silent" and one["packets"] > all_of_it)
        assert all_of_it < more["packets"] <= all_of_it + packets[1]
        assert more["since"] == before["since"]
        assert more["continuityErrors"] >= before["continuityErrors"] + GAPS
        assert more["sinceReset"]["at"] == before["sinceReset"]["at"]
        assert more["sinceReset"]["continuityErrors"] >= before["sinceReset"]["continuityErrors"] + GAPS
        errors = {one["pid"]: one["continuityErrors"] for one in more["pids"]}
        assert errors[VIDEO] >= before_pids[VIDEO] + GAPS
