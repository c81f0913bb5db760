"""The real server without its import time: a process that has imported everything and forks it on demand.

A thousand crashes take a thousand starts, and half a second of each would go into importing. Reads one line of
JSON per start on standard input (`{"environment": …, "log": …}`), answers with the server's PID.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tests.harness.processes import alive
from tests.harness.wait import until


class Warm:
    """Starts servers."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.warm_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def start(self, environment: Mapping[str, str], log: Path) -> int:
        """Start a server; the answer is its PID."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"environment": dict(environment), "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it; servers that it has started live on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def kill(pid: int) -> None:
    """SIGKILL, and wait until it is gone."""
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), what="the server to die")


def main() -> None:
    """Fork a server per line."""
    import srt_router.main  # noqa: F401 - all of it, once

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(order["environment"], Path(order["log"]))
        print(pid, flush=True)


def _serve(environment: dict[str, str], log: Path) -> NoReturn:
    from srt_router.cli import app
    from srt_router.processes import crashpoint

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)
    os.closerange(3, 64)
    os.environ.update(environment)
    name, _, count = environment.get(crashpoint.VARIABLE, "").partition(":")
    crashpoint._name, crashpoint._left = name, int(count or "1") if name else 0  # read when it was imported
    sys.argv = ["srt-router", "serve"]
    try:
        app.main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
