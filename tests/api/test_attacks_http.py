"""Attacks on the HTTP server itself: requests that never end, that are two at once, that are huge, that lie.

docs/security.md has the table of what was tried; each test here is named there.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.raw_http import RawClient, exchange, request, statuses
from tests.harness.server import Server, listener, route
from tests.harness.wait import until

PASSWORD = "correct-horse-42"
ROUTE = route(1, listener(4000), listener(4001), autoStart=False)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("attacks"), [ROUTE], ADMIN_PASSWORD=PASSWORD) as one:
        yield one
        assert "Traceback" not in one.log()


def authorization(server: Server) -> str:
    return f"Authorization: {server.api.headers['Authorization']}"


def memory_kib(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def descriptors(server: Server) -> int:
    assert server.process is not None
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2f..%2fapp.py",
        "/assets/%2e%2e%2findex.html",
        "/assets/..%5c..%5capp.py",
        "/assets/%2e%2e/index.html",
        "/assets/x%00.js",
        "/assets/%00.js",
        "/assets/index.html%00.js",
        "/assets/%ed%a0%80.js",
        "/assets/" + "a" * 5000 + ".js",
        "/assets//etc/passwd",
        "/pages/%2e%2e%2fapp.py",
        "/pages/sign-in.js%00",
        "/pages/..%2fsign-in.js",
        "/api/backups/..%2f..%2fgateway.db",
        "/api/backups/%2e%2e",
        "/api/backups/gateway_2026-01-01T00-00-00.db.gz%00",
        "/api/backups/%2fetc%2fpasswd",
        "/api/routes/..%2fusers",
        "/api/routes/%00",
        "/api/routes/route_1%2f..%2f..%2fusers",
        "/api/users/%ed%a0%80",
        "/api/routes/route_1/destinations/..%2f..",
        "/.git/config",
        "/docs/../api/users",
    ],
)
def test_no_path_leads_out(server: Server, path: str) -> None:
    signed = exchange(server, request(f"GET {path} HTTP/1.1", authorization(server)))
    assert statuses(signed) in ([404], [422]), signed[:200]
    stranger = exchange(server, request(f"GET {path} HTTP/1.1"))
    assert statuses(stranger) in ([401], [404]), stranger[:200]


# What may be read in two ways


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Content-Length: 4", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked", "Content-Length: 4"], b"0\r\n\r\n"),
        (["Content-Length: 4", "Content-Length: 5"], b"abcde"),
        (["Content-Length: 4, 5"], b"abcde"),
        (["Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"),
        (["Transfer-Encoding: identity", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding : chunked"], b"0\r\n\r\n"),
        (["Content-Length : 4"], b"abcd"),
        (["Content-Length: -1"], b""),
        (["Content-Length: +4"], b"abcd"),
        (["Content-Length: 0x4"], b"abcd"),
        (["Content-Length: 99999999999999999999999"], b"abcd"),
        (["X: a\r\n b"], b""),
        (["X: a\x00b"], b""),
        (["X: a\nTransfer-Encoding: chunked"], b"0\r\n\r\n"),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(server: Server, headers: list[str], body: bytes) -> None:
    """Nothing behind it is taken for a second request."""
    line = "POST /api/routes/route_1/stop HTTP/1.1"
    smuggled = request("GET /api/users HTTP/1.1", authorization(server))
    content = request(line, authorization(server), *headers, body=body).replace(b"Connection: close\r\n", b"")
    answer = exchange(server, content + smuggled)
    assert statuses(answer) == [400], answer[:300]


def test_a_body_of_a_get_is_no_second_request(server: Server) -> None:
    inner = request("GET /api/users HTTP/1.1", authorization(server))
    outer = request("GET /api/health HTTP/1.1", f"Content-Length: {len(inner)}", body=inner)
    assert statuses(exchange(server, outer)) == [200]


def test_no_other_protocol_is_spoken(server: Server) -> None:
    for content in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"SSH-2.0-x\r\n",
        b"\0" * 999,
    ):
        assert statuses(exchange(server, content)) in ([400], []), content
    assert statuses(exchange(server, request("CONNECT elsewhere:80 HTTP/1.1"))) == [400]
    upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    assert statuses(exchange(server, request("GET /api/users HTTP/1.1", *upgrade))) == [401]
    for method in ("TRACE", "TRACK", "OPTIONS", "DEBUG"):
        answer = exchange(server, request(f"{method} /api/routes HTTP/1.1", authorization(server)))
        assert statuses(answer) in ([405], [404], [400]), answer
    assert "Invalid HTTP" not in server.log(), "a line for each would fill the disk"


# Whom they say they are


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1, evil.example",
        "[::1",
        "evil.example:80",
        "localhost.evil",
        "",
    ],
)
def test_another_host_is_refused(server: Server, host: str) -> None:
    content = request("GET /api/health HTTP/1.1").replace(b"Host: 127.0.0.1", f"Host: {host}".encode())
    assert statuses(exchange(server, content)) == [403]
    twice = request("GET /api/health HTTP/1.1", "Host: evil.example")
    assert statuses(exchange(server, twice)) == [403]


def test_the_host_of_the_request_line_and_forwarded_hosts_count_for_nothing(server: Server) -> None:
    lies = ["X-Forwarded-Host: evil.example", "X-Original-URL: /api/users", "X-Rewrite-URL: /api/users"]
    answer = exchange(
        server, request("GET http://evil.example/api/routes HTTP/1.1", *lies, "Forwarded: host=evil.example")
    )
    assert statuses(answer) == [401]
    assert b"evil" not in answer


def test_x_forwarded_for_of_a_stranger_counts_for_nothing(server: Server) -> None:
    lies = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    me = server.api.get("/api/auth/me", headers=lies)
    assert me.json()["address"] == "127.0.0.1"
    url = server.api.base_url.join("/metrics")
    assert httpx.get(url).status_code == 200, "from this machine"
    for name, value in {**lies, "Via": "1.1 proxy"}.items():
        assert httpx.get(url, headers={name: value}).status_code == 401, "not if somebody passed it on"


def test_a_method_in_a_header_or_in_the_query_counts_for_nothing(server: Server) -> None:
    answer = server.api.get("/api/routes/route_1?_method=DELETE", headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 200
    assert server.route("route_1")["id"] == "route_1"


# JSON


def documents() -> dict[str, bytes]:
    good = b'{"name":"x","source":{"type":"srt","mode":"listener","port":%s}}'
    deep = {f"{n} deep": b'{"name":' * n + b"1" + b"}" * n for n in (500, 990, 5000, 100_000)}
    lists = {f"{n} lists": b'{"destinations":' + b"[" * n + b"]" * n + b"}" for n in (500, 990, 5000)}
    return {
        **deep,
        **lists,
        "a number of 5000 digits": good % (b"9" * 5000),
        "NaN": good % b"NaN",
        "Infinity": good % b"-Infinity",
        "1e999": good % b"1e999",
        "1.0": good % b"4100.0",
        "half a character as value": b'{"name":"\\ud800","source":{}}',
        "half a character as key": b'{"\\ud800":1}',
        "half a character as inner key": b'{"source":{"\\udfff":1}}',
        "NUL as key": b'{"\\u0000":1,"\\u0000preset":true}',
        "no object": b"[]",
        "null": b"null",
        "no JSON": b"{'name':'x'}",
        "no UTF-8": b'{"name":"\xff\xfe"}',
        "UTF-16": '{"name":""}'.encode("utf-16"),
        "__proto__": b'{"__proto__":{"role":"administrator"},"constructor":{}}',
        "nothing": b"",
        "packed": gzip.compress(b" " * 10_000_000),
    }


PATHS = (
    ("POST", "/api/routes"),
    ("PUT", "/api/routes/route_1"),
    ("PATCH", "/api/routes/route_1"),
    ("POST", "/api/routes/import"),
    ("POST", "/api/routes/salvo"),
    ("POST", "/api/routes/route_1/destinations"),
    ("POST", "/api/alarms/rules"),
    ("PATCH", "/api/alarms/rules/rule_1"),
    ("POST", "/api/alarms/receivers"),
    ("POST", "/api/users"),
    ("POST", "/api/tokens"),
    ("POST", "/api/auth/login"),
)


@pytest.mark.parametrize("name", documents())
def test_no_json_is_more_than_refused(server: Server, name: str) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"} if name == "packed" else JSON
    before = server.route("route_1")["config"]
    for method, path in PATHS:
        answer = server.api.request(method, path, content=documents()[name], headers=headers)
        assert answer.status_code in (400, 413, 422), (method, path, answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 100_000
    assert server.route("route_1")["config"] == before


def test_of_a_key_that_stands_twice_the_last_counts_for_everybody(server: Server) -> None:
    """There is one reader of a body, so that no check looks at another value than what is used."""
    twice = b'{"role":"viewer","name":"twice","password":"long-enough-1","role":"root"}'
    assert server.api.post("/api/users", content=twice, headers=JSON).status_code == 422
    good = b'{"name":"first","source":{"type":"srt","mode":"listener","port":4100},"name":"last"}'
    shown = server.api.post("/api/routes", params={"dryRun": True}, content=good, headers=JSON)
    assert shown.json()["config"]["name"] == "last"


def test_a_million_mistakes_hold_up_nobody(server: Server) -> None:
    """Each was quadratic, or told every mistake: one request took the loop for seconds to hours."""
    base: dict[str, Any] = {"name": "x", "source": {"type": "srt", "mode": "listener", "port": 4100}}
    bodies = {
        "/api/routes": [
            {**base, "destinations": [{}] * 300_000},
            {**base, **{f"k{n}": 0 for n in range(80_000)}},
            {**base, "destinations" * 80_000: 0},
            {**base, "tags": ["a"] * 200_000},
        ],
        "/api/routes/import": [
            {"version": 1, "routes": [0] * 1_000_000},
            {"version": 1, "routes": [], **{f"k{n}": 0 for n in range(500_000)}},
            {"version": 1, "routes": [{**base, "destinations": [{}] * 1000}] * 1000},
        ],
        "/api/routes/salvo": [{"steps": [{"action": "create", "route": {str(n): 0 for n in range(900)}}] * 1000}],
    }
    for path, those in bodies.items():
        for body in those:
            used = processor_s(server)
            answer = server.api.post(path, json=body)
            assert answer.status_code == 422, answer.text[:200]
            assert len(answer.content) < 200_000
            assert len(answer.json()["errors"]) <= 1000
            assert processor_s(server) - used < 5, (path, str(body)[:80])


def processor_s(server: Server) -> float:
    """Processor time that the server has used; it grows with what a request costs, not with what else runs."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# Too much of it


@pytest.mark.parametrize(
    ("start", "crumb"),
    [
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"a" * 65536),
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: a\r\n" * 10_000),
        (b"GET /", b"a" * 65536),
        (b"GET /api/health?", b"a=b&" * 16384),
        (b"A" * 10, b"A" * 65536),
        (
            b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
            b"a" * 65536,
        ),
        (
            b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            b"X: a\r\n" * 10_000,
        ),
    ],
    ids=["a header", "headers", "a path", "a query", "a method", "a chunk's extension", "trailers"],
)
def test_an_endless_head_is_cut_off(server: Server, start: bytes, crumb: bytes) -> None:
    before = memory_kib(server)
    with RawClient(server) as client:
        client.say(start)
        said = 0
        while said < 64 * 1024 * 1024 and client.say(crumb):
            said += len(crumb)
        assert said < 32 * 1024 * 1024, "what is on its way in the kernel, and hardly more"
    assert memory_kib(server) - before < 16 * 1024
    assert server.api.get("/api/health").status_code == 200


def test_a_sign_in_has_a_small_body(server: Server) -> None:
    """A stranger's body is kept until it is whole."""
    body = json.dumps({"username": "admin", "password": "x" * 9000})
    answer = httpx.post(server.api.base_url.join("/api/auth/login"), content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "bodyTooLarge")


# Too slow


@pytest.mark.timeout(120)
def test_slow_strangers_are_let_go(server: Server) -> None:
    """Each of them kept a connection for as long as it liked."""
    health = request("GET /api/health HTTP/1.1").replace(b"Connection: close\r\n", b"")
    unread = request("POST /api/routes HTTP/1.1", "Transfer-Encoding: chunked").replace(b"Connection: close\r\n", b"")
    slow: dict[str, tuple[bytes, bytes]] = {
        "says nothing": (b"", b""),
        "half a line": (b"GET /api/hea", b""),
        "a head in crumbs": (health[:-2], b"X: a\r\n"),
        "empty lines": (b"", b"\r\n"),
        "empty lines between requests": (health, b"\r\n"),
        "half a second request": (health + b"GET /", b"a"),
        "the rest of a refused body": (unread, b"1\r\na\r\n"),
    }
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(RawClient(server)) for name in slow}
        for name, client in clients.items():
            client.say(slow[name][0])

        def crumbs() -> bool:
            gone = []
            for name, client in clients.items():
                client.say(slow[name][1])
                gone.append(client.is_let_go(0.05))
            return all(gone)

        until(crumbs, 45, "every one of them to be let go")


@pytest.mark.long
@pytest.mark.timeout(120)
def test_who_takes_no_answer_is_let_go(server: Server) -> None:
    with RawClient(server) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = descriptors(server)
        for _ in range(200):
            content = request("GET /openapi.json HTTP/1.1", authorization(server)).replace(
                b"Connection: close\r\n", b""
            )
            client.socket.settimeout(1)
            try:
                client.socket.sendall(content)
            except TimeoutError:
                break
        until(lambda: descriptors(server) < before, 60, "the server to hang up")


def test_a_thousand_connections_leave_room_for_work(tmp_path: Path) -> None:
    """More than a place may have are refused, and what runs, and who is signed in, does not notice."""
    with Server(tmp_path, [route(1, listener(4000))], HOST="0.0.0.0") as server, contextlib.ExitStack() as stack:
        server.until_all_up("route_1")
        before = descriptors(server)
        address = (outside(), server.api.base_url.port or 0)
        for _ in range(1000):  # they come from another address: of this machine there may be more
            stack.enter_context(contextlib.closing(socket.socket())).connect(address)
        until(lambda: descriptors(server) - before <= 512 + 16, what="no more than 512 of them to be kept")
        assert server.api.get("/api/health").status_code == 200
        assert server.post("/api/routes/route_1/restart").status_code == 200
        server.until_all_up("route_1")


def outside() -> str:
    """An address of this machine that is no loopback address: so is that of who connects to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        address = struct.pack("16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton("10.99.99.1"))
        fcntl.ioctl(probe, 0x8916, address)  # SIOCSIFADDR
    return "10.99.99.1"
