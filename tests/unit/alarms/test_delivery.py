"""Messages: what they say, and how long is waited between two tries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.alarms import courier as module
from srt_router.alarms import message, transport
from srt_router.alarms.courier import FIRST_PAUSE_S, KEPT_MS, LONGEST_PAUSE_S, QUEUE, Courier, Trouble, pause_s
from srt_router.alarms.errors import DeliveryFailed
from srt_router.alarms.model import AlarmKind, Email, Receiver, Severity, Webhook
from srt_router.alarms.records import Alarm, Message, MessageType
from srt_router.alarms.transport import signature
from tests.harness.wait import until_async

NOC = Webhook(id="receiver_1", name="NOC", type="webhook", url="https://noc.example.org/T0KEN")
ALARM = Alarm(
    id="alarm_1",
    rule_id="rule_1",
    rule="Route failed",
    kind=AlarmKind.ROUTE_FAILED,
    severity=Severity.CRITICAL,
    route_id="route_1",
    route_name="Paris\r\nBcc: everybody@example.org",
    message="the route is failed: port 4000 is taken",
    raised_at=1_761_154_355_576,
    receivers=("receiver_1",),
)


class Recorder:
    """A transport that takes what it is told to take."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fails = 0
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, receiver: Receiver, sent: Message) -> None:
        await self.free.wait()
        if self.fails:
            self.fails -= 1
            raise DeliveryFailed("it is down")
        self.sent.append(sent.id)


def messages(*numbers: int, created_at: int | None = None) -> list[Message]:
    at = module._now_ms() if created_at is None else created_at
    return [Message(f"message_{number}", "receiver_1", at, {}) for number in numbers]


class Office:
    """A courier at work, and what it has told."""

    def __init__(self) -> None:
        self.transport = Recorder()
        self.done: list[str] = []
        self.trouble: list[Trouble] = []
        self.courier = Courier(NOC, self.transport, lambda sent: self.done.append(sent.id), self.trouble.append)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Courier]:
        task = asyncio.create_task(self.courier.run())
        try:
            yield self.courier
        finally:
            task.cancel()


async def test_in_order_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    office = Office()
    office.transport.fails = 3
    async with office.open() as courier:
        courier.take(messages(1, 2))
        courier.take(messages(3))
        await until_async(lambda: len(office.done) == 3)
    assert office.transport.sent == office.done == ["message_1", "message_2", "message_3"]
    assert [(one.error, one.given_up) for one in office.trouble] == [("it is down", 0)], "told once"
    state = courier.snapshot()
    assert (state.waiting, state.last_error, state.lost) == (0, None, 0)
    assert state.last_success_at is not None


async def test_what_is_too_old_is_given_up() -> None:
    office = Office()
    async with office.open() as courier:
        courier.take(messages(1, created_at=module._now_ms() - KEPT_MS - 1000))
        courier.take(messages(2))
        await until_async(lambda: len(office.done) == 2)
    assert office.transport.sent == ["message_2"]
    assert [one.given_up for one in office.trouble] == [1]
    assert courier.snapshot().lost == 1


async def test_a_queue_has_an_end() -> None:
    office = Office()
    office.transport.free.clear()
    async with office.open() as courier:
        courier.take(messages(*range(QUEUE + 5)))
        assert courier.snapshot().waiting == QUEUE
        assert office.done == [f"message_{number}" for number in range(5)], "the oldest are given up"


async def test_another_address_is_tried_at_once() -> None:
    office = Office()
    office.transport.fails = 1
    async with office.open() as courier:
        courier.take(messages(1))
        await until_async(lambda: courier.snapshot().next_try_at is not None)
        courier.change(NOC.model_copy(update={"url": "https://other/"}))
        await until_async(lambda: office.done)
    assert office.transport.sent == ["message_1"]


async def test_a_disabled_receiver_drops_what_waits() -> None:
    office = Office()
    office.transport.free.clear()
    async with office.open() as courier:
        courier.take(messages(1, 2))
        courier.change(NOC.model_copy(update={"enabled": False}))
        assert (office.done, courier.snapshot().waiting) == (["message_1", "message_2"], 0)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_have_an_end(failures: int, jitter: float) -> None:
    assert 0.8 * FIRST_PAUSE_S <= pause_s(failures, jitter) <= 1.2 * LONGEST_PAUSE_S
    assert pause_s(failures, 0.0) <= pause_s(failures + 1, 0.0)


def test_the_signature_is_what_the_page_says() -> None:
    content = b'{"a": 1}'
    expected = hmac.new(b"hush-hush", content, hashlib.sha256).hexdigest()
    assert signature("hush-hush", content) == f"sha256={expected}"


def test_a_body_is_json_and_says_no_more_than_a_receiver_needs() -> None:
    body = message.body("message_1", MessageType.RAISED, 1_761_154_355_600, ALARM)
    assert json.loads(json.dumps(body)) == body
    assert {"receivers", "acknowledgedBy"}.isdisjoint(body["alarm"])
    assert body["text"].startswith("Critical: Route failed: Paris")
    assert "\n" not in body["text"]


@pytest.mark.parametrize("about", list(MessageType))
def test_an_email_holds_no_line_that_a_name_put_there(about: MessageType) -> None:
    alarm = None if about is MessageType.TEST else ALARM
    sent = Message("message_1", "receiver_1", 0, message.body("message_1", about, 1_761_154_355_600, alarm))
    mail = message.email(sent, "srt-router@example.org", ("noc@example.org", "b@example.org"))
    assert mail["To"] == "noc@example.org, b@example.org"
    assert mail["Bcc"] is None
    lines = mail.as_bytes().decode().splitlines()
    assert not [line for line in lines if line.lower().startswith("bcc")]
    assert mail["Message-ID"] == "<message_1.receiver_1@srt-router.invalid>"
    assert mail["Auto-Submitted"] == "auto-generated"


@given(st.text(max_size=60), st.text(max_size=200))
def test_whatever_a_name_holds_can_be_sent(name: str, text: str) -> None:
    alarm = Alarm("a", "r", name, AlarmKind.CRASH_LOOPING, Severity.INFO, "route_1", name, text, 0, cleared_at=1)
    for about in MessageType:
        body = message.body("message_1", about, 0, alarm)
        mail = message.email(Message("message_1", "r", 0, body), "a@b", ("c@d",))
        assert mail.as_bytes()
        assert json.dumps(body).encode()


def test_an_email_receiver_has_no_secret() -> None:
    receiver = Email(id="r", name="N", type="email", to=("a@b.c",))
    assert (receiver.secrets(), receiver.where) == (frozenset(), "a@b.c")


async def test_a_name_server_that_hangs_takes_no_thread_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), list[object]()

    def hang(host: object, *_: object, **__: object) -> list[object]:
        asked.append(host)
        answer.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(transport, "TIMEOUT_S", 0.05)
    line = transport.RealTransport(transport.MailServer("mail.test", 25, transport.SmtpSecurity.NONE, "a@b.c"))
    mail = Email(id="r", name="N", type="email", to=("a@b.c",))
    hooks = [NOC.model_copy(update={"url": f"https://host{number % 3}.test/T0KEN"}) for number in range(30)]
    everybody: list[Receiver] = [*hooks, mail]
    sends = [line.send(receiver, messages(1)[0]) for receiver in everybody]
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {DeliveryFailed}
    assert "T0KEN" not in str(outcomes)
    assert sorted(map(str, asked)) == ["host0.test", "host1.test", "host2.test", "mail.test"], "one thread per name"
    assert await asyncio.to_thread(lambda: "free") == "free"
    answer.set()
