"""The alarms of one server: what is seen is judged once a second, what follows is kept, told and delivered.

Nothing here waits for a disk or a receiver but `run`, the couriers, and whoever changes rules and receivers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.alarms import message
from srt_router.alarms.book import Book, Change, Cleared, Key, Raised
from srt_router.alarms.courier import Trouble
from srt_router.alarms.errors import AlarmNotFound, DeliveryFailed
from srt_router.alarms.facts import Facts
from srt_router.alarms.model import AlarmKind, AnyReceiverInput, Receiver, Rule, RuleInput
from srt_router.alarms.post import PostOffice
from srt_router.alarms.records import Alarm, Json, Message, MessageType, ReceiverState
from srt_router.alarms.setup import Ids, Setup, in_order
from srt_router.alarms.store import AlarmStore, Kept
from srt_router.alarms.transport import Transport
from srt_router.storage.database import Database, Unavailable
from srt_router.storage.events import clean

log = logging.getLogger("Alarms")

PAST_KEPT = 1000
"""So many alarms that are over are kept."""
MOST_ACTIVE = 5000
"""So many are active at a time; more wait until others are over."""
_RETRY_S = 5.0
_OPEN_S = 30.0
"""For so long alarms wait for a database that cannot be used, before they go on without."""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of a test message."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)
    __test__: ClassVar[bool] = False  # no test itself

    delivered: bool
    error: str | None
    """Why not."""
    took_ms: int


Told = Alarm | Trouble
"""An alarm that was raised or has ended, or a receiver that cannot be reached."""


class Alarms:
    """Everything about alarms. Runs on the event loop."""

    def __init__(self, database: Database, transport: Transport, tasks: asyncio.TaskGroup) -> None:
        self._setup = Setup()
        self._store = AlarmStore(database)
        self._post = PostOffice(transport, tasks, self._done_with, self._tell)
        self._book = Book()
        self._ids = Ids()
        self._active: dict[Key, Alarm] = {}
        self._past: deque[Alarm] = deque()
        """Oldest first."""
        self._outbox: list[Message] = []
        """Not handed to the couriers before they are written, or cannot be for now."""
        self._listeners: list[Callable[[Told], None]] = []
        self._change_listeners: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._changing = asyncio.Lock()
        self._full = False
        self._opened = False

    # Life

    async def run(self) -> None:
        """Go on where the last server ended; then write what is new and hand messages over, until cancelled."""
        self._open(await self._store.open(_OPEN_S))
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._hand_over()

    def _open(self, kept: Kept) -> None:
        for one in [*kept.rules, *kept.receivers, *kept.alarms, *kept.messages]:
            self._ids.seen(one.id)
        self._setup.rules = {rule.id: rule for rule in kept.rules}
        for receiver in kept.receivers:
            self._setup.receivers[receiver.id] = receiver
            self._post.serve(receiver)
        for alarm in kept.alarms:
            if alarm.cleared_at is None:
                self._active[_key(alarm)] = alarm
            else:
                self._past.append(alarm)
        self._book.restore(self._active)
        self._post.take(kept.messages)
        self._opened = True
        self._tell_change()

    async def read_again(self) -> None:
        """Take over the rules and receivers of a backup that was restored; alarms go on. Raises Unavailable."""
        async with self._change():
            kept = await self._store.read()
            self._setup.rules = {rule.id: rule for rule in kept.rules}
            there = {receiver.id: receiver for receiver in kept.receivers}
            for gone in set(self._setup.receivers) - set(there):
                self._post.leave(gone)
            self._setup.receivers = there
            for receiver in kept.receivers:
                self._ids.seen(receiver.id)
                self._post.serve(receiver)
            for rule in kept.rules:
                self._ids.seen(rule.id)
            self._write_anew([*kept.alarms, *kept.messages])

    def _write_anew(self, of_then: Iterable[Alarm | Message]) -> None:
        """What is in gateway.db is of the time of the backup: alarms that are over, messages long delivered."""
        for old in of_then:
            self._store.forget(old)
        of_now: list[Alarm | Message] = [*self._active.values(), *self._past, *self._post.waiting(), *self._outbox]
        for one in of_now:
            self._store.keep(one)
        self._wake.set()

    async def _hand_over(self) -> None:
        outbox, self._outbox = self._outbox, []
        written = await self._store.flush()
        self._post.take(outbox)
        if not written:
            asyncio.get_running_loop().call_later(_RETRY_S, self._wake.set)

    async def close(self, patience_s: float) -> None:
        """Deliver no more; what waits is written, and delivered by the next server."""
        self._post.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._store.flush()

    def subscribe(self, listener: Callable[[Told], None]) -> None:
        """Call `listener` with what happens."""
        self._listeners.append(listener)

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the active alarms are others than before."""
        self._change_listeners.append(changed)

    # What is seen

    def look(self, facts: Facts, now: float) -> None:
        """Judge what is seen now (`now`: monotonic seconds); nothing before what is kept has been read."""
        if not self._opened:
            return
        for change in self._book.look(self._setup.rules, facts, now):
            self._take_in(change)

    def _take_in(self, change: Change) -> None:
        if isinstance(change, Raised):
            self._raise(change)
        elif alarm := self._active.pop(change.key, None):
            self._clear(alarm, change)

    def _raise(self, change: Raised) -> None:
        if len(self._active) >= MOST_ACTIVE:
            self._book.forget(change.key)
            if not self._full:
                log.error("There are %d active alarms: more are raised when some of them are over", MOST_ACTIVE)
            self._full = True
            return
        rule, route = change.rule, change.route
        alarm = Alarm(
            id=self._ids.new("alarm"),
            rule_id=rule.id,
            rule=rule.name,
            kind=rule.condition.kind,
            severity=rule.severity,
            route_id=route.id if route else None,
            route_name=clean(route.name) if route else None,
            message=clean(change.text),
            raised_at=_now_ms(),
            receivers=tuple(id_ for id_ in rule.receivers if self._listens(id_)),
            notify_recovery=rule.notify_recovery,
        )
        self._active[change.key] = alarm
        log.warning("Raised: %s: %s", _title(alarm), alarm.message)
        self._changed(alarm, MessageType.RAISED, alarm.receivers)

    def _clear(self, alarm: Alarm, change: Cleared) -> None:
        self._full = False
        over = replace(alarm, cleared_at=_now_ms(), cleared_because=change.because, cleared_message=clean(change.text))
        self._past.append(over)
        while len(self._past) > PAST_KEPT:
            self._store.forget(self._past.popleft())
        log.info("Over: %s: %s", _title(over), change.text)
        self._changed(over, MessageType.CLEARED, over.receivers if over.notify_recovery else ())

    def _changed(self, alarm: Alarm, about: MessageType, receivers: Iterable[str]) -> None:
        self._store.keep(alarm)
        for receiver_id in receivers:
            if self._listens(receiver_id):
                self._write_to(receiver_id, about, alarm)
        self._wake.set()
        self._tell(alarm)
        self._tell_change()

    def _listens(self, receiver_id: str) -> bool:
        receiver = self._setup.receivers.get(receiver_id)
        return receiver is not None and receiver.enabled

    def _write_to(self, receiver_id: str, about: MessageType, alarm: Alarm) -> None:
        sent = self._message(receiver_id, about, alarm)
        self._store.keep(sent)
        self._outbox.append(sent)

    def _message(self, receiver_id: str, about: MessageType, alarm: Alarm | None) -> Message:
        id_, now = self._ids.new("message"), _now_ms()
        return Message(id_, receiver_id, now, message.body(id_, about, now, alarm))

    def _done_with(self, sent: Message) -> None:
        self._store.forget(sent)
        self._wake.set()

    def _tell(self, told: Told) -> None:
        for listener in self._listeners:
            listener(told)

    def _tell_change(self) -> None:
        for listener in self._change_listeners:
            listener()

    # What there is

    def kinds(self) -> set[AlarmKind]:
        """What the enabled rules look at."""
        return {rule.condition.kind for rule in self._setup.rules.values() if rule.enabled}

    def active(self) -> list[Alarm]:
        """Every active alarm, newest first."""
        return sorted(self._active.values(), key=lambda alarm: (alarm.raised_at, alarm.id), reverse=True)

    def past(self, limit: int) -> list[Alarm]:
        """The alarms that ended last, newest end first."""
        return list(islice(reversed(self._past), limit))

    def acknowledge(self, alarm_id: str, by: str) -> tuple[Alarm, Alarm]:
        """Somebody has seen it: the alarm before and after. The first one counts. Raises AlarmNotFound."""
        for key, alarm in self._active.items():
            if alarm.id == alarm_id:
                self._active[key] = after = _acknowledged(alarm, by)
                break
        else:
            place, alarm = self._find_past(alarm_id)
            self._past[place] = after = _acknowledged(alarm, by)
        if after is not alarm:
            self._store.keep(after)
            self._wake.set()
            self._tell_change()
        return alarm, after

    def _find_past(self, alarm_id: str) -> tuple[int, Alarm]:
        for place, alarm in enumerate(self._past):
            if alarm.id == alarm_id:
                return place, alarm
        raise AlarmNotFound(f"there is no alarm {alarm_id}, or it ended too long ago")

    @contextlib.asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        """One change after the other, and none before what is kept has been read."""
        async with self._changing:
            if not self._opened:
                raise Unavailable("alarm rules and receivers have not been read yet: try again in some seconds")
            yield

    # Rules

    def rules(self) -> list[Rule]:
        """Every rule, in the order in which they were made."""
        return in_order(self._setup.rules)

    def rule(self, rule_id: str) -> Rule:
        """One rule. Raises RuleNotFound."""
        return self._setup.rule(rule_id)

    async def add_rule(self, given: RuleInput) -> Rule:
        """Make a rule. Raises ReceiverNotFound, TooMany, Unavailable."""
        async with self._change():
            return await self._set_rule(given, self._ids.new("rule"))

    async def replace_rule(self, rule_id: str, given: RuleInput) -> Rule:
        """Change all of a rule. Raises RuleNotFound, ReceiverNotFound, Unavailable."""
        async with self._change():
            self._setup.rule(rule_id)
            return await self._set_rule(given, rule_id)

    async def patch_rule(self, rule_id: str, patch: Json) -> Rule:
        """Change some fields of a rule. Raises as `replace_rule`, and pydantic.ValidationError."""
        async with self._change():
            return await self._set_rule(self._setup.patched_rule(rule_id, patch), rule_id)

    async def _set_rule(self, given: RuleInput, rule_id: str) -> Rule:
        rule = self._setup.new_rule(given, rule_id)
        await self._store.save(rule)
        self._setup.rules[rule_id] = rule
        return rule

    async def remove_rule(self, rule_id: str) -> Rule:
        """Remove a rule; its alarms end with the next look. Raises RuleNotFound, Unavailable."""
        async with self._change():
            rule = self._setup.rule(rule_id)
            await self._store.remove(rule)
            return self._setup.rules.pop(rule_id)

    # Receivers

    def receivers(self) -> list[Receiver]:
        """Every receiver, in the order in which they were made."""
        return in_order(self._setup.receivers)

    def receiver(self, receiver_id: str) -> Receiver:
        """One receiver. Raises ReceiverNotFound."""
        return self._setup.receiver(receiver_id)

    def receiver_state(self, receiver_id: str) -> ReceiverState:
        """How a receiver fares. Raises ReceiverNotFound."""
        self._setup.receiver(receiver_id)
        return self._post.state(receiver_id)

    async def add_receiver(self, given: AnyReceiverInput) -> Receiver:
        """Make a receiver. Raises TooMany, Unavailable."""
        async with self._change():
            return await self._set_receiver(given, self._ids.new("receiver"))

    async def replace_receiver(self, receiver_id: str, given: AnyReceiverInput) -> Receiver:
        """Change all of a receiver. Raises ReceiverNotFound, Unavailable."""
        async with self._change():
            self._setup.receiver(receiver_id)
            return await self._set_receiver(given, receiver_id)

    async def patch_receiver(self, receiver_id: str, patch: Json) -> Receiver:
        """Change some fields of a receiver. Raises as `replace_receiver`, and pydantic.ValidationError."""
        async with self._change():
            return await self._set_receiver(self._setup.patched_receiver(receiver_id, patch), receiver_id)

    async def _set_receiver(self, given: AnyReceiverInput, receiver_id: str) -> Receiver:
        receiver = self._setup.new_receiver(given, receiver_id)
        await self._store.save(receiver)
        self._setup.receivers[receiver_id] = receiver
        self._post.serve(receiver)
        return receiver

    async def remove_receiver(self, receiver_id: str) -> Receiver:
        """Remove a receiver that no rule names. Raises ReceiverNotFound, ReceiverInUse, Unavailable."""
        async with self._change():
            receiver = self._setup.removable(receiver_id)
            await self._store.remove(receiver)
            self._post.leave(receiver_id)
            return self._setup.receivers.pop(receiver_id)

    async def test(self, receiver_id: str) -> TestOutcome:
        """Send a test message at once, past what waits. Raises ReceiverNotFound."""
        receiver = self._setup.receiver(receiver_id)
        began, error = time.monotonic(), None
        try:
            await self._post.transport.send(receiver, self._message(receiver_id, MessageType.TEST, None))
        except DeliveryFailed as failure:
            error = str(failure)
        self._post.tested(receiver_id, error)
        return TestOutcome(error is None, error, round((time.monotonic() - began) * 1000))


def _acknowledged(alarm: Alarm, by: str) -> Alarm:
    return alarm if alarm.acknowledged_at else replace(alarm, acknowledged_at=_now_ms(), acknowledged_by=by)


def _key(alarm: Alarm) -> Key:
    return Key(alarm.rule_id, alarm.kind, alarm.route_id)


def _title(alarm: Alarm) -> str:
    return f"{alarm.rule} ({alarm.route_name} {alarm.route_id})" if alarm.route_id else alarm.rule


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
