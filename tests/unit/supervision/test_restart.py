"""When a process that ended is started again."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.processes.child import Exit
from srt_router.processes.spec import Peer
from srt_router.supervision import restart
from srt_router.supervision.restart import Outcome, Restarts, next_restart, outcome

CLEAN, BROKEN, KILLED = Exit(0, None), Exit(255, None), Exit(None, signal.SIGKILL)
outcomes = st.sampled_from(Outcome)


@pytest.mark.parametrize(
    ("peer", "end", "connected", "rejected", "meant"),
    [
        (Peer.LISTENER, CLEAN, True, False, Outcome.FAILED),
        (Peer.LISTENER, KILLED, False, False, Outcome.FAILED),
        (Peer.NONE, CLEAN, False, False, Outcome.FAILED),
        (Peer.CALLER, CLEAN, False, False, Outcome.UNANSWERED),
        (Peer.CALLER, CLEAN, True, False, Outcome.PEER_LEFT),
        (Peer.RENDEZVOUS, CLEAN, False, False, Outcome.FAILED),
        (Peer.CALLER, CLEAN, False, True, Outcome.REJECTED),
        (Peer.CALLER, BROKEN, False, False, Outcome.FAILED),
        (Peer.CALLER, KILLED, True, False, Outcome.FAILED),
        (Peer.CALLER, Exit(None, None), True, False, Outcome.FAILED),
    ],
)
def test_what_an_end_means(peer: Peer, end: Exit, connected: bool, rejected: bool, meant: Outcome) -> None:
    assert outcome(peer, end, connected=connected, rejected=rejected) is meant


def test_the_first_restart_is_immediate_then_pauses_grow() -> None:
    history, pauses = Restarts(), []
    for number in range(12):
        history, pause = next_restart(history, Outcome.FAILED, up_s=0.1, now=number, jitter=0.999)
        pauses.append(pause)
    assert pauses[0] == 0
    assert pauses[1] == pytest.approx(0.75, abs=0.01)
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] == restart.FAILURE_CAP_S


def test_half_a_minute_of_life_earns_a_fresh_start() -> None:
    history = Restarts(pause_s=30.0)
    assert next_restart(history, Outcome.FAILED, up_s=30.0, now=0, jitter=0.5)[1] == 0
    assert next_restart(history, Outcome.FAILED, up_s=29.9, now=0, jitter=0.5)[1] > 0


def test_a_rejected_passphrase_is_never_tried_at_once() -> None:
    _, pause = next_restart(Restarts(), Outcome.REJECTED, up_s=0, now=0, jitter=0)
    assert pause >= restart.FIRST_PAUSE_S


def test_ten_failures_in_a_minute_are_a_crash_loop_and_waiting_is_none() -> None:
    for why, looping in ((Outcome.FAILED, True), (Outcome.UNANSWERED, False), (Outcome.REJECTED, False)):
        history = Restarts()
        for number in range(10):
            history, _ = next_restart(history, why, up_s=0, now=number, jitter=0)
        assert history.crash_looping(10) is looping
        assert not history.crash_looping(71)
        assert history.total == 10


@given(st.lists(st.tuples(outcomes, st.floats(0, 100), st.floats(0, 0.999)), max_size=60))
def test_pauses_stay_within_their_bounds(ends: list[tuple[Outcome, float, float]]) -> None:
    history, now = Restarts(), 0.0
    for why, up_s, jitter in ends:
        now += up_s
        history, pause = next_restart(history, why, up_s=up_s, now=now, jitter=jitter)
        peers = (Outcome.PEER_LEFT, Outcome.UNANSWERED)
        assert 0 <= pause <= (restart.PEER_CAP_S if why in peers else restart.FAILURE_CAP_S)
        assert len(history.failures) <= len(ends)
        now += pause
