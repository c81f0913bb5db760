"""The warnings of a route: told when they begin, shown while they last, told when they end."""

from __future__ import annotations

from srt_router.monitoring.thresholds import Metric
from srt_router.supervision.event import ServerEvent
from srt_router.supervision.health import Limits
from srt_router.supervision.route_warnings import Observation, RecentSum, RouteWarnings
from srt_router.supervision.series_clock import SeriesClock

LIMITS = Limits(warn_loss_percent=2.0, warn_rtt_ms=300.0, warn_cc_errors=1.0, warn_bus_drops=1.0)


def loss(value: float | None, leg: str = "destination:0") -> Observation:
    return Observation("srtOut:6000", leg, Metric.LOSS_PERCENT, value)


def looked(warnings: RouteWarnings, seen: list[Observation], seconds: int, start: int = 0) -> list[ServerEvent]:
    told: list[ServerEvent] = []
    for second in range(start, start + seconds):
        told += warnings.look(seen, LIMITS, float(second), second * 1000)
    return told


def test_from_raised_to_cleared() -> None:
    warnings = RouteWarnings("route_1")
    (raised,) = looked(warnings, [loss(4.0)], 10)
    assert (raised.kind, raised.route) == ("warningRaised", "route_1")
    assert raised.data() == {
        "routeId": "route_1",
        "leg": "destination:0",
        "metric": "lossPercent",
        "value": 4.0,
        "threshold": 2.0,
    }
    assert raised.message == "Route route_1: destination:0: 4 % of the packets are lost on their way (limit 2 %)"
    (shown,) = warnings.raised.values()
    assert (shown.leg, shown.metric, shown.since) == ("destination:0", Metric.LOSS_PERCENT, 3000)
    (cleared,) = looked(warnings, [loss(0.1)], 40, start=10)
    assert cleared.data() == {
        "routeId": "route_1",
        "leg": "destination:0",
        "metric": "lossPercent",
        "lastedMs": 37_000,
    }
    assert warnings.raised == {}


def test_a_leg_that_is_no_more_has_no_warning() -> None:
    warnings = RouteWarnings("route_1")
    looked(warnings, [loss(4.0)], 10)
    assert [event.kind for event in looked(warnings, [], 1, start=10)] == ["warningCleared"]
    looked(warnings, [loss(4.0)], 10, start=20)
    assert [event.kind for event in warnings.clear(99_000)] == ["warningCleared"]
    assert warnings.raised == {}


def test_counts_are_those_of_ten_seconds() -> None:
    recent = RecentSum()
    assert recent.add(None, 0.0) is None
    assert [recent.add(count, float(second)) for second, count in enumerate([1, 2, None, 0])] == [1, 3, 3, 3]
    assert [recent.add(0, second) for second in (9.9, 10.0, 11.0)] == [3, 2, 0]


def test_a_second_of_the_history_has_no_jump() -> None:
    clock = SeriesClock()
    assert [clock.second(100.0 + n, 1_000_000.4 + n + jitter) for n, jitter in enumerate((0, 0.2, -0.3, 0.1))] == [
        1_000_000,
        1_000_001,
        1_000_002,
        1_000_003,
    ]
    assert clock.second(110.0, 1_000_000.0) == 1_000_000  # the wall clock was set back
    assert clock.second(111.0, 1_000_001.0) == 1_000_001


def test_the_next_look_is_in_the_middle_of_a_second() -> None:
    clock = SeriesClock()
    clock.second(100.0, 5000.0)
    assert abs(clock.pause_s(100.2) - 0.3) < 1e-6
    assert abs(clock.pause_s(100.5) - 1.0) < 1e-6
    assert abs(clock.pause_s(100.6) - 0.9) < 1e-6
