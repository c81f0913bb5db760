"""Upgrades in place: another program goes on in the same process, and neither stream nor request is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.harness import cli
from tests.harness.processes import alive, media
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare

ROUTE = route(1, listener(4000), listener(4001), udp(5001))


@dataclass
class Caller:
    """Calls the API without pause, each time on a connection of its own."""

    server: Server
    answers: int = 0
    refused: list[str] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is enough."""
        url, headers = f"{self.server.api.base_url}api/routes", self.server.signed_in()
        while not self._enough.is_set():
            try:
                answer = httpx.get(url, headers=headers, timeout=30)
            except httpx.HTTPError as error:
                self.refused.append(repr(error))
            else:
                self.answers += 1
                if answer.status_code != 200:
                    self.refused.append(answer.text)

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """Twice at once, meanwhile."""
        threads = [threading.Thread(target=self.run) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()


def pids(server: Server, route_id: str = "route_1") -> dict[str, int]:
    return {kind: process["pid"] for kind, process in server.processes(route_id).items()}


def lives(server: Server) -> int:
    """How often a program has begun to answer."""
    return server.log().count(" answers at ")


def upgraded(server: Server) -> None:
    """Tell the server to go on with the installed program, and wait until that answers."""
    before = server.log().count(" goes on, ")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count(" goes on, ") > before, what="the next program to go on")


def test_nothing_is_lost_and_nobody_refused(tmp_path: Path) -> None:
    server = Server(tmp_path / "server", [ROUTE])  # ON_START is clean: it counts for a start only
    stream = make(HD_6_MBPS, 20)
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "udp.ts") as unicast,
        server.start(),
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client,
    ):
        client.wait_connected()
        assert server.process is not None
        before, calls = server.until_all_up("route_1"), Caller(server)
        with SrtSender(stream, SrtUrl(4000, "caller")) as sender, calls.calling():
            sender.wait_connected()
            for number in (1, 2):
                server.until_status("route_1", "running")
                said = cli.run(server, "upgrade")
                assert said.returncode == 0, said.stderr
                assert f"(PID {server.process.pid})" in said.stdout
                assert lives(server) == number + 1
                assert pids(server) == {kind: process["pid"] for kind, process in before.items()}
            assert sender.wait_end(60) == 0
        assert not calls.refused
        assert calls.answers
        client.stop()
        unicast.stop()
        for receiver in (client, unicast):
            assert check(receiver.file).continuity_total == 0
        assert compare(stream, client.file).missing_bytes == 0
        assert set(server.pid_files().values()) <= media().keys()
    assert not media()
    assert not server.pid_files()


def test_children_stay_children(tmp_path: Path) -> None:
    """So it is known how they end: also those that end while no program of ours is there to see it."""
    slow = "import time, os, sys; time.sleep(float(os.environ.get('SLOW_S', 0))); "
    server = Server(tmp_path, [ROUTE])
    server.module = ["-c", slow + "from srt_router.cli.app import main; main()", "serve"]
    with server.start():
        assert server.process is not None
        before = server.until_all_up("route_1")
        upgraded(server)
        os.kill(before["udpDuplicator"]["pid"], signal.SIGKILL)
        until(lambda: server.processes("route_1")["udpDuplicator"]["pid"] not in (None, before["udpDuplicator"]["pid"]))
        assert server.processes("route_1")["udpDuplicator"]["lastExit"] == "killed by SIGKILL"
        # between the two programs: the first one has said its last word
        stopped, begun = server.log().count("[SrtRouter] Stopped"), lives(server)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log().count("[SrtRouter] Stopped") > stopped)
        os.kill(before["srtOut:4001"]["pid"], signal.SIGKILL)
        until(lambda: lives(server) > begun)
        until(lambda: server.processes("route_1")["srtOut:4001"]["pid"] not in (None, before["srtOut:4001"]["pid"]))
        after = server.processes("route_1")
        assert (after["srtOut:4001"]["lastExit"], after["srtOut:4001"]["restarts"]) == ("killed by SIGKILL", 1)
        assert after["udpDuplicator"]["restarts"] == 1
        assert after["srt"]["pid"] == before["srt"]["pid"]
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert all(alive(int(pid)) for pid in children), "a child was never reaped"
        assert set(pids(server).values()) <= set(map(int, children))


@pytest.mark.parametrize("how", ["settings", "moved"])
def test_a_program_that_cannot_run_changes_nothing(how: str, tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("")
    server = Server(tmp_path / "server", [ROUTE])
    with server.start("--config", str(config)):
        before = server.until_all_up("route_1")
        config.write_text("NO_SUCH_KEY = 1" if how == "settings" else "")
        if how == "moved":
            config.unlink()
        said = cli.run(server, "upgrade")
        assert said.returncode == 1
        assert ("NO_SUCH_KEY: no such setting" if how == "settings" else "server.toml") in said.stderr
        assert lives(server) == 1
        assert pids(server) == {kind: process["pid"] for kind, process in before.items()}
        events = server.api.get("/api/events", params={"kind": "upgradeFailed"}).json()["items"]
        assert len(events) == 1
        config.write_text("")
        assert cli.run(server, "upgrade").returncode == 0
        assert lives(server) == 2


def test_signals_that_come_meanwhile_are_obeyed_by_the_next_program(tmp_path: Path) -> None:
    server = Server(tmp_path, [ROUTE]).start()
    server.until_all_up("route_1")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "Going on with the program" in server.log())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert server.log().count("[SrtRouter] Stopped") == 2
    assert "[SrtRouter] Stopping: taking every route off air" in server.log().partition("[SrtRouter] Stopped")[2]
    assert not media()
    assert not server.pid_files()


def closed(client: ClientConnection) -> int | None:
    """The code with which the server ends the connection."""
    try:
        while True:
            client.recv(20)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None


def test_a_websocket_is_told_to_come_again(tmp_path: Path) -> None:
    with Server(tmp_path, [ROUTE]).start() as server:
        url = f"{server.api.base_url}api/live".replace("http:", "ws:")
        with connect(url, max_size=None, proxy=None, additional_headers=server.signed_in()) as client:
            assert server.process is not None
            server.process.send_signal(signal.SIGHUP)
            assert closed(client) == 1012
        with connect(url, max_size=None, proxy=None, additional_headers=server.signed_in()) as client:
            assert client.recv(20)


def test_killed_just_before_the_exec(tmp_path: Path) -> None:
    server = Server(tmp_path, [ROUTE], ON_START="adopt")
    server.start(environment={"SRT_ROUTER_CRASH_AT": "before_exec"})
    before = server.until_all_up("route_1")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(20) == -signal.SIGKILL
    with server.start():
        assert pids(server) == {kind: process["pid"] for kind, process in before.items()}


REFUSED_ONCE = """
import errno, os
real = os.execve
def refuse(*arguments):
    os.execve = real
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
if "SRT_ROUTER_HANDED_OVER" not in os.environ:
    os.execve = refuse
from srt_router.cli.app import main
main()
"""


def test_where_the_kernel_refuses_the_old_program_lives_on(tmp_path: Path) -> None:
    server = Server(tmp_path, [ROUTE])
    server.module = ["-c", REFUSED_ONCE, "serve"]
    with server.start():
        before = server.until_all_up("route_1")
        said = cli.run(server, "upgrade")
        assert said.returncode == 1
        assert "could not be started: Cannot allocate memory" in said.stderr
        assert pids(server) == {kind: process["pid"] for kind, process in before.items()}
        assert cli.run(server, "upgrade").returncode == 0
        assert pids(server) == {kind: process["pid"] for kind, process in before.items()}
    assert not media()


def test_a_terminal_that_closes_is_no_upgrade(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    server = Server(tmp_path, [ROUTE])
    arguments = [sys.executable, "-m", "srt_router", "serve"]
    with server.log_file.open("ab") as output:
        process = subprocess.Popen(
            ["setsid", "--ctty", *arguments], stdin=theirs, stdout=output, stderr=output, env=cli.environment(tmp_path)
        )
    os.close(theirs)
    until(lambda: "Route route_1 is waiting" in server.log() and lives(server) == 1)
    os.close(ours)
    assert process.wait(20) == 0
    assert lives(server) == 1
    assert not media()


class Systemd:
    """What systemd is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.told: list[str] = []

    def has(self, text: str) -> int:
        """How often it was told that."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.told.append(self.socket.recv(4096).decode())
        return sum(text in one for one in self.told)


def test_systemd_is_told(tmp_path: Path) -> None:
    systemd = Systemd(tmp_path / "notify")
    server = Server(tmp_path / "server", [ROUTE])
    server.launch(environment={"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "30000000"})
    until(lambda: systemd.has("READY=1"))
    assert "Orphan cleanup complete" in server.log()
    until(lambda: systemd.has("STATUS=1 of 1 route(s) on air"))
    until(lambda: systemd.has("WATCHDOG=1") >= 2)
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    until(lambda: systemd.has("READY=1") == 2)
    reloading = next(one for one in systemd.told if one.startswith("RELOADING=1\nMONOTONIC_USEC="))
    assert systemd.told.index(reloading) < len(systemd.told) - 1
    before = systemd.has("WATCHDOG=1")
    until(lambda: systemd.has("WATCHDOG=1") > before)
    assert not systemd.has("STOPPING=1")
    assert server.stop() == 0
    assert systemd.has("STOPPING=1") == 1
    systemd.socket.close()


def test_a_manager_that_hangs_feeds_no_watchdog(tmp_path: Path) -> None:
    hangs = """
import asyncio, os, pathlib
from srt_router.supervision.route_monitor import RouteMonitor
look = RouteMonitor.look
async def hang(self):
    if pathlib.Path(os.environ["HANG"]).exists():
        pathlib.Path(os.environ["HANG"] + ".hangs").touch()
        await asyncio.Event().wait()
    await look(self)
RouteMonitor.look = hang
from srt_router.cli.app import main
main()
"""
    systemd = Systemd(tmp_path / "notify")
    server = Server(tmp_path / "server", [ROUTE])
    server.module = ["-c", hangs, "serve"]
    flag = tmp_path / "hang"
    environment = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "30000000", "HANG": str(flag)}
    with server.start(environment=environment):
        until(lambda: systemd.has("WATCHDOG=1") >= 2)
        flag.touch()
        until(flag.with_name("hang.hangs").exists)
        before = systemd.has("WATCHDOG=1")
        hung = time.monotonic()
        until(lambda: server.route("route_1") and time.monotonic() > hung + 2.5)  # two more were due; the loop is alive
        assert systemd.has("WATCHDOG=1") == before
    systemd.socket.close()
