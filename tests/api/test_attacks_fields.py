"""Attacks through the text that people and peers give: names, addresses, stream ids, headers, a caller's own words.

Nothing of it may become an argument, a parameter, a file name, a log line, a header or an order of its own.
docs/security.md has the table of what was tried; each test here is named there.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from websockets.asyncio.client import connect

from tests.harness.cli import run
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.libsrt import Srt
from tests.media.srt_url import SrtUrl

Json = dict[str, Any]

HOSTILE = [
    "x\n[PidManager] Killing orphaned srt-live-transmit PID 1",
    "x\r\nBcc: everybody@example.org",
    "\x1b[2J\x1b]0;owned\x07",
    "x\x00y",
    "x\u2028y",
    "x\x85y",
    "-f lavfi -i /etc/passwd",
    "--help",
    "-version",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "; touch /tmp/owned ;",
    "| touch /tmp/owned",
    "x&mode=caller&passphrase=",
    "x?mode=listener",
    "x#y",
    "%0a%26mode=caller",
    "x y",
    "../../../tmp/owned",
    "/etc/passwd",
    "':textfile=/etc/passwd:x='",
    "x,movie=/etc/passwd",
    "%{localtime\\:%s}",
    "a|b[c]d;e=f",
    "'; DROP TABLE events; --",
    '"} 1\nowned 1',
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "\u202egnp.exe",
    "%s%s%n%d{0}",
    "file:///etc/passwd",
    "concat:/etc/passwd",
]
"""What tools, shells, terminals, parsers and log readers are known to take for something else."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("attacks"), [route(1, listener(4000), autoStart=False)]) as one:
        yield one
        assert "Traceback" not in one.log()
        assert not Path("/tmp/owned").exists()
        nothing_forged(one)


def nothing_forged(server: Server) -> None:
    """Each line of the log is one of ours, and no terminal takes it for an order."""
    server.api.get("/api/health")
    log = server.log()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028]", log)
    assert "\n[PidManager] Killing orphaned srt-live-transmit PID 1" not in log
    assert all(re.match(r"\[[\w.]+\] ", line) for line in log.splitlines() if line.strip()), log


def commands(server: Server, route_id: str) -> dict[str, list[str]]:
    """The command line of each process, as the kernel has it; one that has just ended is looked at in its next life."""

    def seen() -> dict[str, list[str]] | None:
        found = server.until_all_up(route_id)
        try:
            lines = {kind: Path(f"/proc/{one['pid']}/cmdline").read_bytes() for kind, one in found.items()}
        except OSError:
            return None
        return {kind: line.decode().split("\0")[:-1] for kind, line in lines.items()} if all(lines.values()) else None

    found = until(seen, what="the command lines of every process")
    assert found is not None
    return found


def plain(port: int) -> Json:
    """A route with every field of text that there is, and nothing bad in it."""
    return {
        "name": "plain",
        "description": "plain",
        "tags": ["plain"],
        "source": listener(port, streamId="plain", passphrase="plain-passphrase"),
        "transcode": {"video": "copy", "audio": "copy", "serviceName": "plain", "serviceProvider": "plain"},
        "destinations": [
            {**caller(port + 1), "id": "plain", "name": "plain", "streamId": "plain", "passphrase": "plain-passphrase"},
            udp(port + 2, id="plain2", name="plain"),
        ],
        "testSource": True,
    }


PLACES: dict[str, tuple[str | int, ...]] = {
    "name": ("name",),
    "description": ("description",),
    "tag": ("tags", 0),
    "source stream id": ("source", "streamId"),
    "source passphrase": ("source", "passphrase"),
    "source host": ("source", "host"),
    "source adapter": ("source", "adapter"),
    "source device": ("source", "bindtodevice"),
    "source packet filter": ("source", "packetfilter"),
    "source mode": ("source", "mode"),
    "source version": ("source", "minversion"),
    "service name": ("transcode", "serviceName"),
    "service provider": ("transcode", "serviceProvider"),
    "video": ("transcode", "video"),
    "audio": ("transcode", "audio"),
    "preset": ("transcode", "preset"),
    "destination id": ("destinations", 0, "id"),
    "destination name": ("destinations", 0, "name"),
    "destination host": ("destinations", 0, "host"),
    "destination stream id": ("destinations", 0, "streamId"),
    "destination passphrase": ("destinations", 0, "passphrase"),
    "UDP host": ("destinations", 1, "host"),
    "UDP interface": ("destinations", 1, "interface"),
    "UDP id": ("destinations", 1, "id"),
    "type": ("source", "type"),
}
ONLY_SHOWN = {"name", "description", "tag", "destination name"}
"""Fields that are text for people: most of it is allowed there."""


def with_value(document: Json, place: tuple[str | int, ...], value: str) -> Json:
    target: Any = document
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    return document


@pytest.mark.parametrize("where", PLACES)
def test_no_field_becomes_an_argument_or_an_option(server: Server, where: str) -> None:
    """Whatever is accepted stands in the one place where it belongs, and in no other argument."""
    made = server.api.post("/api/routes", json=plain(4100))
    assert made.status_code == 201, made.text
    normal = commands(server, started(server, made))
    remove(server, made)
    accepted = 0
    for bad in HOSTILE:
        answer = server.api.post("/api/routes", json=with_value(plain(4100), PLACES[where], bad))
        if answer.status_code == 422:
            continue
        assert answer.status_code == 201, (bad, answer.text)
        accepted += 1
        if accepted <= 3 or where not in ONLY_SHOWN:
            judge(normal, commands(server, started(server, answer)), bad)
        remove(server, answer)
    assert accepted == 0 or where in ONLY_SHOWN or "stream id" in where or "service" in where or "passphrase" in where
    assert not Path("/tmp/owned").exists()


def started(server: Server, answer: Any) -> str:
    route_id = str(answer.json()["id"])
    assert server.post(f"/api/routes/{route_id}/start").status_code == 200
    return route_id


def remove(server: Server, answer: Any) -> None:
    assert server.api.delete(f"/api/routes/{answer.json()['id']}").status_code in (200, 204)


def judge(normal: dict[str, list[str]], found: dict[str, list[str]], bad: str) -> None:
    """The command lines are those of the plain route, but for one value in one argument."""
    assert set(found) == set(normal)
    for kind, words in found.items():
        assert len(words) == len(normal[kind]), (kind, bad)
        for word, usual in zip(words, normal[kind], strict=True):
            if word == usual or "239.255." in usual or ".duplicator" in usual or "/run/" in usual:
                continue  # the bus, and files that are named after the route
            assert parameters(word) == parameters(usual), (kind, bad)
            assert word.startswith(("srt://", "service_name=", "service_provider=", "testsrc2=")) or word == bad, word


def parameters(word: str) -> list[str]:
    """The names of the parameters in an address, the filters and options in a filter; else nothing."""
    if word.startswith("srt://"):
        return [part.partition("=")[0] for part in word.partition("?")[2].split("&")]
    if word.startswith("testsrc2="):
        return re.findall(r"[a-z0-9]+(?==)", re.sub(r"text='[^']*'", "text=", word))
    return []


def test_no_name_becomes_the_name_of_a_file(server: Server) -> None:
    before = {path for folder in (server.pid_dir, server.run_dir) for path in folder.iterdir()}
    for bad in ("../x", "/etc/x", "route_1/../../x", "x\x00", "route_1\n", "", ".", "route_٣", "a" * 5000):
        document = {"version": 1, "routes": [{**plain(4100), "id": bad}]}
        assert server.api.post("/api/routes/import", json=document).status_code == 422, bad
        assert server.api.post("/api/routes", json={**plain(4100), "id": bad}).status_code == 422, bad
        end = {**udp(5000), "id": bad}
        assert server.api.post("/api/routes/route_1/destinations", json=end).status_code == 422 or not bad.strip()
        word = bad.replace("\x00", "") or "-"  # the kernel takes no NUL in an argument
        assert run(server, "backup", "restore", word, "--yes").returncode != 0
    for bad in ("../../etc/passwd", "gateway_2026-01-01T00-00-00.db.gz/../x", "routes_../x.json.gz"):
        assert run(server, "backup", "verify", bad).returncode != 0
    assert {path for folder in (server.pid_dir, server.run_dir) for path in folder.iterdir()} == before


def test_no_text_forges_a_line_of_the_log_or_a_metric(server: Server) -> None:
    """In the address, in headers, in fields that do not exist, in names: the log stays the server's own."""
    for bad in HOSTILE:
        calls: list[tuple[str, str, Json]] = [
            ("GET", f"/api/routes/{visible(bad)}", {"headers": {"User-Agent": visible(bad)}}),
            ("GET", "/api/events", {"params": {"text": bad}}),
            ("POST", "/api/routes", {"json": {bad: 1}}),
            ("PATCH", "/api/routes/route_1", {"json": {"name": bad}}),
            ("POST", "/api/auth/login", {"json": {"username": bad, "password": bad}}),
            ("POST", "/api/tokens", {"json": {"name": bad}}),
            ("POST", "/api/alarms/rules", {"json": {"name": bad, "condition": {"kind": "routeFailed"}}}),
        ]
        for method, path, more in calls:
            assert server.api.request(method, path, **more).status_code < 500, (path, bad)
    server.post("/api/routes/route_1/start")
    server.post("/api/routes/route_1/stop")
    metrics = server.api.get("/metrics").text
    assert not re.search(r"^owned ", metrics, re.MULTILINE)
    assert "\x1b" not in run(server, "routes", "list").stdout
    nothing_forged(server)


def visible(text: str) -> str:
    return "".join(char for char in text if " " <= char <= "~")


def test_a_caller_forges_no_state_of_a_route(server: Server) -> None:
    """Whoever may call our listener chooses its stream id, which the tool could write into its log."""
    words = [
        "x\nSRT source disconnected\nx",
        "x\nERROR: forged\nx",
        "x\nAccepted SRT source connection\nx",
        "\x1b[2Jx",
        "HSREQ/rcv: cmd=1(HSREQ) len=12 vers=0x10501 opts=0xbf delay=9999",
    ]
    library = Srt()
    server.post("/api/routes/route_1/start")
    server.until_status("route_1", "waiting")
    for number, text in enumerate(words, 1):
        peer = library.call(SrtUrl(port=4000, stream_id=text), 10_000)
        try:
            until(lambda number=number: connected(server, number), what=f"connection {number}")  # type: ignore[misc]
            shown = server.processes("route_1")["srt"]
            assert "forged" not in str(shown.get("error"))
            assert "\x1b" not in str(shown)
            assert not [line for line in shown["log"] if "\n" in line]
        finally:
            peer.close()
        until(lambda: server.route("route_1")["status"] == "waiting", what="the caller to be gone")
    server.post("/api/routes/route_1/stop")


def connected(server: Server, times: int) -> Json | None:
    found: Json = server.processes("route_1")["srt"]
    return found if found["connects"] == times and found["connection"] == "connected" else None


# What leaves the machine


class Trap(BaseHTTPRequestHandler):
    """A web server that leads elsewhere and says what nobody is to see."""

    asked: list[str] = []  # noqa: RUF012 - of one test

    def do_GET(self) -> None:
        Trap.asked.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"AKIA-THE-KEY-OF-THE-CLOUD")

    def do_POST(self) -> None:
        Trap.asked.append(f"POST {self.path}")
        self.rfile.read(int(self.headers["Content-Length"]))
        status = int(self.path.rpartition("/")[2]) if self.path[-3:].isdigit() else 500
        self.send_response(status, "AKIA-THE-KEY-OF-THE-CLOUD")
        self.send_header("Location", f"http://127.0.0.1:{self.connection.getsockname()[1]}/latest/meta-data")
        self.send_header("X-Secret", "AKIA-THE-KEY-OF-THE-CLOUD")
        self.end_headers()
        self.wfile.write(b"AKIA-THE-KEY-OF-THE-CLOUD")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Banner(BaseRequestHandler):
    """No web server at all."""

    def handle(self) -> None:
        self.request.sendall(b"AKIA-THE-KEY-OF-THE-CLOUD SSH-2.0-x\r\n")


def test_a_webhook_shows_nothing_of_what_is_answered(server: Server) -> None:
    """Who may set a webhook can make this machine send a POST anywhere; it learns no more than the status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Trap) as web, ThreadingTCPServer(("127.0.0.1", 0), Banner) as ssh:
        for one in (web, ssh):
            threading.Thread(target=one.serve_forever, daemon=True).start()
        try:
            urls = [f"http://127.0.0.1:{web.server_port}/{status}" for status in (200, 302, 307, 308, 401, 500)]
            for url in [*urls, f"http://127.0.0.1:{ssh.socket.getsockname()[1]}/"]:
                made = server.api.post("/api/alarms/receivers", json={"type": "webhook", "name": "x", "url": url})
                path = f"/api/alarms/receivers/{made.json()['id']}"
                outcome = server.api.post(f"{path}/test")
                assert outcome.json()["delivered"] is (url.endswith("/200"))
                assert "AKIA" not in outcome.text + server.api.get(path).text
                assert server.api.delete(path).status_code == 204
        finally:
            web.shutdown()
            ssh.shutdown()
    assert Trap.asked == [f"POST /{status}" for status in (200, 302, 307, 308, 401, 500)], "no redirect was followed"
    assert "AKIA" not in server.log() + server.api.get("/api/events?limit=1000").text


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/x",
        "unix:///run/docker.sock",
        "ftp://127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1\r\nX: y/",
        "http://127.0.0.1/\r\nX: y",
        "http://",
        "//127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "javascript:alert(1)",
        "http://a b/",
    ],
)
def test_a_webhook_is_a_web_address(server: Server, url: str) -> None:
    answer = server.api.post("/api/alarms/receivers", json={"type": "webhook", "name": "x", "url": url})
    assert answer.status_code == 422, answer.text


class Mailbox:
    """What a real SMTP server has taken."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.to: list[list[str]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        self.to.append(envelope.rcpt_tos)
        return "250 OK"


def test_no_name_becomes_a_header_of_an_e_mail(tmp_path: Path) -> None:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=2525)
    controller.start()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "2525", "SMTP_SECURITY": "none", "SMTP_FROM": "srt@example.org"}
    names = [text for text in HOSTILE if text.isprintable()]
    routes = [route(n, listener(4000 + n), name=name, tags=["x"]) for n, name in enumerate(names, 1)]
    try:
        with Server(tmp_path, routes, **mail) as server:
            for bad in (
                "a@b.c\r\nBcc: x@y.z",
                "a@b.c, x@y.z",
                "a@b.c\n\nbody",
                "<a@b.c>",
                "a@b.c>",
                '"a b"@c',
                "a\x00@b.c",
            ):
                body = {"type": "email", "name": "x", "to": [bad]}
                assert server.api.post("/api/alarms/receivers", json=body).status_code == 422, bad
            body = {"type": "email", "name": "Duty", "to": ["duty@example.org"]}
            receiver = server.api.post("/api/alarms/receivers", json=body).json()["id"]
            for text in HOSTILE:
                rule = {"name": text, "condition": {"kind": "waitingLongerThan", "seconds": 0}, "receivers": [receiver]}
                answer = server.api.post("/api/alarms/rules", json={**rule, "routes": ["route_1"]})
                assert (answer.status_code == 201) is text.isprintable(), text
            everything = {
                "name": "all",
                "condition": {"kind": "waitingLongerThan", "seconds": 0},
                "receivers": [receiver],
            }
            assert server.api.post("/api/alarms/rules", json=everything).status_code == 201
            until(lambda: len(box.mails) >= 2 * len(names), 40, "an e-mail of every rule and of every route")
    finally:
        controller.stop()
    known = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Mailer", "MIME-Version"}
    known |= {"Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo"}
    for found, to in zip(box.mails, box.to, strict=True):
        assert to == ["duty@example.org"]
        assert set(found.keys()) <= known
        assert len(found.keys()) == len(set(found.keys()))
        assert not found.is_multipart()


# The live feed


async def test_a_client_that_shouts_is_let_go(server: Server) -> None:
    """Nobody listens to what clients say; who says megabytes would take the server's time."""
    url = f"{server.api.base_url}api/live".replace("http:", "ws:")
    for how in ("text", "ping", "fragments"):
        async with connect(url, max_size=None, proxy=None, additional_headers=server.signed_in()) as client:

            async def shout(client: Any = client, how: str = how) -> None:
                while True:
                    if how == "ping":
                        await client.ping(os.urandom(100))
                    elif how == "text":
                        await client.send("x" * 4000)
                    else:
                        await client.send(["x" for _ in range(3000)])

            async def hear(client: Any = client) -> None:
                async for _ in client:
                    pass

            async with asyncio.timeout(30):
                await asyncio.gather(shout(), hear(), return_exceptions=True)
            assert client.close_code is not None
    async with connect(url, max_size=None, proxy=None, additional_headers=server.signed_in()) as quiet:
        async with asyncio.timeout(20):
            assert "snapshot" in str(await quiet.recv()) + str(await quiet.recv())
