"""`srt-router doctor` on real servers, real orphans and a machine that is broken on purpose."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.cli import PROGRAM, environment, run, run_json
from tests.harness.processes import media
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"
PYTHON = Path(sys.executable).resolve().name


def named(document: dict[str, Any], name: str) -> list[dict[str, str]]:
    return [item for item in document["items"] if item["name"] == name]


def test_a_machine_as_it_should_be(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000, passphrase=SECRET), listener(4001), udp(5001))]) as server:
        server.until_all_up("route_1")
        assert server.process is not None
        done = run(server, "doctor")
        assert done.returncode == 0, done.stdout
        lines = done.stdout.splitlines()
        assert {line.split()[0] for line in lines[:-1]} <= {"ok", "warn"}
        assert lines[-1].endswith(" 0 fail")
        assert f"ok    lock: DATA_DIR and PID_DIR are held by PID {server.process.pid}" in lines
        assert f"ok    server: PID {server.process.pid} answers at {server.api.base_url}" in lines
        assert "ok    ports: no conflict; 2 in use by our own routes" in lines
        assert "ok    orphans: none" in lines
        assert SECRET not in done.stdout


def test_without_an_installation_it_makes_none(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.iterdir()) == []
    done = run(tmp_path, "doctor", "--fix")
    assert "[made " in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["pids"]


def test_what_a_crashed_server_leaves(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000), udp(5001))]).start()
    server.until_all_up("route_1")
    server.kill()
    server.api.close()
    (server.pid_dir / "route_9_srt.pid").write_text("4194000\n1\n")
    pids = server.pid_files()
    os.kill(pids["route_1_udpDuplicator"], signal.SIGSTOP)
    os.kill(pids["route_1_srt"], signal.SIGSTOP)
    found = run_json(server, "doctor")
    orphans = {item["message"].split(" has no ")[0] for item in named(found, "orphans")}
    assert orphans == {
        f"srt-live-transmit PID {pids['route_1_srt']} of route_1",
        f"udpDuplicator PID {pids['route_1_udpDuplicator']} of route_1",
    }
    assert {item["state"] for item in named(found, "orphans")} == {"warn"}
    (port,) = named(found, "port 4000")
    assert "left over from a server that has died" in port["message"]
    (stuck,) = named(found, "stuck processes")
    assert "is stopped (SIGSTOP)" in stuck["message"]
    (files,) = named(run_json(server, "doctor", "--fix"), "PID files")
    assert (files["state"], files["fixed"]) == ("ok", "removed 1 stale PID file(s)")
    assert server.pid_files().keys() == {"route_1_srt", "route_1_udpDuplicator"}
    assert len(media()) == 2  # it kills nothing
    run(server, "cleanup", "--yes")
    assert not media()


def test_a_server_that_hangs(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        server.until_all_up("route_1")
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            done = run(server, "doctor")
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert done.returncode == 1
        assert "fail  server: " in done.stdout
        assert "does not answer" in done.stdout


def test_a_server_with_a_problem(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        server.until_all_up("route_1")
        for file in server.pid_dir.glob("*.pid"):
            file.unlink()
        server.write_routes("{}")
        until(lambda: server.api.get("/api/health").json()["problems"])
        found = run_json(server, "doctor")
        assert named(found, "server")[0]["state"] == "warn"
        assert {item["state"] for item in named(found, "routes.json")} == {"fail"}
        assert "processes on air have none" in named(found, "PID files")[0]["message"]
        assert named(found, "orphans")[0]["state"] == "ok"


def test_folders_of_another_server(tmp_path: Path) -> None:
    with Server(tmp_path / "other") as other:
        done = run(tmp_path, "doctor", extra={"SRT_ROUTER_PID_DIR": str(other.pid_dir)})
        assert done.returncode == 1
        assert "fail  lock: PID_DIR is held by PID" in done.stdout


def test_ports_that_others_hold(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000))])
    server.api.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream, socket.socket() as http:
        stream.bind(("0.0.0.0", 4000))
        http.bind(("127.0.0.1", 8080))
        http.listen()
        done = run(server, "doctor", extra={"SRT_ROUTER_PORT": "8080"})
    assert done.returncode == 1
    assert f"fail  port 4000: route route_1, source.port: taken by {PYTHON} (PID {os.getpid()})" in done.stdout
    assert f"fail  HOST and PORT: 127.0.0.1:8080 is taken by {PYTHON} (PID {os.getpid()})" in done.stdout


def test_a_loopback_that_is_down_and_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    script = f"mount -t tmpfs -o size=64k,nr_inodes=8 none {tmp_path}/data && exec {' '.join(PROGRAM)} doctor"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "fail  loopback multicast: " in done.stdout
    assert "fail  disk of DATA_DIR: only 0 MB free" in done.stdout
    assert "fail  inodes of DATA_DIR: only " in done.stdout


def test_missing_programs_and_bad_settings(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", extra={"PATH": "/nonexistent"})
    assert done.returncode == 1
    assert "fail  srt-live-transmit: is not installed: no route can start -> apt install srt-tools" in done.stdout
    done = run(tmp_path, "doctor", extra={"SRT_ROUTER_PORT": "http"})
    assert (done.returncode, "fail  settings: setting PORT" in done.stdout) == (1, True)
    assert run(tmp_path, "doctor", "--nope").returncode == 2
