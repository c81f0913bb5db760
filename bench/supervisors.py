"""Who supervises, in the same words for all: our server, and the least supervision there can be."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.supervisors_watch import media, offspring, parent_of, pids
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

GRACE_S = 3
"""Between SIGTERM and SIGKILL, for all."""
FIRST_PORT = 30000
NULL = subprocess.DEVNULL

_STAND_IN = """#!/bin/sh
# Takes the place of srt-live-transmit: holds no port, and ignores SIGTERM where its SRT port is odd.
case "$*" in *-version*) exec {real} "$@" ;; esac
port=${{*##*srt://}}
port=${{port#*:}}
port=${{port%%[!0-9]*}}
[ $((port % 2)) = 0 ] || trap '' TERM
exec sleep 86400 "$port"
"""


@dataclass
class Job:
    """What is to be supervised, and where."""

    folder: Path
    """For the supervisor's own files; new each time."""
    count: int
    commands: list[list[str]]
    """What our server runs for its routes; empty before that has been seen."""
    programs: Path | None = None
    """A folder in which a stand-in takes the place of srt-live-transmit."""

    @property
    def ports(self) -> range:
        """Every command has one of them."""
        return range(FIRST_PORT, FIRST_PORT + self.count)

    @property
    def resolved(self) -> list[list[str]]:
        """The commands with the program's whole path, for those who need it."""
        program = shutil.which("srt-live-transmit", path=self.environment["PATH"])
        assert program
        return [[program, *words[1:]] for words in self.commands]

    @property
    def environment(self) -> dict[str, str]:
        """For the supervisor, and so for what it runs."""
        path = os.environ["PATH"]
        return {**os.environ, "PATH": f"{self.programs}:{path}" if self.programs else path}


def stand_in(folder: Path, real: str) -> Path:
    """Write the stand-in. Returns its folder."""
    folder.mkdir()
    program = folder / "srt-live-transmit"
    program.write_text(_STAND_IN.format(real=real))
    program.chmod(0o755)
    return folder


class Supervisor:
    """One of those that are measured. Made anew for each time that all is started."""

    name = ""
    set_up = ""
    """How it is configured, for the table."""
    cannot = ""
    """What it has no way to do, for the table."""
    stops = True
    """Whether it can stop all that it runs."""
    only_crashed = False
    """Another way to crash one that is measured in all else under its own name."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.output = job.folder / "supervisor.log"

    def start(self) -> None:
        """Give the order that starts everything; needs not wait for it."""
        raise NotImplementedError

    def again(self) -> None:
        """Give the order that starts it after a crash, with everything it is there for."""
        self.start()

    def settled(self) -> None:
        """Wait until the order to start is carried out as far as the supervisor is concerned."""

    def root(self) -> int:
        """The PID of the supervisor."""
        raise NotImplementedError

    def stop(self) -> None:
        """Give the order that ends everything."""
        os.kill(self.root(), signal.SIGTERM)

    def crash(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        os.kill(self.root(), signal.SIGKILL)
        reap()

    def under(self) -> set[int]:
        """The PIDs of all that it has under it now: its children."""
        root = self.root()
        return {each.pid for each in media() if each.parent == root}

    def everybody(self) -> set[int]:
        """The PIDs of the supervisor itself and its helpers."""
        return offspring(self.root())

    def close(self) -> None:
        """Nothing is left of it and of what it ran. All of this namespace is ours."""
        keep = {1, os.getpid()} | _ancestors()

        def left() -> list[int]:
            reap()
            return [pid for pid in pids() if pid not in keep]

        def gone() -> bool:
            for pid in left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left()

        until(gone, 30, "everything to be gone")

    def launch(self, *command: str | Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Run something with its output in our file."""
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [str(word) for word in command],
                cwd=self.job.folder,
                env={**self.job.environment, **(environment or {})},
                stdin=NULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        """The end of what it has printed."""
        return self.output.read_text(errors="replace")[-3000:] if self.output.exists() else ""


class Ours(Supervisor):
    """The server, with a route for every two processes."""

    name = "SRT Router"
    set_up = "as it comes: a route for every two processes, an SRT listener on either end"
    on_start = "clean"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        ports = job.ports
        routes = [route(n + 1, listener(ports[2 * n]), listener(ports[2 * n + 1])) for n in range(job.count // 2)]
        self._server = Server(job.folder, routes, ON_START=self.on_start)
        self.output = self._server.log_file
        self._lives = 0

    def start(self) -> None:
        """Start the server."""
        self._lives += 1
        self._server.launch(environment=self.job.environment)

    def root(self) -> int:
        """Its only process."""
        assert self._server.process is not None
        return self._server.process.pid

    def under(self) -> set[int]:
        """What it names as running, asked by its API: it need not be the parent of a process to have it under it."""
        if self._server.log().count(" answers at ") < self._lives:
            return set()
        self._server.api.base_url = self._server.log().rpartition(" answers at ")[2].split()[0]
        self._server.api.headers.update(self._server.signed_in())
        items = self._server.api.get("/api/processes").json()["items"]
        return {item["pid"] for item in items if item["state"] == "running" and item["restarts"] is not None}


class Adopting(Ours):
    """The server that takes over what an earlier one has left."""

    name = "SRT Router, ON_START=adopt"
    on_start = "adopt"
    set_up = "the same, with `ON_START=adopt`: a new server takes over what runs"
    only_crashed = True


class Bare(Supervisor):
    """bench/bare_supervisor.py: a lower bound, not a product."""

    name = "bare loop"
    set_up = "`bench/bare_supervisor.py`: 50 lines that start each command and start it again when it ends"
    cannot = "stop anything (the bench signals all by itself), log, back off, be asked: it is the lower bound"
    stops = False

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._pids = job.folder / "pids"
        self._pids.mkdir()
        self._commands = job.folder / "commands.json"
        self._commands.write_text(json.dumps(job.commands))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        here = {"PYTHONPATH": str(Path(__file__).parents[1])}
        self._process = self.launch(
            sys.executable, "-m", "bench.bare_supervisor", self._pids, self._commands, environment=here
        )

    def root(self) -> int:
        """Its only process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """What anybody would do at least: end who would start them again, SIGTERM to all, SIGKILL to who is left."""
        self.crash()
        running = [each.pid for each in media()]
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        script = f"sleep {GRACE_S}; kill -KILL {' '.join(map(str, running))}"
        self.launch("sh", "-c", script)


def reap() -> None:
    """Take note of children of ours that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _ancestors() -> set[int]:
    found, pid = set(), os.getppid()
    while pid and pid not in found:
        found.add(pid)
        pid = parent_of(pid) or 0
    return found
