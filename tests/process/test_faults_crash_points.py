"""The server dies once at each step of start, spawn, kill and cleanup; the next start sets everything right."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.processes.crashpoint import NAMES, VARIABLE
from tests.harness.processes import media
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.process.bystanders import Crowd, crowd
from tests.process.test_cleanup_server import exactly, tag_of

ROUTES = [route(1, listener(4000), udp(4002)), route(2, listener(4010), listener(4011))]
DEMANDED = {"route_1_srt", "route_1_udpDuplicator", "route_2_srt", "route_2_srtOut:4011"}
SOURCE = Path(__file__).parents[2] / "src"

FIRST_START = {"after_instance_temp"}
"""Only an installation without a name gets there."""
WITH_DEAF_ORPHAN = {"after_sigkill"}
"""Only where something ignores SIGTERM. (3 s longer, so not everywhere.)"""
WITH_DEATHS = {"after_exit_seen"}
"""Only when a child of the server ends."""
OF_AN_ADOPTION = {"after_survivors", "after_adoption"}
"""Only with ON_START=adopt."""
OF_A_RESTORE = {name for name in NAMES if name.startswith("restore_")}
"""No start comes there: test_backup.py does."""
OF_A_REPLACEMENT = {"before_exec"}
"""Nor there: test_upgrade.py does."""
TIMES = {"after_spawn": (1, 3), "after_pid_file_temp": (1, 4), "after_scan": (1, 2, 3), "before_spawn": (2,)}
"""Points that are passed more than once, and when to die there."""


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path / "crowd") as found:
        yield found
        found.check_strangers()


def test_every_name_is_used_in_the_source() -> None:
    used = set()
    for path in SOURCE.rglob("*.py"):
        used |= set(re.findall(r'crashpoint\("([a-z_]+)"\)', path.read_text()))
    assert used == NAMES


@pytest.mark.parametrize(
    "at", [f"{name}:{n}" for name in sorted(NAMES - OF_A_RESTORE - OF_A_REPLACEMENT) for n in TIMES.get(name, (1,))]
)
def test_a_crash_there_is_set_right(tmp_path: Path, people: Crowd, at: str) -> None:
    name = at.partition(":")[0]
    people.stranger("sleep", "86400")
    people.recorder()
    server = Server(tmp_path / "s", ROUTES, ON_START="adopt" if name in OF_AN_ADOPTION else "clean")
    if name not in FIRST_START:
        server.start()
        until(lambda: set(server.pid_files()) == DEMANDED)
        server.kill()
        next(iter(server.pid_dir.glob("route_2_*.pid"))).unlink()  # so that step 2 has something to find
        if name in WITH_DEAF_ORPHAN:
            people.imitation(tag_of(server, "srt"), ignore_term=True)
    server.launch(environment={VARIABLE: at})
    assert server.process is not None
    if name in WITH_DEATHS:
        until(lambda: _kill_a_child_of(server), what="the server to start a process")
    assert server.process.wait(20) == -signal.SIGKILL, f"{at} was never reached:\n{server.log()}"
    with server.start():
        exactly(server, DEMANDED)
    assert not list(server.pid_dir.iterdir())


@pytest.mark.long
@pytest.mark.timeout(300)
def test_crashes_one_after_the_other_take_nothing_off_air_that_is_adopted(tmp_path: Path, people: Crowd) -> None:
    """At every point, with ON_START=adopt, each server finding what the one before it has left."""
    people.stranger("sleep", "86400")
    people.recorder()
    server = Server(tmp_path / "s", ROUTES, ON_START="adopt").start()
    until(lambda: set(server.pid_files()) == DEMANDED)
    before = {name: pid for name, pid in server.pid_files().items() if name.startswith("route_1_")}
    tag = tag_of(server, "srt")
    server.kill()
    for name in sorted(NAMES - OF_A_RESTORE - OF_A_REPLACEMENT - FIRST_START):
        files = server.pid_files()
        if (pid := files.get("route_2_srtOut:4011")) is not None and runs_media(pid):
            os.kill(pid, signal.SIGKILL)  # so that one is started
        (server.pid_dir / "route_2_srt.pid").unlink(missing_ok=True)  # so that one is found without a file
        people.imitation({**tag, "SRT_ROUTER_SPEC": "0-0"}, ignore_term=name in WITH_DEAF_ORPHAN)  # and one is ended
        orphan = people.imitation({**tag, "SRT_ROUTER_SPEC": "0-0"})
        (server.pid_dir / "route_8_srt.pid").write_text(f"{orphan.pid}\n{time.time_ns() // 1_000_000}\n")
        (server.pid_dir / "route_9_srt.pid").write_text(f"{os.getpid()}\n0\n")
        server.launch(environment={VARIABLE: name})
        assert server.process is not None
        if name in WITH_DEATHS:
            until(lambda: _kill_a_child_of(server), what="the server to start a process")
        until(lambda: server.process and server.process.poll() is not None, what=f"{name} to be reached")
        assert server.process.returncode == -signal.SIGKILL
    with server.start():
        exactly(server, DEMANDED)
        assert {name: pid for name, pid in server.pid_files().items() if name.startswith("route_1_")} == before
    assert not list(server.pid_dir.iterdir())


def runs_media(pid: int) -> bool:
    return pid in media()


def _kill_a_child_of(server: Server) -> bool:
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    known = set(server.pid_files().values()) & set(map(int, children))
    for pid in known:
        os.kill(pid, signal.SIGKILL)
    return bool(known)
