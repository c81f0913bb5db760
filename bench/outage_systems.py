"""Who keeps a stream on air through crashes: our server, and media programs under a process supervisor.

One route: SRT source, SRT and UDP destination. Everything runs in a PID namespace of its own, and so may be killed by
what it runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.data_path_systems import PACKAGES
from srt_router.routes.plan import STATS_EVERY_PACKETS
from tests.harness.processes import alive, media, tags
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

LATENCY_MS = 120
SOURCE_PORT, SRT_PORT, UDP_PORT = 4000, 4001, 5001
SUPERVISOR = "supervisor==4.3.0"
S6_PACKAGES = ("s6", "execline")
_BUS = "udp://239.255.1.1:20001?adapter=127.0.0.1"
LEGS = {"source": f":{SOURCE_PORT}", "destination": f":{SRT_PORT}", "UDP leg": f":{UDP_PORT}"}
WHOLE = "its one process"
NULL = subprocess.DEVNULL


class System:
    """Something that carries the route, from `start` on; the namespace ends it."""

    name = ""
    how = ""
    legs: tuple[str, ...] = tuple(LEGS)
    """What can be killed of the media processes."""
    watchers = False
    """Between the supervisor and each process stands one that watches it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder

    def start(self) -> None:
        """Put the route on air."""
        raise NotImplementedError

    def kill_control(self) -> None:
        """SIGKILL to what supervises, and start it again in the same moment, as the init of a machine does."""
        raise NotImplementedError

    def kill_watchers(self) -> None:
        """SIGKILL to those that stand between; they are started again by what stands above them."""
        raise NotImplementedError

    def kill_leg(self, leg: str) -> None:
        """SIGKILL to a media process: the oldest that does this."""
        raise NotImplementedError

    def reboot(self) -> None:
        """Everything dies at once and what lies in /run and /tmp is gone; then it is started as at boot."""
        raise NotImplementedError

    def media(self) -> list[int]:
        """PIDs of the media processes, the oldest first."""
        return sorted(pid for pid in _pids() if _command(pid).startswith(("srt-live-transmit", "ffmpeg", "gst-launch")))


class Router(System):
    """The real server."""

    on_start = ""

    def start(self) -> None:
        ends = listener(SOURCE_PORT), listener(SRT_PORT), udp(UDP_PORT)
        self._server = Server(self._folder / "server", [route(1, *ends)], ON_START=self.on_start)
        self._server.patience_s = 60
        self._server.start()
        self._server.until_all_up("route_1")

    def kill_control(self) -> None:
        self._server.kill()
        self._server.launch()

    def kill_leg(self, leg: str) -> None:
        names = {"source": "srt", "destination": f"srtOut:{SRT_PORT}", "UDP leg": "udpDuplicator"}
        os.kill(self._server.pid_files()[f"route_1_{names[leg]}"], signal.SIGKILL)

    def reboot(self) -> None:
        self._server.kill()
        _kill(list(media()))
        shutil.rmtree(self._server.pid_dir)
        shutil.rmtree(self._server.run_dir)
        self._server.launch()

    def media(self) -> list[int]:
        """Without the stream monitor: nothing goes through it."""
        return sorted(pid for pid in media() if tags(pid).get("SRT_ROUTER_PROCESS") != "streamMonitor")


class Clean(Router):
    name = "SRT Router"
    how = "the server with stock settings (`ON_START=clean`: what runs is ended at the start, and started anew)"
    on_start = "clean"


class Adopt(Router):
    name = "SRT Router, adopt"
    how = "the same with `ON_START=adopt`"
    on_start = "adopt"


def _chain() -> dict[str, list[str]]:
    """The command lines of our own plan; UDP goes out through srt-live-transmit as well."""
    reports = [f"-s:{STATS_EVERY_PACKETS}", "-f", "-pf:json", "-ll:note", "-lfa:conn"]
    words = ["srt-live-transmit", "-a:yes", *reports]
    srt = "srt://:{}?mode=listener&latency=" + str(LATENCY_MS)
    bus = f"{_BUS}&rcvbuf=4000000"
    return {
        "source": [*words, srt.format(SOURCE_PORT), f"{_BUS}&ttl=0"],
        "destination": [*words, bus, srt.format(SRT_PORT)],
        "udp": [*words, bus, f"udp://127.0.0.1:{UDP_PORT}"],
    }


def _gstreamer() -> dict[str, list[str]]:
    queue = "queue max-size-buffers=0 max-size-time=0 max-size-bytes=67108864 leaky=downstream"
    sink = "sync=false async=false"
    words = (
        f'srtsrc uri="srt://:{SOURCE_PORT}?mode=listener" latency={LATENCY_MS} keep-listening=true ! tee name=t '
        f't. ! {queue} ! srtsink uri="srt://:{SRT_PORT}?mode=listener" latency={LATENCY_MS} {sink} '
        f"wait-for-connection=false t. ! {queue} ! udpsink host=127.0.0.1 port={UDP_PORT} {sink}"
    )
    return {"media": ["gst-launch-1.0", "--no-fault", *words.replace('"', "").split()]}


_FFMPEG_PROBE = ("-analyzeduration", "1000000", "-probesize", "1000000")
"""It looks at a stream for 5 s otherwise, which would be lost picture after each start."""


def _ffmpeg() -> dict[str, list[str]]:
    latency = f"latency={LATENCY_MS * 1000}"
    source = f"srt://0.0.0.0:{SOURCE_PORT}?mode=listener&{latency}"
    outputs = (
        f"[f=mpegts:onfail=ignore]srt://0.0.0.0:{SRT_PORT}?mode=listener&{latency}",
        f"[f=mpegts:onfail=ignore]udp://127.0.0.1:{UDP_PORT}?pkt_size=1316",
    )
    words = ["ffmpeg", "-v", "warning", "-nostdin", "-fflags", "nobuffer", *_FFMPEG_PROBE, "-f", "mpegts", "-i", source]
    words += ["-map", "0", "-c", "copy", "-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0"]
    fifo = "attempt_recovery=1:recover_any_error=1:recovery_wait_time=0.2:drop_pkts_on_overflow=1:queue_size=1000"
    return {"media": [*words, "-f", "tee", "-use_fifo", "1", "-fifo_options", fifo, "|".join(outputs)]}


class Supervised(System):
    """Media programs under a process supervisor."""

    commands: Callable[[], dict[str, list[str]]]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._programs = type(self).commands()
        self._run_dir = folder / "run"
        self._run_dir.mkdir()

    def start(self) -> None:
        self._configure()
        self._launch()
        until(lambda: len(self.media()) == len(self._programs), 20, f"{self.name} to start its programs")

    def kill_control(self) -> None:
        self._process.kill()
        self._process.wait()
        self._launch()

    def kill_leg(self, leg: str) -> None:
        mark = LEGS.get(leg, "")
        os.kill(next(pid for pid in self.media() if mark in _command(pid)), signal.SIGKILL)

    def reboot(self) -> None:
        self._process.kill()
        _kill([*self._between(), *self.media()])
        self._process.wait()
        shutil.rmtree(self._run_dir)
        self._run_dir.mkdir()
        self._configure()
        self._launch()

    def _configure(self) -> None:
        raise NotImplementedError

    def _launch(self) -> None:
        raise NotImplementedError

    def _between(self) -> list[int]:
        return []

    def _spawn(self, argv: list[str], environment: Mapping[str, str]) -> None:
        with (self._folder / "supervisor.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=NULL, stdout=log, stderr=log, env=environment)


class Supervisord(Supervised):
    """Each program restarted for ever; its output goes nowhere, so that none waits for a reader."""

    def _configure(self) -> None:
        lines = ["[supervisord]", "nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0"]
        lines += [f"pidfile={self._run_dir}/supervisord.pid", f"childlogdir={self._run_dir}"]
        for name, argv in self._programs.items():
            lines += [f"[program:{name}]", f"command={' '.join(argv)}", "autorestart=true", "startretries=1000000"]
            lines += ["stdout_logfile=NONE", "stderr_logfile=NONE"]
        (self._run_dir / "supervisord.conf").write_text("\n".join(lines) + "\n")

    def _launch(self) -> None:
        program = peers.pypi(SUPERVISOR) / "supervisord"
        self._spawn([str(program), "-c", str(self._run_dir / "supervisord.conf")], os.environ)


class S6(Supervised):
    """s6-svscan, one s6-supervise for each program."""

    watchers = True

    def start(self) -> None:
        peers.lay_over(peers.debian(*S6_PACKAGES))
        super().start()

    def _configure(self) -> None:
        for name, argv in self._programs.items():
            service = self._run_dir / name
            service.mkdir()
            (service / "run").write_text(f"#!/bin/sh\nexec {' '.join(map(_quoted, argv))} >/dev/null 2>&1\n")
            (service / "run").chmod(0o755)

    def _launch(self) -> None:
        path = peers.environment(peers.debian(*S6_PACKAGES))
        library = peers.environment(peers.debian(*PACKAGES)) if "media" in self._programs else {}
        both = {"PATH": f"{path['PATH']}:{library.get('PATH', '')}"}
        both["LD_LIBRARY_PATH"] = f"{path['LD_LIBRARY_PATH']}:{library.get('LD_LIBRARY_PATH', '')}".rstrip(":")
        self._spawn(["s6-svscan", str(self._run_dir)], {**path, **library, **both})

    def kill_watchers(self) -> None:
        _kill(self._between())

    def _between(self) -> list[int]:
        return [pid for pid in _pids() if _command(pid).startswith("s6-supervise")]


class ChainSupervisord(Supervisord):
    name = "srt-live-transmit under supervisord"
    how = "our own command lines, `autorestart=true`, `startretries=1000000`, no log of the programs"
    commands = staticmethod(_chain)


class ChainS6(S6):
    name = "srt-live-transmit under s6"
    how = "the same command lines, one service each"
    commands = staticmethod(_chain)


class GStreamerS6(S6):
    name = "GStreamer under s6"
    how = (
        "one gst-launch-1.0, `srtsrc keep-listening=true ! tee ! queue leaky=downstream ! srtsink` and `! udpsink`, "
        "`sync=false async=false wait-for-connection=false`"
    )
    legs = (WHOLE,)
    commands = staticmethod(_gstreamer)


class FfmpegS6(S6):
    name = "ffmpeg tee under s6"
    how = (
        "one ffmpeg, `-c copy -f tee`, every output behind a `fifo` that tries again, `onfail=ignore`, "
        "`-fflags nobuffer -analyzeduration 1000000 -probesize 1000000 -flush_packets 1 -muxdelay 0 -muxpreload 0`"
    )
    legs = (WHOLE,)
    commands = staticmethod(_ffmpeg)


SYSTEMS: dict[str, type[System]] = {
    kind.name: kind for kind in (Clean, Adopt, ChainSupervisord, ChainS6, GStreamerS6, FfmpegS6)
}


@dataclass(frozen=True)
class Deed:
    """What is done to a system."""

    name: str
    what: str
    do: Callable[[System], None]
    fits: Callable[[type[System]], bool] = lambda kind: True
    before: Callable[[System], None] | None = None
    """Done first; the figures begin later, when all has settled."""


def _leg(leg: str) -> Deed:
    return Deed(leg, f"kill -9 of the {leg}", lambda system: system.kill_leg(leg), lambda kind: leg in kind.legs)


DEEDS: dict[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed("nothing", "nothing is done", lambda system: None),
        Deed("control", "kill -9 of the server or supervisor", lambda system: system.kill_control()),
        Deed(
            "watchers",
            "kill -9 of all s6-supervise",
            lambda system: system.kill_watchers(),
            lambda kind: kind.watchers,
        ),
        *(_leg(leg) for leg in LEGS),
        Deed(WHOLE, f"kill -9 of {WHOLE}", lambda system: system.kill_leg(WHOLE), lambda kind: WHOLE in kind.legs),
        Deed(
            "unwatched",
            "kill -9 of the server or supervisor, and later of the source",
            lambda system: system.kill_leg(system.legs[0]),
            before=lambda system: system.kill_control(),
        ),
        Deed("reboot", "all killed, /run and /tmp wiped, started again", lambda system: system.reboot()),
    )
}


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _command(pid: int) -> str:
    """The command line, from the name of the program on; empty when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return os.fsdecode(b" ".join([words[0].rpartition(b"/")[2], *words[1:]]))


def _kill(pids: list[int]) -> None:
    """SIGKILL to each, and see them dead."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids), 10, "all to be dead")
