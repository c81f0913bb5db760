"""No change of what is shown of a route goes untold: whoever keeps words about a route says nothing out of date."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from srt_router.errors import SrtRouterError
from srt_router.monitoring.connections import Connection, ConnectionState
from srt_router.processes.child import Exit
from srt_router.routes.model import Route
from srt_router.supervision.checks import PortTable
from srt_router.supervision.health import Watch
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Phase, ProcessState
from srt_router.supervision.restart import LOOP_ENDS, LOOP_WINDOW_S, Restarts
from srt_router.supervision.route_condition import Records
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.views import RouteView, holds_until, route_view
from tests.harness.wait import until_async
from tests.unit.routes import examples
from tests.unit.supervision.stage import Stage, stage
from tests.unit.supervision.test_route_owner import held_by_somebody, listener_route

LINES = [
    "Accepted SRT source connection",
    "SRT source disconnected",
    "HSREQ/rcv: reject: Incorrect passphrase",
    "ERROR: something went wrong",
    "something that nobody understands",
]


@pytest.fixture
async def on_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with stage(tmp_path, monkeypatch) as found:
        yield found


class Reader:
    """Looks at a route at every turn of the loop, and knows whether it was told of what has changed."""

    def __init__(self, services: Any) -> None:
        self.told: set[str] = set()
        self.changes = 0
        services.changed = self.told.add
        self._views: dict[str, RouteView] = {}

    def look(self, owner: RouteOwner) -> None:
        view = route_view(owner)
        assert owner.status is owner._read_status(), "it is kept for too long"
        before = self._views.get(owner.route.id, view)
        if owner.route.id not in self.told:
            assert view == before, "nobody told"
        self.changes += view != before
        self._views[owner.route.id] = view
        self.told.discard(owner.route.id)

    async def follow(self, owner: RouteOwner) -> None:
        while True:
            self.look(owner)
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(6))
async def test_every_change_is_told(on_stage: Stage, seed: int) -> None:
    """Orders, edits, deaths, log lines, refusals, in any order."""
    chance = random.Random(seed)  # noqa: S311
    reader = Reader(on_stage.services)
    owner = on_stage.owner(listener_route())
    following = asyncio.create_task(reader.follow(owner))
    orders: list[asyncio.Future[None]] = []
    for _ in range(40):
        assert not following.done() or following.result() is None
        chance.choice([order, order, edit, die, write, write, refuse, neglect])(on_stage, owner, chance, orders)
        for _ in range(chance.choice([0, 1, 2, 30])):
            await asyncio.sleep(0)
    on_stage.table = PortTable
    on_stage.troupe.obeying, on_stage.troupe.refusing = True, False
    answers = await asyncio.gather(*orders, return_exceptions=True)
    assert all(answer is None or isinstance(answer, SrtRouterError) for answer in answers)
    await owner.stop()
    await until_async(lambda: not owner.processes)
    await asyncio.sleep(0)
    following.cancel()
    assert isinstance((await asyncio.gather(following, return_exceptions=True))[0], asyncio.CancelledError)
    assert reader.changes > 2  # how many of them are seen one by one is a matter of time


def order(_: Stage, owner: RouteOwner, chance: random.Random, orders: list[asyncio.Future[None]]) -> None:
    asked = chance.choice([owner.start, owner.start, owner.restart, owner.stop, keep_trying(owner)])
    orders.append(asyncio.ensure_future(asked()))


def keep_trying(owner: RouteOwner) -> Callable[[], Any]:
    return lambda: owner.start(keep_trying=True)


def edit(_: Stage, owner: RouteOwner, chance: random.Random, orders: list[asyncio.Future[None]]) -> None:
    ends = [examples.listener(port) for port in chance.sample([4001, 4002, 4003], chance.randint(1, 3))]
    route: Route = examples.route(*ends, source=examples.listener(chance.choice([4000, 4100])))
    orders.append(asyncio.ensure_future(owner.change(route)))


def die(stage: Stage, _: RouteOwner, chance: random.Random, __: object) -> None:
    if alive := stage.troupe.alive():
        chance.choice(alive).die(chance.choice([0, 1]))


def write(_: Stage, owner: RouteOwner, chance: random.Random, __: object) -> None:
    if owner.processes:
        record = chance.choice(list(owner.processes.values()))
        owner._read_log(record, chance.choices(LINES, k=chance.randint(1, 3)))


def refuse(stage: Stage, _: RouteOwner, chance: random.Random, __: object) -> None:
    stage.table = chance.choice([held_by_somebody, PortTable, PortTable])
    stage.troupe.refusing = chance.random() < 0.2


def neglect(_: Stage, owner: RouteOwner, chance: random.Random, __: object) -> None:
    """What the health checker sees."""
    for record in owner.processes.values():
        record.watch = Watch(given_up_at=chance.choice([None, 5.0]))
        record.undelivered = tuple(chance.choices(["udp://192.0.2.1:5000 gets nothing"], k=chance.randint(0, 1)))


OTHERS: dict[str, object] = {
    "spec": object(),
    "state": ProcessState(phase=Phase.BACKOFF),
    "child": object(),
    "connection": ConnectionState(Connection.CONNECTED),
    "log": object(),
    "ever_up": True,
    "connected_this_life": True,
    "last_exit": Exit(1, None),
    "last_exit_ms": 5,
    "last_exit_asked": True,
    "watch": Watch(given_up_at=1.0),
    "rejection": "refused",
    "undelivered": ("udp://192.0.2.1:5000 gets nothing",),
    "error": "no such file",
    "outdated": True,
}


async def record_of(on_stage: Stage) -> ProcessRecord:
    owner = on_stage.owner(listener_route())
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001")
    return ProcessRecord(owner.processes["srt"].spec)


def test_another_value_for_every_field_is_known_here() -> None:
    assert OTHERS.keys() == {field.name for field in fields(ProcessRecord)} - {"changed"}


@pytest.mark.parametrize("name", OTHERS)
async def test_each_field_of_a_process_tells(on_stage: Stage, name: str) -> None:
    told: list[str] = []
    record = await record_of(on_stage)
    Records(lambda: told.append(name))["srt"] = record
    told.clear()
    setattr(record, name, OTHERS[name])
    assert told == [name]
    setattr(record, name, OTHERS[name])
    assert told == [name], "it is the same again"


async def test_what_is_seen_every_second_is_no_change(on_stage: Stage) -> None:
    told: list[int] = []
    record = await record_of(on_stage)
    Records(lambda: told.append(1))["srt"] = record
    told.clear()
    for second in range(5):
        record.watch = replace(record.watch, moved_at=float(second))
        record.undelivered = ()
    assert not told


def test_no_way_to_change_a_set_of_processes_goes_untold() -> None:
    told: list[int] = []
    records = Records(lambda: told.append(1))
    ways: tuple[Callable[[], object], ...] = (
        lambda: records.update({}),
        lambda: records.setdefault("srt", None),
        records.clear,
        records.popitem,
        lambda: records.__ior__({}),
    )
    for way in ways:
        with pytest.raises(TypeError):
            way()
    assert not told


async def test_a_view_holds_until_the_crash_loop_is_over(on_stage: Stage) -> None:
    owner = on_stage.owner(listener_route())
    await owner.start()
    await on_stage.until_alive("srt", "srtOut:4001")
    assert holds_until(owner) == float("inf")
    now = asyncio.get_running_loop().time()
    record = owner.processes["srt"]
    record.state = replace(record.state, restarts=Restarts(failures=(now - 30.0,) * LOOP_ENDS))
    until = holds_until(owner)
    assert until == now - 30.0 + LOOP_WINDOW_S
    restarts = record.state.restarts
    assert restarts.crash_looping(until - 0.001)
    assert not restarts.crash_looping(until)
    await owner.close("removed")
