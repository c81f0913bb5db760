"""`srt-router routes` on a real server, and what of it works without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli import run, run_json
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One route on air, one that is not."""
    routes = [
        route(1, listener(4000, passphrase=SECRET), listener(4001), tags=["news"]),
        route(2, listener(4100), udp(5001), autoStart=False),
    ]
    with Server(tmp_path, routes) as server:
        server.until_all_up("route_1")
        yield server


def on_disk(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((server.data_dir / "routes.json").read_text())["routes"]
    return found


def test_list_and_show(server: Server) -> None:
    done = run(server, "routes", "list")
    assert done.returncode == 0, done.stderr
    assert "route_1  waiting  srt://:4000  1             Route 1" in done.stdout
    assert [one["id"] for one in run_json(server, "routes", "list", "--tag", "news")["items"]] == ["route_1"]
    assert [one["id"] for one in run_json(server, "routes", "list", "--status", "stopped")["items"]] == ["route_2"]
    shown = run(server, "routes", "show", "Route 1")
    assert "Route 1 (route_1): waiting" in shown.stdout
    assert "destination 0" in shown.stdout
    assert run_json(server, "routes", "show", "route_1")["config"]["source"]["passphrase"] == "**********"
    assert SECRET not in shown.stdout + done.stdout
    missing = run(server, "routes", "show", "Nowhere")
    assert (missing.returncode, "there is no route 'Nowhere'" in missing.stderr) == (1, True)


def test_add_by_options_and_from_a_file(server: Server, tmp_path: Path) -> None:
    options = [
        "--name",
        "Oslo",
        "--source",
        "srt://:4200?latency=200",
        "--to",
        "srt://:4201",
        "--to",
        "udp://239.1.1.1:5009?ttl=8",
    ]
    tried = run(server, "routes", "add", *options, "--auto-start", "--dry-run")
    assert "4 process(es)" not in tried.stdout
    assert "Dry run: 3 process(es) would be touched, 0 kept" in tried.stdout
    assert len(on_disk(server)) == 2
    added = run(server, "routes", "add", *options, "--auto-start")
    assert added.returncode == 0, added.stderr
    assert on_disk(server)[2]["destinations"][1]["ttl"] == 8
    body = {"name": "Bergen", "source": listener(4300, passphrase=SECRET)}
    from_input = run(server, "routes", "add", "-", "--json", stdin=json.dumps(body))
    assert json.loads(from_input.stdout)["config"]["source"]["passphrase"] == "**********"
    assert on_disk(server)[3]["source"]["passphrase"] == SECRET
    (tmp_path / "bad.json").write_text(
        json.dumps({"name": "x", "source": {"type": "srt", "mode": "listener", "prot": 1}})
    )
    refused = run(server, "routes", "add", str(tmp_path / "bad.json"))
    assert refused.returncode == 1
    assert "source.prot: is not a known field; did you mean 'port'?" in refused.stderr
    assert run(server, "routes", "add").returncode == 2
    assert run(server, "routes", "add", "--name", "x", "--source", "rtmp://h:1935").returncode == 2
    assert run(server, "routes", "add", str(tmp_path / "none.json")).returncode == 1


def test_edit_by_patch_file_and_editor(server: Server, tmp_path: Path) -> None:
    before = server.processes("route_1")
    tried = run(server, "routes", "edit", "route_1", "--patch", '{"source": {"latency": 300}}', "--dry-run")
    assert "route_1 srt: restart" in tried.stdout
    assert "1 process(es) would be touched, 1 kept" in tried.stdout
    done = run(server, "routes", "edit", "route_1", "--patch", '{"name": "Paris"}')
    assert "Route route_1 was changed: waiting" in done.stdout
    config = run_json(server, "routes", "show", "route_1")["config"]
    file = tmp_path / "paris.json"
    file.write_text(json.dumps({**config, "tags": ["sport"]}))
    assert run(server, "routes", "edit", "Paris", str(file)).returncode == 0
    assert on_disk(server)[0]["tags"] == ["sport"]
    assert on_disk(server)[0]["source"]["passphrase"] == SECRET
    editor = {"EDITOR": "sed -i s/sport/news/", "VISUAL": ""}
    assert run(server, "routes", "edit", "Paris", extra=editor).returncode == 0
    assert on_disk(server)[0]["tags"] == ["news"]
    assert "Nothing was changed" in run(server, "routes", "edit", "Paris", extra={"VISUAL": "true"}).stderr
    assert "ended with 1" in run(server, "routes", "edit", "Paris", extra={"VISUAL": "false"}).stderr
    assert {kind: one["pid"] for kind, one in server.processes("route_1").items()} == {
        kind: one["pid"] for kind, one in before.items()
    }


def test_start_stop_restart_remove(server: Server) -> None:
    assert run(server, "routes", "start", "route_2", "Route 1").returncode == 0
    server.until_all_up("route_2")
    assert run(server, "routes", "restart", "route_2").returncode == 0
    done = run(server, "routes", "stop", "route_1", "route_2")
    assert done.stdout == "route_1: stopped\nroute_2: stopped\n"
    refused = run(server, "routes", "start", "route_2", "route_9")
    assert (refused.returncode, "no such route" in refused.stderr) == (1, True)
    assert server.route("route_2")["status"] == "stopped"
    assert "Nothing was done" in run(server, "routes", "remove", "route_2", stdin="no\n").stdout
    assert run(server, "routes", "remove", "route_2", "--dry-run").returncode == 0
    assert run(server, "routes", "remove", "route_2", stdin="yes\n").returncode == 0
    assert run(server, "routes", "remove", "route_1", "--yes").returncode == 0
    assert on_disk(server) == []


def test_export_and_import(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    assert run(server, "routes", "export", "--secrets", "--output", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["routes"] == on_disk(server)
    plain = json.loads(run(server, "routes", "export", "route_1").stdout)
    assert plain["routes"][0]["source"]["passphrase"] == "**********"
    plain["routes"][0]["name"] = "Paris"
    file.write_text(json.dumps(plain))
    no = run(server, "routes", "import", str(file), "--replace", stdin="no\n")
    assert "~ route_1 Paris" in no.stdout
    assert 'name: "Route 1" -> "Paris"' in no.stdout
    assert "- route_2 Route 2" in no.stdout
    assert len(on_disk(server)) == 2
    assert run(server, "routes", "import", "-", "--yes", stdin=json.dumps(plain)).returncode == 0
    assert [one["name"] for one in on_disk(server)] == ["Paris", "Route 2"]
    assert run_json(server, "routes", "import", str(file), "--replace", "--dry-run")["differences"]["removed"]
    assert run(server, "routes", "import", "-", stdin="{").returncode == 1


def test_without_a_server_list_and_export_read_the_file(server: Server) -> None:
    server.stop()
    assert [one["status"] for one in run_json(server, "routes", "list")["items"]] == ["stopped", "stopped"]
    assert "srt://:4000" in run(server, "routes", "list", "--tag", "news").stdout
    assert SECRET not in run(server, "routes", "export").stdout
    assert SECRET in run(server, "routes", "export", "--secrets", "Route 1").stdout
    refused = run(server, "routes", "start", "route_1")
    assert (refused.returncode, "no server runs" in refused.stderr) == (1, True)
    (server.data_dir / "routes.json").write_text("{")
    broken = run(server, "routes", "list")
    assert (broken.returncode, "line 1" in broken.stderr) == (1, True)
    until(lambda: server.pid_files() == {})
