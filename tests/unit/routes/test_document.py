from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.routes.document import Parsed, parse, render
from srt_router.routes.positions import positions
from tests.unit.routes.examples import CONTRACT, caller, file_text, listener, route_json, udp


def said(parsed: Parsed) -> list[str]:
    return [str(error) for error in parsed.errors]


def test_the_contract_is_good() -> None:
    parsed = parse(CONTRACT)
    assert parsed.errors == ()
    assert json.loads(render(parsed.routes)) == json.loads(CONTRACT)


def test_every_cut_file_is_an_error_and_gives_no_routes() -> None:
    for length in range(len(CONTRACT.rstrip())):
        parsed = parse(CONTRACT[:length])
        assert parsed.routes == ()
        assert "is not JSON" in parsed.errors[0].message
        assert parsed.errors[0].line is not None


def test_the_line_of_a_field() -> None:
    parsed = parse(CONTRACT.replace('"port": 7000', '"port": 70000'))
    assert said(parsed) == ["line 13, routes[0].destinations[1].port: must be between 1 and 65535"]


def test_a_missing_field_has_the_line_of_its_object() -> None:
    parsed = parse(CONTRACT.replace('"host": "192.0.2.7", ', ""))
    assert said(parsed) == ["line 13, routes[0].destinations[1].host: is required for a caller"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (file_text(version=2), "line 2, version: must be 1: this server knows no other version"),
        (file_text(version=True), "line 2, version: must be 1: this server knows no other version"),
        ('{"routes": []}', "line 1, version: is required"),
        ('{"version": 1}', "line 1, routes: is required"),
        ('{"version": 1, "routes": {}}', "line 1, routes: must be a list"),
        ('{"version": 1, "routes": [], "x": 1}', "line 1, x: is not a known field"),
        ('{"version": 1,\n"routes": [],\n"routes": []}', "line 3, routes: stands twice"),
        ("[]", 'line 1: must be an object {"version": 1, "routes": [...]}'),
        ('{"version": NaN}', "is not JSON: NaN is not a value of JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("", "line 1: is not JSON: Expecting value (column 1)"),
    ],
)
def test_files_of_another_shape_give_no_routes(text: str, message: str) -> None:
    parsed = parse(text)
    assert parsed.routes == ()
    assert said(parsed) == [message]


def test_good_routes_are_kept_beside_bad_ones() -> None:
    bad = route_json(number=2, source=listener(0))
    good = (route_json(number=1), route_json(number=3, source=listener(4083)))
    parsed = parse(file_text(good[0], bad, good[1]))
    assert [route.id for route in parsed.routes] == ["route_1", "route_3"]
    assert [error.field for error in parsed.errors] == ["routes[1].source.port"]


def test_a_duplicate_id_keeps_the_first() -> None:
    parsed = parse(file_text(route_json(), route_json(source=listener(4083), name="Other")))
    assert [route.name for route in parsed.routes] == ["Feed 1"]
    assert parsed.errors[0].field == "routes[1].id"
    assert parsed.errors[0].message == 'is already the id of route "Feed 1"'


def test_a_collision_in_the_file_is_an_error() -> None:
    parsed = parse(file_text(route_json(), route_json(number=2)))
    assert parsed.errors[0].field == "routes[1].source.port"
    assert parsed.errors[0].message == '4082 is already taken by source of route "Feed 1" (route_1)'


def test_a_key_that_stands_twice_in_a_route() -> None:
    text = CONTRACT.replace('"latency": 120,\n', '"latency": 120, "latency": 80,\n')
    assert said(parse(text)) == ["line 8, routes[0].source.latency: stands twice in one object"]


def test_a_file_written_here_reads_the_same() -> None:
    ends = (caller(name="Zürich"), udp("192.0.2.9", 5004), listener(6000, passphrase='a"b\\c%20d#e+'))
    parsed = parse(file_text(route_json(*ends, tags=["news"])))
    assert parse(render(parsed.routes)) == parsed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(JSON, st.sampled_from([None, 0, 2]))
def test_positions_of_any_json(data: object, indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    found = positions(text)
    assert found.duplicates == ()
    assert found.lines[()] == 1
    assert max(found.lines.values()) <= text.count("\n") + 1
    assert found.line(("not", "there")) == 1 or isinstance(data, dict)


@given(JSON)
def test_no_json_makes_the_parser_raise(data: object) -> None:
    assert parse(json.dumps(data)).errors
    assert parse(json.dumps({"version": 1, "routes": [data]})).errors


def test_lines_of_a_text() -> None:
    found = positions('{\n "a": [1,\n {"b": "x\\"}"},\n true],\n "a": 2}')
    assert found.lines[("a", 0)] == 2
    assert found.lines[("a", 1, "b")] == 3
    assert found.lines[("a", 2)] == 4
    assert found.duplicates == (("a",),)
    assert found.line(("a",)) == 5
