"""Clients that edit without pause while the server is killed, and a ledger of what they were promised.

Each client has routes of its own. Of each it remembers what the last answer promised, and what was asked for
and not answered when the server died: that may have happened or not, and nothing else may.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from srt_router.routes.document import parse
from tests.harness.server import Json, Server, listener, udp

FIRST_PORT = 10_000
PORTS_PER_CLIENT = 200
GONE = None


def known(config: Json) -> Json:
    """What of a route's configuration the clients decide."""
    return {
        "name": config["name"],
        "port": config["source"]["port"],
        "destinations": sorted(one["port"] for one in config["destinations"]),
    }


@dataclass
class Ledger:
    """What the routes of one client may be, by id."""

    promised: dict[str, Json] = field(default_factory=dict)
    pending: tuple[str | None, Json | None] | None = None
    """The id, and what was asked for; no id: a new route. None: everything was answered."""
    answered: int = 0

    def mistakes(self, found: dict[str, Json]) -> list[str]:
        """What is not as it was promised; `found` are this client's routes."""
        wrong = []
        for route_id, promise in self.promised.items():
            allowed: list[Json | None] = [promise]
            if self.pending and self.pending[0] == route_id:
                allowed.append(self.pending[1])
            if found.get(route_id) not in allowed:
                wrong.append(f"{route_id} is {found.get(route_id)}, promised was {allowed}")
        made = self.pending[1] if self.pending and self.pending[0] is None else GONE
        strange = [one for one in found.keys() - self.promised.keys() if found[one] != made]
        return wrong + [f"{one} is there, and nobody asked for it: {found[one]}" for one in strange]

    def settle(self, found: dict[str, Json]) -> None:
        """Whatever became of what was pending: this is how it is now."""
        self.promised, self.pending = dict(found), None


class Client(threading.Thread):
    """Edits until the server goes away."""

    def __init__(self, number: int, server: Server, ledger: Ledger, seed: int) -> None:
        super().__init__(daemon=True)
        self._number = number
        self._api = httpx.Client(base_url=server.api.base_url, headers=server.signed_in(), timeout=30)
        self._ledger = ledger
        self._random = random.Random(seed)  # noqa: S311
        self._names = (f"{seed}.{count}" for count in itertools.count())
        self.failure: str | None = None

    def run(self) -> None:
        with self._api:
            while True:
                try:
                    self._edit()
                except httpx.TransportError:
                    return
                except Exception as error:  # noqa: BLE001 - the edge of a thread: the test says what went wrong
                    self.failure = repr(error)
                    return

    def _edit(self) -> None:
        routes = self._ledger.promised
        kind = self._random.choice(["create", "rename", "add", "replace", "delete"]) if routes else "create"
        if kind == "create" and len(routes) >= 8:
            kind = "delete"
        name = next(self._names)
        if kind == "create":
            wanted = {"name": name, "port": self._free(), "destinations": []}
            self._ask("POST", "/api/routes", _body(wanted), (None, wanted))
            return
        route_id = self._random.choice(sorted(routes))
        before, path = routes[route_id], f"/api/routes/{route_id}"
        match kind:
            case "rename":
                self._ask("PATCH", path, {"name": name}, (route_id, {**before, "name": name}))
            case "add":
                port = self._free()
                wanted = {**before, "destinations": sorted([*before["destinations"], port])}
                self._ask("POST", f"{path}/destinations", udp(port, f"239.1.{self._number}.1"), (route_id, wanted))
            case "replace":
                wanted = {"name": name, "port": before["port"], "destinations": before["destinations"][:2]}
                self._ask("PUT", path, _body(wanted, self._number), (route_id, wanted))
            case "delete":
                self._ask("DELETE", path, None, (route_id, GONE))

    def _ask(self, method: str, path: str, body: Json | None, pending: tuple[str | None, Json | None]) -> None:
        self._ledger.pending = pending
        answer = self._api.request(method, path, json=body)
        if answer.status_code not in (200, 201, 204):
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        route_id, wanted = pending
        if wanted is None:
            del self._ledger.promised[str(route_id)]
        else:
            self._ledger.promised[route_id or answer.json()["id"]] = wanted
        self._ledger.pending = None
        self._ledger.answered += 1

    def _free(self) -> int:
        first = FIRST_PORT + self._number * PORTS_PER_CLIENT
        used = {port for one in self._ledger.promised.values() for port in (one["port"], *one["destinations"])}
        return self._random.choice([port for port in range(first, first + PORTS_PER_CLIENT) if port not in used])


def _body(wanted: Json, number: int = 0) -> Json:
    ends = [udp(port, f"239.1.{number}.1") for port in wanted["destinations"]]
    return {"name": wanted["name"], "source": listener(wanted["port"]), "destinations": ends}


class Storm:
    """Rounds of edits that end with `kill -9`."""

    def __init__(self, server: Server, clients: int, seed: int) -> None:
        self._server = server
        self._ledgers = [Ledger() for _ in range(clients)]
        self._random = random.Random(seed)  # noqa: S311

    @property
    def answered(self) -> int:
        """Edits that were acknowledged in all."""
        return sum(ledger.answered for ledger in self._ledgers)

    def round(self) -> None:
        """Let the clients edit, kill the server in the middle of it, and compare the disk with the ledgers."""
        server = self._server
        target = self.answered + self._random.randrange(1, 40)
        clients = [
            Client(number, server, ledger, self._random.randrange(2**31)) for number, ledger in enumerate(self._ledgers)
        ]
        for client in clients:
            client.start()
        while self.answered < target and any(client.is_alive() for client in clients):
            clients[0].join(self._random.random() / 500)
        server.kill()
        for client in clients:
            client.join(30)
        failures = [client.failure for client in clients if client.failure]
        assert not failures, failures
        self._compare((server.data_dir / "routes.json").read_text())

    def _compare(self, text: str) -> None:
        assert parse(text).errors == ()
        found: list[dict[str, Json]] = [{} for _ in self._ledgers]
        for config in json.loads(text)["routes"]:
            number = (config["source"]["port"] - FIRST_PORT) // PORTS_PER_CLIENT
            found[number][config["id"]] = known(config)
        mistakes = [
            mistake for ledger, routes in zip(self._ledgers, found, strict=True) for mistake in ledger.mistakes(routes)
        ]
        assert not mistakes, "\n".join(mistakes)
        for ledger, routes in zip(self._ledgers, found, strict=True):
            ledger.settle(routes)

    def restarted(self) -> None:
        """Start the server again: it shows what is on disk."""
        items: list[Any] = self._server.start().api.get("/api/routes").json()["items"]
        assert {item["id"] for item in items} == {one for ledger in self._ledgers for one in ledger.promised}
