"""What a client sends, put together with what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.routes.errors import RouteInvalid
from srt_router.routes.fields import MASK
from srt_router.routes.merging import (
    created,
    find_destination,
    merge_patch,
    patched,
    replaced,
    with_destination,
    with_destination_patched,
    with_destination_replaced,
    without_destination,
)
from srt_router.routes.model import Route, SrtDestination, SrtSource
from srt_router.routes.srt_options import passphrase_of
from srt_router.routes.transcode_presets import PRESETS
from tests.unit.routes.examples import caller, listener, route, udp

SECRET, OTHER = "correct-horse-42", "another-horse-7"
Json = dict[str, Any]


def secrets(found: Route) -> list[str | None]:
    """The passphrases of source and destinations."""
    ends = (found.source, *found.destinations)
    return [passphrase_of(end) if isinstance(end, SrtSource | SrtDestination) else None for end in ends]


def stored() -> Route:
    ends = [listener(6000, passphrase=SECRET, id="left"), caller(passphrase=OTHER, id="right"), udp(id="far")]
    return route(*ends, source=listener(passphrase=SECRET))


def hidden(found: Route) -> Json:
    """What a client reads, and may send back."""
    return found.to_json(hide_secrets=True)


# RFC 7396, appendix A


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard(target: object, patch: object, result: object) -> None:
    assert merge_patch(target, patch) == result


# Replacing


def test_what_was_read_can_be_sent_back() -> None:
    assert replaced(hidden(stored()), stored()) == stored()


def test_a_passphrase_that_is_left_out_stays_and_null_removes_it() -> None:
    sent = {"name": "A", "source": listener(), "destinations": [listener(6000), {**caller(), "passphrase": None}]}
    assert secrets(replaced(sent, stored())) == [SECRET, SECRET, None]


def test_another_passphrase_counts() -> None:
    sent = {**hidden(stored()), "source": listener(passphrase="a-third-horse-9")}
    assert secrets(replaced(sent, stored()))[0] == "a-third-horse-9"


def test_destinations_that_changed_places_keep_their_own() -> None:
    sent = hidden(stored())
    sent["destinations"] = [sent["destinations"][1], sent["destinations"][2], sent["destinations"][0]]
    assert secrets(replaced(sent, stored())) == [SECRET, OTHER, None, SECRET]


def test_without_ids_a_destination_is_known_by_where_it_goes_or_by_its_place() -> None:
    sent = {"name": "A", "source": listener(), "destinations": [caller(), udp(), listener(6000)]}
    found = replaced(sent, stored())
    assert [end.id for end in found.destinations] == ["right", "far", "left"]
    assert secrets(found) == [SECRET, OTHER, None, SECRET]
    sent["destinations"] = [listener(6001, passphrase=MASK), caller(), udp()]
    assert secrets(replaced(sent, stored())) == [SECRET, SECRET, OTHER, None]


def test_a_mask_that_belongs_to_nothing_is_refused() -> None:
    for ends in (
        [listener(7000, passphrase=MASK)],
        [*hidden(stored())["destinations"], listener(7000, passphrase=MASK)],
    ):
        with pytest.raises(RouteInvalid, match="is the mask"):
            replaced({"name": "A", "source": listener(), "destinations": ends}, stored())
    with pytest.raises(RouteInvalid, match="is the mask"):
        created({"name": "A", "source": listener(passphrase=MASK)}, "route_9")


def test_a_new_destination_does_not_inherit_a_passphrase() -> None:
    sent = {"name": "A", "source": listener(), "destinations": [listener(7000)]}
    assert secrets(replaced(sent, stored())) == [SECRET, None]


def test_a_source_of_another_type_takes_no_passphrase_along() -> None:
    assert secrets(replaced({"name": "A", "source": udp(port=5005)}, stored())) == [None]


def test_the_id_of_a_route_stays() -> None:
    with pytest.raises(RouteInvalid, match="must stay route_1"):
        replaced({**hidden(stored()), "id": "route_2"}, stored())
    with pytest.raises(RouteInvalid, match="given by the server"):
        created({"id": "route_3", "name": "A", "source": listener()}, "route_2")


# Patching


def test_a_patch_changes_what_it_names() -> None:
    found = patched({"name": "B", "source": {"latency": 200}, "tags": ["news"]}, stored())
    assert (found.name, found.tags) == ("B", ("news",))
    assert found.source.latency == 200  # type: ignore[union-attr]
    assert secrets(found) == secrets(stored())
    assert found.destinations == stored().destinations


def test_null_in_a_patch_removes_a_passphrase_and_the_mask_keeps_it() -> None:
    assert secrets(patched({"source": {"passphrase": None}}, stored()))[0] is None
    assert secrets(patched({"source": {"passphrase": MASK}}, stored()))[0] == SECRET
    assert secrets(patched({"source": {"port": 4090}}, stored()))[0] == SECRET


def test_a_patch_with_a_source_of_another_type_replaces_it() -> None:
    found = patched({"source": {"type": "udp", "port": 5005}}, stored())
    assert found.to_json()["source"] == {"type": "udp", "port": 5005}


@given(st.permutations(["left", "right", "far"]), st.lists(st.sampled_from(["left", "right", "far"]), max_size=3))
def test_every_passphrase_stays_with_its_destination(order: list[str], gone: list[str]) -> None:
    """In whatever order destinations are sent back, and whichever are left out."""
    ends = {end["id"]: end for end in hidden(stored())["destinations"]}
    sent = [ends[name] for name in order if name not in gone]
    found = patched({"destinations": sent}, stored())
    own = dict(zip(["left", "right", "far"], secrets(stored())[1:], strict=True))
    assert [end.id for end in found.destinations] == [name for name in order if name not in gone]
    assert secrets(found)[1:] == [own[end.id or ""] for end in found.destinations]


# Presets


def test_a_preset_by_name_and_with_changes() -> None:
    by_name = created({"name": "A", "source": listener(), "transcode": PRESETS[0].name}, "route_2")
    assert (
        by_name.to_json()["transcode"]
        == created({"name": "A", "source": listener(), "transcode": PRESETS[0].transcode}, "route_2").to_json()[
            "transcode"
        ]
    )
    changed = patched({"transcode": {"preset": PRESETS[0].name, "audio": "copy"}}, by_name)
    assert changed.transcode is not None
    assert changed.transcode.audio == "copy"
    replaced_whole = patched({"transcode": "remux"}, changed)
    assert replaced_whole.to_json()["transcode"] == {"video": "copy", "audio": "copy"}


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    for transcode in ("h265", {"preset": 7}):
        with pytest.raises(RouteInvalid, match=r"transcode\.preset: is not the name of a preset; there are h264"):
            patched({"transcode": transcode}, stored())


# Single destinations


def test_a_destination_is_found_by_id_and_by_position() -> None:
    assert [find_destination(stored(), key) for key in ("left", "far", "0", "2")] == [0, 2, 0, 2]
    assert [find_destination(stored(), key) for key in ("nowhere", "3", "99999999999", "²")] == [None] * 4


def test_a_destination_that_is_added_gets_an_id_nobody_has() -> None:
    found = with_destination(with_destination(stored(), udp(port=5001)), udp(port=5002))
    ids = [end.id for end in found.destinations]
    assert ids[:3] == ["left", "right", "far"]
    assert len(set(ids)) == 5
    assert None not in ids


def test_a_destination_is_replaced_patched_removed() -> None:
    found = with_destination_replaced(stored(), 1, caller(port=7001))
    assert secrets(found) == [SECRET, SECRET, OTHER, None]
    assert found.destinations[1].id == "right"
    found = with_destination_patched(found, 0, {"passphrase": None, "name": "Oslo"})
    assert secrets(found) == [SECRET, None, OTHER, None]
    found = with_destination_patched(found, 1, {"passphrase": MASK, "latency": 300})
    assert secrets(found) == [SECRET, None, OTHER, None]
    found = with_destination_patched(found, 0, {"type": "udp", "host": "192.0.2.9", "port": 5009})
    end = found.destinations[0]
    assert (end.type, end.id, end.name) == ("udp", "left", "Oslo")
    assert [end.id for end in without_destination(found, 1).destinations] == ["left", "far"]


def test_errors_name_the_field_as_its_sender_knows_it() -> None:
    with pytest.raises(RouteInvalid) as caught:
        with_destination(stored(), {"type": "srt", "mode": "caller", "prot": 7000})
    assert {error.field for error in caught.value.errors} == {"port", "prot"}
    with pytest.raises(RouteInvalid, match="another id is another destination"):
        with_destination_replaced(stored(), 0, listener(6000, id="elsewhere"))
    with pytest.raises(RouteInvalid, match="must not have an id twice: left"):
        with_destination(stored(), udp(port=5001, id="left"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["srt", MASK, "left"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "passphrase", "source", "destinations", "transcode", "preset"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "name", "source", "destinations", "transcode", "tags", "x"]), JSON))
def test_whatever_is_sent_is_a_route_or_refused(sent: Json) -> None:
    calls: list[Callable[[], Route]] = [
        lambda: created(sent, "route_2"),
        lambda: replaced(sent, stored()),
        lambda: patched(sent, stored()),
        lambda: with_destination(stored(), sent),
        lambda: with_destination_replaced(stored(), 0, sent),
        lambda: with_destination_patched(stored(), 0, sent),
    ]
    for call in calls:
        try:
            assert isinstance(call(), Route)
        except RouteInvalid as error:
            assert error.errors  # noqa: PT017 - either is good
