"""The real cleanup on a modelled host: hypothesis plays crashes, forgeries, PID reuse and bad luck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srt_router.processes import cleanup, ending, sweep
from srt_router.processes.cleanup import CleanupResult, PidManager
from srt_router.processes.ownership import Owner, Rules, Scope
from srt_router.processes.pidfiles import PidDirectory, PidFile
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.scan import Scanner
from tests.unit.processes.builders import NOW_MS
from tests.unit.processes.model import Host, Process

HOST, OWNED = Rules(Scope.HOST, first_start=False), Rules(Scope.OWNED, first_start=False)


async def _inline(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return function(*arguments, **named)


def clean(host: Host, rules: Rules, keep: frozenset[int] = frozenset()) -> CleanupResult:
    """Run the real cleanup on the model, without waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "RESCAN_S", 0)
        patch.setattr(cleanup, "GRACE_S", 0)
        patch.setattr(ending, "KILL_WAIT_S", 0)
        patch.setattr(asyncio, "to_thread", _inline)
        manager = PidManager(cast(PidDirectory, host), cast(Scanner, host), host.pin)
        return asyncio.run(manager.cleanup_orphans(rules, lambda: keep))


def name(file: str, pid: int | None, written_ms: int | None = NOW_MS) -> PidFile:
    return PidFile(f"{file}.pid", pid, written_ms, None if pid is not None else "holds no PID")


# Single stories


def test_the_ordinary_crash() -> None:
    host = Host()
    with_file, without = host.new(Owner.OURS), host.new(Owner.OURS, program="ffmpeg", kind="ffmpeg")
    untagged, stranger = host.new(Owner.NOBODY), host.new(Owner.NOBODY, program="tail")
    host.names = {"a_srt.pid": name("a_srt", with_file.pid), "b_srt.pid": name("b_srt", 99_999)}
    result = clean(host, HOST)
    assert result.killed == [with_file.pid, without.pid, untagged.pid]
    assert result.stale_files == ["b_srt.pid"]
    assert host.alive() == [stranger]
    assert not stranger.signals
    assert not host.names


def test_a_pid_that_changes_hands_between_pin_and_look() -> None:
    """Guard: pin first, verify second. What is signalled is what was verified, or nobody."""
    host = Host()
    dying = host.new(Owner.OURS)
    real_facts = host.facts
    reused: list[Process] = []

    def facts(pid: int) -> object:
        found = real_facts(pid)
        if not reused:
            reused.append(host.replace_by_a_stranger(dying))
        return found

    host.facts = facts  # type: ignore[method-assign,assignment]
    clean(host, HOST)
    assert reused[0].alive
    assert not reused[0].signals


def test_a_pid_that_changes_hands_before_the_look() -> None:
    host = Host()
    stranger = host.new(Owner.NOBODY, program="sshd")
    real_pin = host.pin
    ours: list[Process] = []

    def pin(pid: int) -> object:
        found = real_pin(pid)
        if not ours:
            stranger.die()
            ours.append(host.add(Process(pid, Owner.OURS)))
        return found

    host.pin = pin  # type: ignore[method-assign,assignment]
    host.names = {"a_srt.pid": name("a_srt", stranger.pid)}
    clean(host, HOST)
    assert not stranger.signals
    assert not ours[0].alive  # the sweep found it


def test_a_tag_that_cannot_be_read_yet() -> None:
    """Guard: the second scan."""
    for scope in (HOST, OWNED):
        host = Host()
        late = host.new(Owner.OURS, program="ffmpeg", hidden_scans=1)
        assert clean(host, scope).killed == [late.pid]


def test_a_process_amidst_its_exec_is_not_judged_by_its_name() -> None:
    """Another live router's srt-live-transmit has its name some microseconds before it has its tag."""
    host = Host()
    foreign = host.new(Owner.LIVE_ROUTER, unsettled_looks=3)
    ours = host.new(Owner.OURS, unsettled_looks=3)
    assert clean(host, HOST).killed == [ours.pid]
    assert not foreign.signals


def test_what_comes_on_air_during_a_cleanup_is_spared() -> None:
    host = Host()
    ours, untagged = host.new(Owner.OURS), host.new(Owner.NOBODY)
    assert clean(host, HOST, frozenset({ours.pid})).killed == [untagged.pid]
    assert not ours.signals


def test_what_cannot_be_ended_is_an_error_with_pid_and_reason() -> None:
    host = Host()
    forbidden, immortal = host.new(Owner.OURS, forbidden=True), host.new(Owner.NOBODY, immortal=True)
    unreadable = host.new(Owner.UNREADABLE)
    host.names = {"a_srt.pid": name("a_srt", forbidden.pid)}
    result = clean(host, HOST)
    assert {error.pid for error in result.errors} == {forbidden.pid, immortal.pid, unreadable.pid}
    reasons = {error.pid: error.reason for error in result.errors}
    assert "Operation not permitted" in reasons[forbidden.pid]
    assert "SIGKILL" in reasons[immortal.pid]
    assert "another user" in reasons[unreadable.pid]
    assert not result.killed
    assert set(host.names) == {"a_srt.pid"}  # its process still runs


def test_the_first_start_reports() -> None:
    host = Host()
    untagged, ours = host.new(Owner.NOBODY), host.new(Owner.OURS)
    result = clean(host, Rules(Scope.HOST, first_start=True))
    assert (result.killed, [facts.pid for facts in result.reported]) == ([ours.pid], [untagged.pid])


# All stories


class Cleanup(RuleBasedStateMachine):
    """Random histories of a host; after each cleanup the promise is checked."""

    @initialize(first=st.booleans(), scope=st.sampled_from(Scope))
    def begin(self, first: bool, scope: Scope) -> None:
        self.host = Host()
        self.allowed = Rules(scope, first)
        self.host.new(Owner.PROTECTED, program="init")

    @rule(
        owner=st.sampled_from(Owner),
        program=st.sampled_from([SRT_LIVE_TRANSMIT, SRT_LIVE_TRANSMIT, "ffmpeg", "sshd"]),
        flags=st.sets(st.sampled_from(["ignores_term", "forbidden", "immortal", "on_air", "led"]), max_size=2),
        lateness=st.tuples(st.integers(0, 1), st.integers(0, 4)),
        route=st.integers(1, 3),
    )
    def a_process_starts(
        self, owner: Owner, program: str, flags: set[str], lateness: tuple[int, int], route: int
    ) -> None:
        owner = Owner.NOBODY if owner is Owner.UNSETTLED else owner
        process = self.host.new(owner, program=program, route=f"route_{route}")
        process.hidden_scans, process.unsettled_looks = lateness
        process.ignores_term = "ignores_term" in flags
        process.forbidden = "forbidden" in flags
        process.immortal = "immortal" in flags
        process.on_air = "on_air" in flags and owner is Owner.OURS
        process.leaderless = "led" not in flags

    @rule(data=st.data(), route=st.integers(1, 3), age=st.sampled_from([None, 0, NOW_MS, NOW_MS + 9_000_000]))
    def a_file_names_somebody(self, data: st.DataObject, route: int, age: int | None) -> None:
        pid = data.draw(st.sampled_from([*self.host.table, 0, 1, 2, 4_194_305, 99_999]))
        self.host.names[f"route_{route}_srt.pid"] = name(f"route_{route}_srt", pid, age)

    @rule(route=st.integers(1, 3), directory=st.booleans())
    def a_file_is_garbage(self, route: int, directory: bool) -> None:
        file = f"route_{route}_ffmpeg.pid"
        self.host.names[file] = PidFile(file, None, None, "is no regular file", directory=directory)

    @rule()
    def the_pid_directory_is_wiped(self) -> None:
        self.host.names.clear()

    @precondition(lambda self: len(self.host.names) > 1)
    @rule(data=st.data())
    def two_files_are_swapped(self, data: st.DataObject) -> None:
        one, other = data.draw(st.permutations(sorted(self.host.names)))[:2]
        a, b = self.host.names[one], self.host.names[other]
        self.host.names[one] = PidFile(one, b.pid, b.written_ms, b.problem)
        self.host.names[other] = PidFile(other, a.pid, a.written_ms, a.problem)

    @precondition(lambda self: self.host.alive())
    @rule(data=st.data(), again=st.booleans())
    def a_process_dies(self, data: st.DataObject, again: bool) -> None:
        process = data.draw(st.sampled_from(self.host.alive()))
        if again:
            self.host.replace_by_a_stranger(process, data.draw(st.sampled_from([SRT_LIVE_TRANSMIT, "sshd"])))
        else:
            process.die()

    @rule(scope=st.sampled_from(Scope))
    def the_server_is_started_again(self, scope: Scope) -> None:
        self.allowed = Rules(scope, first_start=False)

    @rule(happenings=st.lists(st.integers(0, 9), max_size=12))
    def cleanup_runs(self, happenings: list[int]) -> None:
        host, rules = self.host, self.allowed
        kept = frozenset(process.pid for process in host.alive() if process.on_air)
        before = {process: len(process.signals) for process in host.ever}
        host.happenings = happenings
        result = clean(host, rules, kept)
        signalled = [process for process in host.ever if len(process.signals) > before.get(process, 0)]
        assert all(process.may_be_killed(rules) for process in signalled)
        left = {process.pid for process in host.alive() if process.may_be_killed(rules)}
        errors = {error.pid for error in result.errors}
        assert left <= errors, "an orphan outlived the cleanup unseen"
        assert all(host.table[pid].forbidden or host.table[pid].immortal for pid in left)
        assert not any(process.alive and process.pid in result.killed for process in signalled)
        for file in host.names.values():
            process = host.table.get(file.pid or 0)
            justified = process is not None and process.pid in errors | kept
            assert file.directory or justified, f"{file} was left"

    @invariant()
    def strangers_never_get_a_signal(self) -> None:
        for process in self.host.ever:
            if process.owner in (Owner.PROTECTED, Owner.LIVE_ROUTER, Owner.UNREADABLE):
                assert not process.signals
            if process.owner is not Owner.OURS and process.program != SRT_LIVE_TRANSMIT:
                assert not process.signals


Cleanup.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCleanupModel = Cleanup.TestCase
