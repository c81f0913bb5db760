"""The README, word for word: what it tells a new user to do is done here, and what it says happens must happen."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import cli
from tests.harness.processes import alive
from tests.harness.server import Json, Server
from tests.harness.wait import until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ROUTES_JSON = next(text for language, text in BLOCKS if language == "json")
ROUTE_ID = "route_1761154355576"
LIST = 'curl -s -H "Authorization: Bearer $TOKEN" localhost'
ORDER = 'curl -s -H "Authorization: Bearer $TOKEN" -X POST'
COMMANDS = [
    line.partition("   #")[0].strip()
    for language, text in BLOCKS
    for line in text.splitlines()
    if not language and line.startswith(("curl ", "ffmpeg ", "ffplay ", "TOKEN=", ".venv/bin/srt-router "))
]


def command(start: str) -> str:
    """The only command of the README that starts so."""
    (found,) = [one for one in COMMANDS if one.startswith(start)]
    return found


def curl(server: Server, line: str) -> Any:
    """Do what a curl command of the README does, with curl itself where it is installed."""
    made = re.fullmatch(r"TOKEN=\$\((.+)\)", command("TOKEN="))
    assert made
    token = srt_router(server, made[1].replace(" try ", f" {os.urandom(4).hex()} ")).stdout.strip()
    words = shlex.split(line.replace("$TOKEN", token))
    assert set(words[1:-1]) <= {"-s", "-X", "POST", "-H", f"Authorization: Bearer {token}"}
    path = words[-1].removeprefix("localhost:8080")
    assert path.startswith("/api/")
    if shutil.which("curl"):
        url = f"localhost:{server.api.base_url.port}{path}"
        done = subprocess.run([*words[:-1], url], capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout)
    address = server.api.base_url.join(path)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request("POST" if "POST" in words else "GET", address, headers=headers, timeout=30).json()


def srt_router(server: Server, line: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours with the settings of the server."""
    return cli.run(server, *shlex.split(line)[1:])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose routes.json is the README's."""
    with Server(tmp_path, ROUTES_JSON) as running:
        running.until_all_up(ROUTE_ID)
        yield running


@pytest.fixture
def encoder(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """The README's ffmpeg, sending."""
    words = shlex.split(command("ffmpeg "))
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def pids(server: Server) -> dict[str, int]:
    """The PID of each process, but of the caller, which comes and goes as nobody answers it."""
    return {name: p["pid"] for name, p in server.processes(ROUTE_ID).items() if name != "srtOut:7000"}


def test_every_command_of_the_readme_is_tried_here() -> None:
    tried = ["ffmpeg ", "ffplay ", LIST, ORDER, "TOKEN="]
    tried += [".venv/bin/srt-router ps", ".venv/bin/srt-router doctor"]
    assert sorted(map(command, tried)) == sorted(COMMANDS)


def test_the_list_of_routes(server: Server) -> None:
    (route,) = curl(server, command(LIST))["items"]
    assert (route["id"], route["name"], route["status"]) == (ROUTE_ID, "Paris feed", "waiting")
    assert {end["connection"] for end in (route["source"], *route["destinations"][:2])} == {"waiting"}
    assert {p["type"] for p in route["processes"]} == {"srt", "srtOut:6000", "srtOut:7000", "udpDuplicator"}
    assert "correct-horse-42" not in json.dumps(route)


@pytest.mark.parametrize("order", ["start", "stop", "restart"])
def test_start_stop_restart(server: Server, order: str) -> None:
    line = command(ORDER)
    assert "   # start | stop | restart" in README
    before = pids(server)
    answer = curl(server, line.replace("/restart", f"/{order}"))
    assert answer["id"] == ROUTE_ID
    if order == "stop":
        assert answer["status"] == "stopped"
        assert not any(map(alive, before.values()))
        return
    server.until_all_up(ROUTE_ID)
    after = pids(server)
    assert after == before if order == "start" else not set(after.values()) & set(before.values())


def test_a_stream_is_sent_and_watched(server: Server, encoder: subprocess.Popen[bytes]) -> None:
    server.until_status(ROUTE_ID, "running")
    url = shlex.split(command("ffplay "))[1]
    shown = subprocess.run(
        ["ffprobe", "-v", "quiet", "-show_entries", "stream=codec_name", "-of", "csv=p=0", url],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    assert "h264" in shown.stdout
    assert encoder.poll() is None


def test_ps_lists_every_process(server: Server) -> None:
    done = srt_router(server, command(".venv/bin/srt-router ps"))
    assert done.returncode == 0, done.stderr
    for name, pid in pids(server).items():
        assert re.search(rf"^{ROUTE_ID} +{re.escape(name)} +running +{pid} ", done.stdout, re.MULTILINE)
    assert "correct-horse-42" not in done.stdout


def test_doctor_finds_nothing_wrong_with_the_route(server: Server) -> None:
    done = srt_router(server, command(".venv/bin/srt-router doctor"))
    assert re.search(r"^ok +routes\.json: ", done.stdout, re.MULTILINE), done.stdout
    assert not re.search(r"^fail +(routes\.json|port|server|lock)", done.stdout, re.MULTILINE), done.stdout


def test_an_edit_restarts_only_what_changed(server: Server) -> None:
    before = pids(server)
    server.write_routes(ROUTES_JSON.replace('"port": 6000, "latency": 120', '"port": 6000, "latency": 300'))
    until(lambda: "latency=300" in server.processes(ROUTE_ID)["srtOut:6000"]["command"], what="the edit")
    server.until_all_up(ROUTE_ID)
    after = pids(server)
    assert {name for name in before if before[name] != after[name]} == {"srtOut:6000"}


def test_a_mistake_changes_nothing_and_is_named(server: Server) -> None:
    before = pids(server)
    server.write_routes(ROUTES_JSON.replace('"port": 6000', '"prot": 6000'))
    until(lambda: "is not taken over" in server.log(), what="the complaint")
    line = next(number for number, text in enumerate(ROUTES_JSON.splitlines(), 1) if "6000" in text)
    assert f"routes.json: line {line}, routes[0].destinations[0].prot: is not a known field" in server.log()
    assert pids(server) == before


def _with_example(line: str) -> str:
    """The password of the README in the place of the one that was made."""
    return re.sub(r"(password )[a-z2-9-]{23} ", r"\1k3vqm-x8sdn-2hpwj-r7tca ", line)


def test_the_demo(tmp_path: Path) -> None:
    (said,) = [text for language, text in BLOCKS if not language and "[Demo]" in text]
    server = Server(tmp_path).start("--demo-if-empty")
    with server:
        until(
            lambda: server.log().count("[Demo] Watch") == 2 and "[Accounts] Sign in" in server.log(),
            what="what it says",
        )
        port = server.api.base_url.port
        printed = [_with_example(line.replace(f":{port}/", ":8080/")) for line in server.log().splitlines()]
        assert sorted(line for line in printed if line in said.splitlines()) == sorted(said.splitlines())
        (demo,) = server.api.get("/api/routes").json()["items"]
        found: Json = server.until_status(demo["id"], "running")
        on_air = {p["type"]: p["pid"] for p in found["processes"]}
        assert "testSource" in on_air
        assert server.stop(signal.SIGINT) == 0
    assert not any(map(alive, on_air.values()))
