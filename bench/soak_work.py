"""What goes on in a gateway for months, without a pause: each kind of work in a thread of its own, counted."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.harness.server import Json, Server, caller, listener, route, routes_json, udp
from tests.harness.wait import until
from tests.media.libsrt import Srt, SrtError
from tests.media.srt_url import SrtUrl

PASSWORD = "correct-horse-42"  # noqa: S105 - of a server that lives for some minutes
PASSPHRASE = "soaked-passphrase"  # noqa: S105
SENDERS, READERS = range(1, 9), range(1, 6)
UNANSWERED = 11
PACKETS = 20
DATAGRAM = (b"\x47\x1f\xff\x10" + bytes(184)) * 7
logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it complains of clients that vanish, as ours do
Work = Callable[[], Iterator[str]]
"""Does one piece of work after the other, and says each time what it was."""


def source_port(number: int) -> int:
    """Where the source of a route is taken."""
    return 4000 + 10 * number


def base_routes() -> list[Json]:
    """What is on air whenever it is looked at: every kind of route."""
    three = [
        route(n, listener(source_port(n)), listener(source_port(n) + 1), udp(5000 + n, f"239.1.1.{n}")) for n in READERS
    ]
    two = [route(n, listener(source_port(n)), udp(5000 + n, f"239.1.1.{n}")) for n in (6, 7)]
    secret = route(8, listener(source_port(8), passphrase=PASSPHRASE), udp(5008, "239.1.1.8"))
    over_udp = [route(n, udp(5100 + n), listener(source_port(n) + 1)) for n in (9, 10)]
    unanswered = route(UNANSWERED, caller(3999), udp(5011, "239.1.1.11"), autoStart=False)
    recoded = {"video": "copy", "audio": {"codec": "aac", "bitrateKbps": 128}}
    transcoded = route(12, listener(source_port(12)), udp(5012, "239.1.1.12"), transcode=recoded)
    return [*three, *two, secret, *over_udp, unanswered, transcoded]


def _told(api: httpx.Client, name: str) -> bool:
    return name in api.get("/api/routes").text


@dataclass
class Soak:
    """One server at work."""

    server: Server
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _file: threading.Lock = field(default_factory=threading.Lock)
    """Who edits by hand would undo what was edited through the API meanwhile."""
    _rounds: Iterator[int] = field(default_factory=itertools.count)

    def work(self, seconds: float) -> None:
        """All of it at once, for so long."""
        self._ended.clear()
        works: list[Work] = [
            *(partial(self._senders, part) for part in range(3)),
            *(partial(self._readers, part) for part in range(2)),
            self._edits,
            self._edits,
            self._by_hand,
            self._kills,
            self._orders,
            self._sign_ins,
            self._live,
            self._live,
            self._looks,
            self._backups,
        ]
        random_of = random.Random(self.seed + next(self._rounds))  # noqa: S311
        threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]
        random_of.shuffle(threads)
        for thread in threads:
            thread.start()
        self._ended.wait(seconds)
        self._ended.set()
        for thread in threads:
            thread.join(60)
            if thread.is_alive():
                self.failures.append("a piece of work does not end")

    def _run(self, work: Work) -> None:
        try:
            for what in work():
                self.done[what] += 1
                if self._ended.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the bench says what went wrong
            self.failures.append(f"{type(error).__name__}: {error}")

    @contextlib.contextmanager
    def _api(self, **more: object) -> Iterator[httpx.Client]:
        headers = {} if more.get("nobody") else self.server.signed_in()
        with httpx.Client(base_url=self.server.api.base_url, headers=headers, timeout=60) as client:
            yield client

    def _fine(self, answer: httpx.Response, *also: int) -> bool:
        """Whether it was done. What somebody else is in the way of is not; anything else is a failure."""
        if answer.is_success:
            return True
        if answer.status_code not in (404, 409, 412, *also):
            self.failures.append(
                f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
            )
        return False

    # Peers

    def _senders(self, part: int) -> Iterator[str]:
        srt = Srt()
        for number in itertools.cycle(list(SENDERS)[part::3]):
            url = SrtUrl(source_port(number), passphrase=PASSPHRASE if number == 8 else "")
            try:
                peer = srt.call(url, 1000)
            except SrtError:  # its listener was killed just now
                self._ended.wait(0.02)
                continue
            with contextlib.closing(peer), contextlib.suppress(SrtError):
                for _ in range(PACKETS):
                    peer.send(DATAGRAM)
            yield "SRT senders that came and went"

    def _readers(self, part: int) -> Iterator[str]:
        srt = Srt()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in itertools.cycle(list(READERS)[part::2]):
                out.sendto(DATAGRAM, ("127.0.0.1", 5109 + part))  # what comes over UDP at the same time
                try:
                    peer = srt.call(SrtUrl(source_port(number) + 1), 1000)
                except SrtError:
                    self._ended.wait(0.02)
                    continue
                with contextlib.closing(peer), contextlib.suppress(SrtError):
                    peer.limit_receive(20)
                    peer.receive()
                yield "SRT readers that came and went"

    # Operators

    def _edits(self) -> Iterator[str]:
        chance = random.Random(self.seed + threading.get_ident())  # noqa: S311
        with self._api() as api:
            while True:
                number = chance.randrange(1, 11)
                path, port = f"/api/routes/route_{number}", chance.randrange(20_000, 30_000)
                with self._file:
                    if self._fine(api.patch(path, json={"tags": [f"tag {port}"]})):
                        yield "edits through the API"
                with self._file:
                    added = api.post(f"{path}/destinations", json=udp(port, f"239.2.{number}.1"))
                    if self._fine(added):
                        yield "edits through the API"
                        self._fine(api.delete(added.headers["Location"]))
                        yield "edits through the API"
                with self._file:
                    body = {"name": f"Made {port}", "source": listener(port), "destinations": [udp(port, "239.3.1.1")]}
                    made = api.post("/api/routes", json={**body, "autoStart": True})
                    if self._fine(made):
                        yield "routes made and removed"
                        self._fine(api.delete(f"/api/routes/{made.json()['id']}"))

    def _by_hand(self) -> Iterator[str]:
        file = self.server.data_dir / "routes.json"
        with self._api() as api:
            for count in itertools.count():
                with self._file:
                    document = json.loads(file.read_text())
                    chosen = random.choice(document["routes"])  # noqa: S311
                    chosen["name"] = f"By hand {count}"
                    file.write_text(json.dumps(document, indent=2))
                    until(partial(_told, api, chosen["name"]), 30, "an edit by hand to count")
                yield "edits of routes.json by hand"
                self._ended.wait(0.2)

    def _orders(self) -> Iterator[str]:
        with self._api() as api:
            for number in itertools.cycle((1, UNANSWERED, 4, 9, 12, 6)):
                if self._fine(api.post(f"/api/routes/route_{number}/restart")):
                    yield "restarts of a route"
                if self._fine(api.post(f"/api/routes/route_{number}/stop")):
                    yield "stops of a route"
                self._fine(api.post(f"/api/routes/route_{number}/start"))
                self._ended.wait(0.1)

    def _sign_ins(self) -> Iterator[str]:
        with self._api(nobody=True) as api:
            while True:
                token = api.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
                if self._fine(token):
                    headers = {"Authorization": f"Bearer {token.json()['token']}"}
                    self._fine(api.get("/api/auth/me", headers=headers))
                    self._fine(api.post("/api/auth/logout", headers=headers))
                    api.cookies.clear()
                    yield "sign-ins and sign-outs"

    def _live(self) -> Iterator[str]:
        url = f"{self.server.api.base_url}api/live".replace("http:", "ws:")
        for count in itertools.count():
            with contextlib.suppress(WebSocketException, OSError, TimeoutError):
                who = self.server.signed_in()
                client = connect(url, additional_headers=who, proxy=None, max_size=None, close_timeout=0.5)
                client.recv(10)
                if count % 2:
                    client.close()
                else:
                    client.socket.shutdown(socket.SHUT_RDWR)  # as a cable that is pulled
                    client.close()
                yield "WebSocket clients that came and went"
            self._ended.wait(0.05)

    def _looks(self) -> Iterator[str]:
        paths = ("/metrics", "/api/processes", "/api/events?limit=200", "/api/routes/route_1/stats", "/api/alarms", "/")
        with self._api() as api:
            for path in itertools.cycle(paths):
                if self._fine(api.get(path)):
                    yield "pages and metrics looked at"
                self._ended.wait(0.05)

    def _backups(self) -> Iterator[str]:
        with self._api() as api:
            while True:
                made = api.post("/api/backups")
                if self._fine(made):
                    yield "backups"
                    self._fine(api.post(f"/api/backups/{made.json()['name']}/verify"))
                self._ended.wait(1.0)

    # Faults

    def _kills(self) -> Iterator[str]:
        while True:
            # Not the stream monitor: once killed it is away until a stream flows, and looks would differ.
            names = list(self.server.pid_dir.glob("route_*.pid"))
            with contextlib.suppress(OSError, ValueError, IndexError):
                os.kill(int(random.choice(names).read_text().split("\n")[0]), signal.SIGKILL)  # noqa: S311
                yield "processes killed"
            self._ended.wait(0.25)

    # Nothing goes on

    def settle(self) -> None:
        """Everything is as it was at the beginning."""
        server = self.server
        server.write_routes(routes_json(base_routes()))
        until(lambda: self._as_at_first(), 30, "the routes of the beginning to be back")
        server.post(f"/api/routes/route_{UNANSWERED}/stop")
        deadline = time.monotonic() + 3
        while down := self._down():
            if time.monotonic() > deadline:  # killed so often that it waits for its next start
                for route_id in down:
                    server.post(f"/api/routes/{route_id}/restart")
                deadline = time.monotonic() + 10
            time.sleep(0.1)

    def _as_at_first(self) -> bool:
        items = self.server.api.get("/api/routes").json()["items"]
        return [one["name"] for one in items] == [one["name"] for one in base_routes()]

    def _down(self) -> list[str]:
        found = []
        for one in base_routes():
            shown = self.server.route(one["id"])
            wanted = "stopped" if one["id"] == f"route_{UNANSWERED}" else None
            bad = [each for each in shown["processes"] if each["state"] != "running"]
            if wanted and shown["status"] != wanted:
                self.server.post(f"/api/routes/{one['id']}/stop")
            elif not wanted:
                if shown["status"] == "stopped":
                    self.server.post(f"/api/routes/{one['id']}/start")
                if bad or not shown["processes"]:
                    found.append(one["id"])
        return found
