"""`srt-router presets`: transcodes to begin with, from the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli import run, run_json
from tests.harness.server import Server, listener, route

Json = dict[str, Any]

LOUD: Json = {"video": "copy", "audio": {"codec": "mp2", "bitrateKbps": 384}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    routes = [
        route(1, listener(4000), name="Paris", transcode=LOUD, autoStart=False),
        route(2, listener(4001), name="Oslo", autoStart=False),
    ]
    with Server(tmp_path_factory.mktemp("presets"), routes) as found:
        yield found


def own(server: Server) -> list[Json]:
    return [one for one in run_json(server, "presets", "list")["items"] if not one["builtIn"]]


def test_made_of_a_route_changed_and_removed(server: Server) -> None:
    made = run(server, "presets", "add", "--name", "House", "--description", "our radio", "--route", "Paris")
    assert made.returncode == 0, made.stderr
    (house,) = own(server)
    assert made.stdout == f"Preset {house['id']} was added: House\n"
    assert (house["description"], house["transcode"]) == ("our radio", LOUD)
    listed = run(server, "presets", "list").stdout.splitlines()
    assert listed[0].split() == ["NAME", "ID", "VIDEO", "AUDIO", "DESCRIPTION"]
    assert listed[-1].split() == ["House", house["id"], "copy", "mp2", "384k", "our", "radio"]
    assert any(line.startswith("h264-720p-3M") and "h264 1280x720 3000k" in line for line in listed)

    assert run(server, "presets", "edit", "house", "--name", "House sound").returncode == 0
    assert own(server) == [{**house, "name": "House sound"}]
    edited = run(server, "presets", "edit", house["id"], extra={"EDITOR": "sed -i s/384/256/", "VISUAL": ""})
    assert edited.returncode == 0, edited.stderr
    assert own(server)[0]["transcode"]["audio"]["bitrateKbps"] == 256
    assert run_json(server, "presets", "edit", house["id"], "--description", "")["description"] == ""
    assert "Nothing was changed" in run(server, "presets", "edit", house["id"], extra={"VISUAL": "true"}).stderr

    assert "Nothing was done" in run(server, "presets", "remove", "House sound", stdin="no\n").stdout
    assert len(own(server)) == 1
    assert run(server, "presets", "remove", "House sound", "--yes").stdout == f"Preset {house['id']} was removed\n"
    assert own(server) == []
    assert server.route("route_1")["config"]["transcode"] == LOUD


def test_what_is_shown_can_be_added_under_another_name(server: Server, tmp_path: Path) -> None:
    shown = run(server, "presets", "show", "audio-to-mp2").stdout
    assert set(json.loads(shown)) == {"name", "description", "transcode"}
    made = json.loads(run(server, "presets", "add", "-", "--name", "Mine", "--json", stdin=shown).stdout)
    assert (made["name"], made["transcode"]) == ("Mine", json.loads(shown)["transcode"])
    file = tmp_path / "change.json"
    file.write_text(json.dumps({"transcode": LOUD}))
    assert run(server, "presets", "edit", "Mine", str(file)).returncode == 0
    assert run_json(server, "presets", "show", "Mine") == {**made, "transcode": LOUD}
    assert run(server, "presets", "remove", made["id"], stdin="yes\n").returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "--name and --route"),
        (("--name", "x"), 2, "--name and --route"),
        (("--name", "x", "--route", "Oslo"), 1, "route Oslo has no transcode"),
        (("--name", "x", "--route", "Nowhere"), 1, "there is no route 'Nowhere'"),
        (("--name", "remux", "--route", "Paris"), 1, "another name"),
        (("--name", " ", "--route", "Paris"), 1, "name"),
        (("/no/such/file",), 1, "/no/such/file cannot be read"),
    ],
)
def test_what_is_not_made(server: Server, words: tuple[str, ...], status: int, said: str) -> None:
    done = run(server, "presets", "add", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert own(server) == []


def test_what_is_built_in_stays(server: Server) -> None:
    for words in (("edit", "remux", "--name", "x"), ("remove", "remux", "--yes")):
        done = run(server, "presets", *words)
        assert (done.returncode, "built in" in done.stderr) == (1, True)
    missing = run(server, "presets", "show", "Nowhere")
    assert (missing.returncode, "there is no preset 'Nowhere'" in missing.stderr) == (1, True)


def test_without_a_server_what_is_built_in_is_known(tmp_path: Path) -> None:
    assert all(one["builtIn"] for one in run_json(tmp_path, "presets", "list")["items"])
    assert "h264-720p-3M" in run(tmp_path, "presets", "show", "h264-720p-3m").stdout
    done = run(tmp_path, "presets", "remove", "remux", "--yes")
    assert (done.returncode, "no server runs" in done.stderr) == (1, True)
