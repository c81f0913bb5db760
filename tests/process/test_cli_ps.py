"""`srt-router ps`: every process, with a server and without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.harness.cli import PROGRAM, environment, run, run_json
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


def test_the_table_and_what_only_the_server_knows(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000, passphrase=SECRET), listener(4001), udp(5001))]) as server:
        before = server.until_all_up("route_1")
        os.kill(before["srtOut:4001"]["pid"], signal.SIGKILL)
        until(lambda: server.processes("route_1")["srtOut:4001"]["restarts"] == 1)
        up = server.until_all_up("route_1")
        done = run(server, "ps")
        assert done.returncode == 0, done.stderr
        head, *rows = [line.split() for line in done.stdout.splitlines()]
        assert head == ["ROUTE", "TYPE", "STATE", "PID", "CPU%", "MEMORY", "UPTIME", "RESTARTS", "COMMAND"]
        assert [row[:4] for row in rows] == [["route_1", kind, "running", str(up[kind]["pid"])] for kind in sorted(up)]
        assert [row[8] for row in rows] == ["0", "1", "0"]
        assert "passphrase=•••" in done.stdout
        found = run_json(server, "ps")
        assert server.process is not None
        assert found["server"] == {"pid": server.process.pid, "url": str(server.api.base_url)}
        item = next(item for item in found["items"] if item["type"] == "srt")
        assert item["memoryBytes"] > 1_000_000
        assert 0 <= item["cpuPercent"] < 100
        assert abs(item["startedAt"] - up["srt"]["startedAt"]) < 2000
        assert (item["pidFile"], item["owner"], item["restarts"]) == ("route_1_srt.pid", "ours", 0)
        assert SECRET not in done.stdout + str(found)
    assert not (server.run_dir / "server.json").exists()


def test_a_process_that_waits_for_its_next_start_is_in_the_list(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), caller(4009))]) as server:

        def waiting() -> list[dict[str, object]]:
            return [item for item in run_json(server, "ps")["items"] if item["state"] == "stopped"]

        (found,) = until(waiting, 90)  # a caller mostly calls: it is met between two calls
        assert (found["type"], found["pid"]) == ("srtOut:4009", None)


def test_without_a_server(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000, passphrase=SECRET))]).start()
    pid = server.until_all_up("route_1")["srt"]["pid"]
    server.kill()
    server.api.close()
    (server.pid_dir / "route_1_srt.pid").unlink()
    (server.pid_dir / "route_2_srt.pid").write_text("4194000\n1\n")
    found = run_json(server, "ps")
    assert found["server"] is None
    states = {item["route"]: (item["state"], item["pid"], item["restarts"]) for item in found["items"]}
    assert states == {"route_1": ("orphaned", pid, None), "route_2": ("zombie", 4194000, None)}
    table = run(server, "ps").stdout
    assert SECRET not in table
    orphan, zombie = (line.split() for line in table.splitlines()[1:])
    assert (orphan[2], orphan[8]) == ("orphaned", "-")
    assert zombie == ["route_2", "srt", "zombie", "4194000", "-", "-", "-", "-", "-"]
    assert run(server, "cleanup", "--yes").returncode == 0
    assert run_json(tmp_path / "nowhere", "ps") == {"server": None, "items": []}
    assert not (tmp_path / "nowhere").exists()


def test_watch_refreshes_until_ctrl_c(tmp_path: Path) -> None:
    watch = subprocess.Popen([*PROGRAM, "ps", "--watch", "--json"], stdout=subprocess.PIPE, env=environment(tmp_path))
    assert watch.stdout is not None
    for _ in range(2):
        assert json.loads(watch.stdout.readline()) == {"server": None, "items": []}
    watch.send_signal(signal.SIGINT)
    assert watch.wait(10) == 0
    watch.stdout.close()


def test_a_broken_pipe_ends_it_quietly(tmp_path: Path) -> None:
    command = [*PROGRAM, "ps", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)) as ps:
        assert ps.stdout is not None
        assert ps.stderr is not None
        ps.stdout.readline()
        ps.stdout.close()
        assert ps.wait(10) in (0, 1)
        assert ps.stderr.read() == b""


def test_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "ps", "--nope").returncode == 2
