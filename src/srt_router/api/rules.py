"""Who may do what: the one table. A path that has no line here is served to nobody.

A new path gets one line: `"METHOD /api/path/{parameter}": viewer()`, `operator("what.isDone")` or
`administrator("what.isDone")`. What is done names the action in the history of events, unless the path itself
calls `audit` with more. `body=` allows more than 1 MiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from srt_router.accounts.roles import Role

MIB = 1024 * 1024
BODY_BYTES = MIB
IMPORT_BYTES = 16 * MIB
SIGN_IN_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """What one path asks for."""

    least: Role | None
    """The least role; None: open to everybody."""
    action: str | None = None
    """What is done there, for the history; None: only looked, or the path says it itself."""
    body: int = BODY_BYTES
    """The longest body, in bytes."""
    on_this_machine: bool = False
    """Also open to whoever is on this machine."""
    secrets: Role | None = None
    """The least role where the query asks for `secrets`; None: no such query."""
    unchanged_password: bool = False
    """Also for a user who must change the password first."""


def viewer(action: str | None = None) -> Rule:
    """For everybody who is signed in."""
    return Rule(Role.VIEWER, action)


def operator(action: str | None = None, *, body: int = BODY_BYTES) -> Rule:
    """For operators and administrators."""
    return Rule(Role.OPERATOR, action, body)


def administrator(action: str | None = None, *, body: int = BODY_BYTES) -> Rule:
    """For administrators."""
    return Rule(Role.ADMINISTRATOR, action, body)


OPEN = Rule(None)
OWN = Rule(Role.VIEWER, unchanged_password=True)
"""What is one's own: sessions, password."""

RULES: dict[str, Rule] = {
    # pages
    "GET /": OPEN,  # the console: the page holds nothing, what it shows it asks for
    "GET /account": OPEN,
    "GET /alarms": OPEN,
    "GET /events": OPEN,
    "GET /processes": OPEN,
    "GET /routes/{page:path}": OPEN,
    "GET /system": OPEN,
    "GET /system/{page}": OPEN,
    "GET /assets/{file}": OPEN,
    "GET /sign-in": OPEN,
    "GET /pages/{file}": OPEN,
    "GET /docs": viewer(),
    "GET /openapi.json": viewer(),
    "GET /metrics": Rule(Role.VIEWER, on_this_machine=True),
    # everybody
    "GET /api/health": OPEN,
    "POST /api/auth/login": Rule(None, body=SIGN_IN_BYTES),  # strangers get no more of our memory than they need
    # one's own account
    "POST /api/auth/logout": OWN,
    "GET /api/auth/me": OWN,
    "POST /api/auth/password": OWN,
    "GET /api/auth/sessions": OWN,
    "DELETE /api/auth/sessions": OWN,
    "DELETE /api/auth/sessions/{session_id}": OWN,
    "GET /api/tokens": viewer(),
    "POST /api/tokens": viewer(),
    "DELETE /api/tokens/{token_id}": viewer(),
    # users
    "GET /api/users": administrator(),
    "POST /api/users": administrator(),
    "GET /api/users/{name}": administrator(),
    "PATCH /api/users/{name}": administrator(),
    "DELETE /api/users/{name}": administrator(),
    # routes
    "GET /api/routes": viewer(),
    "POST /api/routes": operator("route.create"),
    "GET /api/tags": viewer(),
    "GET /api/thumbnails": viewer(),
    "POST /api/routes/salvo": operator("route.salvo", body=IMPORT_BYTES),
    "GET /api/routes/export": Rule(Role.VIEWER, secrets=Role.OPERATOR),
    "POST /api/routes/import": operator("route.import", body=IMPORT_BYTES),
    "GET /api/routes/{route_id}": viewer(),
    "PUT /api/routes/{route_id}": operator("route.edit"),
    "PATCH /api/routes/{route_id}": operator("route.edit"),
    "DELETE /api/routes/{route_id}": operator("route.delete"),
    "POST /api/routes/{route_id}/duplicate": operator("route.create"),
    "GET /api/routes/{route_id}/secrets": operator("route.secrets"),
    "GET /api/routes/{route_id}/destinations": viewer(),
    "POST /api/routes/{route_id}/destinations": operator("destination.add"),
    "GET /api/routes/{route_id}/destinations/{key}": viewer(),
    "PUT /api/routes/{route_id}/destinations/{key}": operator("destination.edit"),
    "PATCH /api/routes/{route_id}/destinations/{key}": operator("destination.edit"),
    "DELETE /api/routes/{route_id}/destinations/{key}": operator("destination.delete"),
    "POST /api/routes/{route_id}/destinations/{key}/start": operator("destination.start"),
    "POST /api/routes/{route_id}/destinations/{key}/stop": operator("destination.stop"),
    "GET /api/routes/{route_id}/stats": viewer(),
    "GET /api/routes/{route_id}/stream": viewer(),
    "GET /api/routes/{route_id}/thumbnail": viewer(),
    "POST /api/routes/{route_id}/stats/reset": operator("statistics.reset"),
    "GET /api/routes/{route_id}/history": viewer(),
    "POST /api/routes/{route_id}/start": operator("route.start"),
    "POST /api/routes/{route_id}/stop": operator("route.stop"),
    "POST /api/routes/{route_id}/restart": operator("route.restart"),
    "POST /api/routes/{route_id}/apply": operator("route.apply"),
    # presets
    "GET /api/presets": viewer(),
    "POST /api/presets": operator("preset.add"),
    "PUT /api/presets/{preset_id}": operator("preset.change"),
    "DELETE /api/presets/{preset_id}": operator("preset.remove"),
    # the machine
    "GET /api/interfaces": viewer(),
    "GET /api/ports/free": viewer(),
    "GET /api/engine": viewer(),
    "GET /api/settings": operator(),
    "GET /api/log-level": operator(),
    "PUT /api/log-level": administrator("log.level"),
    "GET /api/doctor": operator(),
    # processes and events
    "GET /api/processes": viewer(),
    "GET /api/orphans": viewer(),
    "POST /api/cleanup": operator("cleanup"),
    "GET /api/events": viewer(),
    "WEBSOCKET /api/live": viewer(),
    # backups: they hold every secret
    "GET /api/backups": administrator(),
    "POST /api/backups": administrator("backup.create"),
    "GET /api/backups/{name}": administrator(),
    "DELETE /api/backups/{name}": administrator("backup.remove"),
    "POST /api/backups/{name}/verify": administrator("backup.verify"),
    "POST /api/backups/{name}/restore": administrator("backup.restore"),
    # alarms
    "GET /api/alarms": viewer(),
    "POST /api/alarms/{alarm_id}/acknowledge": operator(),
    "GET /api/alarms/rules": viewer(),
    "POST /api/alarms/rules": administrator(),
    "GET /api/alarms/rules/{rule_id}": viewer(),
    "PUT /api/alarms/rules/{rule_id}": administrator(),
    "PATCH /api/alarms/rules/{rule_id}": administrator(),
    "DELETE /api/alarms/rules/{rule_id}": administrator(),
    "GET /api/alarms/receivers": administrator(),
    "POST /api/alarms/receivers": administrator(),
    "GET /api/alarms/receivers/{receiver_id}": administrator(),
    "PUT /api/alarms/receivers/{receiver_id}": administrator(),
    "PATCH /api/alarms/receivers/{receiver_id}": administrator(),
    "DELETE /api/alarms/receivers/{receiver_id}": administrator(),
    "POST /api/alarms/receivers/{receiver_id}/test": administrator(),
}


_NO = frozenset({"", "0", "f", "false", "n", "no", "off"})


def least_role(rule: Rule, query: str) -> Role | None:
    """The least role for this request."""
    if rule.secrets and any(key == "secrets" and value.lower() not in _NO for key, value in parse_qsl(query)):
        return rule.secrets
    return rule.least


class RuleBook:
    """Finds the rule for a request."""

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        self._rules = [(*_compiled(key), rule) for key, rule in (RULES if rules is None else rules).items()]

    def find(self, method: str, path: str) -> Rule | None:
        """The rule; where several fit, the strictest: whichever path answers, nobody gets too much."""
        wanted = "GET" if method == "HEAD" else method
        fitting = [rule for its, pattern, rule in self._rules if its == wanted and pattern.fullmatch(path)]
        return max(fitting, key=_strictness, default=None)

    def methods(self, path: str) -> list[str]:
        """Which methods there are rules for."""
        return sorted({its for its, pattern, _ in self._rules if pattern.fullmatch(path)} - {"WEBSOCKET"})


def _compiled(key: str) -> tuple[str, re.Pattern[str]]:
    method, _, template = key.partition(" ")
    parts: Iterable[str] = re.split(r"(\{\w+(?::path)?\})", template)
    return method, re.compile("".join(_pattern(part) for part in parts), re.DOTALL)


def _pattern(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return ".*" if part.endswith(":path}") else "[^/]+"


def _strictness(rule: Rule) -> int:
    return -1 if rule.least is None else list(Role).index(rule.least)
