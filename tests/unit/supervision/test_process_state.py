"""The states of one process: every way from one to the next."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from srt_router.processes.child import Exit
from srt_router.supervision import process_state as ps
from srt_router.supervision.process_state import Action, Phase, ProcessState, step
from srt_router.supervision.restart import Outcome

DEAD = Exit(255, None)


def ended(why: Outcome = Outcome.FAILED) -> ps.Ended:
    return ps.Ended(DEAD, why)


def state(phase: Phase, *, wanted: bool = True) -> ProcessState:
    return ProcessState(wanted=wanted, phase=phase, up_since=0.0, retry_at=5.0 if phase is Phase.BACKOFF else None)


@pytest.mark.parametrize(
    ("before", "event", "phase", "wanted", "actions"),
    [
        (state(Phase.DOWN, wanted=False), ps.Want(), Phase.STARTING, True, [Action.START]),
        (state(Phase.STARTING), ps.Started(), Phase.UP, True, []),
        (state(Phase.STARTING), ps.Unwant(), Phase.STARTING, False, []),
        (state(Phase.STARTING, wanted=False), ps.Started(), Phase.ENDING, False, [Action.END]),
        (state(Phase.STARTING, wanted=False), ps.StartFailed(), Phase.DOWN, False, []),
        (state(Phase.UP), ps.Unwant(), Phase.ENDING, False, [Action.END]),
        (state(Phase.UP), ps.Replace(), Phase.ENDING, True, [Action.END]),
        (state(Phase.UP), ended(), Phase.STARTING, True, [Action.START]),
        (state(Phase.UP), ended(Outcome.REJECTED), Phase.BACKOFF, True, [Action.ARM]),
        (state(Phase.ENDING), ended(), Phase.STARTING, True, [Action.START]),
        (state(Phase.ENDING, wanted=False), ended(), Phase.DOWN, False, []),
        (state(Phase.ENDING, wanted=False), ps.Want(), Phase.ENDING, True, []),
        (state(Phase.BACKOFF), ps.Due(5.0), Phase.STARTING, True, [Action.START]),
        (state(Phase.BACKOFF), ps.Due(4.0), Phase.BACKOFF, True, []),  # of an earlier life
        (state(Phase.BACKOFF), ps.Unwant(), Phase.DOWN, False, []),
        (state(Phase.BACKOFF), ps.Replace(), Phase.STARTING, True, [Action.START]),
        (state(Phase.UP), ps.Due(5.0), Phase.UP, True, []),
        (state(Phase.UP), ps.Want(), Phase.UP, True, []),
    ],
)
def test_the_table(before: ProcessState, event: ps.Event, phase: Phase, wanted: bool, actions: list[Action]) -> None:
    after, what = step(before, event, 1.0)
    assert (after.phase, after.wanted, what) == (phase, wanted, actions)


class OneProcess(RuleBasedStateMachine):
    """A shell that carries the actions out, with ends, orders and timers in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ProcessState()
        self.alive = self.starting = self.ending = False
        self.armed: list[float] = []
        self.now = 0.0

    def feed(self, event: ps.Event) -> None:
        self.state, actions = step(self.state, event, self.now, 0.5)
        for action in actions:
            match action:
                case Action.START:
                    assert not self.alive, "a second process beside a live one"
                    assert not self.starting
                    self.starting = True
                case Action.END:
                    assert self.alive
                    self.ending = True
                case Action.ARM:
                    assert self.state.retry_at is not None
                    self.armed.append(self.state.retry_at)

    @rule(passed=st.floats(0, 50))
    def time_passes(self, passed: float) -> None:
        self.now += passed

    @rule()
    def want(self) -> None:
        self.feed(ps.Want())

    @rule()
    def unwant(self) -> None:
        self.feed(ps.Unwant())

    @rule()
    def replace(self) -> None:
        if self.state.wanted:
            self.feed(ps.Replace())

    @precondition(lambda self: self.starting)
    @rule(works=st.booleans())
    def start_is_done(self, works: bool) -> None:
        self.starting, self.alive = False, works
        self.feed(ps.Started() if works else ps.StartFailed())

    @precondition(lambda self: self.alive)
    @rule(why=st.sampled_from(Outcome))
    def process_ends(self, why: Outcome) -> None:
        self.alive = self.ending = False
        self.feed(ended(why))

    @precondition(lambda self: self.armed)
    @rule()
    def timer(self) -> None:
        at = min(self.armed)
        self.armed.remove(at)
        self.now = max(self.now, at)
        self.feed(ps.Due(at))

    @invariant()
    def state_and_world_agree(self) -> None:
        phase = self.state.phase
        assert self.alive == (phase in (Phase.UP, Phase.ENDING))
        assert self.starting == (phase is Phase.STARTING)
        assert self.ending == (phase is Phase.ENDING)

    @invariant()
    def a_pause_is_as_long_as_it_should_be(self) -> None:
        if self.state.phase is not Phase.BACKOFF:
            assert self.state.retry_at is None

    @invariant()
    def what_is_wanted_is_on_its_way(self) -> None:
        if self.state.wanted:
            assert self.alive or self.starting or self.state.retry_at in self.armed
        elif self.alive:
            assert self.ending


OneProcess.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestOneProcess = OneProcess.TestCase
