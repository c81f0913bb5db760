"""A router of its own, for the time of the measurement: other folders, other ports, gone when we are."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srt_router.client import Client
from srt_router.errors import SrtRouterError
from srt_router.processes.server_file import read_server_file

_PATIENCE_S = 30.0


class MeasurementFailed(SrtRouterError):  # noqa: N818 - said as it is
    """The latency could not be measured."""


@contextmanager
def router() -> Iterator[Client]:
    """A server that runs until the end of the block, and that ends with this process however that ends."""
    with tempfile.TemporaryDirectory(prefix="srt-router-latency-") as name:
        folder = Path(name)
        own = {
            "DATA_DIR": str(folder / "data"),
            "PID_DIR": str(folder / "pids"),
            "RUN_DIR": str(folder / "run"),
            "PORT": "0",
            "CLEANUP_SCOPE": "owned",
            "STREAM_MONITOR": "false",
        }
        rest = {key: value for key, value in os.environ.items() if not key.startswith("SRT_ROUTER_")}
        environment = {**rest, **{f"SRT_ROUTER_{key}": value for key, value in own.items()}}
        program = [*tied_to_us(), sys.executable, "-m", "srt_router", "serve"]
        with subprocess.Popen(
            program,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                found = until(lambda: read_server_file(folder / "run"), "the measuring server does not start")
                with Client(found.url, token=found.token) as client:
                    yield client
            finally:
                server.terminate()


def tied_to_us() -> list[str]:
    """Words before a command: it is told to end when this process ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def until(look: Callable[[], Any], otherwise: str) -> Any:
    """What `look` answers as soon as that is something. Raises MeasurementFailed after half a minute."""
    end = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        if time.monotonic() > end:
            raise MeasurementFailed(otherwise)
        time.sleep(0.05)
    return found


def receiver() -> socket.socket:
    """A UDP port of loopback that takes what comes in bursts."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
    found.bind(("127.0.0.1", 0))
    return found


def port_of(found: socket.socket) -> int:
    """Its port."""
    port: int = found.getsockname()[1]
    return port
