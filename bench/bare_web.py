"""What a web server costs that does nothing but answer: the lower bound for the API and its live feed.

uvicorn, as the server has it, with an application that sends the same bytes, made once: to each request, and to each
client of its WebSocket when a process has died that it was told to watch.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class BareWeb:
    """One that runs."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]

    @property
    def live_url(self) -> str:
        """Its WebSocket."""
        host, port = self.address
        return f"ws://{host}:{port}/live"

    def watch(self, pid: int, message: str) -> None:
        """Tell every client `message` when this process has died. Returns when it is watched."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([pid, message]).encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"watched\n"


@contextmanager
def bare_web(folder: Path, content: bytes) -> Iterator[BareWeb]:
    """One that answers with `content`."""
    file = folder / "answer"
    file.write_bytes(content)
    argv = [sys.executable, "-m", "bench.bare_web", str(file)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield BareWeb(process, ("127.0.0.1", int(process.stdout.readline())))
        finally:
            process.kill()


class _Application:
    """One answer for all requests; a queue for each client."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        self._clients: set[asyncio.Queue[str]] = set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await send({"type": "http.response.body", "body": self._content})
            return
        await send({"type": "websocket.accept"})
        messages: asyncio.Queue[str] = asyncio.Queue()
        await send({"type": "websocket.send", "text": '{"type":"snapshot"}'})
        self._clients.add(messages)
        try:
            while True:
                await send({"type": "websocket.send", "text": await messages.get()})
        finally:
            self._clients.discard(messages)

    def follow_orders(self) -> None:
        """Watch the process that the next line names."""
        pid, message = json.loads(sys.stdin.readline())
        fd = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()

        def died() -> None:
            loop.remove_reader(fd)
            os.close(fd)
            for client in self._clients:
                client.put_nowait(message)

        loop.add_reader(fd, died)
        print("watched", flush=True)


async def _serve(listening: socket.socket, application: _Application) -> None:
    import uvicorn

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), application.follow_orders)
    quiet: dict[str, Any] = {"lifespan": "off", "log_level": "error", "access_log": False}
    config = uvicorn.Config(application, ws_per_message_deflate=False, **quiet)
    await uvicorn.Server(config).serve([listening])


def main() -> None:
    """Serve the file that the command line names, on a port that is printed."""
    import uvloop

    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(listening, _Application(Path(sys.argv[1]).read_bytes())))


if __name__ == "__main__":
    main()
