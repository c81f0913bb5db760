"""A server that is told to end while it still starts ends at once, and leaves what it was told to leave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import alive, media
from tests.harness.server import Server, listener, route
from tests.harness.wait import until
from tests.process.bystanders import Crowd, crowd
from tests.process.test_cleanup_server import tag_of

ROUTES = [route(1, listener(4000), listener(4001)), route(2, listener(4010), listener(4011))]


def with_slow_ffmpeg(folder: Path) -> tuple[dict[str, str], Path]:
    """An environment in which nobody finds out what ffmpeg can do; and the file that says that somebody tries."""
    programs, tried = folder / "programs", folder / "tried"
    programs.mkdir(exist_ok=True)
    ffmpeg = programs / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\n: >{tried}\nexec sleep 86400\n")
    ffmpeg.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}"}, tried


def trying(server: Server, folder: Path) -> None:
    """Start it, and wait until it tries the programs out."""
    environment, tried = with_slow_ffmpeg(folder)
    server.launch(environment=environment)
    until(tried.exists, what="ffmpeg to be tried")


def ended(server: Server, signum: int) -> int:
    """Its exit status. It has not waited for what was being tried: that is given up, and said, after ten seconds."""
    said = len(server.log())
    status = server.stop(signum)
    assert "ffmpeg cannot draw text" not in server.log()[said:]
    return status


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path / "crowd") as found:
        yield found
        found.check_strangers()


@pytest.mark.parametrize("on_start", ["clean", "adopt"])
def test_told_to_end_while_the_programs_are_tried(on_start: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "s", ROUTES, ON_START=on_start)
    trying(server, tmp_path)
    assert ended(server, signal.SIGTERM) == 0
    assert not media()
    assert not server.pid_files()


@pytest.mark.parametrize("on_start", ["clean", "adopt"])
def test_off_air_means_also_what_an_earlier_server_left(on_start: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "s", ROUTES, ON_START=on_start).start()
    server.until_all_up("route_2")
    server.kill()
    assert media()
    said = len(server.log())
    trying(server, tmp_path)
    assert ended(server, signal.SIGTERM) == 0
    assert not media()
    assert not server.pid_files()
    assert "taken over on air" not in server.log()[said:]


def test_left_on_air_means_that_the_next_one_takes_it_over(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", ROUTES, ON_START="adopt").start()
    before = {kind: one["pid"] for kind, one in server.until_all_up("route_2").items()}
    server.kill()
    trying(server, tmp_path)
    assert ended(server, signal.SIGUSR2) == 0
    assert all(alive(pid) for pid in before.values())
    assert set(media()) == set(server.pid_files().values())
    with server.start():
        assert {kind: one["pid"] for kind, one in server.until_all_up("route_2").items()} == before
    assert not media()


def test_told_to_end_amidst_the_cleanup(tmp_path: Path, people: Crowd) -> None:
    """It goes on to its end: what would be left else, nobody would end."""
    server = Server(tmp_path / "s", ROUTES).start()
    server.until_all_up("route_2")
    deaf = people.imitation(tag_of(server, "srt"), ignore_term=True)
    server.kill()
    said = len(server.log())
    server.launch()
    until(lambda: "cleaning up orphans" in server.log()[said:])
    began = time.monotonic()
    assert server.stop() == 0
    assert not alive(deaf.pid), f"left after {time.monotonic() - began:.1f} s"
    assert not media()
    assert not server.pid_files()
    assert "Starting " not in server.log()[said:]
