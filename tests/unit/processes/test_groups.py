"""What a process of ours starts itself is in its group, and answered for with it."""

from __future__ import annotations

from srt_router.processes.ownership import Facts, Owner
from srt_router.processes.pidfiles import PidFile
from srt_router.processes.states import ProcessState, listing
from srt_router.processes.tag import SERVER, STREAM_MONITOR, Tag, own_name

TAG = Tag("instance", "/data", SERVER, STREAM_MONITOR, nonce="n")
FILE = PidFile("server_streamMonitor.pid", 100, 1)


def facts(pid: int, group: int, program: str = "ffprobe", owner: Owner = Owner.OURS) -> Facts:
    tag = TAG if owner is Owner.OURS else None
    return Facts(pid, program, owner, tag, None, leads_group=pid == group, group=group)


def test_a_child_in_the_group_is_no_orphan_while_its_leader_has_a_pid_file() -> None:
    monitor, child = facts(100, 100, "python3.11"), facts(101, 100)
    assert {one.pid: one.state for one in listing([FILE], [monitor, child])} == {
        100: ProcessState.RUNNING,
        101: ProcessState.RUNNING,
    }
    assert {one.state for one in listing([], [monitor, child])} == {ProcessState.ORPHANED}
    assert [one.state for one in listing([], [child])] == [ProcessState.ORPHANED]


def test_a_stranger_in_the_group_stays_what_it_is() -> None:
    stranger = facts(101, 100, "srt-live-transmit", Owner.NOBODY)
    states = {one.pid: one.state for one in listing([FILE], [facts(100, 100, "python3.11"), stranger])}
    assert states[101] is ProcessState.ORPHANED


def test_our_own_programs_have_names_for_people() -> None:
    assert own_name(STREAM_MONITOR, "python3.11") == STREAM_MONITOR
    assert own_name(STREAM_MONITOR, "ffprobe") == "ffprobe"
    assert own_name("udpDuplicator.2", "python3") == "udpDuplicator"
    assert own_name("srt", "srt-live-transmit") == "srt-live-transmit"
    assert own_name(None, "python3") == "python3"
