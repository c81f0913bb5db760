"""The states of one process and every way from one to the next: a pure table.

    DOWN ──Want──> STARTING ──Started──> UP ──Ended──> (Start at once, or BACKOFF) ──Due──> STARTING
    STARTING ──Unwant──> (Started) ──> ENDING          UP ──Unwant──> ENDING ──Ended──> DOWN
    UP ──Replace──> ENDING ──Ended──> STARTING         BACKOFF ──Unwant──> DOWN

What is wanted and what is are two fields; nothing here reads a clock or starts anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from srt_router.processes.child import Exit
from srt_router.supervision.restart import FAILURE_CAP_S, Outcome, Restarts, next_restart


class Phase(StrEnum):
    """What a process is doing."""

    DOWN = "stopped"
    STARTING = "starting"
    UP = "running"
    ENDING = "stopping"
    BACKOFF = "restarting"
    """It ended without being asked to, and starts again when its pause is over."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process of a route, as supervision sees it."""

    wanted: bool = False
    phase: Phase = Phase.DOWN
    restarts: Restarts = Restarts()
    up_since: float | None = None
    """Monotonic seconds of the last start."""
    retry_at: float | None = None
    """Monotonic seconds of the next start, in BACKOFF."""
    last_outcome: Outcome | None = None
    """What the last unasked end meant; None after a wanted one."""


@dataclass(frozen=True, slots=True)
class Want:
    """It should run."""


@dataclass(frozen=True, slots=True)
class Unwant:
    """It should not run."""


@dataclass(frozen=True, slots=True)
class Replace:
    """It should run with another command line: end it and start it again."""


@dataclass(frozen=True, slots=True)
class Started:
    """The start that was asked for has happened."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The start that was asked for could not be done."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Its death has been seen."""

    exit: Exit
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Due:
    """The pause before a restart is over."""

    at: float
    """The `retry_at` that it was armed for: a timer of an earlier pause means nothing."""


Event = Want | Unwant | Replace | Started | StartFailed | Ended | Due


class Action(StrEnum):
    """What the shell must do now."""

    START = "start"
    END = "end"
    ARM = "arm"
    """Send Due at `retry_at`."""


Step = tuple[ProcessState, list[Action]]


def step(state: ProcessState, event: Event, now: float, jitter: float = 0.0) -> Step:
    """The next state and what to do about it. An event that means nothing in a state changes nothing."""
    match event:
        case Want():
            return _want(state)
        case Unwant():
            return _unwant(state)
        case Replace():
            return _replace(state)
        case Started():
            return _started(state, now)
        case StartFailed():
            return _end(replace(state, up_since=now), Outcome.FAILED, now, jitter)
        case Ended(outcome=why):
            return _end(state, why, now, jitter)
        case Due(at=at):
            return _due(state, at)


def _want(state: ProcessState) -> Step:
    if state.phase is Phase.DOWN:
        return ProcessState(wanted=True, phase=Phase.STARTING), [Action.START]
    return replace(state, wanted=True), []


def _unwant(state: ProcessState) -> Step:
    state = replace(state, wanted=False)
    if state.phase is Phase.UP:
        return replace(state, phase=Phase.ENDING), [Action.END]
    if state.phase is Phase.BACKOFF:
        return replace(state, phase=Phase.DOWN, retry_at=None), []
    return state, []


def _replace(state: ProcessState) -> Step:
    state = replace(state, wanted=True)
    if state.phase is Phase.UP:
        return replace(state, phase=Phase.ENDING), [Action.END]
    if state.phase in (Phase.BACKOFF, Phase.DOWN):
        return replace(state, phase=Phase.STARTING, retry_at=None), [Action.START]
    return state, []


def _started(state: ProcessState, now: float) -> Step:
    state = replace(state, up_since=now, retry_at=None)
    if not state.wanted:
        return replace(state, phase=Phase.ENDING), [Action.END]
    return replace(state, phase=Phase.UP), []


def _end(state: ProcessState, why: Outcome, now: float, jitter: float) -> Step:
    if not state.wanted:
        return replace(state, phase=Phase.DOWN, up_since=None, last_outcome=None), []
    if state.phase is Phase.ENDING:  # it was ended to be replaced
        return replace(state, phase=Phase.STARTING, up_since=None, last_outcome=None), [Action.START]
    up_s = 0.0 if state.up_since is None else now - state.up_since
    history, pause = next_restart(state.restarts, why, up_s=up_s, now=now, jitter=jitter)
    state = replace(state, restarts=history, up_since=None, last_outcome=why)
    if pause == 0.0:
        return replace(state, phase=Phase.STARTING), [Action.START]
    return replace(state, phase=Phase.BACKOFF, retry_at=now + min(pause, FAILURE_CAP_S)), [Action.ARM]


def _due(state: ProcessState, at: float) -> Step:
    if state.phase is Phase.BACKOFF and state.wanted and state.retry_at == at:
        return replace(state, phase=Phase.STARTING, retry_at=None), [Action.START]
    return state, []
