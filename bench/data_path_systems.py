"""What carries one SRT source to many SRT destinations: our server, and what a user would pick instead.

All of them use the libsrt of this machine, so what differs is what is around it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench import peers
from tests.harness.server import Json, Server, caller, listener, route
from tests.harness.wait import until

PACKAGES = ("gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-bad")
LATENCY_MS = 120
"""Of every SRT leg."""
SOURCE_PORT = 4000
_STOP_S = 1.0
_BUS = ("239.255.1.1", 20001)
_BUS_BUFFER = "&rcvbuf=4000000"


@dataclass(frozen=True)
class Ends:
    """Where the stream goes to; it comes in at a listener on `SOURCE_PORT`."""

    ports: tuple[int, ...]
    mode: str
    """How the system meets its destinations: `caller` or `listener`."""


class System(AbstractContextManager["System"]):
    """A route on air, from `start` to the end of the `with` block."""

    name = ""
    how = ""
    """Which options it gets and why, for who reads the figures."""
    waits_for_source = False
    """It meets its destinations only when a source has come."""
    ends_with_source = False
    """It ends when its source leaves, as it is meant to."""
    looks_s = 0
    """So long it looks at what comes in before it sends anything."""
    remuxes = False
    """It writes a transport stream of its own: the bytes differ, the pictures in it do not."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._stack = ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, ends: Ends) -> None:
        """Put the route on air."""
        raise NotImplementedError

    def pids(self) -> dict[int, bool]:
        """Every process of the system; true: it carries the stream."""
        return {process.pid: True for process in self._processes}

    def ended(self) -> str:
        """How a process of it ended that should not have; empty: all run."""
        statuses = [str(process.returncode) for process in self._processes if process.poll() is not None]
        return f"exit status {', '.join(statuses)}" if statuses else ""

    def said(self) -> str:
        """The last lines of what its programs wrote."""
        lines = [
            line for log in sorted(self._folder.glob("*.log")) for line in log.read_text("utf-8", "replace").split("\n")
        ]
        return "\n".join(line for line in lines[-20:] if line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            _end(process)
        self._stack.close()

    def _spawn(self, name: str, argv: list[str], environment: Mapping[str, str] | None = None) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self._processes.append(started)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:  # one that waits in libsrt for a caller does not listen
        process.kill()
        process.wait()


class Router(System):
    """The real server with stock settings."""

    name = "SRT Router"
    how = "the server with stock settings; its stream monitor and statistics included"

    def start(self, ends: Ends) -> None:
        """The route is in routes.json; the server puts it on air."""
        end = caller if ends.mode == "caller" else listener
        legs: list[Json] = [end(port, latency=LATENCY_MS) for port in ends.ports]
        self._server = Server(self._folder / "server", [route(1, listener(SOURCE_PORT, latency=LATENCY_MS), *legs)])
        self._stack.enter_context(self._server)
        self._server.until_all_up("route_1")

    def pids(self) -> dict[int, bool]:
        """The server and everything below it."""
        assert self._server.process
        server = psutil.Process(self._server.process.pid)
        below = {process.pid: process.name() == "srt-live-transmit" for process in server.children(recursive=True)}
        return {server.pid: False, **below}

    def ended(self) -> str:
        """The server, or a process of it that was replaced."""
        assert self._server.process
        if self._server.process.poll() is not None:
            return f"exit status {self._server.process.returncode}"
        restarts = sum(int(each.get("restarts", 0)) for each in self._server.processes("route_1").values())
        return f"{restarts} restarts" if restarts else ""

    def said(self) -> str:
        """The server's log."""
        return self._server.log()[-2000:]


class ByHand(System):
    """The bare tools: one srt-live-transmit for the source, one per destination, a multicast group between them."""

    name = "srt-live-transmit by hand"
    how = (
        f"UDP multicast on loopback in between, `{_BUS_BUFFER[1:]}`, `-s 0`: what the server starts, without the server"
    )
    receive_buffer = _BUS_BUFFER

    def start(self, ends: Ends) -> None:
        """Destinations first: who joins the group late misses the beginning."""
        group, port = _BUS
        source = f"udp://{group}:{port}?adapter=127.0.0.1{self.receive_buffer}"
        for number in ends.ports:
            host = "127.0.0.1" if ends.mode == "caller" else ""
            target = f"srt://{host}:{number}?mode={ends.mode}&latency={LATENCY_MS}"
            self._transmit(f"out{number}", source, target)
        until(lambda: _joined() >= len(ends.ports), what="the destinations on the bus")
        source = f"srt://:{SOURCE_PORT}?mode=listener&latency={LATENCY_MS}"
        self._transmit("in", source, f"udp://{group}:{port}?adapter=127.0.0.1&ttl=0")

    def _transmit(self, name: str, source: str, target: str) -> None:
        self._spawn(name, ["srt-live-transmit", "-a:yes", "-st:no", source, target])


class ByHandStock(ByHand):
    """The same without the one option that is easily forgotten."""

    name = "srt-live-transmit by hand, default buffers"
    how = "the same without `rcvbuf`"
    receive_buffer = ""


def _joined() -> int:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(line.split()[1][4:8] == "FFEF" for line in lines)


class GStreamer(System):
    """One gst-launch-1.0."""

    name = "GStreamer"
    how = (
        "one gst-launch-1.0, `srtsrc ! tee ! queue ! srtsink…`, every sink with `sync=false async=false "
        "wait-for-connection=false`, queues of 64 MB that throw away rather than wait (`leaky=downstream`)"
    )
    queue = "queue max-size-buffers=0 max-size-time=0 max-size-bytes=67108864 leaky=downstream"
    sink = "sync=false async=false wait-for-connection=false"
    source = "keep-listening=true"

    def start(self, ends: Ends) -> None:
        """All of it is one pipeline."""
        words = [f'srtsrc uri="srt://:{SOURCE_PORT}?mode=listener" latency={LATENCY_MS} {self.source} ! tee name=t']
        for port in ends.ports:
            host = "127.0.0.1" if ends.mode == "caller" else ""
            uri = f'"srt://{host}:{port}?mode={ends.mode}"'
            words.append(f"t. ! {self.queue} ! srtsink uri={uri} latency={LATENCY_MS} {self.sink}")
        environment = peers.environment(peers.debian(*PACKAGES))
        self._spawn("gstreamer", ["gst-launch-1.0", "--no-fault", *" ".join(words).split()], environment)


class GStreamerStock(GStreamer):
    """As the manual's examples have it."""

    ends_with_source = True
    name = "GStreamer, default options"
    how = "`srtsrc ! tee ! queue ! srtsink…` without further options"
    queue = "queue"
    sink = ""
    source = ""


class Ffmpeg(System):
    """One ffmpeg with the tee muxer."""

    name = "ffmpeg tee"
    how = (
        "one ffmpeg, `-map 0 -c copy -f tee`, every output behind a `fifo` of its own that tries again "
        "(`use_fifo`, `attempt_recovery`, `recover_any_error`, `drop_pkts_on_overflow`), `onfail=ignore`, "
        "`-analyzeduration 500000 -flush_packets 1 -muxdelay 0 -muxpreload 0`"
    )
    waits_for_source = True
    ends_with_source = True
    remuxes = True
    analysis: tuple[str, ...] = ("-analyzeduration", "500000")
    tee: tuple[str, ...] = (
        "-use_fifo",
        "1",
        "-fifo_options",
        "attempt_recovery=1:recover_any_error=1:recovery_wait_time=0.2:drop_pkts_on_overflow=1:queue_size=1000",
    )
    output = "[f=mpegts:onfail=ignore]"
    muxer: tuple[str, ...] = ("-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0")

    def start(self, ends: Ends) -> None:
        """It opens its outputs when it has seen what comes in."""
        latency = f"latency={LATENCY_MS * 1000}"
        host = "127.0.0.1" if ends.mode == "caller" else "0.0.0.0"  # noqa: S104 - in a network of its own
        outputs = [f"{self.output}srt://{host}:{port}?mode={ends.mode}&{latency}" for port in ends.ports]
        words = ["ffmpeg", "-v", "warning", "-nostdin", *self.analysis, "-f", "mpegts"]
        words += ["-i", f"srt://0.0.0.0:{SOURCE_PORT}?mode=listener&{latency}", "-map", "0", "-c", "copy", *self.muxer]
        self._spawn("ffmpeg", [*words, "-f", "tee", *self.tee, "|".join(outputs)])


class FfmpegStock(Ffmpeg):
    """As the manual's examples have it."""

    name = "ffmpeg tee, default options"
    how = '`-map 0 -c copy -f tee "[f=mpegts]srt://…|…"`'
    tee = ()
    output = "[f=mpegts]"
    muxer = ()
    analysis = ()
    looks_s = 5


SYSTEMS: tuple[type[System], ...] = (Router, ByHand, GStreamer, Ffmpeg)
"""What is compared at every rate, ours first, then the bare tools."""
VARIANTS: tuple[type[System], ...] = (ByHandStock, GStreamerStock, FfmpegStock)
"""The same with the options of the manuals' examples."""
