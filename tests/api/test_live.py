"""The WebSocket `/api/live` of a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

Json = dict[str, Any]


@contextlib.asynccontextmanager
async def live(server: Server, **more: Any) -> AsyncIterator[ClientConnection]:
    """One client, with all that it was told so far."""
    url = f"{server.api.base_url}api/live".replace("http:", "ws:")
    more["additional_headers"] = {**server.signed_in(), **more.get("additional_headers", {})}
    async with connect(url, max_size=None, proxy=None, **more) as client:
        yield client


async def told(client: ClientConnection, fits: Callable[[Json], bool], timeout_s: float = 20) -> Json:
    """Read on until a message fits."""
    async with asyncio.timeout(timeout_s):
        while True:
            message: Json = json.loads(await client.recv())
            if fits(message):
                return message


def kind(wanted: str) -> Callable[[Json], bool]:
    return lambda message: message["type"] == wanted


def status(route_id: str, wanted: str) -> Callable[[Json], bool]:
    def fits(message: Json) -> bool:
        if message["type"] != "route":
            return False
        return (message["route"]["id"], message["route"]["status"]) == (route_id, wanted)

    return fits


def restarts(message: Json) -> int:
    """Of all processes of the route that it tells of."""
    return sum(process["restarts"] for process in message["route"]["processes"])


def event(wanted: str) -> Callable[[Json], bool]:
    return lambda message: message["type"] == "event" and message["event"]["kind"] == wanted


async def post(server: Server, path: str) -> None:
    await asyncio.to_thread(server.post, path)


async def test_a_snapshot_then_changes(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001)), route(2, listener(4001))]) as server:
        up = await asyncio.to_thread(server.until_all_up, "route_1")
        async with live(server) as client:
            first = json.loads(await client.recv())
            assert first["type"] == "snapshot"
            assert {r["id"]: set(r) for r in first["routes"]} == {
                r["id"]: set(r) for r in server.api.get("/api/routes").json()["items"]
            }
            assert abs(first["at"] - time.time() * 1000) < 5000
            newest = server.api.get("/api/events", params={"limit": 1}).json()["items"][0]
            assert first["lastEventId"] == newest["id"]
            stats = await told(client, kind("stats"))
            assert set(stats["routes"]) == {"route_1", "route_2"}
            await post(server, "/api/routes/route_2/stop")
            await told(client, status("route_2", "stopped"))
            await post(server, "/api/routes/route_2/start")
            await told(client, status("route_2", "waiting"))
            os.kill(up["srt"]["pid"], signal.SIGKILL)
            killed = time.time() * 1000
            ended = await told(client, event("processEnded"))
            assert ended["event"]["at"] - killed < 100
            again = await told(client, lambda m: status("route_1", "waiting")(m) and restarts(m) == 1)
            assert again["route"]["source"]["state"] == "running"
            stored = await asyncio.to_thread(server.api.get, "/api/events", params={"kind": "processEnded"})
            assert stored.json()["items"] == [ended["event"]]


async def test_within_100_ms_of_the_fact(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        await asyncio.to_thread(server.until_all_up, "route_1")
        async with live(server) as client:
            await told(client, kind("snapshot"))
            took = []
            for _ in range(5):
                pid = server.processes("route_1")["srt"]["pid"]
                os.kill(pid, signal.SIGKILL)
                killed = time.monotonic()

                def replaced(message: Json, pid: int = pid) -> bool:
                    return bool(message["type"] == "route" and message["route"]["processes"][0]["pid"] != pid)

                await told(client, replaced)
                took.append(time.monotonic() - killed)
                await asyncio.to_thread(server.until_all_up, "route_1")
            assert sorted(took)[2] < 0.1, took


async def test_routes_come_and_go(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4001))]) as server:
        async with live(server) as client:
            await told(client, kind("snapshot"))
            server.write_routes([route(1, listener(4000)), route(3, listener(4003))])
            removed = await told(client, kind("removed"))
            assert removed == {"type": "removed", "id": "route_2"}
            await told(client, status("route_3", "waiting"))
            refused = asyncio.create_task(told(client, event("routesFileRefused")))
            server.write_routes("{")
            await refused


async def test_fifty_clients_are_told_the_same(tmp_path: Path) -> None:
    with Server(tmp_path, [route(n, listener(4000 + n), udp(5000 + n)) for n in range(1, 6)]) as server:
        await asyncio.to_thread(server.until_all_up, "route_1")
        async with contextlib.AsyncExitStack() as stack:
            clients = await asyncio.gather(*(stack.enter_async_context(live(server)) for _ in range(50)))
            await asyncio.gather(*(told(client, kind("snapshot")) for client in clients))
            began = time.monotonic()
            await post(server, "/api/routes/route_3/stop")
            answers = await asyncio.gather(*(told(client, status("route_3", "stopped")) for client in clients))
            assert all(answer == answers[0] for answer in answers)
            assert time.monotonic() - began < 5


async def test_a_slow_reader_delays_nobody(tmp_path: Path) -> None:
    many = [route(n, listener(4000 + n), *ends(n), autoStart=False) for n in range(2, 202)]
    with Server(tmp_path, [route(1, listener(4000), udp(5000)), *many]) as server:
        await asyncio.to_thread(server.until_all_up, "route_1")
        assert len(server.api.get("/api/routes").content) > 400_000, "else the kernel takes all of it"
        with slow_reader(server) as deaf:
            async with live(server) as client:
                await told(client, kind("snapshot"))
                await churn(server, 3)
                before = memory_kib(server)
                began = time.monotonic()
                await churn(server, 10)
                await told(client, event("routeStopped"))
                assert memory_kib(server) - before < 8 * 1024
                assert time.monotonic() - began < 30
            until(lambda: hung_up(deaf), 20, "the server to let the deaf one go")
        until(lambda: sockets(server) <= 6, what="its connection to be closed")


def ends(number: int) -> list[Json]:
    """Many of them: a route that takes long to tell."""
    return [udp(10_000 + 25 * number + n) for n in range(25)]


async def churn(server: Server, times: int) -> None:
    for _ in range(times):
        await post(server, "/api/routes/route_1/restart")


@contextlib.contextmanager
def slow_reader(server: Server) -> Any:
    """A client that shakes hands and never reads again."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = server.api.base_url.host, server.api.base_url.port
        deaf.connect((host, port))
        deaf.sendall(
            f"GET /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Authorization: {server.signed_in()['Authorization']}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        yield deaf


def hung_up(client: socket.socket) -> bool:
    """The server has reset the connection, whatever was on its way."""
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or _state(client) != 1


def _state(client: socket.socket) -> int:
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def memory_kib(server: Server) -> int:
    assert server.process is not None
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def sockets(server: Server) -> int:
    """Descriptors that are sockets."""
    assert server.process is not None
    found = 0
    for file in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(file.readlink()).startswith("socket:")
    return found


def descriptors(server: Server) -> int:
    assert server.process is not None
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def reads_statistics(server: Server) -> bool:
    assert server.process is not None
    files = Path(f"/proc/{server.process.pid}/fd").iterdir()
    return any(str(file.readlink()).endswith(".stats") for file in files if file.is_symlink())


async def test_coming_and_going_leaves_nothing(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        await asyncio.to_thread(server.until_all_up, "route_1")
        for _ in range(3):
            async with live(server) as client:
                await told(client, kind("snapshot"))
        until(lambda: reads_statistics(server), what="the first look at the route, which opens files of its own")
        before = descriptors(server)
        for number in range(100):
            async with live(server) as client:
                await told(client, kind("snapshot"))
                if number % 2:
                    client.transport.abort()  # a client that vanishes
        until(lambda: descriptors(server) <= before, what="every descriptor to be given back")
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}],
    ids=["foreign origin", "no origin to name", "foreign host"],
)
async def test_a_page_of_another_site_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    with Server(tmp_path) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with live(server, **_as_options(headers)):
                pass
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body or b"")["code"] == "forbidden"
        base = server.api.base_url
        async with live(server, origin=f"http://{base.host}:{base.port}") as client:
            await told(client, kind("snapshot"))
        assert "Traceback" not in server.log()


def _as_options(headers: dict[str, str]) -> Json:
    if "Origin" in headers:
        return {"origin": headers["Origin"]}
    return {"additional_headers": headers}


async def test_no_more_clients_than_there_may_be(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(live(server)) for _ in range(256)]
            with pytest.raises(ConnectionClosed) as refused:
                await (await stack.enter_async_context(live(server))).recv()
            assert refused.value.rcvd is not None
            assert refused.value.rcvd.code == 1013
            await clients[0].close()
            async with live(server) as client:
                await told(client, kind("snapshot"))


async def test_what_clients_say_is_ignored(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        async with live(server) as client:
            for words in ("{}", "\x00", b"\xff\xfe", "x" * 4000):
                await client.send(words)
            await told(client, kind("stats"))
            await client.ping()
        async with live(server) as client:
            await client.send("x" * 100_000)
            with pytest.raises(ConnectionClosed):
                await told(client, lambda _: False, 10)
        assert "Traceback" not in server.log()


async def test_open_sockets_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with Server(tmp_path) as server, slow_reader(server):
        async with contextlib.AsyncExitStack() as stack:
            clients = await asyncio.gather(*(stack.enter_async_context(live(server)) for _ in range(20)))
            await asyncio.gather(*(told(client, kind("snapshot")) for client in clients))
            began = time.monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            assert time.monotonic() - began < 3
            for client in clients:
                with pytest.raises(ConnectionClosed):
                    await told(client, lambda _: False)
                assert client.close_code == 1012
        assert "Traceback" not in server.log()
        assert "Cancel" not in server.log()
