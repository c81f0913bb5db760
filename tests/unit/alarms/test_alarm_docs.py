"""docs/alarms.md against the code."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from srt_router.alarms import courier, message, model, service, setup, transport
from srt_router.alarms.model import AlarmKind, Condition, EmailInput, RuleInput, Severity, WebhookInput
from srt_router.alarms.records import Alarm, ClearedBecause, MessageType

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "alarms.md").read_text()
CONDITIONS: tuple[type[BaseModel], ...] = typing.get_args(typing.get_args(Condition)[0])


def rows() -> dict[str, str]:
    return {name: row for row, name in re.findall(r"^(\| `([^`]+)` \|.*)$", PAGE, re.MULTILINE)}


def examples() -> list[dict[str, typing.Any]]:
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def names(shape: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in shape.model_fields.items()}


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.__name__)
def test_every_condition_has_its_row(condition: type[BaseModel]) -> None:
    (kind,) = typing.get_args(condition.model_fields["kind"].annotation)
    for threshold in names(condition) - {"kind"}:
        assert f"| `{kind}` | `{threshold}` |" in PAGE
    assert kind in rows()


def test_there_are_conditions() -> None:
    assert len(CONDITIONS) == len(AlarmKind)


def test_a_rule_is_as_documented() -> None:
    rule = examples()[0]
    assert set(rule) == names(RuleInput)
    assert RuleInput.model_validate(rule).model_dump(mode="json", by_alias=True) == rule
    assert names(RuleInput) <= set(rows())


def test_receivers_are_as_documented() -> None:
    hook, mail = (one for one in examples() if one.get("type") in ("webhook", "email"))
    assert set(WebhookInput.model_validate(hook).model_dump(by_alias=True)) - {"enabled"} == set(hook)
    assert set(EmailInput.model_validate(mail).model_dump(by_alias=True)) - {"enabled"} == set(mail)


def test_a_body_is_as_documented() -> None:
    (body,) = (one for one in examples() if one.get("type") == MessageType.RAISED)
    known = {name: body["alarm"][field] for name, field in (
        ("id", "id"), ("rule_id", "ruleId"), ("rule", "rule"), ("route_id", "routeId"), ("route_name", "routeName"),
        ("message", "message"), ("raised_at", "raisedAt"),
    )}  # fmt: skip
    alarm = Alarm(kind=AlarmKind(body["alarm"]["kind"]), severity=Severity(body["alarm"]["severity"]), **known)
    assert message.body(body["id"], MessageType.RAISED, body["at"], alarm) == {**body, "server": message.host_name()}


@pytest.mark.parametrize(
    "words",
    [
        *(f"`{one}`" for one in (*ClearedBecause, *MessageType, *Severity, transport.SIGNATURE)),
        f"after {courier.FIRST_PAUSE_S:.0f} s, then in growing",
        f"{courier.LONGEST_PAUSE_S / 60:.0f} minutes, for {courier.KEPT_MS // 3_600_000} hours",
        f"At most {courier.QUEUE:,} wait",
        f"within {transport.TIMEOUT_S:.0f} s counts",
        f"| rules | {setup.MAX_RULES} |",
        f"| receivers | {setup.MAX_RECEIVERS} |",
        f"| active alarms | {service.MOST_ACTIVE:,}:",
        f"| past alarms | {service.PAST_KEPT:,} |",
        f"`{model.MASK}`",
    ],
)
def test_limits_and_words_are_those_of_the_code(words: str) -> None:
    assert words in PAGE
