"""Events: what is told, what is counted, and that nothing of it is secret."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from srt_router.supervision.event import ServerEvent
from srt_router.supervision.event_bus import FIRST_PERIOD_S, LONGEST_PERIOD_S, Announced, EventBus, Repeats
from srt_router.supervision.events import (
    KINDS,
    PeerConnected,
    ProcessEnded,
    ProcessStarted,
    RouteStarted,
    StartRefused,
)
from srt_router.supervision.health_events import RouteGaveUp, RouteRestarting, RouteUnhealthy
from srt_router.supervision.restart import Outcome

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "events.md"
UNANSWERED = ProcessEnded("route_1", "srt", 7, "exit status 0", 0, None, Outcome.UNANSWERED, 1.5, None)
KILLED = ProcessEnded("route_1", "srt", 7, "killed by SIGKILL", None, 9, Outcome.FAILED, 0.0, None)


class Told:
    """Repeats with a clock of its own."""

    def __init__(self) -> None:
        self.repeats = Repeats()
        self.now = 1000.0

    def __call__(self, event: ServerEvent, later_s: float = 0.0) -> list[tuple[str, int]]:
        self.now += later_s
        announced = Announced(event.kind, int(self.now * 1000), event.route, event.process, event.message, event.data())
        return self._short(self.repeats.admit(event, announced, self.now))

    def after(self, seconds: float) -> list[tuple[str, int]]:
        self.now += seconds
        return self._short(self.repeats.due(self.now))

    @staticmethod
    def _short(told: list[Announced]) -> list[tuple[str, int]]:
        return [(each.kind, each.repeated) for each in told]


def test_a_caller_that_waits_for_hours_does_not_flood() -> None:
    tell = Told()
    told = []
    for _ in range(24 * 3600 // 4):
        told += tell(UNANSWERED, 4.0)
        told += tell.after(0)
    assert told[0] == ("processEnded", 0)
    assert len(told) < 30
    assert sum(repeated for _, repeated in told) + 1 == pytest.approx(24 * 900, abs=LONGEST_PERIOD_S / 4)


def test_some_of_the_same_are_told_one_by_one() -> None:
    tell = Told()
    assert [tell(KILLED, 1.0) for _ in range(7)] == [[("processEnded", 0)]] * 5 + [[], []]
    assert tell.after(FIRST_PERIOD_S) == [("processEnded", 2)]
    assert tell(KILLED) == []


def test_what_is_another_is_told() -> None:
    tell = Told()
    for event in (
        UNANSWERED,
        replace(UNANSWERED, process_type="srtOut:1"),
        replace(UNANSWERED, route_id="route_2"),
        replace(UNANSWERED, outcome=Outcome.REJECTED),
        replace(UNANSWERED, exit="exit status 1"),
    ):
        assert tell(event) == [("processEnded", 0)]
        assert tell(event) == []


def test_what_stops_for_a_period_is_news_again() -> None:
    tell = Told()
    tell(UNANSWERED)
    assert tell.after(FIRST_PERIOD_S) == []
    assert tell(UNANSWERED) == [("processEnded", 0)]
    assert len(tell.repeats) == 1


def test_a_connection_ends_the_counting_of_tries() -> None:
    tell = Told()
    tell(UNANSWERED)
    tell(UNANSWERED)
    tell(UNANSWERED)
    assert tell(PeerConnected("route_1", "srt", None)) == [("processEnded", 2), ("peerConnected", 0)]
    assert tell(UNANSWERED) == [("processEnded", 0)]


def test_an_order_ends_all_counting_in_the_route() -> None:
    tell = Told()
    for _ in range(2):
        tell(UNANSWERED)
        tell(replace(UNANSWERED, route_id="route_2"))
    assert tell(RouteStarted("route_1", "order")) == [("processEnded", 1), ("routeStarted", 0)]
    assert len(tell.repeats) == 1


def test_orders_are_always_told() -> None:
    tell = Told()
    assert [tell(RouteStarted("route_1", "order")) for _ in range(50)] == [[("routeStarted", 0)]] * 50


def test_memory_is_bounded() -> None:
    tell = Told()
    for number in range(1000):
        tell(replace(UNANSWERED, route_id=f"route_{number}"))
    tell.after(FIRST_PERIOD_S)
    assert len(tell.repeats) == 0


async def test_secrets_are_taken_out_before_anybody_is_told() -> None:
    bus = EventBus()
    told: list[Announced] = []
    bus.subscribe(told.append)
    bus.emit(
        StartRefused("route_1", ["correct-horse-42 is taken", "passphrase=other-secret-1"], False),
        frozenset({"correct-horse-42"}),
    )
    (one,) = told
    assert "correct-horse" not in repr(one)
    assert "other-secret" not in repr(one)
    assert one.data["reasons"] == ["••• is taken", "passphrase=•••"]
    bus.close()


async def test_a_subscriber_that_fails_harms_nobody() -> None:
    bus = EventBus()
    told: list[Announced] = []

    def fail(_: Announced) -> None:
        raise ValueError("no")

    bus.subscribe(fail)
    bus.subscribe(told.append)
    bus.emit(ProcessStarted("route_1", "srt", 7))
    assert [each.kind for each in told] == ["processStarted"]
    bus.close()


async def test_what_was_counted_is_told_at_the_end() -> None:
    bus = EventBus()
    told: list[Announced] = []
    bus.subscribe(told.append)
    for _ in range(4):
        bus.emit(UNANSWERED)
    bus.close()
    assert [each.repeated for each in told] == [0, 3]


def test_payloads_that_scripts_rely_on() -> None:
    assert RouteUnhealthy("r", "no bandwidth for 30s").data() == {"routeId": "r", "reason": "no bandwidth for 30s"}
    assert RouteRestarting("r", 1).data() == {"routeId": "r", "attempts": 1}
    assert RouteGaveUp("r", 3).data() == {"routeId": "r", "attempts": 3}
    assert KINDS["routeUnhealthy"] is RouteUnhealthy


def documented() -> dict[str, set[str]]:
    """The fields of every kind in the reference: `### kind`, then a table of fields."""
    found: dict[str, set[str]] = {}
    for section in REFERENCE.read_text().split("\n### ")[1:]:
        name, _, text = section.partition("\n")
        rows = (line for line in text.splitlines() if line.startswith("| `"))
        found[name.strip("` ")] = {row.split("`")[1] for row in rows}
    return found


def test_the_reference_has_every_kind_with_its_payload() -> None:
    assert documented() == {kind: {to_camel(field.name) for field in fields(each)} for kind, each in KINDS.items()}


def test_every_kind_can_be_told() -> None:
    for each in (KILLED, UNANSWERED, RouteStarted("r", "order"), StartRefused("r", ["why"], True)):
        assert each.message
        json.dumps(each.data())
