"""The rules and receivers of one server: what may be changed, and into what."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

from pydantic import TypeAdapter

from srt_router.alarms.errors import ReceiverInUse, ReceiverNotFound, RuleNotFound, TooMany
from srt_router.alarms.model import (
    MASK,
    AnyReceiverInput,
    Receiver,
    Rule,
    RuleInput,
    Webhook,
    WebhookInput,
)
from srt_router.alarms.records import Json

T = TypeVar("T")

MAX_RULES = 100
MAX_RECEIVERS = 50

_RECEIVER: TypeAdapter[Receiver] = TypeAdapter(Receiver)
_RECEIVER_INPUT: TypeAdapter[AnyReceiverInput] = TypeAdapter(AnyReceiverInput)


class Ids:
    """New ids: a prefix and milliseconds since the epoch, one more where that is taken."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, prefix: str) -> str:
        """An id that none was before."""
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        return f"{prefix}_{self._last}"

    def seen(self, id_: str) -> None:
        """This one is taken; so is every smaller one, also after the clock was set back."""
        number = id_.rpartition("_")[2]
        if number.isdecimal() and len(number) < 17:
            self._last = max(self._last, int(number))


class Setup:
    """What is configured. Changes are made by whoever has written them."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.receivers: dict[str, Receiver] = {}

    def rule(self, rule_id: str) -> Rule:
        """One rule. Raises RuleNotFound."""
        found = self.rules.get(rule_id)
        if found is None:
            raise RuleNotFound(f"there is no alarm rule {rule_id}")
        return found

    def receiver(self, receiver_id: str) -> Receiver:
        """One receiver. Raises ReceiverNotFound."""
        found = self.receivers.get(receiver_id)
        if found is None:
            raise ReceiverNotFound(f"there is no alarm receiver {receiver_id}")
        return found

    def new_rule(self, given: RuleInput, id_: str) -> Rule:
        """A rule of its own. Raises ReceiverNotFound, TooMany."""
        if id_ not in self.rules and len(self.rules) >= MAX_RULES:
            raise TooMany(f"there are {MAX_RULES} alarm rules already: remove one first")
        for receiver_id in given.receivers:
            self.receiver(receiver_id)
        return Rule(id=id_, **_fields(given))

    def patched_rule(self, rule_id: str, patch: Json) -> RuleInput:
        """What a rule becomes by these fields; the others stay. Raises RuleNotFound, pydantic.ValidationError."""
        stored = _document(self.rule(rule_id))
        return RuleInput.model_validate({**stored, **patch})

    def new_receiver(self, given: AnyReceiverInput, id_: str) -> Receiver:
        """A receiver of its own; a secret that is sent as its mask, or not sent, stays. Raises TooMany."""
        if id_ not in self.receivers and len(self.receivers) >= MAX_RECEIVERS:
            raise TooMany(f"there are {MAX_RECEIVERS} alarm receivers already: remove one first")
        fields = _fields(given)
        if isinstance(given, WebhookInput):
            sent = given.secret.get_secret_value() if given.secret else None
            if sent == MASK or "secret" not in given.model_fields_set:
                stored = self.receivers.get(id_)
                fields["secret"] = stored.secret if isinstance(stored, Webhook) else None
        return _RECEIVER.validate_python({"id": id_, **fields})

    def patched_receiver(self, receiver_id: str, patch: Json) -> AnyReceiverInput:
        """What a receiver becomes by these fields. Raises ReceiverNotFound, pydantic.ValidationError."""
        stored = _document(self.receiver(receiver_id))
        return _RECEIVER_INPUT.validate_python({**stored, **patch})

    def removable(self, receiver_id: str) -> Receiver:
        """A receiver that no rule names. Raises ReceiverNotFound, ReceiverInUse."""
        found = self.receiver(receiver_id)
        if using := [rule.name for rule in self.rules.values() if receiver_id in rule.receivers]:
            raise ReceiverInUse(found.name, using)
        return found


def _fields(given: RuleInput | AnyReceiverInput) -> dict[str, object]:
    return {name: getattr(given, name) for name in type(given).model_fields}


def _document(stored: Rule | Receiver) -> Json:
    """As the API shows it, secrets masked, without the id."""
    document: Json = stored.model_dump(mode="json", by_alias=True)
    del document["id"]
    return document


def in_order(found: Mapping[str, T]) -> list[T]:
    """As they were made."""
    return [found[id_] for id_ in sorted(found, key=lambda id_: (len(id_), id_))]
