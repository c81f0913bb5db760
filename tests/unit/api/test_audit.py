"""Who did what: what is told of the old and the new value, and what never is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from starlette.requests import Request

from srt_router.accounts.records import Kind
from srt_router.accounts.roles import Role
from srt_router.api.access import Caller
from srt_router.api.audit import audit, difference
from srt_router.redaction import HIDDEN, redact_data
from srt_router.supervision.events import OperatorAction


class Model(BaseModel):
    must_change: bool = Field(False, alias="mustChange")
    passphrase: SecretStr | None = None


@dataclass
class Record:
    two_words: int
    same: str = "same"


def told(caller: Caller | None, **more: Any) -> OperatorAction:
    """The event that `audit` emits."""
    app = Mock()
    request = Request({"type": "http", "app": app, "headers": [], "state": {"caller": caller}})
    audit(request, "thing.do", **more)
    assert request.state.audited
    (event,) = app.state.manager.events.emit.call_args.args
    assert isinstance(event, OperatorAction)
    return event


def test_who_and_from_where() -> None:
    alice = told(Caller("alice", Role.OPERATOR, "192.0.2.1", Kind.SESSION), route_id="route_1")
    assert (alice.actor, alice.role, alice.address, alice.route) == ("alice", "operator", "192.0.2.1", "route_1")
    assert alice.message == "alice (192.0.2.1): thing.do route_1"
    assert told(Caller("deploy", Role.VIEWER, None, Kind.TOKEN)).actor == "token:deploy"
    assert told(Caller("local", Role.ADMINISTRATOR, "127.0.0.1", Kind.LOCAL)).actor == "local"
    assert told(None).actor == "nobody"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        ({"a": 1}, {"b": 1}, ({"a": 1}, {"b": 1})),
        (None, {"a": 1}, (None, {"a": 1})),
        ({"a": 1}, None, ({"a": 1}, None)),
        (Record(1), Record(2), ({"twoWords": 1}, {"twoWords": 2})),
        ([1, 2], [1], ([1, 2], [1])),
        (Model(mustChange=True), Model(), ({"mustChange": True}, {"mustChange": False})),
    ],
)
def test_only_what_differs_is_told(before: object, after: object, expected: tuple[object, object]) -> None:
    assert difference(before, after) == expected


def test_that_a_secret_changed_is_told_and_the_secret_is_not() -> None:
    old, new = Model(passphrase=SecretStr("first-secret-1")), Model(passphrase=SecretStr("second-secret-2"))
    event = told(None, before=old, after=new)
    assert (event.before, event.after) == ({"passphrase": HIDDEN}, {"passphrase": HIDDEN})
    event = told(None, before=Model(), after=new)
    assert (event.before, event.after) == ({"passphrase": None}, {"passphrase": HIDDEN})


names = st.sampled_from(["passphrase", "password", "newPassword", "token", "apiToken", "secret", "passwordHash"])
secrets = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=20)


@given(names, secrets, st.lists(st.sampled_from(["list", "dict", "tuple"]), max_size=5))
def test_no_secret_gets_through_however_deep(name: str, secret: str, nesting: list[str]) -> None:
    value: object = {name: secret, "url": f"srt://h:1?passphrase={secret}&mode=caller", "count": 3}
    for kind in nesting:
        value = {"list": [value], "dict": {"inner": value}, "tuple": (value,)}[kind]
    shown = json.dumps(redact_data(value))
    assert secret not in shown
    assert '"count": 3' in shown


def test_what_is_no_secret_stays() -> None:
    data = {"mustChangePassword": True, "token": None, "tokens": 3, "roles": ["viewer"], "x": 1.5}
    assert redact_data(data) == data
