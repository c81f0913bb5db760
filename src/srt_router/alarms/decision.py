"""Is an alarm to be raised, or does it end? A pure decision, made anew at each look.

What is seen must speak against the present state for the patience of the rule, without a break: `hold_off`
seconds to raise, `recover_after` seconds to end. What is unknown neither raises nor clears, and the time of it
does not count; neither does a clock that goes backwards.

    quiet ──holds for hold_off──> active (RAISE)     active ──gone for recover_after──> quiet (CLEAR)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Patience(Protocol):
    """What a decision needs of a rule."""

    @property
    def hold_off(self) -> float:
        """Seconds for which the condition must hold before an alarm is raised."""
        ...

    @property
    def recover_after(self) -> float:
        """Seconds for which it must be gone before the alarm ends."""
        ...


class Decision(StrEnum):
    """What is to be done."""

    NONE = "none"
    RAISE = "raise"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class AlarmState:
    """What is remembered of one rule at one route."""

    active: bool = False
    against_s: float | None = None
    """For how long what is seen has spoken against `active`; None: it does not."""
    seen_at: float = 0.0
    """When it was looked at last (monotonic seconds); infinite: that look saw nothing."""

    @property
    def quiet(self) -> bool:
        """Nothing is worth remembering."""
        return not self.active and self.against_s is None


QUIET = AlarmState()


def step(state: AlarmState, holds: bool | None, now: float, rule: Patience) -> tuple[AlarmState, Decision]:
    """The state after one more look, and what to do. `holds`: the condition is seen, not seen, or unknown (None)."""
    if holds is None:
        return replace(state, seen_at=math.inf), Decision.NONE  # the time until the next look does not count
    if holds == state.active:
        return AlarmState(state.active, None, now), Decision.NONE
    passed_s = 0.0 if state.against_s is None else state.against_s + max(0.0, now - state.seen_at)
    if passed_s < (rule.recover_after if state.active else rule.hold_off):
        return AlarmState(state.active, passed_s, now), Decision.NONE
    return AlarmState(holds, None, now), Decision.RAISE if holds else Decision.CLEAR
