"""What is seen of a route, and whether a condition holds there: pure readings. None is unknown, never a guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from srt_router.alarms.model import (
    BitrateBelow,
    BusDropsAbove,
    Condition,
    ContinuityErrorsAbove,
    CrashLooping,
    DegradedLongerThan,
    LossAbove,
    RouteFailed,
    WaitingLongerThan,
)

_PASSING = ("starting", "restarting", "stopping")
"""A status that says nothing yet: what it leads to will."""
_OFF = "stopped"


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What is seen of one route in one look."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    status: str | None = None
    status_s: float = 0.0
    """Seconds for which it has been seen with this status."""
    reasons: Callable[[], Sequence[str]] = tuple
    """Why it is not wholly on air, without secrets. Asked only where that is told."""
    source_mbps: float | None = None
    loss_percent: float | None = None
    """Of the leg that loses most."""
    loss_leg: str | None = None
    """Which one that is."""
    continuity_errors: int | None = None
    """In the last minute."""
    bus_drops: int | None = None
    """Datagrams in the last minute."""
    crash_looping: tuple[str, ...] = ()
    """Types of the processes that failed ten times within a minute."""
    failing: bool = False
    """A process has failed within the last minute."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is seen in one look."""

    routes: Mapping[str, RouteFacts] = field(default_factory=dict)
    complete: bool = True
    """False: routes may be missing here though they exist (routes.json has errors)."""
    orphans: tuple[str, ...] | None = None
    """The media processes without an owner, each as text."""


def holds(condition: Condition, facts: RouteFacts, *, active: bool) -> bool | None:
    """Does the condition hold at this route?

    `active`: its alarm is raised. Then a lasting state goes on holding however short it has been seen: after a
    restart of the server nothing has been seen for long.
    """
    if facts.status == _OFF:
        return False
    match condition:
        case RouteFailed():
            return _has(facts, "failed", 0.0, active=active)
        case WaitingLongerThan(seconds=seconds):
            return _has(facts, "waiting", seconds, active=active)
        case DegradedLongerThan(seconds=seconds):
            return _has(facts, "degraded", seconds, active=active)
        case CrashLooping():  # the tries go on with long pauses: fewer than ten a minute are no recovery
            return bool(facts.crash_looping) or (active and facts.failing)
        case BitrateBelow(mbps=least):
            away = facts.status == "waiting" or facts.status in _PASSING  # nobody sends: that is for another rule
            return None if away or facts.source_mbps is None else facts.source_mbps < least
        case LossAbove(percent=most):
            return _above(facts.loss_percent, most)
        case ContinuityErrorsAbove(errors_per_minute=most):
            return _above(facts.continuity_errors, most)
        case BusDropsAbove(datagrams_per_minute=most):
            return _above(facts.bus_drops, most)
    return None  # not a matter of one route


def _has(facts: RouteFacts, wanted: str, seconds: float, *, active: bool) -> bool | None:
    if facts.status is None or facts.status in _PASSING:
        return None
    return facts.status == wanted and (active or facts.status_s >= seconds)


def _above(value: float | None, most: float) -> bool | None:
    return None if value is None else value > most


def sentence(condition: Condition, facts: RouteFacts) -> str:
    """What is seen, in words, without the name of the route: at the beginning of an alarm, and at its end."""
    if facts.status == _OFF:
        return "the route is stopped"
    match condition:
        case BitrateBelow(mbps=least):
            return f"the source brings {facts.source_mbps} Mb/s (threshold {least:g})"
        case LossAbove(percent=most):
            return f"{facts.loss_leg or 'a leg'} lost {facts.loss_percent} % of its packets (threshold {most:g})"
        case ContinuityErrorsAbove(errors_per_minute=most):
            return f"{facts.continuity_errors} continuity errors in the last minute (threshold {most})"
        case BusDropsAbove(datagrams_per_minute=most):
            return f"{facts.bus_drops} datagrams dropped on the bus in the last minute (threshold {most})"
        case CrashLooping() if facts.crash_looping:
            return f"{few(facts.crash_looping)} failed ten times within a minute"
        case CrashLooping():
            return "no process has failed in the last minute"
    return _status_in_words(condition, facts)


def _status_in_words(condition: Condition, facts: RouteFacts) -> str:
    why = few(facts.reasons())
    lasting = isinstance(condition, WaitingLongerThan | DegradedLongerThan)
    span = f" for {_span(facts.status_s)}" if lasting and facts.status in ("waiting", "degraded") else ""
    return f"the route is {facts.status}{span}" + (f": {why}" if why else "")


def orphans_in_words(orphans: Sequence[str]) -> str:
    """The same for orphans."""
    return f"{len(orphans)} orphan(s) found: {few(orphans)}" if orphans else "no orphan is left"


def few(texts: Sequence[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
