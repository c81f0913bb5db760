"""When a number is worth a warning, and when the warning is over: a pure decision, looked at once a second.

A warning is raised when the number has been at its threshold or above for some seconds, and cleared when it
has stayed below half of the threshold for half a minute. In between it stays as it is, so that a number
that swings around its threshold raises one warning and not hundreds. A warning never restarts anything.

    calm ──at or above the threshold for 3 s──> raised ──below half of it (or unknown) for 30 s──> calm
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RAISED_AFTER_S = 3.0
CLEARED_AFTER_S = 30.0
CLEARED_BELOW = 0.5
"""Of the threshold."""


class Metric(StrEnum):
    """What is watched."""

    LOSS_PERCENT = "lossPercent"
    MS_RTT = "msRTT"
    CONTINUITY_ERRORS = "continuityErrors"
    BUS_DROPS = "busDrops"


@dataclass(frozen=True, slots=True)
class Watched:
    """One number and what is remembered of it."""

    raised: bool = False
    since: float | None = None
    """Since when it has been on the other side (monotonic seconds): too high while calm, low while raised."""
    worst: float = 0.0
    """The highest value since it has been too high."""


class Change(StrEnum):
    """What is to be told."""

    NONE = "none"
    RAISED = "raised"
    CLEARED = "cleared"


CALM = Watched()


def judge(watched: Watched, value: float | None, threshold: float, now: float) -> tuple[Watched, Change]:
    """The number after one more look, and what to tell. Threshold 0: never a warning."""
    if not threshold:
        return (CALM, Change.CLEARED) if watched.raised else (CALM, Change.NONE)
    if watched.raised:
        return _raised(watched, value, threshold, now)
    if value is None or value < threshold:
        return CALM, Change.NONE
    since = now if watched.since is None else watched.since
    worst = max(watched.worst, value)
    if now - since >= RAISED_AFTER_S:
        return Watched(True, None, worst), Change.RAISED
    return Watched(False, since, worst), Change.NONE


def _raised(watched: Watched, value: float | None, threshold: float, now: float) -> tuple[Watched, Change]:
    if value is not None and value >= CLEARED_BELOW * threshold:
        return Watched(True, None, max(watched.worst, value)), Change.NONE
    since = now if watched.since is None else watched.since
    if now - since >= CLEARED_AFTER_S:
        return CALM, Change.CLEARED
    return Watched(True, since, watched.worst), Change.NONE


def sentence(metric: Metric, value: float, threshold: float) -> str:
    """What a warning says."""
    match metric:
        case Metric.LOSS_PERCENT:
            return f"{value:.2g} % of the packets are lost on their way (limit {threshold:g} %)"
        case Metric.MS_RTT:
            return f"the round trip takes {value:.0f} ms (limit {threshold:g} ms)"
        case Metric.CONTINUITY_ERRORS:
            return f"{value:.0f} continuity errors in 10 s (limit {threshold:g})"
        case Metric.BUS_DROPS:
            return f"{value:.0f} datagrams dropped on the bus in 10 s (limit {threshold:g}): see net.core.rmem_max"
