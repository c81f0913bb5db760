"""The guide to the API, word for word: its commands run one after the other, on a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "api.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON, CLIENT = [text for language, text in BLOCKS if language == "python"]
(REFUSED,) = [json.loads(text) for language, text in BLOCKS if language == "json"]


class Reader:
    """Somebody who types the commands of the guide into one shell."""

    def __init__(self, server: Server, folder: Path) -> None:
        token = server.signed_in()["Authorization"].removeprefix("Bearer ")
        self.variables = {"API": str(server.api.base_url).rstrip("/"), "TOKEN": token}
        self._folder = folder
        self._path = os.environ["PATH"]

    def without_curl(self) -> None:
        """The machine has no curl."""
        (self._folder / "bin").mkdir()
        program = self._folder / "bin" / "curl"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.harness.curl "$@"\n')
        program.chmod(0o755)
        self._path = f"{program.parent}:{self._path}"

    def shell(self, commands: str) -> str:
        """Run commands; what they print. Variables that they set are kept."""
        keep = '\nprintf "\\n%s\\n%s\\n" "$ID" "$DESTINATION"'
        lines = self._run(["sh", "-euc", f"ID=${{ID-}} DESTINATION=${{DESTINATION-}}\n{commands}{keep}"]).split("\n")
        self.variables |= {"ID": lines[-3], "DESTINATION": lines[-2]}
        return "\n".join(lines[:-3])

    def python(self, program: str) -> str:
        """Run a program; what it prints."""
        return self._run([sys.executable, "-c", program])

    def _run(self, argv: list[str]) -> str:
        environment = {**os.environ, **self.variables, "PATH": self._path}
        done = subprocess.run(
            argv, cwd=self._folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def routes(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api.get("/api/routes").json()["items"]
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_curl", [False, True] if shutil.which("curl") else [False])
def test_the_guide_does_what_it_says(tmp_path: Path, *, with_curl: bool) -> None:
    with Server(tmp_path / "server") as server:
        reader = Reader(server, tmp_path)
        if not with_curl:
            reader.without_curl()
        make, mistake, start, ask, rename, destination, salvo, export = SHELL
        assert json.loads(reader.shell(make))["status"] == "stopped"
        assert json.loads(reader.shell(mistake)) == REFUSED
        reader.shell(start)
        (route,) = routes(server)
        assert reader.variables["ID"] == route["id"]
        server.until_status(route["id"], "waiting")
        before = server.until_all_up(route["id"])

        assert json.loads(reader.shell(ask))["effects"]["interrupts"]
        assert json.loads(reader.shell(rename))["effects"]["interrupts"] is False
        reader.shell(destination)
        assert re.fullmatch(rf"/api/routes/{route['id']}/destinations/dest_\d+", reader.variables["DESTINATION"])
        assert len(server.route(route["id"])["destinations"]) == 1
        assert reader.python(PYTHON) == "200 ['news', 'checked'] False\n"
        assert {kind: one["pid"] for kind, one in server.until_all_up(route["id"]).items()} == {
            kind: one["pid"] for kind, one in before.items()
        }

        assert reader.python(CLIENT) == "Oslo feed stopped\n422 routeInvalid ['source.port']\nTrue\n"
        assert [one["id"] for one in routes(server)] == [route["id"]]

        assert [one["name"] for one in json.loads(reader.shell(salvo))["differences"]["added"]] == ["Spare"]
        assert [one["status"] for one in routes(server)] == ["stopped", "stopped"]
        differences = json.loads(reader.shell(export))["differences"]
        assert differences == {"added": [], "changed": [], "removed": []}
        assert json.loads((tmp_path / "routes-export.json").read_text())["routes"][0]["tags"] == ["news", "checked"]
