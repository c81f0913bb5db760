"""What the lossless bench measures: the bus made by hand, or the real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from bench.lossless_layout import Layout
from tests.harness.wait import until
from tests.media.srt_url import SrtUrl

BUS = ("239.255.1.1", 20001)
BUS_RECEIVE_BUFFER_BYTES = 4_000_000
_STOP_S = 15


class System(AbstractContextManager["System"]):
    """A route on air, from `start` to the end of the `with` block."""

    name: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def start(self, route: Layout) -> None:
        """Put the route on air: afterwards its listeners listen, or will in a moment."""
        raise NotImplementedError

    def cpu_s(self) -> float:
        """CPU time that its processes have used so far."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _spawn(self, name: str, argv: list[str], environment: dict[str, str] | None = None) -> int:
        """Start a program with its output in a file; it is ended, by handle, when the bench is done."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self._stack.callback(_end, process)
        return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class HandMade(System):
    """One srt-live-transmit for the source and one per destination, with the bus between them."""

    name = "hand-made"
    receive_buffer = f"&rcvbuf={BUS_RECEIVE_BUFFER_BYTES}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pids: list[int] = []

    def start(self, route: Layout) -> None:
        """Destinations first: what joins the bus late misses the beginning."""
        group, port = BUS
        source = f"udp://{group}:{port}?adapter=127.0.0.1{self.receive_buffer}"
        for url in (*route.listeners, *route.callers):
            auto = "yes" if url.mode == "listener" else "no"
            self._transmit(f"srtOut:{url.port}", auto, source, _srt(url))
        for host, udp_port in (route.unicast, route.multicast):
            adapter = "adapter=127.0.0.1&ttl=1" if host.startswith("239.") else "ttl=1"
            self._transmit(f"udp:{udp_port}", "yes", source, f"udp://{host}:{udp_port}?{adapter}")
        until(lambda: len(bus_sockets()) == 6, what="six destinations on the bus")
        self._transmit("srt", "yes", _srt(route.source), f"udp://{group}:{port}?adapter=127.0.0.1&ttl=0")

    def cpu_s(self) -> float:
        """Sum of the processes started by hand."""
        return sum(_cpu_s(psutil.Process(pid)) for pid in self._pids)

    def _transmit(self, name: str, auto: str, source: str, target: str) -> None:
        argv = ["srt-live-transmit", f"-a:{auto}", "-st:no", source, target]
        self._pids.append(self._spawn(name, argv))


class SmallBuffers(HandMade):
    """The counterproof: with the kernel's default socket buffers on the bus this bench must find losses."""

    name = "hand-made-default-buffers"
    receive_buffer = ""


def _srt(url: SrtUrl) -> str:
    host = "" if url.mode == "listener" else url.host
    query = [f"mode={url.mode}", f"latency={url.latency_ms}"]
    if url.passphrase:
        query += [f"passphrase={url.passphrase}", f"pbkeylen={url.pbkeylen}"]
    return f"srt://{host}:{url.port}?{'&'.join(query)}"


class Server(System):
    """The real one: a route in routes.json, put on air over the API."""

    name = "server"
    _route_id = "route_1761154355576"
    _port = 8080

    def start(self, route: Layout) -> None:
        """Start the server, then the route."""
        data = self._folder / "data"
        data.mkdir()
        (data / "routes.json").write_text(json.dumps({"version": 1, "routes": [self._document(route)]}))
        folders = {"DATA_DIR": "data", "PID_DIR": "pids", "RUN_DIR": "run", "LOG_DIR": "logs"}
        environment = {f"SRT_ROUTER_{key}": str(self._folder / value) for key, value in folders.items()}
        environment |= {"SRT_ROUTER_PORT": str(self._port), "SRT_ROUTER_ADMIN_PASSWORD": "bench-secret-42"}
        program = Path(sys.executable).parent / "srt-router"
        self._pid = self._spawn("server", [str(program), "serve"], os.environ | environment)
        self._http = self._stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=30))
        until(self._is_healthy, timeout_s=30, what="the server to be healthy")
        self._sign_in()
        self._http.post(f"/api/routes/{self._route_id}/start").raise_for_status()

    def cpu_s(self) -> float:
        """The server and everything below it."""
        server = psutil.Process(self._pid)
        return sum(_cpu_s(process) for process in (server, *server.children(recursive=True)))

    def _is_healthy(self) -> bool:
        try:
            return self._http.get("/api/health").is_success
        except httpx.TransportError:
            return False

    def _sign_in(self) -> None:
        """Sign in where that is asked for."""
        if self._http.get("/api/routes").status_code != httpx.codes.UNAUTHORIZED:
            return
        words = {"username": "admin", "password": "bench-secret-42"}
        answer = self._http.post("/api/auth/login", json=words).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def _document(self, route: Layout) -> dict[str, object]:
        udp: list[dict[str, object]] = [
            {"type": "udp", "host": route.unicast[0], "port": route.unicast[1]},
            {"type": "udp", "host": route.multicast[0], "port": route.multicast[1], "interface": "127.0.0.1"},
        ]
        srt = [_endpoint(url) for url in (*route.listeners, *route.callers)]
        return {
            "id": self._route_id,
            "name": "Lossless bench",
            "autoStart": False,
            "source": _endpoint(route.source),
            "destinations": [*srt, *udp],
        }


def _endpoint(url: SrtUrl) -> dict[str, object]:
    endpoint: dict[str, object] = {
        "type": "srt",
        "mode": url.mode,
        "port": url.port,
        "latency": url.latency_ms,
    }
    if url.mode == "caller":
        endpoint["host"] = url.host
    if url.passphrase:
        endpoint |= {"passphrase": url.passphrase, "pbkeylen": url.pbkeylen}
    return endpoint


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@dataclass(frozen=True)
class BusSocket:
    """A socket that has joined a bus."""

    local_address: str
    drops: int
    """Datagrams that the kernel threw away because its buffer was full."""


def bus_sockets() -> list[BusSocket]:
    """Return the sockets on buses (239.255.0.0/16), of this network namespace."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return [BusSocket(row[1], int(row[12])) for row in rows if row[1][4:8] == "FFEF"]
