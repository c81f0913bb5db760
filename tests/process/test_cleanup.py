"""The cleanup on real processes: every orphan dies, every stranger lives."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.processes.ownership import Owner, Scope
from srt_router.processes.scan import Scanner
from srt_router.processes.states import ProcessState, list_processes
from tests.harness.processes import alive
from tests.harness.wait import until
from tests.process.bystanders import Crowd, Installation, as_nobody, crowd, dead, start, stop, take_pid

DEADLINE_S = 4.0
"""3 s between SIGTERM and SIGKILL, and what else it takes."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    found = Installation(tmp_path / "here")
    yield found
    found.close()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path / "crowd") as found:
        yield found
        found.check_strangers()


SCOPES = pytest.mark.parametrize("scope", Scope)


def test_with_and_without_pid_file(here: Installation, people: Crowd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    people.usual_strangers()
    named, nameless, untagged = (
        people.srt_live_transmit(4000, here.tag()),
        people.srt_live_transmit(4001, here.tag("srtOut:4001")),
        people.srt_live_transmit(4002),
    )
    file = here.file("route_1_srt", named.pid)
    stale = here.file("route_2_srt", 4_000_000)
    result = here.cleanup()
    assert sorted(result.killed) == sorted(process.pid for process in (named, nameless, untagged))
    assert all(map(dead, (named, nameless, untagged)))
    assert not file.exists()
    assert not stale.exists()
    assert result.stale_files == ["route_2_srt.pid"]
    lines = [record.message for record in caplog.records if record.name == "PidManager"]
    expected = [
        "Found 2 PID file(s), cleaning up orphans...",
        "Removing stale PID file route_2_srt.pid: its process is dead",
        f"Killing srt-live-transmit PID {named.pid} (PID file)",
        "Found 2 orphaned srt-live-transmit process(es) without PID files",
        f"Killing orphaned srt-live-transmit PID {nameless.pid}",
        f"Killing orphaned srt-live-transmit PID {untagged.pid}",
        "Orphan cleanup complete: 3 killed, 0 errors",
    ]
    assert (
        lines[:3] + lines[3:4] + sorted(lines[4:6]) + lines[6:] == expected[:4] + sorted(expected[4:6]) + expected[6:]
    )


@SCOPES
def test_tagged_ones_of_any_kind_are_found(
    here: Installation, people: Crowd, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    people.usual_strangers()
    ours = [
        people.ffmpeg(5000, here.tag("ffmpeg")),
        people.duplicator(5001, here.tag("udpDuplicator")),
        people.srt_live_transmit(4000, here.tag()),
    ]
    untagged = people.srt_live_transmit(4001)
    result = here.cleanup(scope)
    assert all(map(dead, ours))
    assert dead(untagged) == (scope is Scope.HOST)
    assert bool(result.reported) == (scope is Scope.OWNED)
    assert "Found 1 orphaned ffmpeg process(es) without PID files" in caplog.messages
    assert f"Killing orphaned udpDuplicator PID {ours[1].pid}" in caplog.messages


def test_a_tagged_one_in_a_session_of_somebody_else(here: Installation, people: Crowd) -> None:
    """A quick scan does not see it, so one such scan is not enough."""
    words = " ".join(f"{name}={value}" for name, value in here.tag("x").items() if name.startswith("SRT_ROUTER_"))
    people.stranger("sh", "-c", f"{words} sleep 4711 & echo $! > child; exec sleep 86400", cwd=str(people.folder))
    until(lambda: (people.folder / "child").exists() and (people.folder / "child").read_text())
    child = int((people.folder / "child").read_text())
    people.grandchildren.append(child)
    until(lambda: Scanner(here.instance).candidates() == ([child], []))
    assert Scanner(here.instance).candidates(quick=True) == ([], [])
    assert here.cleanup(Scope.OWNED).killed == [child]


def test_the_first_start_kills_nobody_elses(here: Installation, people: Crowd) -> None:
    untagged = people.srt_live_transmit(4000)
    here.file("route_1_srt", untagged.pid)
    result = here.cleanup(first_start=True)
    assert [facts.pid for facts in result.reported] == [untagged.pid]
    assert not result.killed
    assert alive(untagged.pid)
    assert here.cleanup().killed == [untagged.pid]


@SCOPES
def test_a_live_installation_beside_us(tmp_path: Path, here: Installation, people: Crowd, scope: Scope) -> None:
    other = Installation(tmp_path / "other")
    theirs = [people.srt_live_transmit(4000, other.tag()), people.ffmpeg(5000, other.tag("ffmpeg"))]
    here.file("route_1_srt", theirs[0].pid)
    other.data.lock("DATA_DIR")
    assert not here.cleanup(scope).killed
    assert all(alive(process.pid) for process in theirs)
    assert not list(here.path.iterdir())
    found = {one.pid: one for one in list_processes(here.pid_files, Scanner(here.instance))}
    assert (found[theirs[0].pid].owner, found[theirs[0].pid].state) == (Owner.LIVE_ROUTER, ProcessState.RUNNING)
    other.close()  # its server dies
    expected = [theirs[0].pid] if scope is Scope.HOST else []
    assert here.cleanup(scope).killed == expected
    assert alive(theirs[1].pid)  # an ffmpeg of somebody else is nobody's orphan but its own router's


def test_a_copy_of_our_data_directory_is_another_installation(
    tmp_path: Path, here: Installation, people: Crowd
) -> None:
    copy = tmp_path / "copy" / "data"
    copy.mkdir(parents=True)
    (copy / "instance-id").write_text(here.instance.id + "\n")
    other = Installation(tmp_path / "copy")
    assert other.instance.id == here.instance.id
    process = people.srt_live_transmit(4000, other.tag())
    other.data.lock("DATA_DIR")
    for scope in Scope:
        assert not here.cleanup(scope).killed
    other.close()
    assert here.cleanup(Scope.OWNED).killed == [process.pid]


def test_our_data_directory_under_another_path(tmp_path: Path, here: Installation, people: Crowd) -> None:
    (tmp_path / "alias").symlink_to(tmp_path / "here")
    process = people.srt_live_transmit(4000, here.tag(data_dir=str(tmp_path / "alias" / "data")))
    here.data.lock("DATA_DIR")
    assert here.cleanup(Scope.OWNED).killed == [process.pid]


def test_planted_pid_files(tmp_path: Path, here: Installation, people: Crowd) -> None:
    people.usual_strangers()
    daemon = people.recorder("daemon")
    victim = tmp_path / "victim"
    victim.write_text(f"{daemon.pid}\n1\n")
    contents: dict[str, int | str | bytes] = {
        "daemon": daemon.pid,
        "init": 1,
        "myself": os.getpid(),
        "parent": os.getppid(),
        "zero": 0,
        "negative": "-1",
        "group": f"-{daemon.pid}",
        "huge": "9" * 400,
        "large": 4_194_304,
        "empty": "",
        "words": "srt-live-transmit",
        "binary": os.urandom(64),
        "thread": _a_thread_of_ours(),
    }
    for name, content in contents.items():
        here.file(f"route_{name}_srt", content)
    (here.path / "link_srt.pid").symlink_to(victim)
    os.link(victim, here.path / "hard_srt.pid")
    os.mkfifo(here.path / "fifo_srt.pid")
    (here.path / "sparse_srt.pid").write_text(f"{daemon.pid}\n")
    os.truncate(here.path / "sparse_srt.pid", 1 << 30)
    (here.path / "folder_srt.pid").mkdir()
    if os.geteuid() == 0:
        os.chown(here.file("route_foreign_srt", daemon.pid), 65534, 65534)
    began = time.monotonic()
    result = here.cleanup()
    assert time.monotonic() - began < 2
    assert (result.killed, result.errors) == ([], [])
    assert [path.name for path in here.path.iterdir()] == ["folder_srt.pid"]
    assert victim.read_text() == f"{daemon.pid}\n1\n"


def _a_thread_of_ours() -> int:
    ready = threading.Event()
    threading.Thread(target=ready.wait, daemon=True).start()
    tids = {int(path.name) for path in Path("/proc/self/task").iterdir()} - {os.getpid()}
    return min(tids)


def test_files_swapped_between_routes_kill_each_once(here: Installation, people: Crowd) -> None:
    one = people.srt_live_transmit(4000, here.tag(route="route_1"))
    two = people.srt_live_transmit(4001, here.tag(route="route_2"))
    here.file("route_1_srt", two.pid)
    here.file("route_2_srt", one.pid)
    here.file("route_3_srt", one.pid)
    states = {listed.state for listed in list_processes(here.pid_files, Scanner(here.instance))}
    assert states == {ProcessState.ORPHANED, ProcessState.ZOMBIE}
    assert sorted(here.cleanup().killed) == sorted([one.pid, two.pid])
    assert not list(here.path.iterdir())


@pytest.mark.parametrize("kind", ["another program", "the same program, of a live router", "the same program"])
def test_a_pid_is_used_again(tmp_path: Path, here: Installation, people: Crowd, kind: str) -> None:
    ours = people.srt_live_transmit(4000, here.tag())
    pid = ours.pid
    file = here.file("route_1_srt", pid, age_s=3600)
    ours.kill()
    ours.wait()
    other = Installation(tmp_path / "other")
    other.data.lock("DATA_DIR")
    words = ["srt-live-transmit", "-q", "srt://127.0.0.1:4001?mode=listener", "udp://127.0.0.1:5001"]
    tag = other.tag() if "live router" in kind else {}
    program = ["sleep", "86400"] if kind == "another program" else words
    stranger = take_pid(pid, lambda: start(program, tag))
    people.processes.append(stranger)
    until(lambda: not Path(f"/proc/{pid}/exe").readlink().name.startswith("python"))
    scope = Scope.OWNED if kind == "the same program" else Scope.HOST
    assert not here.cleanup(scope).killed
    assert alive(pid)
    assert not file.exists()
    other.close()


def test_a_stopped_one_and_one_that_ignores_sigterm(here: Installation, people: Crowd) -> None:
    stopped = people.srt_live_transmit(4000, here.tag())
    stop(stopped)
    deaf = [people.imitation(here.tag(f"srtOut:{n}"), ignore_term=True) for n in range(3)]
    deaf_and_stopped = people.imitation(ignore_term=True)
    stop(deaf_and_stopped)
    began = time.monotonic()
    result = here.cleanup()
    assert time.monotonic() - began < DEADLINE_S
    assert len(result.killed) == 5
    assert all(map(dead, [stopped, *deaf, deaf_and_stopped]))
    assert stopped.wait() != -signal.SIGKILL  # it was given the chance to end by itself


def test_the_group_goes_with_its_leader(here: Installation, people: Crowd) -> None:
    script = "trap '' TERM; sleep 86400 & echo $! > child; exec sleep 86400"
    leader = start(["sh", "-c", script], here.tag("ffmpeg"), cwd=str(people.folder))
    people.processes.append(leader)
    until(lambda: (people.folder / "child").exists() and (people.folder / "child").read_text())
    child = int((people.folder / "child").read_text())
    people.grandchildren.append(child)
    here.cleanup(Scope.OWNED)
    until(lambda: not alive(child), 1)
    assert dead(leader)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a second user")
def test_what_may_not_be_signalled_is_an_error_and_holds_up_nobody(tmp_path: Path, people: Crowd) -> None:
    roots = people.imitation()
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    folder = Path(f"/tmp/nobody-{os.getpid()}")
    began = time.monotonic()
    printed = as_nobody(f"""
from pathlib import Path
from srt_router.processes.ownership import Scope
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from tests.process.bystanders import Installation
here = Installation(Path({str(folder)!r}))
here.file("route_1_srt", {roots.pid})
result = here.cleanup()
print(result.killed, [(error.pid, error.reason) for error in result.errors])
""")
    assert time.monotonic() - began < DEADLINE_S
    assert alive(roots.pid)
    assert printed == f'[] [({roots.pid}, "it is another user\'s, and whose it is may not be read")]\n'


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a second user")
def test_a_tag_of_another_user_counts_for_nothing(here: Installation, people: Crowd) -> None:
    forged = start(["setpriv", "--reuid=65534", "--clear-groups", "sleep", "86400"], here.tag())
    people.processes.append(forged)
    until(lambda: "65534" in Path(f"/proc/{forged.pid}/status").read_text())
    until(lambda: Path(f"/proc/{forged.pid}/exe").readlink().name == "sleep")
    here.file("route_1_srt", forged.pid)
    assert not here.cleanup().killed
    assert alive(forged.pid)


def test_the_environment_tells_nothing_amidst_an_exec(here: Installation, people: Crowd) -> None:
    """One that was really started without an environment is not waited for."""
    bare = people._media(start(["env", "-i", "sleep", "86400"]), "sleep")
    assert Scanner(here.instance).candidates() == ([], [])
    facts = Scanner(here.instance).facts(bare.pid)
    assert facts is not None
    assert facts.owner is Owner.NOBODY


def test_it_starts_no_thread_and_keeps_no_descriptor(here: Installation, people: Crowd) -> None:
    here.cleanup()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        people.imitation(here.tag(f"srtOut:{number}"))
    most = 0
    seen = threading.Event()

    def watch() -> None:
        nonlocal most
        while not seen.wait(0.001):
            most = max(most, threading.active_count())

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert len(here.cleanup().killed) == 20
    seen.set()
    watcher.join()
    assert most <= threading.active_count() + (os.cpu_count() or 1) + 5  # the watcher, and the pool that reads /proc
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_states(here: Installation, people: Crowd) -> None:
    running = people.srt_live_transmit(4000, here.tag())
    orphan = people.ffmpeg(5000, here.tag("ffmpeg"))
    untagged = people.srt_live_transmit(4001)
    here.file("route_1_srt", running.pid)
    here.file("route_9_srt", 4_000_000)
    listed = list_processes(here.pid_files, Scanner(here.instance))
    assert {(one.pid, one.state) for one in listed} == {
        (running.pid, ProcessState.RUNNING),
        (orphan.pid, ProcessState.ORPHANED),
        (untagged.pid, ProcessState.ORPHANED),
        (4_000_000, ProcessState.ZOMBIE),
    }
