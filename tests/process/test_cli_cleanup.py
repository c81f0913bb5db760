"""`srt-router cleanup` on real processes: what it shows, whom it kills, whom it spares."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cli import PROGRAM, environment, run, run_json
from tests.harness.processes import alive, media
from tests.harness.server import Server, listener, route, routes_json, udp
from tests.harness.wait import until

SECRET = "correct-horse-42"


def may_be_somebody_else() -> bool:
    """False in a user namespace of one user."""
    return os.geteuid() == 0 and int(Path("/proc/self/uid_map").read_text().split()[2]) > 65535


@pytest.fixture
def stray() -> Iterator[subprocess.Popen[bytes]]:
    """An srt-live-transmit that somebody started by hand."""
    uri = f"srt://:5999?mode=listener&passphrase={SECRET}"
    argv = ["srt-live-transmit", "-s:500", uri, "udp://127.0.0.1:5998"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: process.pid in media())
    yield process
    process.kill()
    process.wait()


def crashed(folder: Path) -> Server:
    """A server that was killed, and has left its processes behind."""
    server = Server(folder, [route(1, listener(4000, passphrase=SECRET), listener(4001), udp(5001))]).start()
    server.until_all_up("route_1")
    server.kill()
    server.api.close()
    return server


def test_the_list_the_question_and_the_kill(tmp_path: Path) -> None:
    server = crashed(tmp_path)
    pids = server.pid_files()
    (server.pid_dir / "route_7_srt.pid").write_text("4194000\n1761210663315\n")
    done = run(server, "cleanup", stdin="yes\n")
    assert done.returncode == 0, done.stderr
    assert "[Cleanup] Found 2 srt-live-transmit process(es):\n" in done.stdout
    assert "[Cleanup] Found 1 udpDuplicator process(es):\n" in done.stdout
    line = rf"^  \d\. PID {pids['route_1_srt']} \(\d+\.\d% CPU\) - srt-live-transmit -a:yes .*passphrase=•••"
    assert re.search(line, done.stdout, re.MULTILINE)
    assert re.search(r"^     \d+\.\d MB, \d+s, route_1 srtOut:4001, running$", done.stdout, re.MULTILINE)
    assert "Kill all 3 process(es)? (yes/no):" in done.stdout
    assert "[Cleanup] Found 1 stale PID file(s): route_7_srt.pid" in done.stdout
    assert "[Cleanup] Done: 3 killed, 0 errors, 4 PID file(s) removed" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert not media()
    assert not server.pid_files()


@pytest.mark.parametrize("answer", ["no\n", "", "\n", "maybe\n"])
def test_no_and_the_end_of_the_input_kill_nothing(tmp_path: Path, answer: str) -> None:
    server = crashed(tmp_path)
    before, files = media(), server.pid_files()
    done = run(server, "cleanup", stdin=answer)
    assert (done.returncode, "Nothing was done" in done.stdout) == (0, True)
    assert (media(), server.pid_files()) == (before, files)
    run(server, "cleanup", "--yes")


def test_dry_run_shows_and_does_nothing(tmp_path: Path) -> None:
    server = crashed(tmp_path)
    before, files = media(), server.pid_files()
    done = run(server, "cleanup", "--dry-run", "--yes")
    assert (done.returncode, "would kill 3 process(es)" in done.stdout) == (0, True)
    assert (media(), server.pid_files()) == (before, files)
    found = run_json(server, "cleanup", "--yes")
    assert sorted(found["killed"]) == sorted(before)
    assert {item["action"] for item in found["items"]} == {"kill"}
    assert sorted(found["removedFiles"]) == sorted(f"{name}.pid" for name in files)
    assert SECRET not in str(found)


def test_a_live_server_keeps_its_processes(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server:
        before = server.until_all_up("route_1")
        assert server.process is not None
        done = run(server, "cleanup", "--yes")
        assert done.returncode == 0
        assert f"a server is running (PID {server.process.pid})" in done.stderr
        assert "it belongs to a route on air" in done.stdout
        assert "[Cleanup] Done: 1 killed" in done.stdout
        assert stray.wait(5) == 0
        assert server.until_all_up("route_1")["srt"]["pid"] == before["srt"]["pid"]
        included = run(server, "cleanup", "--yes", "--include-live")
        assert "it starts again at once" in included.stderr
        assert "[Cleanup] Done: 2 killed" in included.stdout
        until(lambda: server.processes("route_1")["srt"]["pid"] not in (None, before["srt"]["pid"]))
        until(lambda: server.pid_files().keys() == {"route_1_srt", "route_1_srtOut:4001"})


def test_a_wiped_pid_directory_takes_nothing_off_air(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        pid = server.until_all_up("route_1")["srt"]["pid"]
        for file in server.pid_dir.glob("*.pid"):
            file.unlink()
        assert run_json(server, "cleanup", "--yes")["killed"] == []
        assert alive(pid)


def test_another_live_router_is_never_touched(tmp_path: Path) -> None:
    with Server(tmp_path / "other", [route(1, listener(4000), udp(5001))]) as other:
        before = {p["pid"] for p in other.until_all_up("route_1").values()}
        done = run(tmp_path, "cleanup", "--yes", "--include-live")
        assert done.returncode == 0
        assert "it belongs to another SRT Router that is running" in done.stdout
        assert {p["pid"] for p in other.until_all_up("route_1").values()} == before


def test_scope_owned_spares_what_is_not_ours(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    server = crashed(tmp_path)
    found = run_json(server, "cleanup", "--yes", "--scope", "owned")
    assert len(found["killed"]) == 3
    assert {item["pid"]: item["action"] for item in found["items"]}[stray.pid] == "report"
    assert alive(stray.pid)
    assert run(server, "cleanup", "--yes", extra={"SRT_ROUTER_CLEANUP_SCOPE": "owned"}).returncode == 0
    assert alive(stray.pid)


def test_without_an_installation_it_makes_none(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    done = run(tmp_path, "cleanup", stdin="yes\n")
    assert "Kill all 1 process(es)? (yes/no):" in done.stdout
    assert (done.returncode, stray.wait(5)) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_not_shown_is_not_killed(tmp_path: Path, stray: subprocess.Popen[bytes]) -> None:
    command = subprocess.Popen(
        [*PROGRAM, "cleanup"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
    )
    assert command.stdin is not None
    assert command.stdout is not None
    shown = b""
    while not shown.endswith(b"(yes/no): "):
        shown += os.read(command.stdout.fileno(), 4096)
    with Server(tmp_path, [route(1, listener(4000))], CLEANUP_SCOPE="owned") as server:
        pid = server.until_all_up("route_1")["srt"]["pid"]
        out, _ = command.communicate(b"yes\n", timeout=20)
        assert command.returncode == 0, out
        assert stray.wait(5) == 0
        assert server.until_all_up("route_1")["srt"]["pid"] == pid


def test_one_that_ignores_sigterm_or_is_stopped_goes_too(tmp_path: Path) -> None:
    server = crashed(tmp_path)
    os.kill(server.pid_files()["route_1_srt"], signal.SIGSTOP)
    assert run(server, "cleanup", "--yes").returncode == 0
    assert not media()


def test_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "cleanup", "--nope").returncode == 2
    assert run(tmp_path, "cleanup", "--scope", "everything").returncode == 2


NOBODY = 65534


@pytest.fixture
def of_nobody() -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A server that runs as a service user."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    (folder / "data").mkdir()
    (folder / "data" / "routes.json").write_text(routes_json([route(1, listener(4000), udp(5001))]))
    for path in (folder, folder / "data"):
        path.chmod(0o750)
        os.chown(path, NOBODY, NOBODY)
    os.chown(folder / "data" / "routes.json", NOBODY, NOBODY)
    with subprocess.Popen(
        [*PROGRAM, "serve"],
        env={**environment(folder), "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
    ) as server:
        files = folder / "pids"
        until(
            lambda: server.poll() is not None or len(list(files.glob("*.pid"))) == 2,
            what="the service user's PID files",
        )
        until(lambda: len(media()) == 2)  # the server's own look at its programs is over
        yield folder, server
        server.kill()
    run(folder, "cleanup", "--yes")


@pytest.mark.skipif(not may_be_somebody_else(), reason="needs real root")
def test_root_spares_what_a_service_user_has_on_air(of_nobody: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, server = of_nobody
    before = media()
    done = run(folder, "cleanup", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"a server is running (PID {server.pid})" in done.stderr
    assert "[Cleanup] Done: 0 killed" in done.stdout
    assert media() == before
    items = run_json(folder, "ps")["items"]
    assert {(item["type"], item["owner"], item["restarts"]) for item in items} == {
        ("srt", "ours", 0),
        ("udpDuplicator", "ours", 0),
    }
    server.kill()
    server.wait()
    assert sorted(run_json(folder, "cleanup", "--yes")["killed"]) == sorted(before)


@pytest.mark.skipif(not may_be_somebody_else(), reason="needs real root")
def test_another_user_can_kill_nothing_and_is_told_why(of_nobody: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, server = of_nobody
    server.kill()
    server.wait()
    before = media()
    done = subprocess.run(
        [*PROGRAM, "cleanup", "--yes"],
        env={**environment(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        user=NOBODY - 1,
        group=NOBODY - 1,
        extra_groups=(),
        timeout=20,
        check=False,
    )
    assert "run this as root, or as that user" in done.stdout, done.stdout + done.stderr
    assert "0 killed" in done.stdout
    assert media() == before
