"""Orphans, and the ways to end them: ours, and what people use for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from srt_router.processes.cleanup import PidManager
from srt_router.processes.ownership import Rules, Scope
from srt_router.processes.priority import raise_priority
from srt_router.processes.scan import Scanner
from tests.harness.wait import until
from tests.process.bystanders import Installation

NULL = subprocess.DEVNULL
NAME = "srt-live-transmit"
KERNEL_NAME = NAME[:15]
"""The kernel keeps 15 characters: `pgrep` and `pkill` know no more."""

_MOTHER = """
import os, signal, sys
count, deaf, group, program = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if group:
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
made = [os.posix_spawn(program[0], program, os.environ, file_actions=null, setsid=True) for _ in range(count)]
print(*made)
"""
_WATCH = """
import os, select, sys, time
poll, left = select.epoll(), set()
for word in sys.stdin.readline().split():
    fd = os.pidfd_open(int(word))
    poll.register(fd, select.EPOLLIN)
    left.add(fd)
print("ready", flush=True)
while left:
    for fd, _ in poll.poll():
        poll.unregister(fd)
        left.discard(fd)
print(time.monotonic(), flush=True)
"""
_ONE_BY_ONE = f"""
ps aux | grep '[{NAME[0]}]{NAME[1:]}' | awk '{{print $2}}' | while read -r pid; do
    kill "$pid" 2>/dev/null
    looks=0
    while kill -0 "$pid" 2>/dev/null; do
        looks=$((looks + 1))
        [ "$looks" = 230 ] && kill -9 "$pid" 2>/dev/null
        sleep 0.01
    done
done
"""
"""So many looks with their `sleep` take 3 s."""
_UNTIL_NONE = f"while pgrep {KERNEL_NAME} >/dev/null; do sleep 0.01; done"
_FOR_3_S = f'timeout 3 sh -c "{_UNTIL_NONE}"'
_XARGS = f"ps aux | grep '[{NAME[0]}]{NAME[1:]}' | awk '{{print $2}}' | xargs -r kill; {_UNTIL_NONE}"
_PKILL = f"pkill -TERM {KERNEL_NAME}; {_FOR_3_S}; pkill -KILL {KERNEL_NAME}; {_UNTIL_NONE}"


class Deaths:
    """A process of its own watches processes die, and tells when the last one did."""

    def __init__(self, pids: list[int]) -> None:
        self._watcher = subprocess.Popen(
            [sys.executable, "-c", _WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        self._out = self._watcher.stdout
        self._watcher.stdin.write(" ".join(map(str, pids)) + "\n")
        self._watcher.stdin.flush()
        assert self._out.readline() == "ready\n"

    def last(self) -> float:
        """When, on the monotonic clock; waits for it."""
        at = float(self._out.readline())
        self._watcher.communicate()
        return at


class ControlGroup:
    """A control group of our own, version 2, for as long as the bench runs."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.why_not = ""
        try:
            parent = _own_group()
            path = parent / f"srt-router-bench-{time.time_ns()}"
            path.mkdir()
        except OSError as error:
            self.why_not = f"no control group of version 2 can be made: {error.strerror or error}"
            return
        if (path / "cgroup.kill").exists():
            self.path = path
        else:
            path.rmdir()
            self.why_not = "this kernel has no cgroup.kill (Linux 5.14)"

    def kill(self) -> None:
        """SIGKILL to all in it; returns when nobody is left."""
        assert self.path
        (self.path / "cgroup.kill").write_text("1")
        while "populated 0" not in (self.path / "cgroup.events").read_text():
            time.sleep(0.001)

    def remove(self) -> None:
        """Take it away."""
        if self.path:
            self.path.rmdir()


def _own_group() -> Path:
    """Where this process stands in the hierarchy of version 2, as a folder."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    where = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
    if where is None:
        raise FileNotFoundError(2, "cgroup2 is not mounted")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next(line[3:] for line in lines if line.startswith("0::"))
    if "/.." in own:
        raise FileNotFoundError(2, "our control group lies outside of what is mounted here")
    return Path(where) / own.lstrip("/")


class Orphans:
    """Makes processes of an installation whose server is gone: init is their parent, no PID file names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = Installation(folder / "here")
        self.program = str(folder / NAME)
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self.program)

    def make(self, count: int, *, deaf: bool = False, group: Path | None = None) -> list[int]:
        """So many; deaf ones ignore SIGTERM."""
        pids = _born([self.program, "86400"], self.here.tag(), count, deaf=deaf, group=group)
        until(lambda: all(self._runs(pid) for pid in pids), 30, "the orphans to run")
        assert len(pids) == count
        return pids

    def _runs(self, pid: int) -> bool:
        """Its command line can be read: a moment into its exec it cannot, and `ps` would call it by another name."""
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(self.program.encode())

    @contextlib.contextmanager
    def bystanders(self) -> Iterator[dict[str, int]]:
        """Who must not be hit: PIDs by what they are."""
        log = self.folder / f"{NAME}.log"
        log.touch()
        other = Installation(self.folder / "other")
        other.data.lock("DATA_DIR")  # as its server does while it lives
        tail = _born([shutil.which("tail") or "/usr/bin/tail", "-f", str(log)], {}, 1)
        theirs = _born([self.program, "86400"], other.tag(), 1)
        try:
            yield {f"`tail -f {NAME}.log`": tail[0], "a process of another router that lives": theirs[0]}
        finally:
            end([*tail, *theirs])
            other.close()


def _born(
    argv: list[str], tag: Mapping[str, str], count: int, *, deaf: bool = False, group: Path | None = None
) -> list[int]:
    """PIDs of new processes whose parent is init: like real orphans they are reaped at once, and are no zombies."""
    words = [str(count), "deaf" if deaf else "", str(group or ""), *argv]
    command = [sys.executable, "-S", "-c", _MOTHER, *words]
    made = subprocess.run(command, env={**os.environ, **tag}, stdin=NULL, stdout=subprocess.PIPE, text=True, check=True)
    return [int(word) for word in made.stdout.split()]


@dataclass(frozen=True)
class Job:
    """Who is to be ended."""

    orphans: Orphans
    group: ControlGroup
    pids: list[int]


@dataclass(frozen=True)
class Way:
    """One way to end orphans."""

    name: str
    script: str = ""
    """For the shell; it returns when it knows that all are dead."""

    def run(self, job: Job) -> float:
        """Do it. Returns when it began, on the monotonic clock: what is made ready before does not count."""
        began = time.monotonic()
        subprocess.run(["sh", "-c", self.script], stdin=NULL, stderr=NULL, check=False)
        return began


class Ours(Way):
    """What the server does when it starts, with both scans that must find nothing more."""

    def run(self, job: Job) -> float:
        manager = PidManager(job.orphans.here.pid_files, Scanner(job.orphans.here.instance))
        normal = os.getpriority(os.PRIO_PROCESS, 0)
        raise_priority()  # as the server does when it starts

        async def clean() -> float:
            began = time.monotonic()
            result = await manager.cleanup_orphans(Rules(Scope.HOST, first_start=False))
            assert not result.errors
            return began

        try:
            return asyncio.run(clean())
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, normal)


class Command(Way):
    """The whole command, from its interpreter's first instruction on."""

    def run(self, job: Job) -> float:
        folder = job.orphans.folder / "here"
        settings = {"DATA_DIR": folder / "data", "PID_DIR": folder / "pids", "RUN_DIR": folder / "run"}
        environment = {**os.environ, **{f"SRT_ROUTER_{key}": str(value) for key, value in settings.items()}}
        began = time.monotonic()
        command = [sys.executable, "-m", "srt_router", "cleanup", "--yes"]
        subprocess.run(command, env=environment, stdin=NULL, stdout=NULL, check=True)
        return began


class Group(Way):
    """The kernel does it: SIGKILL, and only for who was put into the group when it was started."""

    def run(self, job: Job) -> float:
        began = time.monotonic()
        job.group.kill()
        return began


class Bare(Way):
    """What the system can do: a signal to everybody on a list that is there already, and a look until all are gone."""

    def run(self, job: Job) -> float:
        began = time.monotonic()
        for pid in job.pids:
            os.kill(pid, signal.SIGTERM)
        while any(Path(f"/proc/{pid}").exists() for pid in reversed(job.pids)):
            time.sleep(0.001)
        return began


OURS = Ours("SRT Router, at its start")
COMMAND = Command("srt-router cleanup")
CLASSIC = Way("ps aux, one by one", _ONE_BY_ONE)
XARGS = Way("ps aux, xargs kill", _XARGS)
PKILL = Way("pkill", _PKILL)
GROUP = Group("cgroup.kill")
BARE = Bare("bare kill(2), PIDs known")
WAYS = (OURS, COMMAND, PKILL, XARGS, CLASSIC, GROUP, BARE)


def end(pids: list[int]) -> None:
    """Make sure that none is left of what we made; nobody else can have these numbers, in a namespace of our own."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30, "the orphans to be gone")
