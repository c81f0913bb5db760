"""The real server, started as a user starts it, in folders of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.harness.wait import until

Json = dict[str, Any]


class Server:
    """One server on one set of folders. `start` and `kill` may be called again and again."""

    def __init__(self, folder: Path, routes: Iterable[Json] | str = (), **settings: str) -> None:
        self.data_dir = folder / "data"
        self.pid_dir = folder / "pids"
        self.run_dir = folder / "run"
        self.log_file = folder / "server.log"
        self._settings = settings
        self.module = ["-m", "srt_router", "serve"]
        """What Python runs."""
        self.verify: ssl.SSLContext | bool = True
        """Whose certificate is believed, where the server speaks TLS."""
        self.patience_s = 20.0
        """How long a start may take. Hundreds of processes on a busy machine leave little of it to the server."""
        self.api = httpx.Client(timeout=30)
        self.process: subprocess.Popen[bytes] | None = None
        self.data_dir.mkdir(parents=True)
        self.data_dir.chmod(0o750)
        if routes:
            self.write_routes(routes)

    # Files

    def write_routes(self, routes: Iterable[Json] | str) -> None:
        """Put routes.json there as a person would; a string is written as it is."""
        text = routes if isinstance(routes, str) else routes_json(routes)
        (self.data_dir / "routes.json").write_text(text)

    def pid_files(self) -> dict[str, int]:
        """PID by file name, without `.pid`."""
        found = {}
        for file in self.pid_dir.glob("*.pid"):
            with contextlib.suppress(FileNotFoundError):  # its process has just ended
                found[file.name.removesuffix(".pid")] = int(file.read_text().split("\n")[0])
        return found

    def log(self) -> str:
        """Everything the server has printed so far."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    # Life

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Self:
        """Start the server and wait until it answers and its routes have been started."""
        already = self.log().count(" answers at ")
        self.launch(*arguments, environment=environment)
        until(
            lambda: self._running() and self.log().count(" answers at ") > already,
            self.patience_s,
            "the server to answer",
        )
        words = self.log().rpartition(" answers at ")[2].split()
        self.api.base_url = httpx.URL(words[0])
        self.api.headers.update(self.signed_in())
        until(lambda: self.api.get("/api/health").status_code in (200, 503), self.patience_s, "health")
        return self

    def signed_in(self) -> dict[str, str]:
        """Headers of somebody who may do everything: a command on this machine."""
        token = json.loads((self.run_dir / "server.json").read_text())["token"]
        return {"Authorization": f"Bearer {token}"}

    def launch(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the server and wait for nothing."""
        self.api.close()
        self.api = httpx.Client(timeout=30, verify=self.verify)
        settings = {
            "DATA_DIR": str(self.data_dir),
            "PID_DIR": str(self.pid_dir),
            "RUN_DIR": str(self.run_dir),
            "PORT": "0",
            **self._settings,
        }
        own = {f"SRT_ROUTER_{key}": value for key, value in settings.items()}
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **own, **(environment or {})},
            )

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Ask the server to stop; the answer is its exit status."""
        assert self.process is not None
        self.api.close()
        self.process.send_signal(signum)
        return self.process.wait(self.patience_s)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.api.close()
        self.process.kill()
        self.process.wait(20)

    def _running(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        return True

    def __enter__(self) -> Self:
        return self if self.process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.api.close()
        if error is not None:
            print(self.log())

    # What it says

    def route(self, route_id: str) -> Json:
        """One route as the API shows it."""
        answer = self.api.get(f"/api/routes/{route_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def processes(self, route_id: str) -> dict[str, Json]:
        """The processes of a route by type."""
        return {process["type"]: process for process in self.route(route_id)["processes"]}

    def post(self, path: str) -> httpx.Response:
        """POST without a body."""
        return self.api.post(path)

    def until_status(self, route_id: str, *statuses: str, timeout_s: float = 20) -> Json:
        """Wait until a route has one of these statuses."""

        def there() -> Json | None:
            answer = self.api.get(f"/api/routes/{route_id}")
            return answer.json() if answer.status_code == 200 and answer.json()["status"] in statuses else None

        found = until(there, timeout_s, f"route {route_id} to be {' or '.join(statuses)}")
        assert found is not None
        return found

    def until_all_up(self, route_id: str) -> dict[str, Json]:
        """Wait until every process of a route runs."""

        def all_up() -> dict[str, Json] | None:
            found = self.processes(route_id)
            return found if found and all(p["state"] == "running" for p in found.values()) else None

        found = until(all_up, self.patience_s, f"every process of {route_id} to run")
        assert found is not None
        return found


def routes_json(routes: Iterable[Json]) -> str:
    """The text of a routes file."""
    return json.dumps({"version": 1, "routes": list(routes)}, indent=2)


def listener(port: int, **more: object) -> Json:
    """An SRT listener."""
    return {"type": "srt", "mode": "listener", "port": port, "latency": 120, **more}


def caller(port: int, host: str = "127.0.0.1", **more: object) -> Json:
    """An SRT caller."""
    return {"type": "srt", "mode": "caller", "host": host, "port": port, "latency": 120, **more}


def udp(port: int, host: str = "127.0.0.1", **more: object) -> Json:
    """A UDP end."""
    return {"type": "udp", "host": host, "port": port, **more}


def route(number: int, source: Json, *destinations: Json, **more: object) -> Json:
    """A route; its id is `route_{number}`."""
    return {
        "id": f"route_{number}",
        "name": f"Route {number}",
        "autoStart": True,
        "source": source,
        "transcode": None,
        "destinations": list(destinations),
        **more,
    }
