"""Whether a condition holds, and how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from srt_router.alarms.facts import RouteFacts, holds, sentence
from srt_router.alarms.model import AlarmKind, Condition
from srt_router.alarms.recent import LastMinute

_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
ON_AIR = RouteFacts("route_1", "Paris", status="running", status_s=100.0)

Json = dict[str, object]
FAILED: Json = {"kind": "routeFailed"}
WAITING: Json = {"kind": "waitingLongerThan", "seconds": 60}
DEGRADED: Json = {"kind": "degradedLongerThan", "seconds": 60}
BITRATE: Json = {"kind": "bitrateBelow", "mbps": 2}
LOSS: Json = {"kind": "lossAbove", "percent": 1.5}
CONTINUITY: Json = {"kind": "continuityErrorsAbove", "errorsPerMinute": 0}
DROPS: Json = {"kind": "busDropsAbove", "datagramsPerMinute": 10}
LOOPING: Json = {"kind": "crashLooping"}
OF_ROUTES = [FAILED, WAITING, DEGRADED, BITRATE, LOSS, CONTINUITY, DROPS, LOOPING]


def condition(data: dict[str, object]) -> Condition:
    return _CONDITION.validate_python(data)


@pytest.mark.parametrize(
    ("data", "facts", "expected"),
    [
        (FAILED, {"status": "failed"}, True),
        (FAILED, {"status": "running"}, False),
        (FAILED, {"status": "starting"}, None),
        (FAILED, {"status": "restarting"}, None),
        (FAILED, {"status": None}, None),
        (WAITING, {"status": "waiting", "status_s": 59.9}, False),
        (WAITING, {"status": "waiting", "status_s": 60.0}, True),
        (WAITING, {"status": "running", "status_s": 600.0}, False),
        (DEGRADED, {"status": "degraded", "status_s": 61.0}, True),
        (DEGRADED, {"status": "degraded", "status_s": 1.0}, False),
        (BITRATE, {"source_mbps": 1.999}, True),
        (BITRATE, {"source_mbps": 2.0}, False),
        (BITRATE, {"source_mbps": None}, None),
        (BITRATE, {"source_mbps": 0.0, "status": "waiting"}, None),
        (BITRATE, {"source_mbps": 0.0, "status": "failed"}, True),
        (LOSS, {"loss_percent": 1.5}, False),
        (LOSS, {"loss_percent": 1.6}, True),
        (LOSS, {}, None),
        (CONTINUITY, {"continuity_errors": 1}, True),
        (CONTINUITY, {"continuity_errors": 0}, False),
        (CONTINUITY, {}, None),
        (DROPS, {"bus_drops": 11}, True),
        (DROPS, {"bus_drops": 10}, False),
        (DROPS, {}, None),
        (LOOPING, {"crash_looping": ("srt",), "failing": True}, True),
        (LOOPING, {"failing": True}, False),
    ],
)
def test_holds(data: dict[str, object], facts: dict[str, object], expected: bool | None) -> None:
    assert holds(condition(data), replace(ON_AIR, **facts), active=False) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("data", OF_ROUTES, ids=lambda data: str(data["kind"]))
@pytest.mark.parametrize("active", [True, False])
def test_a_stopped_route_has_no_alarm(data: dict[str, object], active: bool) -> None:
    stopped = replace(ON_AIR, status="stopped", source_mbps=0.0, crash_looping=("srt",), failing=True)
    assert holds(condition(data), stopped, active=active) is False
    assert sentence(condition(data), stopped) == "the route is stopped"


@pytest.mark.parametrize(("data", "status"), [(WAITING, "waiting"), (DEGRADED, "degraded")])
def test_what_lasts_goes_on_after_a_restart_of_the_server(data: dict[str, object], status: str) -> None:
    """The new server has seen it for a second only; the alarm of the old one is no less true."""
    seen = replace(ON_AIR, status=status, status_s=1.0)
    assert holds(condition(data), seen, active=True) is True
    assert holds(condition(data), replace(seen, status="running"), active=True) is False


def test_long_pauses_are_no_recovery_of_what_crashes() -> None:
    assert holds(condition(LOOPING), replace(ON_AIR, failing=True), active=True) is True
    assert holds(condition(LOOPING), ON_AIR, active=True) is False


def test_every_kind_is_read_somewhere() -> None:
    assert {data["kind"] for data in OF_ROUTES} | {AlarmKind.ORPHAN_FOUND} == set(AlarmKind)


@pytest.mark.parametrize(
    ("data", "facts", "words"),
    [
        (FAILED, {"status": "failed", "reasons": lambda: ["port 4000 is taken"]}, "is failed: port 4000 is taken"),
        (WAITING, {"status": "waiting", "status_s": 300.0}, "the route is waiting for 5 min"),
        (WAITING, {"status": "running"}, "the route is running"),
        (BITRATE, {"source_mbps": 1.25}, "the source brings 1.25 Mb/s (threshold 2)"),
        (LOSS, {"loss_percent": 3.5, "loss_leg": "destination:0"}, "destination:0 lost 3.5 %"),
        (CONTINUITY, {"continuity_errors": 7}, "7 continuity errors"),
        (DROPS, {"bus_drops": 70}, "70 datagrams"),
        (LOOPING, {"crash_looping": ("srt", "ffmpeg")}, "srt; ffmpeg failed ten times"),
        (LOOPING, {}, "no process has failed"),
    ],
)
def test_sentences(data: dict[str, object], facts: dict[str, object], words: str) -> None:
    assert words in sentence(condition(data), replace(ON_AIR, **facts))  # type: ignore[arg-type]


def test_growth_within_a_minute() -> None:
    counter = LastMinute()
    assert counter.add(None, 0) is None
    assert counter.add(1000, 0) == 0, "what was counted before anybody looked is not new"
    assert counter.add(1010, 1) == 10
    assert counter.add(1010, 30) == 10
    assert counter.add(1015, 59) == 15
    assert counter.add(1015, 61) == 5
    assert counter.add(3, 62) == 8, "it was set to zero, and has counted three since"
    assert counter.add(None, 63) is None
    assert counter.add(3, 200) == 0
