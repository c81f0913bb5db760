"""Which bus a route gets: its own, kept, and nobody else's."""

from __future__ import annotations

from srt_router.supervision.buses import BusBook


def test_a_route_keeps_its_bus_and_shares_it_with_nobody() -> None:
    book = BusBook("instance")
    buses = {number: book.assign(f"route_{number}", frozenset()) for number in range(300)}
    assert len(set(buses.values())) == 300
    assert book.assign("route_7", frozenset()) == buses[7]
    assert BusBook("instance").assign("route_7", frozenset()) == buses[7]
    assert BusBook("another").assign("route_7", frozenset()) != buses[7]


def test_a_bus_that_somebody_took_is_left_to_him() -> None:
    book = BusBook("instance")
    first = book.assign("route_1", frozenset())
    second = book.assign("route_1", frozenset({(first.group, first.port)}))
    assert second != first
    assert book.assign("route_1", frozenset()) == second


def test_a_port_that_a_route_will_bind_is_no_bus_port() -> None:
    taken = BusBook("instance").assign("route_1", frozenset())
    book = BusBook("instance", configured=frozenset({("0.0.0.0", taken.port)}))
    assert book.assign("route_1", frozenset()).port != taken.port


def test_a_route_has_two_buses_and_shares_neither() -> None:
    book = BusBook("instance")
    pairs = [[book.assign(f"route_{number}", frozenset(), which) for which in "AB"] for number in range(300)]
    assert len({bus for pair in pairs for bus in pair}) == 600
    assert book.assign("route_7", frozenset()) == pairs[7][0]
    assert book.assign("route_7", frozenset(), "B") == pairs[7][1]
    book.forget("route_7")
    assert not [key for key in book._buses if key[0] == "route_7"]
