"""What cleanups are tried on: an installation without its server, orphans of every kind, and strangers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from srt_router.processes.cleanup import CleanupResult, PidManager
from srt_router.processes.directories import SafeDirectory
from srt_router.processes.instance import keep_instance, open_instance
from srt_router.processes.ownership import Rules, Scope
from srt_router.processes.pidfiles import PidDirectory
from srt_router.processes.scan import Scanner
from srt_router.processes.tag import Tag
from tests.harness.processes import alive
from tests.harness.wait import until

Process = subprocess.Popen[bytes]

_RECORDER = """
import signal, sys, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, lambda number, frame: open(sys.argv[1], "a").write(f"{number}\\n"))
    except OSError:
        pass
open(sys.argv[1], "a").close()
while True:
    time.sleep(3600)
"""


def start(
    argv: Sequence[str], environment: Mapping[str, str] | None = None, *, new_session: bool = True, cwd: str = "/"
) -> Process:
    """Start a process that reads and prints nothing."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        start_new_session=new_session,
        cwd=cwd,
    )


@dataclass
class Crowd:
    """Processes that a test has started; all of them end with it."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    strangers: list[Process] = field(default_factory=list)
    recorders: dict[int, Path] = field(default_factory=dict)
    grandchildren: list[int] = field(default_factory=list)

    # Media processes

    def srt_live_transmit(self, port: int, environment: Mapping[str, str] | None = None) -> Process:
        """A real one, listening."""
        uris = [f"srt://127.0.0.1:{port}?mode=listener", f"udp://127.0.0.1:{port + 1000}"]
        return self._media(start(["srt-live-transmit", "-q", *uris], environment), "srt-live-transmit")

    def ffmpeg(self, port: int, environment: Mapping[str, str] | None = None) -> Process:
        """A real one, waiting for a packet."""
        words = ["ffmpeg", "-nostdin", "-v", "quiet", "-i", f"udp://127.0.0.1:{port}", "-f", "null", "-"]
        return self._media(start(words, environment), "ffmpeg")

    def duplicator(self, port: int, environment: Mapping[str, str] | None = None) -> Process:
        """Ours: udpDuplicator without a destination."""
        config = self.folder / f"duplicator-{port}.json"
        config.write_text('{"destinations": []}')
        words = [sys.executable, "-m", "srt_router.duplicator", "--input", f"udp://127.0.0.1:{port}"]
        return self._media(start([*words, "--config", str(config)], environment), "python")

    def imitation(self, environment: Mapping[str, str] | None = None, *, ignore_term: bool = False) -> Process:
        """A program of that name that obeys, or ignores SIGTERM (which srt-live-transmit cannot be made to do)."""
        program = self.folder / "srt-live-transmit"
        if not program.exists():
            shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
        trap = "trap '' TERM; " if ignore_term else ""
        process = start(["sh", "-c", f"{trap}exec '{program}' 86400"], environment)
        return self._media(process, "srt-live-transmit")

    def _media(self, process: Process, program: str) -> Process:
        self.processes.append(process)
        until(lambda: runs(process.pid).startswith(program), what=f"{program} to run")
        return process

    # Strangers

    def stranger(self, *argv: str, cwd: str = "/") -> Process:
        """A program of somebody else."""
        process = start(argv, cwd=cwd)
        self.processes.append(process)
        self.strangers.append(process)
        return process

    def recorder(self, name: str = "stranger") -> Process:
        """A stranger that writes down every signal."""
        file = self.folder / f"{name}-{len(self.recorders)}.signals"
        process = self.stranger(sys.executable, "-c", _RECORDER, str(file), "srt-live-transmit")
        self.recorders[process.pid] = file
        until(file.exists, what="the stranger to listen")
        return process

    def usual_strangers(self) -> None:
        """What runs beside a router on many boxes."""
        log = self.folder / "srt-live-transmit.log"
        log.touch()
        self.stranger("tail", "-f", log.name, cwd=str(self.folder))
        self.stranger("sleep", "86400")
        self.processes.append(foreign := start(["ffmpeg", "-nostdin", "-v", "quiet", "-i", "udp://127.0.0.1:9876"]))
        self.strangers.append(foreign)
        self.recorder()

    def check_strangers(self) -> None:
        """All of them live, and none has felt a thing."""
        dead = [process.args for process in self.strangers if not alive(process.pid)]
        assert not dead, f"strangers were killed: {dead}"
        felt = {pid: file.read_text() for pid, file in self.recorders.items() if file.read_text()}
        assert not felt, f"strangers were signalled: {felt}"

    def end(self) -> None:
        for pid in self.grandchildren:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    """A crowd that goes home in the end."""
    folder.mkdir(exist_ok=True)
    found = Crowd(folder)
    try:
        yield found
    finally:
        found.end()


def runs(pid: int) -> str:
    """The name of the program that a process runs."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def dead(process: Process) -> bool:
    return not alive(process.pid)


class Installation:
    """An installation of the router whose server has crashed: its directories, and the cleanup of the next start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = SafeDirectory(folder / "data", mode=0o750, setting="DATA_DIR")
        self.pids = SafeDirectory(folder / "pids", mode=0o755, setting="PID_DIR")
        self.instance = open_instance(self.data)
        keep_instance(self.data, self.instance)
        self.pid_files = PidDirectory(self.pids)
        self.path = folder / "pids"

    def tag(self, process: str = "srt", route: str = "route_1", **changes: str) -> dict[str, str]:
        """The environment of a process of this installation."""
        words = {"instance": self.instance.id, "data_dir": self.instance.data_dir, "spec": "s", "nonce": "n"}
        return Tag(**{**words, "route": route, "process": process, **changes}).environment()

    def file(self, name: str, content: int | str | bytes, age_s: float = 0) -> Path:
        """A PID file; a number is written as the router writes it."""
        if isinstance(content, int):
            content = f"{content}\n{int((time.time() - age_s) * 1000)}\n"
        path = self.path / f"{name}.pid"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def cleanup(self, scope: Scope = Scope.HOST, *, first_start: bool = False) -> CleanupResult:
        """What happens at a start."""
        manager = PidManager(self.pid_files, Scanner(self.instance))
        return asyncio.run(manager.cleanup_orphans(Rules(scope, first_start)))

    def close(self) -> None:
        self.data.close()
        self.pids.close()


def take_pid(pid: int, make: Callable[[], Process]) -> Process:
    """A new process that gets this very number, as happens when numbers come round. Needs a namespace of our own."""
    for _ in range(200):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        process = make()
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"nobody could be given PID {pid}")


def as_nobody(code: str) -> str:
    """Run Python code as another user, with the product importable; what it prints."""
    head = "import asyncio, os, srt_router.processes.cleanup\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stop(process: Process) -> None:
    """SIGSTOP, and wait until it has."""
    process.send_signal(signal.SIGSTOP)
    until(lambda: " T " in Path(f"/proc/{process.pid}/stat").read_text(), what="the process to stop")
