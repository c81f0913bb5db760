"""Is a process that lives also making progress? A pure decision, looked at once a second.

Waiting is healthy, for as long as it takes: only a process that should move data is judged. It stalls
when it has moved none for its patience; then it is restarted, alone, at most `attempts` times. Half a
minute of real data restores the budget, a mere start does not. After the last attempt it is given up:
the restarts stop, the process goes on waiting for its peer, and data that comes back ends the failure.

    ok ──no data for patience──> restart (attempt 1 … n) ──again none──> given up
    any ──data for 30 s──> ok     given up ──data──> ok     given up ──retry_after──> restart (attempt 1)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

RESTORED_BY_S = 30.0
"""Seconds of data that restore the budget of attempts."""
_EARLY_S = 0.25
"""A look that comes a moment early is the one that was meant: the next is a second away."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient the checker is."""

    bandwidth_s: float = 30.0
    """A connected peer and no data for so long is a stall."""
    fps_s: float = 10.0
    """A transcode that makes no frame for so long is a stall."""
    attempts: int = 3
    retry_after_s: float = 300.0
    """What was given up is tried again after so long; 0: never."""
    warn_loss_percent: float = 0.0
    """Lost packets from which on there is a warning; 0: never. The same for all of these: they restart nothing."""
    warn_rtt_ms: float = 0.0
    warn_cc_errors: float = 0.0
    """Continuity errors within 10 s."""
    warn_bus_drops: float = 0.0
    """Datagrams dropped on the bus within 10 s."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one process in one look."""

    expected: bool
    """It should move data now: its peer is connected, what feeds it delivers."""
    moved: bool
    """It has moved data since the last look."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of one process."""

    quiet_since: float | None = None
    """Since when it has moved nothing though it should (monotonic seconds)."""
    moving_since: float | None = None
    moved_at: float | None = None
    """When it was last seen to have moved something."""
    attempts: int = 0
    """Restarts spent."""
    given_up_at: float | None = None
    stalled: bool = False
    """It was found to stall, and has moved nothing since."""

    @property
    def given_up(self) -> bool:
        """No restarts are left."""
        return self.given_up_at is not None


class Verdict(StrEnum):
    """What is to be done."""

    NONE = "none"
    RESTART = "restart"
    GIVE_UP = "giveUp"
    RECOVERED = "recovered"
    """What had stalled moves data again."""


def look_at(watch: Watch, seen: Look, now: float, patience_s: float, limits: Limits) -> tuple[Watch, Verdict]:
    """The watch after one more look, and what to do."""
    if seen.moved:
        return _moving(watch, now)
    quiet_since = now if watch.moving_since is None or watch.moved_at is None else watch.moved_at
    if watch.moving_since is not None:
        watch = replace(watch, moving_since=None)
    if watch.given_up_at is not None:
        if limits.retry_after_s and now - watch.given_up_at >= limits.retry_after_s and seen.expected:
            return Watch(attempts=1, stalled=True), Verdict.RESTART
        return watch, Verdict.NONE
    if not seen.expected:
        return (watch if watch.quiet_since is None else replace(watch, quiet_since=None)), Verdict.NONE
    if watch.quiet_since is None:
        return replace(watch, quiet_since=quiet_since), Verdict.NONE
    if now - watch.quiet_since < patience_s - _EARLY_S:
        return watch, Verdict.NONE
    if watch.attempts >= limits.attempts:
        return replace(watch, quiet_since=None, given_up_at=now, stalled=True), Verdict.GIVE_UP
    return Watch(attempts=watch.attempts + 1, stalled=True), Verdict.RESTART


def _moving(watch: Watch, now: float) -> tuple[Watch, Verdict]:
    if watch.given_up:
        return Watch(moving_since=now, moved_at=now), Verdict.RECOVERED
    since = now if watch.moving_since is None else watch.moving_since
    attempts = 0 if now - since >= RESTORED_BY_S else watch.attempts
    verdict = Verdict.RECOVERED if watch.stalled else Verdict.NONE
    return Watch(moving_since=since, moved_at=now, attempts=attempts), verdict
