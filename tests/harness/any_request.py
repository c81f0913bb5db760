"""Requests of every kind that the OpenAPI document allows and forbids, asked of a real server by every role.

schemathesis makes the requests. What is looked for in every answer: a status of 500 and more, a status, a content type
or a body that the document does not promise, and a secret that whoever asks may not see.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis.checks import content_type_conformance, not_a_server_error, response_schema_conformance
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.harness.server import Json, Server, caller, listener, route, udp

Operation = APIOperation[Any, Any, Any, Any]
Case = schemathesis.Case[Any]

ROLES = ("viewer", "operator", "administrator")
EVERYBODY = (None, *ROLES)
"""Who asks: nobody, then every role."""

PASSPHRASE = "planted-passphrase-7"
PASSWORD = "planted-password-7"
SIGNATURE = "planted-signature-7"
PLANTED = (PASSPHRASE, PASSWORD, SIGNATURE)
SECRET_FIELD = re.compile(r"(?i)(passphrase|password|token|secret)$")
HEAD_BYTES = 60_000
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
IN_THE_CLEAR = {
    "GET /api/routes/{route_id}/secrets": "what it is for; the rules let operators ask only",
    "GET /api/routes/export": "with `secrets=true`, which the rules let operators ask only",
}
"""What shows passphrases to operators, and why."""
FEW = {
    "GET /api/doctor": "looks at the whole machine: up to a second",
    "POST /api/auth/login": "hashes a password each time, and slows down whoever fails",
    "POST /api/backups": "copies the database",
    "POST /api/backups/{name}/restore": "stops and starts routes",
    "POST /api/backups/{name}/verify": "reads a whole backup",
    "POST /api/cleanup": "walks through every process of the machine, until nothing new is found",
    "POST /api/routes/{route_id}/restart": "waits for the death of every process",
}
"""Asked ten times less often than the others, and why. Nothing is left out: no operation ends the server."""


def planted() -> list[Json]:
    """Routes that hold a secret at every end."""
    return [
        route(
            1,
            listener(4001, passphrase=PASSPHRASE),
            listener(4101, passphrase=PASSPHRASE),
            udp(5001),
            tags=["news"],
        ),
        route(2, caller(4002, passphrase=PASSPHRASE), caller(4102, passphrase=PASSPHRASE), autoStart=False),
        route(
            3,
            udp(5003),
            listener(4103, passphrase=PASSPHRASE),
            transcode={"video": "copy", "audio": {"codec": "mp2", "bitrateKbps": 256}},
            autoStart=False,
        ),
    ]


def _body(number: int) -> Json:
    """A planted route as it is sent to be made."""
    return {key: value for key, value in planted()[number].items() if key not in ("id", "autoStart")}


RECEIVER: Json = {"type": "webhook", "name": "Pager", "url": "https://127.0.0.1:9/hook", "secret": SIGNATURE}
RULE: Json = {"name": "Off air", "condition": {"kind": "routeFailed"}, "receivers": []}
PRESET: Json = {"name": "House", "transcode": {"video": "copy", "audio": {"codec": "aac", "bitrateKbps": 128}}}
GOOD: dict[str, object] = {
    "POST /api/routes": {**_body(1), "source": caller(4009, passphrase=PASSPHRASE)},
    "PUT /api/routes/{route_id}": _body(1),
    "PATCH /api/routes/{route_id}": {"name": "Another", "source": {"latency": 300}, "transcode": None},
    "POST /api/routes/import": {"version": 1, "routes": planted()},
    "POST /api/routes/salvo": {
        "steps": [
            {"action": "stop", "routeId": "route_1"},
            {"action": "patch", "routeId": "route_2", "patch": {"name": "Two"}},
        ]
    },
    "POST /api/routes/{route_id}/duplicate": {"name": "Copy"},
    "POST /api/routes/{route_id}/destinations": caller(4200, passphrase=PASSPHRASE),
    "PUT /api/routes/{route_id}/destinations/{key}": udp(5200),
    "PATCH /api/routes/{route_id}/destinations/{key}": {"enabled": False},
    "POST /api/alarms/receivers": RECEIVER,
    "PUT /api/alarms/receivers/{receiver_id}": RECEIVER,
    "PATCH /api/alarms/receivers/{receiver_id}": {"name": "Other pager", "secret": SIGNATURE},
    "POST /api/alarms/rules": RULE,
    "PUT /api/alarms/rules/{rule_id}": RULE,
    "POST /api/presets": PRESET,
    "PUT /api/presets/{preset_id}": PRESET,
    "POST /api/users": {"name": "another", "role": "viewer", "password": PASSWORD},
}
"""Bodies that are good. schemathesis knows the document only, and most of what it sends is refused early: in half of
the requests one of its fields stands in a good body."""


class House:
    """A server with routes, users, receivers and backups, and a sign-in for each role."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.base_url = str(server.api.base_url).rstrip("/")
        self.document: Json = self._api("GET", "/openapi.json").json()
        self._session = requests.Session()
        self._session.trust_env = False
        self.tokens: dict[str, str] = {}
        self.asked: Counter[tuple[str, str | None, int]] = Counter()
        self.wrong: dict[tuple[str, ...], str] = {}
        self.ready()

    # What is there

    def ready(self) -> None:
        """Put back what requests have taken away."""
        self._api("POST", "/api/routes/import?mode=replace", {"version": 1, "routes": planted()})
        for role in ROLES:
            if role not in self.tokens or self._ask(role, "/api/auth/me").status_code == 401:
                name = f"a {role} {len(self.asked)} {sum(self.asked.values())}"
                self.tokens[role] = self._api("POST", "/api/tokens", {"name": name, "role": role}).json()["token"]
        self._api("POST", "/api/users", {"name": "somebody", "role": "viewer", "password": PASSWORD}, taken=True)
        for path, body in (("/api/alarms/receivers", RECEIVER), ("/api/alarms/rules", RULE), ("/api/backups", None)):
            if not self._items(path):
                self._api("POST", path, body)

    def sign_in(self) -> None:
        """A session that requests may end."""
        self.server.api.delete("/api/users/somebody")  # whoever it is by now
        self.ready()
        self._api("POST", "/api/auth/login", {"username": "somebody", "password": PASSWORD})

    def secrets(self) -> list[str]:
        """What must be in no answer."""
        local = self.server.signed_in()["Authorization"].removeprefix("Bearer ")
        return [*PLANTED, local, *self.tokens.values()]

    def known(self) -> dict[str, list[str]]:
        """What stands in the place of a path's parameters where something is to be found."""
        sessions = self._api("GET", "/api/auth/sessions").json()["items"]
        return {
            "route_id": [one["id"] for one in self._items("/api/routes")] or ["route_1"],
            "key": ["0", "1", "7"],
            "name": [
                *(one["name"] for one in self._items("/api/users") if one["name"] != "admin"),
                *(one["name"] for one in self._items("/api/backups")[:3]),
                "x",
            ],
            "rule_id": [*(one["id"] for one in self._items("/api/alarms/rules")), "x"],
            "receiver_id": [*(one["id"] for one in self._items("/api/alarms/receivers")), "x"],
            "preset_id": [one["id"] for one in self._items("/api/presets")[-3:]],
            "alarm_id": [*(one["id"] for one in self._items("/api/alarms")), "x"],
            "session_id": [*(one["id"] for one in sessions), "x"],
            "token_id": ["0" * 16],
        }

    def _items(self, path: str) -> list[Json]:
        found: list[Json] = self._api("GET", path).json()["items"]
        return found

    def _api(self, method: str, path: str, body: object = None, *, taken: bool = False) -> httpx.Response:
        answer = self.server.api.request(method, path, json=body)
        assert answer.is_success or (taken and answer.status_code == 409), f"{method} {path}: {answer.text}"
        return answer

    def _ask(self, role: str, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return self._session.get(self.base_url + path, headers=headers, timeout=30)

    # Asking

    def operations(self) -> Iterator[Operation]:
        """Every operation of the document."""
        for found in schemathesis.openapi.from_dict(self.document).get_all_operations():
            assert isinstance(found, Ok), found
            yield found.ok()

    def ask(self, case: Case) -> None:
        """One request, by nobody and by every role."""
        for role in EVERYBODY:
            headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
            answer = case.call(base_url=self.base_url, session=self._session, headers=headers, timeout=30)
            self.asked[case.operation.label, role, answer.status_code] += 1
            self._judge(case, role, answer)

    def _judge(self, case: Case, role: str | None, answer: Any) -> None:
        label = case.operation.label
        if answer.status_code in (400, 431) and len(answer.request.url) > HEAD_BYTES:
            return  # too long for the server to read at all
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for error in group.exceptions:
                key = (label, type(error).__name__, str(answer.status_code))
                words = f"{error.message[:600]}\nasked by {role}: {case.as_curl_command()[:2000]}\n{answer.text[:600]}"
                self.wrong.setdefault(key, words)
        hidden = set(self.secrets())
        if label in IN_THE_CLEAR and role in ("operator", "administrator"):
            hidden.discard(PASSPHRASE)
        for secret in hidden:
            if secret.encode() in answer.content:
                key = (label, f"shows the secret {secret[:12]}…", str(answer.status_code))
                self.wrong.setdefault(key, f"asked by {role}: {case.as_curl_command()[:2000]}\n{answer.text[:600]}")


def run(house: House, examples: int, seed: int | None = None) -> None:
    """Ask everything: so many good and so many bad cases for each operation. The same each time, but for a seed."""
    for operation in house.operations():
        if "{session_id}" in operation.path:
            house.sign_in()
        house.ready()
        known = house.known()
        count = max(1, examples // (10 if operation.label in FEW else 1))
        for mode in GenerationMode:
            with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # no parameters: nothing can be wrong with them
                _ask_cases(house, cases(operation, mode, known), count, seed)


def _ask_cases(house: House, strategy: st.SearchStrategy[Case], count: int, seed: int | None) -> None:
    @hypothesis.settings(
        max_examples=count,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def ask(case: Case) -> None:
        house.ask(case)

    asking = ask if seed is None else hypothesis.seed(seed)(ask)
    asking()


@st.composite
def cases(draw: st.DrawFn, operation: Operation, mode: GenerationMode, known: dict[str, list[str]]) -> Case:
    """A request of schemathesis, brought nearer to what is there: most of all would be refused at the first look."""
    case = draw(operation.as_strategy(generation_mode=mode))
    for name in case.path_parameters:
        if name in known and draw(st.integers(0, 3)):
            case.path_parameters[name] = draw(st.sampled_from(known[name]))
    if "If-Match" in case.headers and draw(st.booleans()):
        del case.headers["If-Match"]
    good = GOOD.get(operation.label)
    if isinstance(good, dict) and isinstance(case.body, dict) and draw(st.booleans()):
        field = draw(st.sampled_from(sorted({*case.body, *good})))
        case.body = {**good, **{key: value for key, value in case.body.items() if key == field}}
    case.body = _planted(case.body)
    return case


def _planted(body: Any) -> Any:
    """The body with a known secret wherever one may stand."""
    if isinstance(body, dict):
        return {
            key: PASSPHRASE if isinstance(value, str) and SECRET_FIELD.search(key) else _planted(value)
            for key, value in body.items()
        }
    return [_planted(one) for one in body] if isinstance(body, list) else body
