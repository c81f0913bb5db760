"""The owner of a route: orders, changes, deaths and timers in every order, and a machine that has run out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from srt_router.errors import StartRefused, StopFailed
from srt_router.processes.child import Child
from srt_router.processes.ending import NotEnded
from srt_router.processes.sockets import UdpSocket
from srt_router.routes.bus import NoBusLeft
from srt_router.routes.model import Route
from srt_router.supervision import route_owner
from srt_router.supervision.checks import PortTable
from srt_router.supervision.gate import Gate
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase, ProcessState
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_state import RouteStatus
from tests.harness.wait import until_async
from tests.unit.routes import examples
from tests.unit.supervision.stage import Stage, stage


@pytest.fixture
async def on_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with stage(tmp_path, monkeypatch) as found:
        yield found


def listener_route(port: int = 4000) -> Route:
    return examples.route(examples.listener(4001), source=examples.listener(port))


def status(owner: RouteOwner) -> RouteStatus:
    """Read anew, whatever mypy remembers of the last time."""
    return owner.status


def held_by_somebody() -> PortTable:
    return PortTable({4000: [UdpSocket("0.0.0.0", 4000, 1, 0, 0)]})


async def on_air(on_stage: Stage, route: Route | None = None) -> RouteOwner:
    owner = on_stage.owner(route or listener_route())
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001")
    return owner


# Orders


async def test_a_stop_during_a_restart_wins(on_stage: Stage) -> None:
    owner = await on_air(on_stage)
    on_stage.troupe.obeying = False
    for actor in on_stage.troupe.alive():
        actor.obeys = False
    restart = asyncio.ensure_future(owner.restart())
    await until_async(lambda: owner.status is RouteStatus.RESTARTING)
    stop = asyncio.ensure_future(owner.stop())
    await until_async(lambda: owner.status is RouteStatus.STOPPING)
    for actor in on_stage.troupe.alive():
        actor.die()
    await stop
    with pytest.raises(StartRefused, match="stopped meanwhile"):
        await restart
    assert not on_stage.troupe.alive()
    assert owner.status is RouteStatus.STOPPED


async def test_a_start_during_a_stop_waits_for_the_old_processes(on_stage: Stage) -> None:
    owner = await on_air(on_stage)
    old = on_stage.troupe.alive()
    for actor in old:
        actor.obeys = False
    on_stage.table = lambda: held_by_somebody() if any(actor.exit is None for actor in old) else PortTable()
    stop = asyncio.ensure_future(owner.stop())
    await until_async(lambda: owner.status is RouteStatus.STOPPING)
    start = asyncio.ensure_future(owner.start())
    await until_async(lambda: owner.status is RouteStatus.RESTARTING)
    for actor in old:
        actor.die()
    await stop
    await start
    await on_stage.until_alive("srt", "srtOut:4001")


async def test_restarts_at_the_same_time_are_one(on_stage: Stage) -> None:
    owner = await on_air(on_stage)
    await asyncio.gather(owner.restart(), owner.restart(), owner.restart())
    await on_stage.until_alive("srt", "srtOut:4001")
    assert len(on_stage.troupe.actors) == 4


async def test_no_order_waits_for_an_owner_that_is_gone(on_stage: Stage) -> None:
    owner = await on_air(on_stage)
    close = asyncio.ensure_future(owner.close("removed"))
    orders = [owner.start(), owner.restart(), owner.stop(), owner.change(listener_route(4100)), owner.start()]
    answers = await asyncio.wait_for(asyncio.gather(*orders, return_exceptions=True), 5)
    await close
    assert [type(answer) for answer in answers] == [StartRefused, StartRefused, type(None), type(None), StartRefused]
    with pytest.raises(StartRefused):
        await asyncio.wait_for(owner.start(), 5)
    await asyncio.wait_for(owner.stop(), 5)
    assert not on_stage.troupe.alive()


async def test_a_stop_that_cannot_be_done_is_answered(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end_in_vain(processes: Iterable[Child]) -> list[NotEnded]:
        return [NotEnded(one.pid, "still there") for one in processes if one.spec.process_type == "srt"]

    monkeypatch.setattr(route_owner, "end_all", end_in_vain)
    owner = await on_air(on_stage)
    stuck = on_stage.troupe.playing("srt")
    with pytest.raises(StopFailed, match=f"PID {stuck.pid} still there"):
        await asyncio.wait_for(owner.stop(), 5)
    assert status(owner) is RouteStatus.STOPPING
    assert str(stuck.pid) in str(owner.processes["srt"].error)
    stuck.die()
    on_stage.troupe.playing("srtOut:4001").die()
    await until_async(lambda: owner.status is RouteStatus.STOPPED)
    await asyncio.wait_for(owner.close("removed"), 5)


async def test_an_owner_closes_though_a_process_cannot_be_ended(
    on_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end_in_vain(processes: Iterable[Child]) -> list[NotEnded]:
        return [NotEnded(one.pid, "still there") for one in processes]

    owner = await on_air(on_stage)
    monkeypatch.setattr(route_owner, "end_all", end_in_vain)
    await asyncio.wait_for(owner.close("removed"), 5)


# Starts that are refused


async def test_a_refused_route_is_looked_at_by_one_timer(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_owner, "_RECHECK_S", 0.2)
    on_stage.table = held_by_somebody
    owner = on_stage.owner(listener_route())
    with pytest.raises(StartRefused):
        await owner.start(keep_trying=True)
    for port in (4000, 4000, 4000, 4000, 4000):
        await owner.change(
            examples.route(examples.listener(4001), examples.udp(port=5000), source=examples.listener(port))
        )
    before = on_stage.looks
    began = asyncio.get_running_loop().time()
    await until_async(lambda: on_stage.looks >= before + 3)
    assert asyncio.get_running_loop().time() - began > 0.5


async def test_a_start_by_hand_does_not_end_the_retries(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_owner, "_RECHECK_S", 0.05)
    on_stage.table = held_by_somebody
    owner = on_stage.owner(listener_route())
    for order in (owner.start(keep_trying=True), owner.start(), owner.restart()):
        with pytest.raises(StartRefused):
            await order
        assert owner.status is RouteStatus.FAILED
    on_stage.table = PortTable
    await on_stage.until_alive("srt", "srtOut:4001")


async def test_what_cannot_be_looked_at_is_a_reason(on_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = on_stage.owner(listener_route())

    def too_many() -> PortTable:
        raise OSError(24, "Too many open files")

    on_stage.table = too_many
    with pytest.raises(StartRefused, match="Too many open files"):
        await owner.start()

    def no_bus(*_: object) -> None:
        raise NoBusLeft("no free multicast group")

    on_stage.table = PortTable
    with monkeypatch.context() as patch:
        patch.setattr("srt_router.supervision.buses.allocate", no_bus)
        with pytest.raises(StartRefused, match="no free multicast group"):
            await owner.start()
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001")


# A machine that has run out


async def test_a_log_that_cannot_be_followed_is_a_failed_start(
    on_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    owner = on_stage.owner(listener_route())
    with monkeypatch.context() as patch:
        patch.setattr(on_stage.services.logs, "follow", full)
        await owner.start()
        await until_async(lambda: owner.processes["srt"].state.phase is Phase.BACKOFF)
        assert "No space left on device" in str(owner.processes["srt"].error)
    await on_stage.until_alive("srt", "srtOut:4001")


async def test_a_pid_file_that_stays_does_not_hide_a_death(on_stage: Stage) -> None:
    await on_air(on_stage)
    on_stage.troupe.pid_files.broken = True
    dead = on_stage.troupe.playing("srt")
    dead.die(1)
    await on_stage.until_alive("srt", "srtOut:4001")
    assert on_stage.troupe.playing("srt") is not dead


# The source and the bus


async def test_an_old_joined_does_not_start_a_new_source(on_stage: Stage) -> None:
    owner = await on_air(on_stage)
    await owner.stop()
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001")
    await owner.stop()
    on_stage.joins.at_once = False
    on_stage.joins.waiting.clear()
    await owner.start()
    await until_async(lambda: on_stage.joins.waiting)
    on_stage.joins.waiting[0].set_result(None)
    await asyncio.gather(owner.stop(), owner.start(PortTable()))
    await until_async(lambda: len(on_stage.joins.waiting) == 2)
    await asyncio.gather(owner.change(owner.route))
    assert [one.spec.process_type for one in on_stage.troupe.alive()] == ["srtOut:4001"]
    on_stage.joins.waiting[1].set_result(None)
    await on_stage.until_alive("srt", "srtOut:4001")


async def test_a_stop_does_not_wait_for_the_bus(on_stage: Stage) -> None:
    on_stage.joins.at_once = False
    owner = on_stage.owner(listener_route())
    await owner.start()
    await until_async(lambda: on_stage.joins.waiting)
    assert status(owner) is RouteStatus.STARTING
    await owner.stop()
    assert status(owner) is RouteStatus.STOPPED
    await until_async(lambda: on_stage.joins.waiting[0].cancelled())


async def test_a_route_may_change_while_its_source_waits_for_the_bus(on_stage: Stage) -> None:
    on_stage.joins.at_once = False
    ends = (examples.listener(4001), examples.udp(port=5001))
    owner = on_stage.owner(examples.route(*ends, source=examples.listener(4000)))
    await owner.start()
    await until_async(lambda: on_stage.joins.waiting)
    await owner.change(examples.route(*ends, source=examples.udp(None, 5000)))
    await owner.change(examples.route(*ends, source=examples.listener(4100)))
    await owner.change(examples.route(*ends, source=examples.udp(None, 5002)))
    for waiting in on_stage.joins.waiting:
        waiting.set_result(None)
    on_stage.joins.at_once = True
    await on_stage.until_alive("udpDuplicator", "srtOut:4001")
    await until_async(lambda: "5002" in " ".join(on_stage.troupe.playing("udpDuplicator").spec.argv))
    assert set(owner.processes) == {"udpDuplicator", "srtOut:4001"}
    await owner.change(examples.route(*ends, source=examples.listener(4000)))
    await on_stage.until_alive("udpDuplicator", "srtOut:4001", "srt")
    await until_async(lambda: all(record.state.phase is Phase.UP for record in owner.processes.values()))


async def test_a_caller_that_waits_for_its_peer_does_not_hold_up_the_source(on_stage: Stage) -> None:
    owner = on_stage.owner(examples.route(examples.listener(4001), examples.caller(port=7000)))
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001", "srtOut:7000")
    assert on_stage.joins.asked == [2]
    gate = Gate("route_1", on_stage.services, lambda _joined: None)
    records = {kind: ProcessRecord(record.spec) for kind, record in owner.processes.items()}
    records["srtOut:4001"].state = ProcessState(wanted=True, phase=Phase.STARTING)
    records["srtOut:7000"].state = ProcessState(wanted=True, phase=Phase.BACKOFF)
    assert gate.passes(records["srtOut:4001"], records.values())
    assert not gate.passes(records["srt"], records.values())
    await until_async(lambda: on_stage.joins.asked == [2, 1])


# What is told


async def test_an_old_rejection_is_not_told_of_a_new_try(on_stage: Stage) -> None:
    owner = on_stage.owner(examples.route(examples.caller(port=7000), source=examples.listener(4000)))
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:7000")
    record = owner.processes["srtOut:7000"]
    record.read_log(["REJECT reported from HS processing: Incorrect passphrase", "ERROR: something"], frozenset())
    on_stage.troupe.playing("srtOut:7000").die()
    await until_async(lambda: record.state.last_outcome)
    assert "passphrase" in str(record.connection.rejection)
    await until_async(lambda: record.child)
    assert str(record.connection.rejection) == "None"
    assert str(record.connection.error) == "None"


async def test_statistics_of_a_restarted_route_are_its_own(on_stage: Stage, tmp_path: Path) -> None:
    owner = await on_air(on_stage)
    name = "route_1_srt.stats"
    reader = on_stage.services.statistics
    reader.read({name}, 1)
    (tmp_path / name).write_text('{"time": 1}\n')
    reader.read({name}, 2)
    assert reader.sample(name)
    await owner.restart()
    await on_stage.until_alive("srt", "srtOut:4001")
    assert reader.sample(name) is None
    reader.read({name}, 3)
    with (tmp_path / name).open("a") as file:
        file.write('{"time": 7}\n')
    reader.read({name}, 4)
    sample = reader.sample(name)
    assert sample is not None
    assert sample.values == {"time": 7}
