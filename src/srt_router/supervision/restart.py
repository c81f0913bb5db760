"""When a process that ended is started again: a pure decision.

The first restart is immediate, then the pauses grow with decorrelated jitter (each between the shortest
pause and three times the last one), so that a hundred routes that lost one peer do not come back in step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from srt_router.processes.child import Exit
from srt_router.processes.spec import Peer

FIRST_PAUSE_S = 0.25
FAILURE_CAP_S = 30.0
"""Longest pause after ends that are failures, and after a rejected passphrase."""
PEER_CAP_S = 5.0
"""Longest pause for a caller whose peer is away: each try takes 3 s by itself (SRTO_CONNTIMEO), so this
is no storm, and a peer that is back is on air within seconds."""
STABLE_S = 30.0
"""A process that was up for so long has earned a fresh start."""
LOOP_WINDOW_S = 60.0
LOOP_ENDS = 10
"""So many failures within the window are flagged as crash-looping; the retries go on."""


class Outcome(StrEnum):
    """What an end that nobody asked for means."""

    PEER_LEFT = "peerLeft"
    """A caller whose peer hung up: it calls again."""
    UNANSWERED = "unanswered"
    """A caller whose peer does not answer: waiting, never a failure."""
    REJECTED = "rejected"
    """The peer refused: the passphrase is wrong."""
    FAILED = "failed"
    """Anything else, whatever the exit status: srt-live-transmit ends with 0 when somebody killed it."""


def outcome(peer: Peer, end: Exit, *, connected: bool, rejected: bool) -> Outcome:
    """Read an unasked end; `connected`: a peer was there during this life, `rejected`: the log said so."""
    if peer is not Peer.CALLER or end.code != 0:
        return Outcome.FAILED
    if rejected:
        return Outcome.REJECTED
    return Outcome.PEER_LEFT if connected else Outcome.UNANSWERED


@dataclass(frozen=True, slots=True)
class Restarts:
    """The restart history of one process, as far as it decides."""

    pause_s: float = 0.0
    """The last pause; 0: the next restart is immediate."""
    failures: tuple[float, ...] = ()
    """When it failed, within the window (monotonic seconds)."""
    total: int = 0
    """Starts after an end that nobody asked for, since the route was started."""

    def crash_looping(self, now: float) -> bool:
        """Ten failures within a minute."""
        return now < self.calm_at()

    def calm_at(self) -> float:
        """When it is crash-looping no more, if it fails no more (monotonic seconds); 0: it never was."""
        return self.failures[-LOOP_ENDS] + LOOP_WINDOW_S if len(self.failures) >= LOOP_ENDS else 0.0


def next_restart(history: Restarts, why: Outcome, *, up_s: float, now: float, jitter: float) -> tuple[Restarts, float]:
    """The history after one more end, and the pause in seconds before the next start.

    `up_s` is how long the process lived, `jitter` a random number in [0, 1).
    """
    if up_s >= STABLE_S:
        history = replace(history, pause_s=0.0)
    cap = PEER_CAP_S if why in (Outcome.PEER_LEFT, Outcome.UNANSWERED) else FAILURE_CAP_S
    failures = tuple(at for at in history.failures if now - at < LOOP_WINDOW_S)
    if why is Outcome.FAILED:
        failures += (now,)
    if history.pause_s == 0.0 and why is not Outcome.REJECTED:
        pause, remembered = 0.0, FIRST_PAUSE_S
    else:
        last = max(history.pause_s, FIRST_PAUSE_S)
        pause = remembered = min(cap, FIRST_PAUSE_S + jitter * (3 * last - FIRST_PAUSE_S))
    return Restarts(remembered, failures, history.total + 1), pause
