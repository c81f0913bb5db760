from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from srt_router.routes.bus import Bus, allocate

names = st.text(max_size=40)


@given(names, names)
def test_a_bus_is_deterministic_and_in_range(instance: str, key: str) -> None:
    bus = allocate(instance, key, ())
    assert bus == allocate(instance, key, ())
    group = ipaddress.IPv4Address(bus.group)
    assert group in ipaddress.IPv4Network("239.255.0.0/16")
    assert group.packed[3] not in (0, 255)
    assert 20000 <= bus.port <= 29999


@given(names, names, st.integers(1, 5))
def test_the_next_is_taken_where_one_is_not_free(instance: str, key: str, busy: int) -> None:
    taken: set[Bus] = set()
    for _ in range(busy):
        taken.add(allocate(instance, key, taken))
    assert len(taken) == busy
    assert allocate(instance, key, taken) not in taken
    assert allocate(instance, key, ()) in taken


@given(names)
def test_sockets_of_others_are_avoided(key: str) -> None:
    first = allocate("i", key, ())
    assert allocate("i", key, (), {(first.group, first.port)}) != first
    assert allocate("i", key, (), {("0.0.0.0", first.port)}).port != first.port
    assert allocate("i", key, (), {("192.0.2.1", first.port)}) == first


def test_many_routes_have_many_buses() -> None:
    taken: set[Bus] = set()
    for number in range(1000):
        taken.add(allocate("i", f"route_{number}/A", taken))
    assert len(taken) == 1000


def test_two_installations_differ() -> None:
    assert allocate("one", "route_1/A", ()) != allocate("two", "route_1/A", ())
