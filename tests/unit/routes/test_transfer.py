"""Import, export, copies, differences, search: many routes at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.routes.conflicts import conflicts
from srt_router.routes.copies import NoPortLeft, copied, free_ports, used_ports
from srt_router.routes.differences import FieldChange, differences, field_changes
from srt_router.routes.errors import RouteInvalid
from srt_router.routes.fields import MASK
from srt_router.routes.merging import patched
from srt_router.routes.model import Route
from srt_router.routes.revision import revision
from srt_router.routes.search import Search, page, tag_counts
from srt_router.routes.transfer import ImportMode, exported, imported
from tests.unit.routes.examples import Json, caller, listener, route, udp

SECRET = "correct-horse-42"
ONE = route(listener(6000, passphrase=SECRET, id="left"), caller(), number=1, source=listener(passphrase=SECRET))
TWO = route(udp(), number=2, source=listener(4083))
ALL = (ONE, TWO)


def errors_of(document: object, current: tuple[Route, ...] = ALL) -> dict[str, str]:
    with pytest.raises(RouteInvalid) as caught:
        imported(document, current, ImportMode.MERGE)
    return {error.field: error.message for error in caught.value.errors}


# Import and export


def test_what_was_exported_changes_nothing_when_it_is_imported() -> None:
    for secrets in (True, False):
        document = json.loads(json.dumps(exported(ALL, secrets=secrets)))
        assert (SECRET in str(document)) is secrets
        for mode in ImportMode:
            found = imported(document, ALL, mode)
            assert found == ALL


def test_with_secrets_it_can_be_imported_elsewhere_and_without_it_says_what_is_missing() -> None:
    assert len(imported(exported(ALL, secrets=True), (), ImportMode.MERGE)) == 2
    errors = errors_of(exported(ALL, secrets=False), ())
    assert set(errors) == {"routes[0].source.passphrase", "routes[0].destinations[0].passphrase"}
    assert all("is the mask" in message for message in errors.values())


def test_merge_keeps_what_it_does_not_name_and_replace_does_not() -> None:
    new: dict[str, Any] = {"name": "New", "source": listener(4090)}
    document = {"version": 1, "routes": [new, {**TWO.to_json(), "name": "Two"}]}
    merged = imported(document, ALL, ImportMode.MERGE)
    assert [one.name for one in merged] == ["Feed 1", "Two", "New"]
    assert [one.name for one in imported(document, ALL, ImportMode.REPLACE)] == ["New", "Two"]
    assert merged[2].id not in {"route_1", "route_2"}


def test_everything_that_is_wrong_with_a_document_is_said_at_once() -> None:
    assert set(errors_of([])) == {""}
    assert set(errors_of({"routes": {}})) == {"version", "routes"}
    routes: list[object] = [7, {"name": "A"}, {"id": "x", "name": "B", "source": listener(1)}]
    routes += [{"id": "route_7", "name": "C", "source": listener(4090)}] * 2
    assert set(errors_of({"version": 1, "routes": routes})) == {
        "routes[0]", "routes[1].source", "routes[2].id", "routes[2].source.port", "routes[4].id",
    }  # fmt: skip


def test_an_imported_route_that_collides_is_named_by_its_place_in_the_document() -> None:
    document = {"version": 1, "routes": [{"name": "A", "source": listener(4090)}, {"name": "B", "source": listener()}]}
    assert errors_of(document) == {
        "routes[1].source.port": '4082 is already taken by source of route "Feed 1" (route_1)'
    }


def test_an_import_may_move_a_port_from_one_route_to_another() -> None:
    first, second = ONE.to_json(), TWO.to_json()
    first["source"], second["source"] = listener(4083), listener(4082)
    found = imported({"version": 1, "routes": [first, second]}, ALL, ImportMode.MERGE)
    assert [one.source.port for one in found] == [4083, 4082]


# Differences


def test_differences_name_fields_and_hide_passphrases() -> None:
    after = patched({"name": "B", "source": {"passphrase": "another-horse-7", "latency": 200}}, ONE)
    assert field_changes(ONE, after)[:3] == [
        FieldChange("name", "Feed 1", "B"),
        FieldChange("source.passphrase", MASK, MASK),
        FieldChange("source.latency", None, 200),
    ]
    assert "horse" not in str(field_changes(ONE, after)) + str(differences([ONE], [after]))


def test_a_destination_that_goes_is_one_difference() -> None:
    both = route(udp(id="a"), listener(6001, passphrase=SECRET, id="b"), caller(id="c"))
    one = route(udp(id="a"), caller(id="c"))
    (change,) = field_changes(both, one)
    assert (change.field, change.after) == ("destinations[1]", None)
    assert change.before == {"id": "b", "type": "srt", "mode": "listener", "port": 6001, "passphrase": MASK}


def test_routes_that_come_and_go() -> None:
    found = differences([ONE, TWO], [TWO, route(number=3, source=listener(4099))])
    assert ([one.id for one in found.added], [one.id for one in found.removed]) == (["route_3"], ["route_1"])
    assert found.changed == []


# Copies and ports


def test_a_copy_runs_beside_the_original() -> None:
    ends: list[Json] = [listener(6000), caller(localPort=7100), udp(), caller("2001:db8::1", 7000)]
    original = route(*ends, source=listener(passphrase=SECRET), autoStart=True)
    copy = copied(original, "route_9", {}, {4083, 6001})
    assert conflicts(copy, [original]) == []
    assert (copy.id, copy.name, copy.auto_start) == ("route_9", "Feed 1 (copy)", False)
    assert copy.secrets() == {SECRET}
    assert copy.source.port == 4084
    assert copy.destinations[0].port == 6002
    assert {end.id for end in original.destinations}.isdisjoint({end.id for end in copy.destinations})


def test_changes_to_a_copy_win() -> None:
    copy = copied(ONE, "route_9", {"name": "Mine", "source": {"port": 4500}}, ())
    assert (copy.name, copy.source.port) == ("Mine", 4500)


def test_a_copy_of_a_route_with_a_long_name() -> None:
    copied(route(name="x" * 100), "route_9", {}, ())


def test_free_ports_leave_out_what_is_used_and_the_buses() -> None:
    assert free_ports(3, 4082, used_ports(ALL)) == [4084, 4085, 4086]
    assert free_ports(2, 19999, ()) == [19999, 30000]
    assert free_ports(2, 65535, ()) == [65535, 1024]
    assert used_ports(ALL) == {4082, 4083, 6000, 5000}
    with pytest.raises(NoPortLeft, match="only 1 ports are free"):
        free_ports(2, 6000, set(range(1024, 65535)))


# Revisions


def test_a_revision_follows_every_change_and_only_changes() -> None:
    changes: list[dict[str, Any]] = [{"name": "x"}, {"source": {"passphrase": "another-horse-7"}}, {"tags": ["x"]}, {}]
    found = {revision(patched(change, ONE).to_json(), "key") for change in changes}
    assert len(found) == 4
    assert revision(ONE.to_json(), "key") in found
    assert revision(ONE.to_json(), "another key") not in found


# Search

ROUTES = tuple(
    route(number=number, source=listener(5000 + number), tags=["news"] if number % 2 else ["news", "sport"])
    for number in range(1, 8)
)


def test_search_by_tag_and_text() -> None:
    def found(**search: Any) -> list[str]:
        return [one.id for one in ROUTES if Search(**search).finds(one)]

    assert found(tags=("sport",)) == ["route_2", "route_4", "route_6"]
    assert found(tags=("news", "sport"), text="FEED 4") == ["route_4"]
    assert found(text="5007") == ["route_7"]
    assert found(text="nowhere") == []
    assert tag_counts(ROUTES) == {"news": 7, "sport": 3}


@given(st.integers(1, 8), st.sets(st.integers(0, 6)))
def test_pages_hold_every_route_that_stays_exactly_once(limit: int, gone: set[int]) -> None:
    """Even if routes are removed between two pages."""
    left = [one for index, one in enumerate(ROUTES) if index not in gone]
    shown, cursor = page(ROUTES, None, limit)
    seen = [one.id for one in shown]
    while cursor is not None:
        shown, cursor = page(left, cursor, limit)
        seen += [one.id for one in shown]
    assert len(seen) == len(set(seen))
    if not gone:
        assert seen == [one.id for one in ROUTES]


def test_without_a_limit_there_is_one_page() -> None:
    assert page(ROUTES, None, None) == (ROUTES, None)
    assert page((), None, 5) == ((), None)
    assert page(ROUTES[:3], "7.route_9", 5) == ((), None)
