"""Rules and receivers as the API takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from srt_router.alarms.errors import ReceiverInUse, ReceiverNotFound, TooMany
from srt_router.alarms.model import MASK, AnyReceiverInput, Rule, RuleInput, Webhook, default_rules
from srt_router.alarms.setup import MAX_RECEIVERS, MAX_RULES, Ids, Setup

RECEIVER: TypeAdapter[AnyReceiverInput] = TypeAdapter(AnyReceiverInput)
HOOK = {"type": "webhook", "name": "NOC", "url": "https://noc.example.org/hook/T0KEN"}
MAIL = {"type": "email", "name": "NOC", "to": ["noc@example.org"]}
RULE = {"name": "R", "condition": {"kind": "routeFailed"}}


def receiver(**more: object) -> AnyReceiverInput:
    return RECEIVER.validate_python({**HOOK, **more})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"condition": {"kind": "routeExploded"}}, "condition"),
        ({"condition": {"kind": "bitrateBelow"}}, "mbps"),
        ({"condition": {"kind": "bitrateBelow", "mbps": 0}}, "mbps"),
        ({"condition": {"kind": "bitrateBelow", "mbps": float("nan")}}, "mbps"),
        ({"condition": {"kind": "lossAbove", "percent": 100}}, "percent"),
        ({"condition": {"kind": "routeFailed", "seconds": 1}}, "seconds"),
        ({"holdOff": -1}, "holdOff"),
        ({"recoverAfter": float("inf")}, "recoverAfter"),
        ({"severity": "terrible"}, "severity"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_rule_names_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RuleInput.model_validate({**RULE, **change})
    assert any(field in map(str, error["loc"]) for error in caught.value.errors())


@pytest.mark.parametrize(
    "url",
    ["", "noc.example.org", "ftp://noc/x", "file:///etc/passwd", "https://", "https://user:pass@noc/", "http://a b/",
     "http://noc:99999/", "https://[::1", "http://noc/\n"],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValidationError):
        receiver(url=url)


@pytest.mark.parametrize(
    "address", ["", "noc", "noc@", "@example.org", "a@b@c", "a b@example.org", "a@b\nBcc: c@d", "<a@b>", "a,b@c", "ä@b"]
)
def test_bad_addresses(address: str) -> None:
    with pytest.raises(ValidationError):
        RECEIVER.validate_python({**MAIL, "to": [address]})


@given(st.text(max_size=40))
def test_no_address_smuggles_a_header(text: str) -> None:
    try:
        taken = RECEIVER.validate_python({**MAIL, "to": [text]})
    except ValidationError:
        return
    assert taken.type == "email"
    assert all(char.isprintable() and char not in " ,;<>\r\n" for char in taken.to[0])


def test_secrets_are_not_shown() -> None:
    setup = Setup()
    made = setup.new_receiver(receiver(secret="hush-hush-hush"), "receiver_1")
    assert "hush" not in made.model_dump_json() + repr(made) + str(made)
    assert isinstance(made, Webhook)
    assert made.where == "https://noc.example.org"
    assert made.secrets() == {"hush-hush-hush", "/hook/T0KEN"}


@pytest.mark.parametrize(
    ("sent", "kept"), [({}, "first-secret"), ({"secret": MASK}, "first-secret"), ({"secret": None}, None)]
)
def test_a_mask_keeps_the_secret_and_null_takes_it_away(sent: dict[str, object], kept: str | None) -> None:
    setup = Setup()
    setup.receivers["receiver_1"] = setup.new_receiver(receiver(secret="first-secret"), "receiver_1")
    after = setup.new_receiver(receiver(url="https://other/", **sent), "receiver_1")
    assert isinstance(after, Webhook)
    assert (after.secret.get_secret_value() if after.secret else None) == kept
    patched = setup.new_receiver(setup.patched_receiver("receiver_1", {"name": "New", **sent}), "receiver_1")
    assert isinstance(patched, Webhook)
    assert (patched.secret.get_secret_value() if patched.secret else None) == kept


def test_rules_name_receivers_that_exist() -> None:
    setup = Setup()
    with pytest.raises(ReceiverNotFound):
        setup.new_rule(RuleInput.model_validate({**RULE, "receivers": ["receiver_1"]}), "rule_9")
    setup.receivers["receiver_1"] = setup.new_receiver(receiver(), "receiver_1")
    setup.rules["rule_9"] = setup.new_rule(RuleInput.model_validate({**RULE, "receivers": ["receiver_1"]}), "rule_9")
    with pytest.raises(ReceiverInUse, match="'NOC' is named by 'R'"):
        setup.removable("receiver_1")
    assert setup.patched_rule("rule_9", {"holdOff": 5}).receivers == ("receiver_1",)


def test_there_is_an_end_to_them() -> None:
    setup = Setup()
    given_rule = RuleInput.model_validate(RULE)
    for number in range(MAX_RULES):
        setup.rules[f"rule_{number}"] = setup.new_rule(given_rule, f"rule_{number}")
    with pytest.raises(TooMany):
        setup.new_rule(given_rule, "rule_more")
    setup.new_rule(given_rule, "rule_1")
    for number in range(MAX_RECEIVERS):
        setup.receivers[f"receiver_{number}"] = setup.new_receiver(receiver(), f"receiver_{number}")
    with pytest.raises(TooMany):
        setup.new_receiver(receiver(), "receiver_more")


def test_ids_grow_also_after_the_clock_was_set_back() -> None:
    ids = Ids()
    ids.seen("alarm_9999999999999")
    ids.seen("rule_x")
    first, second = ids.new("alarm"), ids.new("rule")
    assert (first, second) == ("alarm_10000000000000", "rule_10000000000001")


def test_what_an_installation_begins_with() -> None:
    rules = default_rules()
    assert [rule.condition.kind for rule in rules] == ["routeFailed", "crashLooping", "orphanFound"]
    assert all(rule.enabled and not rule.receivers for rule in rules)
    assert [Rule.model_validate_json(rule.model_dump_json(by_alias=True)) for rule in rules] == rules
