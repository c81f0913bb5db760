"""Which alarms begin and which end: every rule held against everything that is seen. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from srt_router.alarms.decision import QUIET, AlarmState, Decision, step
from srt_router.alarms.facts import Facts, RouteFacts, holds, orphans_in_words, sentence
from srt_router.alarms.model import AlarmKind, Rule
from srt_router.alarms.records import ClearedBecause


class Key(NamedTuple):
    """What one alarm is about: there is never more than one active alarm of it."""

    rule_id: str
    kind: AlarmKind
    route_id: str | None
    """None: not of one route."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm begins."""

    key: Key
    rule: Rule
    route: RouteFacts | None
    text: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """An alarm ends."""

    key: Key
    because: ClearedBecause
    text: str


Change = Raised | Cleared

_WORDS = {
    ClearedBecause.RULE_REMOVED: "its rule was removed",
    ClearedBecause.RULE_DISABLED: "its rule was disabled",
    ClearedBecause.RULE_CHANGED: "its rule was changed",
    ClearedBecause.ROUTE_REMOVED: "the route was removed",
}


class Book:
    """Remembers what is neither quiet nor over. Only what must be remembered is, so that 500 routes stay cheap."""

    def __init__(self) -> None:
        self._states: dict[Key, AlarmState] = {}

    def restore(self, active: Iterable[Key]) -> None:
        """These alarms are active already: of a server before this one."""
        self._states |= {key: AlarmState(active=True) for key in active}

    def forget(self, key: Key) -> None:
        """The alarm could not be raised: it is tried again."""
        self._states.pop(key, None)

    def look(self, rules: Mapping[str, Rule], facts: Facts, now: float) -> list[Change]:
        """What begins and what ends, after one more look at everything."""
        changes: list[Change] = []
        for rule in rules.values():
            if rule.enabled:
                for key, route in _covered(rule, facts):
                    self._judge(_Case(key, rule, route), facts, now, changes)
        for key in list(self._states):
            because = _out_of_sight(key, rules, facts)
            if because is not None and self._states.pop(key).active:
                changes.append(Cleared(key, because, _WORDS[because]))
        return changes

    def _judge(self, case: _Case, facts: Facts, now: float, changes: list[Change]) -> None:
        known = self._states.get(case.key)
        state = known or QUIET
        seen = case.holds(facts, active=state.active)
        if known is None and seen is not True:
            return  # as it was: quiet
        after, decision = step(state, seen, now, case.rule)
        if after.quiet:
            self._states.pop(case.key, None)
        else:
            self._states[case.key] = after
        if decision is Decision.RAISE:
            changes.append(Raised(case.key, case.rule, case.route, case.text(facts)))
        elif decision is Decision.CLEAR:
            changes.append(Cleared(case.key, ClearedBecause.RECOVERED, case.text(facts)))


@dataclass(frozen=True, slots=True)
class _Case:
    """One rule at one route, or at none."""

    key: Key
    rule: Rule
    route: RouteFacts | None

    def holds(self, facts: Facts, *, active: bool) -> bool | None:
        """Does the condition hold? None: unknown."""
        if self.route is None:
            return None if facts.orphans is None else bool(facts.orphans)
        return holds(self.rule.condition, self.route, active=active)

    def text(self, facts: Facts) -> str:
        """What is seen of it."""
        if self.route is None:
            return orphans_in_words(facts.orphans or ())
        return sentence(self.rule.condition, self.route)


def _covered(rule: Rule, facts: Facts) -> Iterator[tuple[Key, RouteFacts | None]]:
    kind = rule.condition.kind
    if kind is AlarmKind.ORPHAN_FOUND:
        yield Key(rule.id, kind, None), None
        return
    chosen = frozenset(rule.routes)
    for route in facts.routes.values():
        if _covers(chosen, route):
            yield Key(rule.id, kind, route.id), route


def _covers(chosen: frozenset[str], route: RouteFacts) -> bool:
    return not chosen or route.id in chosen or not chosen.isdisjoint(route.tags)


def _out_of_sight(key: Key, rules: Mapping[str, Rule], facts: Facts) -> ClearedBecause | None:
    """Why nobody looks at this any more; None: somebody does."""
    rule = rules.get(key.rule_id)
    if rule is None:
        return ClearedBecause.RULE_REMOVED
    if not rule.enabled:
        return ClearedBecause.RULE_DISABLED
    if rule.condition.kind is not key.kind:
        return ClearedBecause.RULE_CHANGED
    if key.route_id is None:
        return None
    route = facts.routes.get(key.route_id)
    if route is None:
        return ClearedBecause.ROUTE_REMOVED if facts.complete else None
    return None if _covers(frozenset(rule.routes), route) else ClearedBecause.RULE_CHANGED
