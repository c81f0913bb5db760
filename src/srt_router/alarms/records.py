"""What happened: alarms, and the messages about them, as they are kept and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.alarms.model import AlarmKind, Severity

Json = dict[str, Any]
_CAMEL = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class ClearedBecause(StrEnum):
    """Why an alarm has ended."""

    RECOVERED = "recovered"
    """Its condition is gone."""
    RULE_REMOVED = "ruleRemoved"
    RULE_DISABLED = "ruleDisabled"
    RULE_CHANGED = "ruleChanged"
    """The rule looks at something else now, or no more at this route."""
    ROUTE_REMOVED = "routeRemoved"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, active or past."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    id: str
    rule_id: str
    rule: str
    """Name of the rule, as it was when the alarm was raised; so are all others here."""
    kind: AlarmKind
    severity: Severity
    route_id: str | None
    """None: not of one route."""
    route_name: str | None
    message: str
    """What was seen, in a sentence."""
    raised_at: int
    """Milliseconds since the epoch."""
    cleared_at: int | None = None
    """None: it is active."""
    cleared_because: ClearedBecause | None = None
    cleared_message: str | None = None
    """What was seen at the end."""
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    receivers: tuple[str, ...] = ()
    """Ids of the receivers that were told, and are told of the end."""
    notify_recovery: bool = True


class MessageType(StrEnum):
    """What a message is about."""

    RAISED = "alarmRaised"
    CLEARED = "alarmCleared"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one receiver."""

    id: str
    """Stays the same when it is sent again, so that a receiver can tell."""
    receiver_id: str
    created_at: int
    """Milliseconds since the epoch."""
    body: Json = field(hash=False)
    """As a webhook gets it."""


@dataclass(slots=True)
class ReceiverState:
    """How a receiver fares, since the start of the server."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    waiting: int = 0
    """Messages that are not delivered yet."""
    last_success_at: int | None = None
    """Milliseconds since the epoch."""
    last_error: str | None = None
    """Why the last try failed; None: it did not."""
    last_error_at: int | None = None
    next_try_at: int | None = None
    """None: nothing waits for another try."""
    lost: int = 0
    """Messages that were given up: too old, or too many."""
