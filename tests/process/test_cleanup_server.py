"""The cleanup as the server does it at its start: log lines, order, locks, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.processes.tag import DATA_DIR, INSTANCE, NONCE, PROCESS, ROUTE
from tests.harness.processes import alive, media, tags
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.process.bystanders import Crowd, crowd, dead


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path / "crowd") as found:
        yield found
        found.check_strangers()


def two_routes(port: int = 4000) -> list[dict[str, object]]:
    return [
        route(1, listener(port), listener(port + 1), udp(port + 2)),
        route(2, listener(port + 10), listener(port + 11)),
    ]


DEMANDED = {"route_1_srt", "route_1_srtOut:4001", "route_1_udpDuplicator", "route_2_srt", "route_2_srtOut:4011"}


def tag_of(server: Server, process: str) -> dict[str, str]:
    """The environment of a process that this server's predecessor has left."""
    instance = (server.data_dir / "instance-id").read_text().strip()
    words = {INSTANCE: instance, DATA_DIR: str(server.data_dir), ROUTE: "route_77", PROCESS: process, NONCE: "n"}
    return {**os.environ, **words}


def exactly(server: Server, demanded: set[str]) -> None:
    """Wait until the live media processes are those demanded, once each, and the PID files say so."""

    def found() -> bool:
        live = {pid: tags(pid) for pid in media()}
        names = [f"{tag.get(ROUTE)}_{tag.get(PROCESS)}" for tag in live.values()]
        return sorted(names) == sorted(demanded) and set(server.pid_files().values()) == set(live)

    until(found, what="exactly the demanded processes to live")
    assert set(server.pid_files()) == demanded


def test_the_log_lines_to_the_letter(tmp_path: Path, people: Crowd) -> None:
    people.usual_strangers()
    server = Server(tmp_path / "s")
    with server:
        pass
    before = len(server.log())
    orphans = [people.srt_live_transmit(4100), people.srt_live_transmit(4101, tag_of(server, "srt"))]
    foreign_ffmpeg = people.strangers[2]
    with server.start():
        assert all(map(dead, orphans))
        assert alive(foreign_ffmpeg.pid)
    said = [line for line in server.log()[before:].splitlines() if re.match(r"\[(PidManager|RouteManager)\]", line)]
    one, two = sorted(process.pid for process in orphans)
    start = said.index("[RouteManager] Cleaning up orphaned processes...")
    assert said[start : start + 7] == [
        "[RouteManager] Cleaning up orphaned processes...",
        "[PidManager] Found 0 PID file(s), cleaning up orphans...",
        "[PidManager] Found 2 orphaned srt-live-transmit process(es) without PID files",
        f"[PidManager] Killing orphaned srt-live-transmit PID {one}",
        f"[PidManager] Killing orphaned srt-live-transmit PID {two}",
        "[PidManager] Orphan cleanup complete: 2 killed, 0 errors",
        "[RouteManager] Orphan cleanup: 2 processes killed, 0 errors",
    ]


@pytest.mark.parametrize("wiped", [False, True], ids=["PID files kept", "PID directory wiped"])
def test_kill_9_and_start_again(tmp_path: Path, people: Crowd, wiped: bool) -> None:
    people.usual_strangers()
    people.processes.extend(people.strangers)
    server = Server(tmp_path / "s", two_routes()).start()
    foreign = {process.pid for process in people.strangers}
    until(lambda: set(server.pid_files()) == DEMANDED)
    before = set(media()) - foreign
    server.kill()
    assert set(media()) - foreign == before  # a crash takes nothing off air
    if wiped:
        shutil.rmtree(server.pid_dir)
    with server.start():
        until(lambda: set(server.pid_files()) == DEMANDED)
        now = set(media()) - foreign
        assert not now & before
        assert set(server.pid_files().values()) == now
    assert f"Orphan cleanup: {len(before)} processes killed, 0 errors" in server.log()


@pytest.mark.parametrize("scope", ["host", "owned"])
def test_orphans_of_every_kind_without_a_pid_file(tmp_path: Path, people: Crowd, scope: str) -> None:
    server = Server(tmp_path / "s", CLEANUP_SCOPE=scope)
    with server:
        pass
    tagged = [
        people.srt_live_transmit(4100, tag_of(server, "srtOut:4100")),
        people.ffmpeg(5100, tag_of(server, "ffmpeg")),
        people.duplicator(5101, tag_of(server, "udpDuplicator")),
    ]
    untagged = people.srt_live_transmit(4200)
    with server.start():
        assert all(map(dead, tagged))
        assert dead(untagged) == (scope == "host")
    assert ("CLEANUP_SCOPE is owned" in server.log()) == (scope == "owned")


def test_the_first_start_reports_and_the_second_kills(tmp_path: Path, people: Crowd) -> None:
    busy = [people.srt_live_transmit(4200), people.srt_live_transmit(4201)]
    server = Server(tmp_path / "s", [route(1, listener(4000))])
    with server:
        server.until_all_up("route_1")
    assert all(alive(process.pid) for process in busy)
    assert "this installation starts for the first time" in server.log()
    assert all(str(process.pid) in server.log() for process in busy)
    with server.start():
        assert all(map(dead, busy))


@pytest.mark.parametrize("scope", ["host", "owned"])
def test_two_live_routers_on_one_box(tmp_path: Path, people: Crowd, scope: str) -> None:
    first = Server(tmp_path / "first", two_routes(), CLEANUP_SCOPE=scope)
    second = Server(tmp_path / "second", two_routes(4500))
    people.usual_strangers()
    with second.start():
        theirs = second.until_all_up("route_1")
        pids = set(second.pid_files().values())
        first.start()
        first.until_all_up("route_1")
        first.kill()
        first.start()
        first.kill()
        assert set(second.pid_files().values()) == pids
        assert all(map(alive, pids))
        second.kill()
        first.start()
        srt = {process["pid"] for kind, process in theirs.items() if kind.startswith("srt")}
        assert [alive(pid) for pid in srt] == [scope == "owned"] * len(srt)
        first.stop()
        second.start()
        assert not any(map(alive, pids))


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes())
    for _ in range(2):
        server.start()
        server.kill()
    with server.start():
        exactly(server, DEMANDED)
    assert "another SRT Router" not in server.log()


def test_the_order_of_a_start(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes()).start()
    until(lambda: set(server.pid_files()) == DEMANDED)
    server.kill()
    before = len(server.log())
    with server.start():
        other = Server(tmp_path / "other", DATA_DIR=str(server.data_dir))
        other.launch()
        assert other.process is not None
        assert other.process.wait(20) == 1
        assert "Cleaning up" not in other.log()  # lock first: a second server touches nothing
        other.api.close()
        exactly(server, DEMANDED)
    said = server.log()[before:]
    assert said.index("Cleaning up orphaned") < said.index("Orphan cleanup: ") < said.index("Route route_1 is ")


# A PID_DIR that cannot be trusted


def refused(server: Server, *words: str) -> None:
    server.launch()
    assert server.process is not None
    assert server.process.wait(20) == 1
    (line,) = server.log().splitlines()
    assert f"PID_DIR {server.pid_dir}" in line
    for word in words:
        assert word in line
    server.api.close()
    assert not media()


def test_a_pid_dir_that_is_a_symlink(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes())
    (tmp_path / "elsewhere").mkdir()
    server.pid_dir.symlink_to(tmp_path / "elsewhere")
    refused(server, "is a symbolic link", "remove it")


def test_a_pid_dir_that_is_a_file(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes())
    server.pid_dir.write_text("")
    refused(server, "is no directory", "remove it")


def test_a_pid_dir_that_everybody_can_write(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes())
    server.pid_dir.mkdir()
    server.pid_dir.chmod(0o1777)
    refused(server, "writable by others (mode 1777)", f"chmod 755 {server.pid_dir}")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a second user")
def test_a_pid_dir_of_somebody_else(tmp_path: Path) -> None:
    server = Server(tmp_path / "s", two_routes())
    server.pid_dir.mkdir()
    os.chown(server.pid_dir, 65534, 65534)
    refused(server, "belongs to user 65534", "run this as that user (sudo -u '#65534' …), or set PID_DIR")


def test_a_caller_route_is_cleaned_up_too(tmp_path: Path) -> None:
    """Its process comes and goes while it waits: whatever the moment of the crash, none is left twice."""
    server = Server(tmp_path / "s", [route(1, caller(4999), listener(4001))])
    for _ in range(2):
        server.start()
        until(lambda: "route_1_srtOut:4001" in server.pid_files())
        server.kill()
    with server.start():
        until(lambda: len([pid for pid in media() if tags(pid).get(PROCESS) == "srtOut:4001"]) == 1)
