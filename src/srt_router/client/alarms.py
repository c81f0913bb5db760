"""Alarms, the rules that raise them, and who is told."""

from __future__ import annotations

from builtins import list as List  # noqa: N812 - `list` is what the methods are called
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from srt_router.client import answers
from srt_router.client.connection import Connection

Body = Mapping[str, object]
Receiver = answers.WebhookView | answers.EmailView

_RULES = "/api/alarms/rules"
_RECEIVERS = "/api/alarms/receivers"


class Alarms:
    """`/api/alarms`. Every method raises ApiProblem and NoAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.rules = Rules(connection)
        self.receivers = Receivers(connection)

    def list(self, *, state: Literal["active", "past"] = "active", limit: int | None = None) -> List[answers.Alarm]:
        """Alarms, newest first."""
        found: answers.AlarmList = self._connection.get("/api/alarms", {"state": state, "limit": limit})
        return found["items"]

    def acknowledge(self, alarm_id: str) -> answers.Alarm:
        """Say that somebody has seen it; it stays until its condition is gone."""
        path = f"/api/alarms/{quote(alarm_id, safe='')}/acknowledge"
        done: answers.Alarm = self._connection.change("POST", path)
        return done


class Rules:
    """`/api/alarms/rules`: what raises an alarm."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[answers.Rule]:
        """Every rule."""
        found: answers.RuleList = self._connection.get(_RULES)
        return found["items"]

    def get(self, rule_id: str) -> answers.Rule:
        """One rule."""
        found: answers.Rule = self._connection.get(_path(_RULES, rule_id))
        return found

    def create(self, rule: Body) -> answers.Rule:
        """Make one."""
        done: answers.Rule = self._connection.change("POST", _RULES, rule)
        return done

    def replace(self, rule_id: str, rule: Body) -> answers.Rule:
        """Put another in its place."""
        done: answers.Rule = self._connection.change("PUT", _path(_RULES, rule_id), rule)
        return done

    def patch(self, rule_id: str, patch: Body) -> answers.Rule:
        """Change what is named."""
        done: answers.Rule = self._connection.change("PATCH", _path(_RULES, rule_id), patch)
        return done

    def delete(self, rule_id: str) -> None:
        """Remove it; its alarms end."""
        self._connection.change("DELETE", _path(_RULES, rule_id))


class Receivers:
    """`/api/alarms/receivers`: webhooks and e-mail, for administrators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[Receiver]:
        """Every receiver, and how it fares."""
        found: answers.ReceiverList = self._connection.get(_RECEIVERS)
        return found["items"]

    def get(self, receiver_id: str) -> Receiver:
        """One receiver."""
        found: Receiver = self._connection.get(_path(_RECEIVERS, receiver_id))
        return found

    def create(self, receiver: Body) -> Receiver:
        """Make one."""
        done: Receiver = self._connection.change("POST", _RECEIVERS, receiver)
        return done

    def replace(self, receiver_id: str, receiver: Body) -> Receiver:
        """Put another in its place."""
        done: Receiver = self._connection.change("PUT", _path(_RECEIVERS, receiver_id), receiver)
        return done

    def patch(self, receiver_id: str, patch: Body) -> Receiver:
        """Change what is named."""
        done: Receiver = self._connection.change("PATCH", _path(_RECEIVERS, receiver_id), patch)
        return done

    def delete(self, receiver_id: str) -> None:
        """Remove it."""
        self._connection.change("DELETE", _path(_RECEIVERS, receiver_id))

    def test(self, receiver_id: str) -> answers.TestOutcome:
        """Send a message now, and say how that went."""
        done: answers.TestOutcome = self._connection.change("POST", f"{_path(_RECEIVERS, receiver_id)}/test")
        return done


def _path(folder: str, one: str) -> str:
    return f"{folder}/{quote(one, safe='')}"
