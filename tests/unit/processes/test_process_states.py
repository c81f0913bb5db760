"""The four states, and the list that is made with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srt_router.processes.ownership import Owner
from srt_router.processes.pidfiles import PidFile
from srt_router.processes.states import ProcessState, listing, process_state
from tests.unit.processes.builders import NOW_MS, OURS, facts

RUNNING, STOPPED, ORPHANED, ZOMBIE = ProcessState


def test_the_four_states() -> None:
    assert process_state(alive=True, pid_file=True) is RUNNING
    assert process_state(alive=True, pid_file=False) is ORPHANED
    assert process_state(alive=False, pid_file=True) is ZOMBIE
    assert process_state(alive=False, pid_file=False) is STOPPED


@pytest.mark.parametrize("owner", [Owner.LIVE_ROUTER, Owner.PROTECTED])
def test_what_somebody_else_answers_for_is_no_orphan(owner: Owner) -> None:
    assert process_state(alive=True, pid_file=False, owner=owner) is RUNNING


def file(name: str, pid: int | None, written_ms: int | None = NOW_MS) -> PidFile:
    return PidFile(f"{name}.pid", pid, written_ms)


def test_a_list_of_everything() -> None:
    processes = [
        facts(pid=11),
        facts(pid=12, program="ffmpeg", tag=replace(OURS, process="ffmpeg")),
        facts(Owner.NOBODY, pid=13),
        facts(Owner.LIVE_ROUTER, pid=14, tag=replace(OURS, route="route_9")),
    ]
    files = [file("route_1_srt", 11), file("route_2_srtOut:6000", 99), file("route_3_srt", None)]
    found = {one.pid: one for one in listing(files, processes)}
    assert [(pid, found[pid].state) for pid in (11, 12, 13, 14, 99, None)] == [
        (11, RUNNING),
        (12, ORPHANED),
        (13, ORPHANED),
        (14, RUNNING),
        (99, ZOMBIE),
        (None, ZOMBIE),
    ]
    assert (found[11].route, found[11].process_type, found[11].pid_file) == ("route_1", "srt", "route_1_srt.pid")
    assert (found[12].program, found[12].process_type, found[12].pid_file) == ("ffmpeg", "ffmpeg", None)
    assert (found[13].route, found[13].owner) == (None, Owner.NOBODY)
    assert (found[99].route, found[99].process_type, found[99].owner) == ("route_2", "srtOut:6000", None)


def test_a_file_swapped_between_two_processes_names_neither() -> None:
    processes = [facts(pid=11), facts(pid=12, tag=replace(OURS, route="route_2"))]
    found = listing([file("route_1_srt", 12), file("route_2_srt", 11)], processes)
    assert sorted(one.state for one in found) == [ORPHANED, ORPHANED, ZOMBIE, ZOMBIE]


def test_a_file_older_than_its_process_is_a_zombie() -> None:
    stranger = facts(Owner.NOBODY, pid=11, started_ms=NOW_MS + 60_000)
    assert {one.state for one in listing([file("route_1_srt", 11)], [stranger])} == {ORPHANED, ZOMBIE}


def test_one_process_is_running_once_however_many_files_name_it() -> None:
    found = listing([file("route_1_srt", 11), file("route_2_srt", 11)], [facts(pid=11)])
    assert sorted(one.state for one in found) == [RUNNING, ZOMBIE]
