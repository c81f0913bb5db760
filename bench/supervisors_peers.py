"""Those that people use: supervisord, circus, PM2 and s6, each as its documentation says, without pauses."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

from bench import peers
from bench.supervisors import GRACE_S, Job, Supervisor, reap
from bench.supervisors_watch import media, parent_of
from tests.harness.isolate import call
from tests.harness.wait import until

SUPERVISOR, CIRCUS, PM2 = "supervisor==4.3.0", "circus==0.19.0", "pm2@7.0.4"
S6_PACKAGES = ("s6", "execline")
_MANY = 1_000_000
_MNT_DETACH = 2


def set_up() -> dict[str, str]:
    """Fetch them all; needs the network. Returns their versions."""
    peers.pypi(SUPERVISOR)
    peers.pypi(CIRCUS)
    peers.npm(PM2)
    root = peers.debian(*S6_PACKAGES)
    library = next(root.glob("usr/lib/*/libs6.so.*.*.*.*"), None)
    node = subprocess.run(
        ["node", "--version"], env=peers.npm_environment(), capture_output=True, text=True, check=True
    ).stdout.strip()
    return {
        "supervisor": SUPERVISOR.partition("==")[2],
        "circus": CIRCUS.partition("==")[2],
        "pm2": f"{PM2.partition('@')[2]} on Node {node}",
        "s6": library.name.partition(".so.")[2] if library else "as in Debian",
    }


class Supervisord(Supervisor):
    """PyPI `supervisor`."""

    name = "supervisord"
    set_up = (
        "`autorestart=true`, `startretries` without end, `stopwaitsecs=3`, no output kept, all programs in one group, "
        "so that they are stopped all at once"
    )
    cannot = "take over or end what an earlier supervisord has left"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._file = job.folder / "supervisord.conf"
        names = [f"p{number}" for number in range(len(job.commands))]
        lines = [
            "[unix_http_server]",
            f"file={job.folder}/supervisor.sock",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisord]",
            "nodaemon=true",
            f"logfile={job.folder}/supervisord.log",
            f"pidfile={job.folder}/supervisord.pid",
            "minfds=8192",
            "[group:all]",
            f"programs={','.join(names)}",
        ]
        for name, words in zip(names, job.resolved, strict=True):
            lines += [
                f"[program:{name}]",
                f"command={shlex.join(words).replace('%', '%%')}",
                "autorestart=true",
                f"startretries={_MANY}",
                f"stopwaitsecs={GRACE_S}",
                "redirect_stderr=true",
                "stdout_logfile=NONE",
            ]
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it in the foreground, as a service manager does."""
        self._process = self.launch(peers.pypi(SUPERVISOR) / "supervisord", "-n", "-c", self._file)

    def root(self) -> int:
        """Its only process."""
        assert self._process is not None
        return self._process.pid


class Circus(Supervisor):
    """PyPI `circus`."""

    name = "circus"
    check_delay_s = 0.5
    set_up = (
        f"`check_delay={check_delay_s}` (5 by default: it looks for ended processes so often), `max_retry=-1`, "
        "`graceful_timeout=3`, no output kept"
    )
    cannot = (
        "see the end of a process before its next look; hear SIGTERM while it looks (the order is refused and "
        "forgotten: the bench repeats it every 0.2 s); take over or end what an earlier circusd has left"
    )

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._file = job.folder / "circus.ini"
        lines = [
            "[circus]",
            f"check_delay={self.check_delay_s}",
            f"endpoint=ipc://{job.folder}/endpoint",
            f"pubsub_endpoint=ipc://{job.folder}/pubsub",
            "warmup_delay=0",
        ]
        for number, words in enumerate(job.resolved):
            lines += [
                f"[watcher:p{number}]",
                f"cmd={shlex.join(words)}",
                "copy_env=True",
                "max_retry=-1",
                "warmup_delay=0",
                f"graceful_timeout={GRACE_S}",
            ]
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it in the foreground, as a service manager does."""
        self._process = self.launch(peers.pypi(CIRCUS) / "circusd", self._file)

    def root(self) -> int:
        """Its only process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """SIGTERM until it is heard: one that comes while it looks for ended processes is refused and forgotten."""
        self.launch("sh", "-c", f"while kill -TERM {self.root()}; do sleep 0.2; done")


class Pm2(Supervisor):
    """Npm `pm2`."""

    name = "PM2"
    at_once = 500
    set_up = (
        "an ecosystem file, fork mode, `interpreter: none`, `max_restarts` without end, `kill_timeout: 3000`, SIGTERM, "
        f"`treekill`, `pmx` and `vizion` off, logs to /dev/null, PM2_CONCURRENT_ACTIONS={at_once} (2 by default); "
        "after the crash `pm2 resurrect` of what `pm2 save` had saved"
    )
    cannot = "take over or end what an earlier daemon has left"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._file = job.folder / "ecosystem.config.js"
        apps = [
            {
                "name": f"p{number}",
                "script": words[0],
                "args": words[1:],
                "interpreter": "none",
                "exec_mode": "fork",
                "autorestart": True,
                "max_restarts": _MANY,
                "kill_timeout": GRACE_S * 1000,
                "out_file": "/dev/null",
                "error_file": "/dev/null",
                "treekill": False,
                "pmx": False,
                "vizion": False,
            }
            for number, words in enumerate(job.resolved)
        ]
        self._file.write_text(f"module.exports = {{apps: {json.dumps(apps)}}}\n")
        self._home = job.folder / "pm2"
        self._order: subprocess.Popen[bytes] | None = None

    def _pm2(self, *words: str | Path) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": f"{peers.npm_environment()['PATH'].partition(':')[0]}:{self.job.environment['PATH']}",
            "HOME": str(self.job.folder),
            "PM2_HOME": str(self._home),
            "PM2_CONCURRENT_ACTIONS": str(self.at_once),
            "PM2_KILL_SIGNAL": "SIGTERM",
        }
        return self.launch(peers.npm(PM2) / "pm2", *words, environment=environment)

    def start(self) -> None:
        """`pm2 start` makes the daemon and tells it what to run."""
        self._order = self._pm2("start", self._file)

    def settled(self) -> None:
        """Until the command has returned."""
        assert self._order is not None
        assert self._order.wait(120) == 0, self.said()

    def again(self) -> None:
        """What the service that `pm2 startup` makes does."""
        self._order = self._pm2("resurrect")

    def root(self) -> int:
        """The daemon."""
        return int(until(lambda: (self._home / "pm2.pid").exists() and (self._home / "pm2.pid").read_text(), 30))

    def stop(self) -> None:
        """What the service that `pm2 startup` makes does."""
        self._pm2("kill")

    def crash(self) -> None:
        """With all saved before."""
        self.settled()
        assert self._pm2("save").wait(120) == 0, self.said()
        super().crash()


class S6(Supervisor):
    """Debian `s6`: s6-svscan starts an s6-supervise for each service."""

    name = "s6"
    set_up = (
        "a scan directory with a service for each command, `timeout-kill` 3000, s6-svscan with a large `-c`; "
        "each `run` says at once that it is ready (`notification-fd`), because only a service that has been ready for "
        "a second is started again without a pause"
    )
    cannot = (
        "start a service again at once that lived for less than a second; control with a new s6-svscan what runs under "
        "the old one's s6-supervise; take over a process whose s6-supervise is dead"
    )

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._root = peers.debian(*S6_PACKAGES)
        self._overlaid = False
        self._scan = job.folder / "scan"
        for number, words in enumerate(job.resolved):
            service = self._scan / f"p{number}"
            service.mkdir(parents=True)
            (service / "run").write_text(f"#!/bin/sh\necho >&3\nexec 3>&-\nexec {shlex.join(words)}\n")
            (service / "notification-fd").write_text("3\n")
            (service / "run").chmod(0o755)
            (service / "timeout-kill").write_text(f"{GRACE_S * 1000}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def _s6(self, program: str, *words: str | Path) -> subprocess.Popen[bytes]:
        environment = peers.environment(self._root)
        if self.job.programs:
            environment["PATH"] = f"{self.job.programs}:{environment['PATH']}"
        return self.launch(self._root / "usr/bin" / program, *words, environment=environment)

    def start(self) -> None:
        """Run s6-svscan. s6-svscan looks for s6-supervise in /usr/bin: in our namespace, it is there."""
        if not self._overlaid:
            layers = f"lowerdir={self._root}/usr/bin:/usr/bin"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, "/usr/bin"], check=True)
            self._overlaid = True
        self._process = self._s6("s6-svscan", "-c", str(2 * len(self.job.commands) + 8), self._scan)

    def root(self) -> int:
        """s6-svscan."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Bring all down and end."""
        self._s6("s6-svscanctl", "-t", self._scan)

    def close(self) -> None:
        """Take its programs away again, too."""
        super().close()
        if self._overlaid:
            call("umount2", b"/usr/bin", _MNT_DETACH)

    def under(self) -> set[int]:
        """Whose parent is an s6-supervise, whoever that is under."""
        return {each.pid for each in media() if is_supervise(each.parent)}


class S6Whole(S6):
    """All that belongs to s6 is killed."""

    name = "s6, each s6-supervise killed too"
    only_crashed = True

    def crash(self) -> None:
        """From the top, or s6-svscan would start those below again."""
        parts = self.everybody() - {self.root()}
        super().crash()
        for pid in parts:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(is_supervise(pid) for pid in parts), 20, "s6 to be dead")
        reap()


def is_supervise(pid: int) -> bool:
    """Whether this is a live s6-supervise."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name == "s6-supervise" and parent_of(pid) is not None
    return False
