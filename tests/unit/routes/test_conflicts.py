from __future__ import annotations

import pytest

from srt_router.routes.conflicts import conflicts, listening_ports
from srt_router.routes.model import Route
from tests.unit.routes.examples import Json, caller, listener, route, udp


def rendezvous(host: str, port: int, **more: object) -> Json:
    return {**caller(host, port, **more), "mode": "rendezvous"}


ALONE: list[tuple[Json, list[Json], str]] = [
    (listener(), [listener(6000), listener(6000)], "destinations[1].port"),
    (listener(), [listener(6000), listener(6000, enabled=False)], "destinations[1].port"),
    (listener(), [listener(4082)], "destinations[0].port"),
    (listener(), [rendezvous("192.0.2.1", 4082)], "destinations[0].port"),
    (listener(), [caller(localPort=4082)], "destinations[0].localPort"),
    (listener(), [udp(), udp(ttl=3, interface="eth1")], "destinations[1].port"),
    (listener(), [udp("192.0.2.9"), udp("192.0.2.9")], "destinations[1].port"),
    (listener(), [caller(), caller(latency=500)], "destinations[1].port"),
    (listener(), [caller("A.example"), caller("a.example")], "destinations[1].port"),
    (udp(), [udp(interface="eth1")], "destinations[0].port"),
    (udp(None), [udp("127.0.0.1")], "destinations[0].port"),
    (udp("192.0.2.1"), [udp("192.0.2.1")], "destinations[0].port"),
    (udp(None, 6000), [listener(6000)], "destinations[0].port"),
    (listener(), [caller("localhost", 4082)], "destinations[0].port"),
    (listener(), [caller("127.0.0.5", 4082)], "destinations[0].port"),
    (listener(adapter="192.0.2.1"), [caller("192.0.2.1", 4082)], "destinations[0].port"),
    (caller("::1", 6000), [listener(6000)], "destinations[0].port"),
    (caller("192.0.2.1", 6000, adapter="192.0.2.1"), [listener(6000)], "destinations[0].port"),
]


@pytest.mark.parametrize(("source", "destinations", "field"), ALONE)
def test_collisions_inside_a_route(source: Json, destinations: list[Json], field: str) -> None:
    assert [error.field for error in conflicts(route(*destinations, source=source), [])] == [field]


FINE: list[tuple[Json, list[Json]]] = [
    (listener(), [listener(6000), caller(port=6000), udp(port=6000)]),
    (listener(), [listener(6000, adapter="192.0.2.1"), listener(6000, adapter="192.0.2.2")]),
    (listener(), [listener(6000, adapter="192.0.2.1"), listener(6000, adapter="2001:db8::1")]),
    (listener(), [listener(6000), listener(6000, adapter="::", ipv6only=1)]),
    (listener(), [listener(6000, bindtodevice="a"), listener(6000, bindtodevice="b")]),
    (listener(), [caller(streamId="a"), caller(streamId="b")]),
    (listener(), [caller("192.0.2.7", 7000), caller("192.0.2.8", 7000)]),
    (listener(), [caller("192.0.2.1", 4082)]),
    (udp("239.1.1.1", 6000), [listener(6000), udp("239.1.1.2", 6000)]),
    (udp("192.0.2.1"), [udp("192.0.2.2")]),
]


@pytest.mark.parametrize(("source", "destinations"), FINE)
def test_what_is_no_collision(source: Json, destinations: list[Json]) -> None:
    assert conflicts(route(*destinations, source=source), []) == []


@pytest.mark.parametrize(
    ("mine", "other", "field", "message"),
    [
        (
            route(number=2, source=listener(6000)),
            route(listener(6000)),
            "source.port",
            '6000 is already taken by destinations[0] of route "Feed 1" (route_1)',
        ),
        (
            route(number=2, source=listener(4082, adapter="192.0.2.1")),
            route(source=listener(4082, adapter="::")),
            "source.port",
            '4082 is already taken by source of route "Feed 1" (route_1)',
        ),
        (
            route(number=2, source=udp(None, 4082)),
            route(),
            "source.port",
            '4082 is already taken by source of route "Feed 1" (route_1)',
        ),
        (
            route(number=2, source=udp("192.0.2.1")),
            route(source=udp(None)),
            "source.port",
            '5000 is already taken by source of route "Feed 1" (route_1)',
        ),
        (
            route(udp(), number=2, source=listener(4083)),
            route(udp(enabled=False, interface="eth9")),
            "destinations[0].port",
            '239.10.0.1:5000 is already sent to by destinations[0] of route "Feed 1" (route_1); two streams would mix',
        ),
        (
            route(udp("192.0.2.9"), number=2, source=listener(4083)),
            route(udp("192.0.2.9")),
            "destinations[0].port",
            '192.0.2.9:5000 is already sent to by destinations[0] of route "Feed 1" (route_1); two streams would mix',
        ),
        (route(source=listener(4083)), route(), "id", 'is already the id of route "Feed 1"'),
    ],
)
def test_collisions_between_routes(mine: Route, other: Route, field: str, message: str) -> None:
    found = conflicts(mine, [other])
    assert [(error.field, error.message) for error in found] == [(field, message)]


def test_one_multicast_may_be_the_source_of_many_routes() -> None:
    assert conflicts(route(number=2, source=udp()), [route(source=udp())]) == []


def test_one_route_may_feed_another() -> None:
    assert conflicts(route(number=2, source=udp()), [route(udp())]) == []


def test_listening_ports_are_what_a_start_binds() -> None:
    made = route(
        listener(6000),
        listener(6001, enabled=False),
        caller(),
        caller("192.0.2.8", localPort=6002),
        rendezvous("2001:db8::1", 6003),
        udp(),
    )
    found = [(p.kind, p.address, p.port, p.location) for p in listening_ports(made)]
    assert found == [
        ("srt", "0.0.0.0", 4082, ("source", "port")),
        ("srt", "0.0.0.0", 6000, ("destinations", 0, "port")),
        ("srt", "0.0.0.0", 6002, ("destinations", 3, "localPort")),
        ("srt", "::", 6003, ("destinations", 4, "port")),
    ]
    assert [p.port for p in listening_ports(made, include_disabled=True)] == [4082, 6000, 6001, 6002, 6003]
    assert listening_ports(route(source=udp())) == []
    assert [(p.kind, p.port) for p in listening_ports(route(source=udp(None)))] == [("udp", 5000)]
