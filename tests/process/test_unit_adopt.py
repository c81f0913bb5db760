"""What keeps orphans from staying where systemd signals the server alone: KillMode=process, with the adopt drop-in."""

from __future__ import annotations

import configparser
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import cli
from tests.harness.processes import alive, media
from tests.harness.server import Server, listener, route
from tests.harness.wait import until
from tests.process.bystanders import crowd
from tests.process.test_cleanup_server import tag_of

DROP_IN = Path(__file__).parents[2] / "packaging" / "systemd" / "srt-router.service.d" / "adopt.conf"
INSTALLED = "/opt/srt-router/bin/srt-router"
ROUTE = route(1, listener(4000), listener(4001))


def unit() -> configparser.SectionProxy:
    """The [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names are as they are written
    parser.read(DROP_IN)
    return parser["Service"]


def on_air(folder: Path) -> tuple[Server, dict[str, int]]:
    """A server as the drop-in sets it up."""
    name, _, value = unit()["Environment"].partition("=")
    server = Server(folder, [ROUTE], **{name.removeprefix("SRT_ROUTER_"): value}).start()
    return server, {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()}


def stop_post(server: Server, result: str) -> None:
    """What systemd runs once the server has ended."""
    program = f"{shlex.quote(sys.executable)} -m srt_router"
    command = unit()["ExecStopPost"].replace("$$", "$").replace(INSTALLED, program)
    environment = {**cli.environment(server.data_dir.parent), "SERVICE_RESULT": result}
    done = subprocess.run(shlex.split(command), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_drop_in_says_so() -> None:
    assert unit()["KillMode"] == "process"
    assert unit()["RuntimeDirectoryPreserve"] == "yes"
    assert INSTALLED in unit()["ExecStopPost"]


def test_a_stop_takes_everything_off_air(tmp_path: Path) -> None:
    server, _ = on_air(tmp_path)
    assert server.stop() == 0
    assert not media()
    stop_post(server, "success")
    assert not server.pid_files()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGABRT])
def test_after_a_crash_or_the_watchdog_the_next_one_takes_over_and_ends_what_nobody_demands(
    signum: int, tmp_path: Path
) -> None:
    server, before = on_air(tmp_path / "s")
    with crowd(tmp_path / "crowd") as people:
        orphan = people.imitation(tag_of(server, "srt"))
        assert server.stop(signum) == -signum
        stop_post(server, {signal.SIGKILL: "signal", signal.SIGABRT: "watchdog"}[signal.Signals(signum)])
        assert all(alive(pid) for pid in before.values())
        with server.start():  # it answers
            assert not alive(orphan.pid)
            assert {kind: one["pid"] for kind, one in server.until_all_up("route_1").items()} == before
    assert not media()


def test_a_server_that_hangs_when_it_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    server, before = on_air(tmp_path)
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    server.process.send_signal(signal.SIGTERM)  # nobody obeys; after TimeoutStopSec:
    server.kill()
    assert all(alive(pid) for pid in before.values())
    stop_post(server, "timeout")
    until(lambda: not media(), what="everything to be ended")
    assert not server.pid_files()
