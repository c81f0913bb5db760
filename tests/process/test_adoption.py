"""A server that dies takes no stream with it: the next one adopts what lives, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import srt_router
from tests.harness import cli
from tests.harness.processes import alive, media, tags
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare

SMALL = {"codec": "h264", "preset": "ultrafast", "bitrateKbps": 600, "width": 320, "height": 180, "frameRate": 12}
ON_AIR = ("waiting", "running", "degraded")


def adopting(folder: Path, *routes: dict[str, Any], **settings: str) -> Server:
    return Server(folder, routes, ON_START="adopt", **settings)


def pids(server: Server, route_id: str) -> dict[str, int]:
    return {kind: process["pid"] for kind, process in server.processes(route_id).items()}


def events(server: Server, kind: str) -> list[dict[str, Any]]:
    answer = server.api.get("/api/events", params={"kind": kind})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_killed_server_takes_no_stream_off_air(tmp_path: Path) -> None:
    transcoded = route(2, listener(4010), listener(4011), transcode={"video": SMALL, "audio": "copy"})
    server = adopting(tmp_path / "server", route(1, listener(4000), listener(4001), udp(5001)), transcoded)
    stream = make(HD_6_MBPS, 20)
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "udp.ts") as unicast,
        server.start(),
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client,
    ):
        client.wait_connected()
        before = {number: server.until_all_up(f"route_{number}") for number in (1, 2)}
        with SrtSender(stream, SrtUrl(4000, "caller")) as sender:
            sender.wait_connected()
            for _ in range(3):
                server.until_status("route_1", "running")
                received = client.bytes
                server.kill()
                client.wait_bytes(received + 200_000)  # it flows without any server
                server.start()
                assert server.route("route_1")["status"] in ON_AIR
                for number in (1, 2):
                    now = server.processes(f"route_{number}")
                    assert {k: p["pid"] for k, p in now.items()} == {k: p["pid"] for k, p in before[number].items()}
                assert server.processes("route_1")["srt"]["connection"] == "connected"
                assert server.processes("route_1")["srtOut:4001"]["peer"]
            assert sender.wait_end(60) == 0
        server.until_status("route_1", "waiting")
        assert not client.all_events("disconnected")
        client.stop()
        unicast.stop()
        for receiver in (client, unicast):
            assert check(receiver.file).continuity_total == 0
        assert compare(stream, client.file).missing_bytes == 0
        assert {one["routeId"] for one in events(server, "routeTakenOver")} == {"route_1", "route_2"}
        stopped = [one for one in events(server, "routeStatus") if one["data"]["status"] == "stopped"]
        assert not stopped
        assert server.pid_files().keys() - {"server_streamMonitor"} == {
            f"route_{n}_{kind}" for n, kinds in before.items() for kind in kinds
        }
    assert not media()
    assert not server.pid_files()


def test_an_adopted_process_is_supervised_like_any_other(tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, listener(4000), listener(4001), udp(5001))).start()
    before = server.until_all_up("route_1")
    server.kill()
    with server.start():
        for kind in before:
            os.kill(before[kind]["pid"], signal.SIGKILL)
            until(lambda kind=kind: server.processes("route_1")[kind]["pid"] not in (None, before[kind]["pid"]))  # type: ignore[misc]
            assert server.processes("route_1")[kind]["restarts"] == 1
        assert server.post("/api/routes/route_1/stop").status_code == 200
        assert not media()
        assert not server.pid_files()


def test_what_was_changed_while_no_server_lived_is_restarted_and_nothing_else(tmp_path: Path) -> None:
    one = route(1, listener(4000), listener(4001), listener(4002))
    server = adopting(tmp_path, one, route(2, listener(4010), listener(4011))).start()
    before = {number: pids(server, f"route_{number}") for number in (1, 2) if server.until_all_up(f"route_{number}")}
    server.kill()
    changed = route(1, listener(4000), listener(4001, latency=300), listener(4002), listener(4003))
    server.write_routes([changed])
    os.kill(before[1]["srtOut:4002"], signal.SIGKILL)
    until(lambda: not alive(before[1]["srtOut:4002"]))
    (server.pid_dir / "route_1_srt.pid").unlink()
    with server.start():
        after = {kind: process["pid"] for kind, process in server.until_all_up("route_1").items()}
        assert after["srt"] == before[1]["srt"]
        assert server.pid_files()["route_1_srt"] == after["srt"]
        assert after.keys() == {"srt", "srtOut:4001", "srtOut:4002", "srtOut:4003"}
        assert {after["srtOut:4001"], after["srtOut:4002"]}.isdisjoint(before[1].values())
        assert not any(alive(pid) for pid in before[2].values())
        assert set(media()) == set(after.values())


def test_what_operators_asked_for_counts(tmp_path: Path) -> None:
    by_hand = route(2, listener(4010), listener(4011), autoStart=False)
    server = adopting(tmp_path, route(1, listener(4000), listener(4001)), by_hand).start()
    server.until_all_up("route_1")
    assert server.post("/api/routes/route_1/stop").status_code == 200
    assert server.post("/api/routes/route_2/start").status_code == 200
    server.kill()
    for pid in media():
        os.kill(pid, signal.SIGKILL)
    with server.start():
        server.until_all_up("route_2")
        assert server.route("route_1")["status"] == "stopped"


def test_leaving_for_an_upgrade(tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, listener(4000), listener(4001))).start()
    before = server.until_all_up("route_1")
    said = cli.run(server, "upgrade-stop")
    assert (said.returncode, server.process and server.process.wait(20)) == (0, 0), said.stderr
    assert "Its streams are on air" in said.stdout
    assert cli.run(server, "upgrade-stop").returncode == 1
    assert "[SrtRouter] Leaving: every route stays on air, for the next server" in server.log()
    assert set(media()) == {process["pid"] for process in before.values()}
    with server.start():
        assert pids(server, "route_1") == {kind: process["pid"] for kind, process in before.items()}
        assert server.route("route_1")["startedAt"] <= before["srt"]["startedAt"]


def test_a_clean_start_ends_what_was_left(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000), listener(4001))]).start()
    before = server.until_all_up("route_1")
    assert server.stop(signal.SIGUSR2) == 0
    assert len(media()) == 2
    with server.start():
        after = server.until_all_up("route_1")
        assert {p["pid"] for p in after.values()}.isdisjoint({p["pid"] for p in before.values()})
        assert "[RouteManager] Orphan cleanup: 2 processes killed, 0 errors" in server.log()


@pytest.mark.parametrize("text", ["{", '{"version": 1, "routes": [{"id": "route_1", "name": "x"}]}', None])
def test_a_broken_file_takes_nothing_off_air(text: str | None, tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, listener(4000), listener(4001))).start()
    before = pids(server, "route_1") if server.until_all_up("route_1") else {}
    server.kill()
    if text is None:
        (server.data_dir / "routes.json").write_text('{"version": 1, "routes": [], "x": 1}')
    else:
        server.write_routes(text)
    with server.start():
        assert pids(server, "route_1") == before
        server.write_routes([route(1, listener(4000), listener(4001), listener(4002))])
        after = until(lambda: found if len(found := server.until_all_up("route_1")) == 3 else None)
        assert after is not None
        assert {kind: after[kind]["pid"] for kind in before} == before


def test_of_twins_the_one_with_the_pid_file_stays(tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, caller(4000), listener(4001))).start()
    until(lambda: server.processes("route_1")["srtOut:4001"]["pid"])
    before = server.processes("route_1")["srtOut:4001"]["pid"]
    command = Path(f"/proc/{before}/cmdline").read_text().rstrip("\0").split("\0")
    server.kill()
    twin = subprocess.Popen(
        [*command[:-1], command[-1].replace(":4001", ":4009")],
        env={**os.environ, **tags(before)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with server.start():
        assert server.processes("route_1")["srtOut:4001"]["pid"] == before
        assert twin.wait(10) is not None


@pytest.mark.parametrize("place", ["after_survivors", "after_adoption", "after_pid_file_scan", "after_sweep"])
def test_killed_amidst_an_adoption(place: str, tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, listener(4000), listener(4001), udp(5001))).start()
    before = pids(server, "route_1") if server.until_all_up("route_1") else {}
    server.kill()
    server.launch(environment={"SRT_ROUTER_CRASH_AT": place})
    assert server.process is not None
    assert server.process.wait(20) == -signal.SIGKILL
    with server.start():
        assert pids(server, "route_1") == before


def test_what_stands_where_it_is_installed_restarts_nothing(tmp_path: Path) -> None:
    """The duplicator is a program of ours: another version of it lies elsewhere, and does the same."""
    server = adopting(tmp_path, route(1, listener(4000), udp(5001)))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(
        Path(srt_router.__file__).parent, elsewhere / "srt_router", ignore=shutil.ignore_patterns("console")
    )
    older = f"import sys; sys.path.insert(0, {str(elsewhere)!r}); from srt_router.cli.app import main; main()"
    server.module = ["-c", older, "serve"]
    server.start()
    before = pids(server, "route_1") if server.until_all_up("route_1") else {}
    assert str(elsewhere) in server.processes("route_1")["udpDuplicator"]["command"]
    server.kill()
    server.module = ["-m", "srt_router", "serve"]
    with server.start():
        assert pids(server, "route_1") == before
        assert not server.route("route_1")["pendingRestarts"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "processes": {"route_1_srt": 5}}', "\0" * 100])
def test_a_garbled_state_loses_no_stream(text: str, tmp_path: Path) -> None:
    server = adopting(tmp_path, route(1, listener(4000), listener(4001))).start()
    before = pids(server, "route_1") if server.until_all_up("route_1") else {}
    server.kill()
    (server.run_dir / "carry-over.state").write_text(text)
    with server.start():
        assert pids(server, "route_1") == before
        assert server.route("route_1")["status"] == "waiting"


def test_the_state_says_nothing_that_the_process_table_does_not(tmp_path: Path) -> None:
    """A forged state keeps no process alive, and signals none."""
    server = adopting(tmp_path, route(1, listener(4000), listener(4001))).start()
    server.until_all_up("route_1")
    state = server.run_dir / "carry-over.state"
    until(state.exists)
    kept = json.loads(state.read_text())
    assert kept["wanted"] == {"route_1": True}
    assert "passphrase" not in state.read_text()
    server.kill()
    for name in kept["processes"]:
        kept["processes"][name]["nonce"] = "forged"
        kept["processes"][name]["log_at"] = 10**12
    state.write_text(json.dumps(kept))
    with server.start():
        assert server.processes("route_1")["srt"]["connection"] == "waiting"
