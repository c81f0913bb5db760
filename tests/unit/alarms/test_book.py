"""Rules against facts: what begins, what ends, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.alarms.book import Book, Change, Cleared, Key, Raised
from srt_router.alarms.facts import Facts, RouteFacts
from srt_router.alarms.model import AlarmKind, Rule
from srt_router.alarms.records import ClearedBecause


def rule(id_: str = "rule_1", **more: object) -> Rule:
    base: dict[str, object] = {"id": id_, "name": "R", "condition": {"kind": "routeFailed"}, "recoverAfter": 0}
    return Rule.model_validate({**base, **more})


def route(number: int, status: str = "failed", **more: object) -> RouteFacts:
    return RouteFacts(f"route_{number}", f"Route {number}", status=status, **more)  # type: ignore[arg-type]


def facts(*routes: RouteFacts, **more: object) -> Facts:
    return Facts({one.id: one for one in routes}, **more)  # type: ignore[arg-type]


def rules(*some: Rule) -> dict[str, Rule]:
    return {one.id: one for one in some}


def ends(changes: list[Change]) -> list[ClearedBecause]:
    return [change.because for change in changes if isinstance(change, Cleared)]


FAILED = Key("rule_1", AlarmKind.ROUTE_FAILED, "route_1")


def test_each_route_has_its_own_alarm_and_it_is_raised_once() -> None:
    book = Book()
    first = book.look(rules(rule()), facts(route(1), route(2), route(3, "running")), 0)
    assert [(type(one), one.key.route_id) for one in first] == [(Raised, "route_1"), (Raised, "route_2")]
    assert book.look(rules(rule()), facts(route(1), route(2)), 1) == []
    (over,) = book.look(rules(rule()), facts(route(1), route(2, "running")), 2)
    assert over == Cleared(replace_route(FAILED, "route_2"), ClearedBecause.RECOVERED, "the route is running")


def replace_route(key: Key, route_id: str) -> Key:
    return key._replace(route_id=route_id)


@pytest.mark.parametrize("chosen", [("route_1",), ("news",), ("news", "route_9"), ()])
def test_routes_are_chosen_by_id_or_tag(chosen: tuple[str, ...]) -> None:
    found = Book().look(rules(rule(routes=chosen)), facts(route(1, tags=("news",)), route(2, tags=("sport",))), 0)
    assert {one.key.route_id for one in found} == ({"route_1", "route_2"} if not chosen else {"route_1"})


@pytest.mark.parametrize(
    ("after", "seen", "because"),
    [
        ([], facts(route(1)), ClearedBecause.RULE_REMOVED),
        ([rule(enabled=False)], facts(route(1)), ClearedBecause.RULE_DISABLED),
        ([rule(routes=["route_2"])], facts(route(1)), ClearedBecause.RULE_CHANGED),
        ([rule(condition={"kind": "crashLooping"})], facts(route(1)), ClearedBecause.RULE_CHANGED),
        ([rule()], facts(), ClearedBecause.ROUTE_REMOVED),
        ([rule()], facts(route(1, "stopped")), ClearedBecause.RECOVERED),
    ],
)
def test_an_active_alarm_always_ends_somehow(after: list[Rule], seen: Facts, because: ClearedBecause) -> None:
    for restored in (False, True):
        book = Book()
        if restored:
            book.restore([FAILED])
        else:
            assert len(book.look(rules(rule()), facts(route(1)), 0)) == 1
        assert ends(book.look(rules(*after), seen, 1)) == [because]
        assert book.look(rules(*after), seen, 2) == []


def test_a_route_that_a_broken_file_hides_is_not_removed() -> None:
    book = Book()
    book.restore([FAILED])
    assert book.look(rules(rule()), facts(complete=False), 0) == []
    assert book.look(rules(rule()), facts(route(1)), 1) == []
    assert ends(book.look(rules(rule()), facts(), 2)) == [ClearedBecause.ROUTE_REMOVED]


def test_a_changed_threshold_keeps_the_alarm() -> None:
    def below(mbps: float) -> dict[str, Rule]:
        return rules(rule(condition={"kind": "bitrateBelow", "mbps": mbps}))

    book, seen = Book(), facts(route(1, "running", source_mbps=1.5))
    assert len(book.look(below(2), seen, 0)) == 1
    assert book.look(below(3), seen, 1) == []
    assert ends(book.look(below(1), seen, 2)) == [ClearedBecause.RECOVERED]


def test_orphans_are_of_no_route() -> None:
    book, some = Book(), rules(rule(condition={"kind": "orphanFound"}))
    assert book.look(some, facts(route(1)), 0) == []
    (found,) = book.look(some, facts(orphans=("PID 77 ffmpeg",)), 1)
    assert isinstance(found, Raised)
    assert (found.route, found.text) == (None, "1 orphan(s) found: PID 77 ffmpeg")
    assert book.look(some, facts(orphans=None), 2) == []
    assert ends(book.look(some, facts(orphans=()), 3)) == [ClearedBecause.RECOVERED]


def test_what_could_not_be_raised_is_tried_again() -> None:
    book = Book()
    assert len(book.look(rules(rule()), facts(route(1)), 0)) == 1
    book.forget(FAILED)
    assert len(book.look(rules(rule()), facts(route(1)), 1)) == 1


some_rules = st.lists(
    st.builds(
        rule,
        st.sampled_from(["rule_1", "rule_2"]),
        enabled=st.booleans(),
        routes=st.sampled_from([(), ("route_1",), ("news",)]),
        condition=st.sampled_from([{"kind": "routeFailed"}, {"kind": "crashLooping"}, {"kind": "orphanFound"}]),
        holdOff=st.integers(0, 2),
        recoverAfter=st.integers(0, 2),
    ),
    max_size=2,
    unique_by=lambda one: one.id,
)
some_routes = st.lists(
    st.builds(
        route,
        st.integers(1, 3),
        st.sampled_from(["failed", "running", "waiting", "starting", "stopped"]),
        tags=st.sampled_from([(), ("news",)]),
        crash_looping=st.sampled_from([(), ("srt",)]),
    ),
    max_size=3,
    unique_by=lambda one: one.id,
)
some_facts = st.builds(
    lambda routes, complete, orphans: replace(facts(*routes), complete=complete, orphans=orphans),
    some_routes,
    st.booleans(),
    st.sampled_from([None, (), ("PID 1 x",)]),
)


@given(st.lists(st.tuples(some_rules, some_facts, st.floats(-1, 5)), max_size=30))
def test_no_alarm_is_raised_twice_and_none_is_forgotten(
    looks: list[tuple[list[Rule], Facts, float]],
) -> None:
    """Over any history of rules, routes and clock; and a restart of the server in the middle changes nothing."""
    book, active, now = Book(), set[Key](), 0.0
    for number, (some, seen, passed) in enumerate(looks):
        now += passed
        if number == len(looks) // 2:
            book = Book()
            book.restore(active)
        for change in book.look(rules(*some), seen, now):
            if isinstance(change, Raised):
                assert change.key not in active
                assert rules(*some)[change.key.rule_id].enabled
                active.add(change.key)
            else:
                assert change.key in active
                active.remove(change.key)
    assert ends(book.look({}, facts(), now)) == [ClearedBecause.RULE_REMOVED] * len(active)
