"""The names of the legs of a route, and under which their history is kept."""

from __future__ import annotations

from dataclasses import replace

from srt_router.processes.spec import Leg
from srt_router.routes.plan import plan
from srt_router.supervision import route_legs
from tests.unit.routes.examples import CONTEXT, caller, listener, route, udp


def series(of: object) -> list[str]:
    assert isinstance(of, type(route()))
    return [route_legs.series(of, leg) for leg in route_legs.legs(of)]


def test_the_legs_of_a_route_in_order() -> None:
    made = route(listener(6000), udp())
    assert [route_legs.name(leg) for leg in route_legs.legs(made)] == ["source", "destination:0", "destination:1"]


def test_a_destination_keeps_its_history_when_another_one_goes() -> None:
    both = route(listener(6000), caller(port=7000), udp("192.0.2.9", 5000))
    one_less = route(caller(port=7000), udp("192.0.2.9", 5000))
    assert series(both) == ["source", "srtOut:6000", "srtOut:7000", "udp:192.0.2.9:5000"]
    assert series(one_less) == ["source", "srtOut:7000", "udp:192.0.2.9:5000"]


def test_the_names_are_those_of_the_processes() -> None:
    made = route(
        caller("192.0.2.7", 7000), {**caller("192.0.2.8", 7000), "enabled": False}, caller("192.0.2.9", 7000), udp()
    )
    carried = {leg: spec for spec in plan(made, CONTEXT) for leg in spec.legs}
    for leg in route_legs.legs(made):
        if leg in carried:
            assert route_legs.series(made, leg) == route_legs.series(made, leg, carried[leg])
    other = replace(carried[Leg("destination", 0)], process_type="srtOut:7000.5")
    assert route_legs.series(made, Leg("destination", 0), other) == "srtOut:7000.5"


def test_the_wanted_latency_is_that_of_the_direction() -> None:
    source = listener(latency=200, rcvlatency=300, peerlatency=50)
    made = route(listener(6000, latency=80), listener(6001, peerlatency=500), udp(), source=source)
    wanted = [route_legs.identity(made, leg).latency_wanted for leg in route_legs.legs(made)]
    assert wanted == [300, 80, 500, None]


def test_a_leg_that_the_route_has_no_more_has_a_name_all_the_same() -> None:
    gone = Leg("destination", 7)
    assert route_legs.identity(route(), gone).series == "destination:7"
    assert route_legs.udp_target(route(), gone) is None
    assert route_legs.udp_target(route(udp("192.0.2.9", 5000)), Leg("destination", 0)) == ("192.0.2.9", 5000)
