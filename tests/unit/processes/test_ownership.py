"""Who may be killed: every row of the table, and that no row is missing."""

from __future__ import annotations

from itertools import product

import pytest

from srt_router.processes.ownership import (
    Facts,
    FileFate,
    Judgement,
    Owner,
    Rules,
    Scope,
    judge,
    judge_file,
    stranger_reason,
)
from srt_router.processes.pidfiles import PidFile
from tests.unit.processes.builders import NOW_MS, facts

HOST, OWNED = Rules(Scope.HOST, first_start=False), Rules(Scope.OWNED, first_start=False)
FIRST = Rules(Scope.HOST, first_start=True)
FIRST_OWNED = Rules(Scope.OWNED, first_start=True)
KILL, REPORT, UNABLE, LEAVE = Judgement

TABLE = {  # owner: what is done with a srt-live-transmit under HOST, OWNED, FIRST
    Owner.OURS: (KILL, KILL, KILL),
    Owner.LIVE_ROUTER: (LEAVE, LEAVE, LEAVE),
    Owner.DEAD_ROUTER: (KILL, REPORT, REPORT),
    Owner.NOBODY: (KILL, REPORT, REPORT),
    Owner.PROTECTED: (LEAVE, LEAVE, LEAVE),
    Owner.UNREADABLE: (UNABLE, REPORT, REPORT),
    Owner.UNSETTLED: (LEAVE, LEAVE, LEAVE),
}


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(Owner)


@pytest.mark.parametrize("owner", Owner)
def test_what_is_done_with_a_srt_live_transmit(owner: Owner) -> None:
    found = facts(owner)
    assert (judge(found, HOST), judge(found, OWNED), judge(found, FIRST)) == TABLE[owner]


@pytest.mark.parametrize("owner", Owner)
@pytest.mark.parametrize("program", ["ffmpeg", "python3.11", "srt-live-transmit-2", "tail", ""])
def test_another_program_is_killed_only_with_our_tag(owner: Owner, program: str) -> None:
    for rules in (HOST, OWNED, FIRST, FIRST_OWNED):
        assert judge(facts(owner, program=program), rules) is (KILL if owner is Owner.OURS else LEAVE)


def test_nothing_that_a_live_server_answers_for_is_killed_unless_somebody_says_so() -> None:
    for owner, scope, first in product(Owner, Scope, (True, False)):
        on_air = facts(owner, supervised=True)
        assert judge(on_air, Rules(scope, first)) is LEAVE
        included = Rules(scope, first, include_live=True)
        assert judge(on_air, included) is judge(facts(owner), Rules(scope, first))
        assert judge_file(file(), on_air, Rules(scope, first))[0] is FileFate.KEEP


def test_no_signal_under_owned_without_our_tag() -> None:
    for owner, first in product(Owner, (True, False)):
        verdict = judge(facts(owner), Rules(Scope.OWNED, first))
        assert (verdict is KILL) == (owner is Owner.OURS)


@pytest.mark.parametrize(
    ("found", "written_ms", "words"),
    [
        (facts(Owner.OURS), None, None),
        (facts(Owner.OURS, program="ffmpeg", started_ms=NOW_MS + 9_000_000), NOW_MS, None),
        (facts(Owner.NOBODY), NOW_MS, None),
        (facts(Owner.NOBODY, started_ms=NOW_MS + 1_999), NOW_MS, None),  # start times are known to a second or so
        (facts(Owner.NOBODY, started_ms=NOW_MS + 2_001), NOW_MS, "reused"),
        (facts(Owner.NOBODY), None, "reused"),
        (facts(Owner.NOBODY, program="sshd"), NOW_MS, "sshd"),
        (facts(Owner.DEAD_ROUTER), NOW_MS, None),
        (facts(Owner.DEAD_ROUTER, program="ffmpeg"), NOW_MS, "ffmpeg"),
        (facts(Owner.LIVE_ROUTER), NOW_MS, "another SRT Router"),
        (facts(Owner.PROTECTED), NOW_MS, "this server"),
        (facts(Owner.UNREADABLE, program="nginx"), NOW_MS, "nginx"),
    ],
)
def test_a_pid_file_may_name_a_stranger(found: Facts, written_ms: int | None, words: str | None) -> None:
    reason = stranger_reason(found, written_ms)
    assert reason is None if words is None else words in (reason or "")


def file(pid: int | None = 4711, **more: object) -> PidFile:
    return PidFile("route_1_srt.pid", pid, NOW_MS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "found", "rules", "fate", "words"),
    [
        (file(), facts(), HOST, FileFate.KILL, ""),
        (file(), facts(), OWNED, FileFate.KILL, ""),
        (file(), facts(), FIRST, FileFate.KILL, ""),
        (file(), facts(Owner.NOBODY), HOST, FileFate.KILL, ""),
        (file(), facts(Owner.NOBODY), OWNED, FileFate.REMOVE, "left alone"),
        (file(), facts(Owner.NOBODY), FIRST, FileFate.REMOVE, "left alone"),
        (file(), facts(Owner.NOBODY, program="sshd"), HOST, FileFate.REMOVE, "sshd"),
        (file(), facts(Owner.LIVE_ROUTER), HOST, FileFate.REMOVE, "running"),
        (file(), facts(Owner.UNREADABLE), HOST, FileFate.KEEP, "examined"),
        (file(), facts(Owner.UNSETTLED), HOST, FileFate.KEEP, "starting"),
        (file(), None, HOST, FileFate.REMOVE, "dead"),
        (file(None, problem="is no regular file"), None, HOST, FileFate.REMOVE, "regular"),
        (file(None, problem="is no regular file", directory=True), None, HOST, FileFate.KEEP, "regular"),
        (file(None), None, HOST, FileFate.REMOVE, "no PID"),
    ],
)
def test_what_becomes_of_a_pid_file(of: PidFile, found: Facts | None, rules: Rules, fate: FileFate, words: str) -> None:
    answer, reason = judge_file(of, found, rules)
    assert answer is fate
    assert words in reason


def test_a_file_never_widens_what_may_be_killed() -> None:
    """Whatever a PID file says: it is killed for only what would be killed without the file."""
    for owner, program, written, scope, first in product(
        Owner, ("srt-live-transmit", "sshd"), (None, 0, NOW_MS), Scope, (True, False)
    ):
        found = facts(owner, program=program)
        rules = Rules(scope, first)
        fate, _ = judge_file(PidFile("x_srt.pid", found.pid, written), found, rules)
        if fate is FileFate.KILL:
            assert judge(found, rules) is KILL
