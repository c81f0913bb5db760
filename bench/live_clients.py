"""Clients of a live feed that say when they heard of what has just been done: one process with all of them.

Each line of standard input is a deed that concerns one route: a process is killed, a file gets some more text, or an
SRT listener is called. The answer is when it was done, and after how many ms each client was told of it: by an `event`,
and by what the `route` is since then. Of all other messages nothing but the beginning is looked at, so that who
measures costs little.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.media.libsrt import Srt, SrtSocket
from tests.media.srt_url import SrtUrl

_PATIENCE_S = 20.0
_HEAD = 400
"""The id of a route, and what an event is about, stand before that."""


@dataclass(frozen=True)
class Heard:
    """One deed as the clients heard of it."""

    done_at: float
    """Seconds since the epoch."""
    route_ms: list[float]
    """Of each client: until the first message that says what the route is by now."""
    event_ms: list[float]
    """Of each client that was told of an event of the route meanwhile."""


class LiveClients:
    """Some clients of one feed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def kill(self, about: str, pid: int) -> Heard:
        """SIGKILL, and who was told what when."""
        return self._do({"about": about, "kill": pid})

    def append(self, about: str, file: Path, text: str) -> Heard:
        """The same for some more text in a file."""
        return self._do({"about": about, "append": [str(file), text]})

    def call(self, about: str, port: int) -> Heard:
        """The same for a caller of an SRT listener, from the moment it is in. It hangs up after `kill`."""
        return self._do({"about": about, "call": port})

    def _do(self, deed: dict[str, Any]) -> Heard:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(deed).encode() + b"\n")
        self.process.stdin.flush()
        return Heard(**json.loads(self.process.stdout.readline()))


@contextmanager
def live_clients(url: str, token: str, count: int) -> Iterator[LiveClients]:
    """So many, all of which have been told how things are."""
    argv = [sys.executable, "-m", "bench.live_clients", url, token, str(count)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"there\n", "the clients of the live feed did not get in"
            yield LiveClients(process)
        finally:
            process.kill()


class _Clients:
    """What the clients of this process have heard."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._there = 0
        self.all_there = asyncio.Event()
        self._told = asyncio.Event()
        self._about, self._before = "", ""
        self._events: dict[int, float] = {}
        self._routes: dict[int, float] = {}
        self._caller: SrtSocket | None = None

    async def follow(self, url: str, token: str, number: int) -> None:
        """Be one of them, until the end."""
        from websockets.asyncio.client import connect

        headers = {"Authorization": token}
        async with connect(url, max_size=None, proxy=None, compression=None, additional_headers=headers) as client:
            await client.recv()
            self._there += 1
            if self._there == self._count:
                self.all_there.set()
            async for message in client:
                self._hear(number, str(message))
        sys.exit(f"client {number} of {self._count} was let go: {client.close_code} {client.close_reason}")

    def _hear(self, number: int, message: str) -> None:
        now = time.perf_counter()
        kind = message[9:14]
        if not self._about or kind not in ("route", "event") or self._about not in message[:_HEAD]:
            return
        if kind == "event":
            self._events.setdefault(number, now)
        elif self._before not in message:
            self._routes.setdefault(number, now)
            if len(self._routes) == self._count:
                self._told.set()

    async def hear_of(self, deed: dict[str, Any]) -> Heard:
        """Do it, and wait until all have heard of it."""
        self._events.clear()
        self._routes.clear()
        self._told.clear()
        # What still says how it was before the deed is late news of something else.
        self._before = f'"pid":{deed["kill"]},' if "kill" in deed else '"status":"waiting"'
        self._about = f'"{deed["about"]}"'
        done, wall = await self._do(deed)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._told.wait()
        except TimeoutError:
            sys.exit(f"only {len(self._routes)} of {self._count} clients were told of {deed}")
        finally:
            self._about = ""
        after = [[(at - done) * 1000 for at in found.values()] for found in (self._routes, self._events)]
        if "kill" in deed and self._caller is not None:
            self._caller.close()
        return Heard(wall, *after)

    async def _do(self, deed: dict[str, Any]) -> tuple[float, float]:
        if "call" in deed:
            return await asyncio.to_thread(self._call, deed["call"])
        if "append" in deed:
            file, text = deed["append"]
            with Path(file).open("a") as log:  # noqa: ASYNC230 - a moment, and it is not measured
                log.write(text)
                now = time.perf_counter(), time.time()
            return now
        now = time.perf_counter(), time.time()
        os.kill(deed["kill"], signal.SIGKILL)
        return now

    def _call(self, port: int) -> tuple[float, float]:
        self._caller = Srt().call(SrtUrl(port), 3000)
        return time.perf_counter(), time.time()


async def _main(url: str, token: str, count: int) -> None:
    clients, orders = _Clients(count), asyncio.StreamReader()
    reading = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: reading, sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(clients.follow(url, token, number))
        await clients.all_there.wait()
        print("there", flush=True)
        while line := await orders.readline():
            heard = await clients.hear_of(json.loads(line))
            print(json.dumps(vars(heard)), flush=True)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
