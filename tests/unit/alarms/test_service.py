"""Alarms with a real gateway.db: what one server leaves, the next one takes up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from srt_router.alarms import service as module
from srt_router.alarms.errors import AlarmNotFound, DeliveryFailed, ReceiverInUse
from srt_router.alarms.facts import Facts, RouteFacts
from srt_router.alarms.model import AnyReceiverInput, Receiver, RuleInput
from srt_router.alarms.records import Alarm, Message
from srt_router.alarms.service import Alarms
from srt_router.storage.database import Database, Unavailable
from tests.harness.wait import until_async

RECEIVER: TypeAdapter[AnyReceiverInput] = TypeAdapter(AnyReceiverInput)
SECRET = "hush-hush-hush"
HOOK = RECEIVER.validate_python({"type": "webhook", "name": "NOC", "url": "http://noc.test/T0KEN", "secret": SECRET})


def seen(*statuses: str, complete: bool = True) -> Facts:
    routes = [RouteFacts(f"route_{n}", f"Route {n}", status=status) for n, status in enumerate(statuses, 1)]
    return Facts({route.id: route for route in routes}, complete=complete, orphans=())


class Line:
    """A transport that records; while it is down, nothing gets through."""

    def __init__(self) -> None:
        self.down = False
        self.sent: list[tuple[str, str]] = []

    async def send(self, receiver: Receiver, message: Message) -> None:
        if self.down:
            raise DeliveryFailed("it is down")
        self.sent.append((message.body["type"], message.body["alarm"] and message.body["alarm"]["routeId"]))


@asynccontextmanager
async def server(folder: Path, line: Line) -> AsyncIterator[Alarms]:
    """The alarms of one server, until it is killed: nothing is closed in an orderly way but the threads."""
    database = Database(folder)
    tasks = asyncio.TaskGroup()
    async with tasks:
        alarms = Alarms(database, line, tasks)
        running = tasks.create_task(alarms.run())
        await until_async(lambda: alarms._opened)
        try:
            yield alarms
        finally:
            running.cancel()
            alarms._post.close()
    await database.close()


async def told(alarms: Alarms, *receivers: Receiver) -> None:
    """The rule about failed routes tells these receivers."""
    given = {"receivers": [receiver.id for receiver in receivers], "recoverAfter": 0}
    await alarms.patch_rule("rule_1", given)


async def written(alarms: Alarms) -> None:
    await until_async(lambda: not alarms._store._unwritten)


async def test_a_restart_raises_nothing_twice_and_forgets_nothing(tmp_path: Path) -> None:
    line = Line()
    async with server(tmp_path, line) as alarms:
        assert [rule.id for rule in alarms.rules()] == ["rule_1", "rule_2", "rule_3"]
        await told(alarms, await alarms.add_receiver(HOOK))
        alarms.look(seen("failed", "running"), 0)
        (raised,) = alarms.active()
        alarms.acknowledge(raised.id, "alice")
        await until_async(lambda: line.sent == [("alarmRaised", "route_1")])
        await written(alarms)
    async with server(tmp_path, line) as alarms:
        (again,) = alarms.active()
        assert (again.id, again.acknowledged_by) == (raised.id, "alice")
        alarms.look(seen("starting", "failed"), 0)
        alarms.look(seen("failed", "failed"), 1)
        assert [alarm.route_id for alarm in alarms.active()] == ["route_2", "route_1"]
        alarms.look(seen("running", "failed"), 2)
        await until_async(lambda: line.sent[1:] == [("alarmRaised", "route_2"), ("alarmCleared", "route_1")])
        await written(alarms)
    async with server(tmp_path, line) as alarms:
        assert [alarm.route_id for alarm in alarms.active()] == ["route_2"]
        (past,) = alarms.past(10)
        assert (past.id, past.cleared_because) == (raised.id, "recovered")
    assert len(line.sent) == 3


async def test_what_was_not_delivered_is_delivered_by_the_next_server(tmp_path: Path) -> None:
    line = Line()
    line.down = True
    async with server(tmp_path, line) as alarms:
        receiver = await alarms.add_receiver(HOOK)
        await told(alarms, receiver)
        alarms.look(seen("failed"), 0)
        alarms.look(seen("running"), 1)
        await until_async(lambda: alarms.receiver_state(receiver.id).last_error == "it is down")
        assert alarms.receiver_state(receiver.id).waiting == 2
        await written(alarms)
    line.down = False
    async with server(tmp_path, line) as alarms:
        await until_async(lambda: line.sent == [("alarmRaised", "route_1"), ("alarmCleared", "route_1")])
        assert alarms.receiver_state(receiver.id).waiting == 0
        await written(alarms)
    async with server(tmp_path, line) as alarms:
        assert alarms.receiver_state(receiver.id).waiting == 0
    assert len(line.sent) == 2


@pytest.mark.parametrize("how", ["removed", "disabled"])
async def test_the_end_of_a_rule_ends_its_alarms_and_is_told(tmp_path: Path, how: str) -> None:
    line = Line()
    async with server(tmp_path, line) as alarms:
        await told(alarms, await alarms.add_receiver(HOOK))
        alarms.look(seen("failed"), 0)
        if how == "removed":
            await alarms.remove_rule("rule_1")
        else:
            await alarms.patch_rule("rule_1", {"enabled": False})
        alarms.look(seen("failed"), 1)
        await until_async(lambda: [kind for kind, _ in line.sent] == ["alarmRaised", "alarmCleared"])
        assert alarms.past(1)[0].cleared_because == ("ruleRemoved" if how == "removed" else "ruleDisabled")


async def test_who_wants_no_recovery_gets_none(tmp_path: Path) -> None:
    line = Line()
    async with server(tmp_path, line) as alarms:
        receiver = await alarms.add_receiver(HOOK)
        await alarms.patch_rule("rule_1", {"receivers": [receiver.id], "recoverAfter": 0, "notifyRecovery": False})
        for second, status in enumerate(["failed", "running", "failed"]):
            alarms.look(seen(status), second)
        await until_async(lambda: [kind for kind, _ in line.sent] == ["alarmRaised", "alarmRaised"])


async def test_removed_rules_stay_removed_and_secrets_stay(tmp_path: Path) -> None:
    async with server(tmp_path, Line()) as alarms:
        for rule in alarms.rules():
            await alarms.remove_rule(rule.id)
        receiver = await alarms.add_receiver(HOOK)
        rule = await alarms.add_rule(
            RuleInput.model_validate(
                {"name": "R", "condition": {"kind": "lossAbove", "percent": 1}, "receivers": [receiver.id]}
            )
        )
        with pytest.raises(ReceiverInUse):
            await alarms.remove_receiver(receiver.id)
    async with server(tmp_path, Line()) as alarms:
        assert alarms.rules() == [rule]
        assert alarms.receivers() == [receiver]
        assert SECRET not in repr(alarms.receivers())


async def test_past_alarms_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAST_KEPT", 3)
    async with server(tmp_path, Line()) as alarms:
        await told(alarms)
        ids = []
        for second in range(5):
            alarms.look(seen("failed"), 2 * second)
            ids.append(alarms.active()[0].id)
            alarms.look(seen("running"), 2 * second + 1)
        await written(alarms)
        with pytest.raises(AlarmNotFound):
            alarms.acknowledge(ids[0], "alice")
    async with server(tmp_path, Line()) as alarms:
        assert [alarm.id for alarm in alarms.past(10)] == ids[:1:-1]
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alarms").fetchone() == (3,)


async def test_active_alarms_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ACTIVE", 2)
    async with server(tmp_path, Line()) as alarms:
        await told(alarms)
        alarms.look(seen("failed", "failed", "failed"), 0)
        assert len(alarms.active()) == 2
        alarms.look(seen("running", "failed", "failed"), 1)
        alarms.look(seen("running", "failed", "failed"), 2)
        assert {alarm.route_id for alarm in alarms.active()} == {"route_2", "route_3"}


async def test_a_database_that_cannot_be_used_stops_no_alarm(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is no database" * 100)
    line, heard = Line(), list[object]()
    async with server(tmp_path, line) as alarms:
        alarms.subscribe(heard.append)
        alarms.look(seen("failed"), 0)
        assert [alarm.rule_id for alarm in alarms.active()] == ["rule_1"]
        assert [one.id for one in heard if isinstance(one, Alarm)] == [alarms.active()[0].id]
        with pytest.raises(Unavailable):
            await told(alarms)
        assert alarms.rule("rule_1").recover_after == 10.0


async def test_a_restored_backup_brings_rules_back_and_no_old_alarm(tmp_path: Path) -> None:
    line = Line()
    async with server(tmp_path, line) as alarms:
        receiver = await alarms.add_receiver(HOOK)
        await told(alarms, receiver)
        line.down = True
        alarms.look(seen("failed", "running"), 0)
        await until_async(lambda: alarms.receiver_state(receiver.id).waiting == 1)
        await written(alarms)
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
        line.down = False
        alarms.look(seen("running", "failed"), 1)
        rule = await alarms.add_rule(RuleInput.model_validate({"name": "R", "condition": {"kind": "crashLooping"}}))
        await until_async(lambda: len(line.sent) == 3)
        await written(alarms)

        def put_back(path: Path) -> None:
            with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(path)) as target:
                source.backup(target)

        await alarms._store._database.exclusively(put_back)
        await alarms.read_again()
        assert rule not in alarms.rules()
        assert [alarm.route_id for alarm in alarms.active()] == ["route_2"]
        await written(alarms)
    async with server(tmp_path, line) as alarms:
        assert [alarm.route_id for alarm in alarms.active()] == ["route_2"]
        assert [alarm.route_id for alarm in alarms.past(10)] == ["route_1"]
        assert alarms.receiver_state(receiver.id).waiting == 0
    assert len(line.sent) == 3


async def test_a_receiver_that_is_no_more_loses_what_waits(tmp_path: Path) -> None:
    line = Line()
    line.down = True
    async with server(tmp_path, line) as alarms:
        receiver = await alarms.add_receiver(HOOK)
        await told(alarms, receiver)
        alarms.look(seen("failed"), 0)
        await until_async(lambda: alarms.receiver_state(receiver.id).last_error)
        await told(alarms)
        await alarms.remove_receiver(receiver.id)
        alarms.look(seen("running"), 1)
        await written(alarms)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alarm_deliveries").fetchone() == (0,)
