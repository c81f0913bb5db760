"""From another gateway to this one: its feeds are imported and on air, and what it left behind is taken over."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cli import run, run_json
from tests.harness.processes import alive
from tests.harness.server import Server, listener, route
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare
from tests.process.bystanders import Crowd, crowd, dead

SECRET = "correct-horse-42"
FEEDS = f"""name;source;destination1;destination2;passphrase;latency;tags
Oslo;srt://:4000?mode=listener;udp://127.0.0.1:5001;srt://:4001;{SECRET};200;news
Bergen;srt://:4100;udp://127.0.0.1:5002;;;;
"""
MEDIAMTX = "paths:\n  studio:\n    record: yes\n  camera:\n    source: rtsp://192.0.2.1/x\n"


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path / "crowd") as found:
        yield found
        found.check_strangers()


@pytest.mark.long
def test_a_table_of_feeds_is_on_air(tmp_path: Path) -> None:
    sent = make(HD_6_MBPS, 8)
    (tmp_path / "feeds.csv").write_text(FEEDS, "utf-8-sig")
    order = ("import", str(tmp_path / "feeds.csv"), "--from", "csv", "--auto-start")
    received = UdpReceiver("127.0.0.1", 5001, tmp_path / "oslo.ts")
    with Server(tmp_path / "server") as server:
        tried = run(server, *order, "--dry-run")
        assert (tried.returncode, tried.stderr) == (0, "")
        assert "Oslo" in tried.stdout
        assert server.api.get("/api/routes").json()["items"] == []
        said_no = run(server, *order, stdin="no\n")
        assert "Nothing was done" in said_no.stderr
        done = run(server, *order, stdin="yes\n")
        assert (done.returncode, done.stdout.endswith("Done\n")) == (0, True), done.stderr
        assert SECRET not in done.stdout + done.stderr + tried.stdout
        oslo, bergen = server.api.get("/api/routes").json()["items"]
        server.until_all_up(oslo["id"])
        server.until_all_up(bergen["id"])
        with SrtSender(sent, SrtUrl(4000, "caller", passphrase=SECRET)) as sender:
            sender.wait_connected()
            server.until_status(oslo["id"], "running")
            assert sender.wait_end(60) == 0
        received.wait_bytes(sent.stat().st_size)
        received.stop()
        assert check(received.file).clean
        assert compare(sent, received.file).identical
        twice = run(server, *order, "--yes")
        assert twice.returncode == 1
        assert f"a route 'Oslo' is there already ({oslo['id']})" in twice.stderr
        assert len(server.api.get("/api/routes").json()["items"]) == 2


def test_all_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "feeds.csv").write_text(FEEDS + "Molde;srt://:4000;udp://127.0.0.1:5003;;short;;\n")
    with Server(tmp_path / "server") as server:
        done = run(server, "import", str(tmp_path / "feeds.csv"), "--from", "csv", "--yes")
        assert done.returncode == 1
        assert "feeds.csv, line 4, passphrase: must have 10 to 79 characters" in done.stderr
        assert server.api.get("/api/routes").json()["items"] == []


def test_ports_are_those_that_nobody_has_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mediamtx.yml"
    file.write_text(MEDIAMTX)
    order = ("import", str(file), "--from", "mediamtx", "--first-port", "4000")
    with Server(tmp_path / "server", [route(1, listener(4000), listener(4002))]) as server:
        answer = run_json(server, *order, "--dry-run")
        assert [one["line"] for one in answer["remarks"]] == [3, 5, 2, 2]
        told = run(server, *order, "--yes")
        assert f"srt-router: {file}, line 3, paths.studio.record: is not taken over" in told.stderr
        assert "line 5, paths.camera.source: the path was left out: the router takes no rtsp source" in told.stderr
        studio = run_json(server, "routes", "show", "studio")
        assert studio["config"]["source"]["port"] == 4001
        assert studio["config"]["destinations"][0]["port"] == 4003
        assert studio["status"] == "stopped"


def test_only_a_document_and_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    output = tmp_path / "routes-to-be.json"
    order = ("import", "-", "--from", "srt-live-transmit", "--output", str(output))
    line = f"srt-live-transmit 'srt://:4000?passphrase={SECRET}' udp://10.0.0.1:5000\n"
    assert "1 route(s) would be written" in run(tmp_path, *order, "--dry-run", stdin=line).stdout
    assert not output.exists()
    answer = run_json(tmp_path, *order, stdin=line)
    assert (answer["routes"], answer["remarks"]) == (1, [])
    assert json.loads(output.read_text())["routes"][0]["source"]["passphrase"] == SECRET
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    with Server(tmp_path / "server") as server:
        assert run(server, "routes", "import", str(output), "--yes").returncode == 0
        assert run_json(server, "routes", "show", "srt://:4000")["config"]["source"]["port"] == 4000
    printed = run(tmp_path, *order[:-1], "-", stdin=line)
    assert json.loads(printed.stdout) == json.loads(output.read_text())
    nothing = run(tmp_path, *order, stdin="sleep 1\n")
    assert (nothing.returncode, "has no route that can be taken over" in nothing.stderr) == (1, True)
    assert run(tmp_path, "import", "-", "--from", "wowza").returncode == 2
    assert run(tmp_path, "import", str(tmp_path / "nowhere.csv"), "--from", "csv").returncode == 1


def test_the_pid_folder_of_another_gateway(tmp_path: Path, people: Crowd) -> None:
    """It names live processes that carry no tag: the first start reports them and tidies up, the next one ends them."""
    left = [people.srt_live_transmit(4200), people.srt_live_transmit(4201)]
    people.usual_strangers()
    server = Server(tmp_path / "s", [route(1, listener(4000))])
    server.pid_dir.mkdir(mode=0o755)
    names = ("route_1761154355576_srt", "route_1761154355576_srtOut:4201")
    for name, process in zip(names, left, strict=True):
        (server.pid_dir / f"{name}.pid").write_text(str(process.pid))  # as Node.js writes it: no newline
    (server.pid_dir / "route_1761154355999_ffmpeg.pid").write_text("4000000")
    (server.pid_dir / "route_1761154355999_srt.pid").write_text(str(people.strangers[1].pid))  # used again
    (server.pid_dir / "gateway.json").write_text("{}")
    with server:
        server.until_all_up("route_1")
        assert set(server.pid_files()) == {"route_1_srt"}
    assert all(alive(process.pid) for process in left)
    assert "this installation starts for the first time" in server.log()
    assert all(str(process.pid) in server.log() for process in left)
    with server.start():
        server.until_all_up("route_1")
        assert all(map(dead, left))
    assert (server.pid_dir / "gateway.json").exists()
