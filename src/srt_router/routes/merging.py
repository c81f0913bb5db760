"""What a client sends, put together with what is stored: passphrases that are kept, ids, presets by name.

Everything here works on JSON data and hands it to `parse_route`, so that a client's data and a file's data are
judged by the same rules. A passphrase that is left out, or sent as its mask, stays; null takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from srt_router.routes.errors import FieldError, RouteInvalid
from srt_router.routes.fields import MASK
from srt_router.routes.model import MAX_DESTINATIONS, Route, new_destination_id
from srt_router.routes.parsing import parse_route
from srt_router.routes.transcode_presets import PRESETS, Preset

Json = dict[str, Any]

_IDENTITY = ("type", "mode", "host", "port", "localPort", "streamId")
"""What makes two destinations without an id the same one."""
_PASSPHRASE = "passphrase"  # noqa: S105 - the name of a field


def merge_patch(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7396); neither argument is changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def created(sent: Json, route_id: str, presets: Sequence[Preset] = PRESETS) -> Route:
    """Return a new route; `presets` are those that its transcode may name. Raises RouteInvalid."""
    if "id" in sent:
        raise RouteInvalid([FieldError(("id",), "is given by the server: leave it out")])
    return _parsed(_with_ids(_expanded(sent, presets), ()), route_id)


def replaced(sent: Json, stored: Route, presets: Sequence[Preset] = PRESETS) -> Route:
    """Return what a route becomes by `sent`, all of it but its id. Raises RouteInvalid."""
    return _named(_completed(_expanded(sent, presets), stored, omitted_keeps=True), stored)


def patched(patch: Json, stored: Route, presets: Sequence[Preset] = PRESETS) -> Route:
    """Return what a route becomes by a merge patch. Raises RouteInvalid.

    A source of another type, and a transcode by preset, replace what was there: nothing of it would fit.
    """
    patch = _expanded(patch, presets)
    base = stored.to_json()
    source = patch.get("source")
    if isinstance(source, Mapping) and source.get("type") not in (None, stored.source.type):
        base.pop("source")
    if patch.pop(_BY_PRESET, False):
        base.pop("transcode", None)
    merged = cast("Json", merge_patch(base, patch))
    return _named(_completed(merged, stored, omitted_keeps=False, sent=patch), stored)


def with_destination(stored: Route, sent: Json, position: int | None = None) -> Route:
    """Return the route with one more destination, the last one unless told. Raises RouteInvalid."""
    data = stored.to_json()
    ends = cast("list[Json]", data["destinations"])
    at = len(ends) if position is None else min(position, len(ends))
    ends.insert(at, dict(sent))
    return _parsed_at(data, stored, at)


def with_destination_replaced(stored: Route, index: int, sent: Json) -> Route:
    """Return the route with another destination in the place of one. Raises RouteInvalid."""
    data = stored.to_json()
    ends = cast("list[Json]", data["destinations"])
    end = dict(sent)
    if end.get("id") not in (None, ends[index].get("id")):
        raise RouteInvalid([FieldError(("id",), "must stay what it is: another id is another destination")])
    _keep(end, ends[index], omitted_keeps=True)
    if "id" in ends[index]:
        end["id"] = ends[index]["id"]
    ends[index] = end
    return _parsed_at(data, stored, index)


def with_destination_patched(stored: Route, index: int, patch: Json) -> Route:
    """Return the route with one destination changed by a merge patch. Raises RouteInvalid."""
    base = cast("list[Json]", stored.to_json()["destinations"])[index]
    if patch.get("type") not in (None, base["type"]):
        base = {key: base[key] for key in ("id", "name", "enabled") if key in base}
    patch = dict(patch)
    if patch.get(_PASSPHRASE) == MASK:
        del patch[_PASSPHRASE]
    merged = cast("Json", merge_patch(base, patch))
    merged.setdefault(_PASSPHRASE, None)  # what the patch took away does not come back
    if merged["type"] != "srt" and merged[_PASSPHRASE] is None:
        del merged[_PASSPHRASE]
    return with_destination_replaced(stored, index, merged)


def without_destination(stored: Route, index: int) -> Route:
    """Return the route without one of its destinations."""
    data = stored.to_json()
    del cast("list[Json]", data["destinations"])[index]
    return _named(data, stored)


def find_destination(route: Route, key: str) -> int | None:
    """Return the position of a destination by its id, or by its position written as a number; None: there is none."""
    if key.isascii() and key.isdigit():
        return int(key) if len(key) < 4 and int(key) < len(route.destinations) else None
    return next((index for index, end in enumerate(route.destinations) if end.id == key), None)


# Presets

_BY_PRESET = "\0preset"
"""Marks a transcode that was given by name; no client can send this key, since it is taken out first."""


def _expanded(sent: Json, presets: Sequence[Preset]) -> Json:
    """Put the transcode itself in the place of a preset's name: `"h264-720p-3M"`, or `{"preset": …}` with changes."""
    data = {key: value for key, value in sent.items() if key != _BY_PRESET}
    transcode = data.get("transcode")
    changes: Mapping[str, object] = {}
    if isinstance(transcode, Mapping) and "preset" in transcode:
        name = transcode["preset"]
        changes = {key: value for key, value in transcode.items() if key != "preset"}
    elif isinstance(transcode, str):
        name = transcode
    else:
        return data
    preset = next((one for one in presets if one.name == name), None)
    if preset is None:
        known = ", ".join(one.name for one in presets)
        raise RouteInvalid([FieldError(("transcode", "preset"), f"is not the name of a preset; there are {known}")])
    return {**data, "transcode": merge_patch(preset.transcode, changes), _BY_PRESET: True}


# What is kept of what is stored


def _completed(data: Json, stored: Route, *, omitted_keeps: bool, sent: Json | None = None) -> Json:
    """Fill in the passphrases that stay, and the ids of destinations that are still the same ones.

    `sent` is what the client named of `data`; None: all of it.
    """
    if data.get("id") not in (None, stored.id):
        raise RouteInvalid([FieldError(("id",), f"must stay {stored.id}: another id is another route")])
    old = stored.to_json()
    data = dict(data)
    if isinstance(data.get("source"), Mapping):
        data["source"] = dict(data["source"])
        _keep(data["source"], cast("Json", old["source"]), omitted_keeps=omitted_keeps)
    ends = data.get("destinations")
    if isinstance(ends, list) and (sent is None or "destinations" in sent):
        data["destinations"] = ends = [dict(end) if isinstance(end, Mapping) else end for end in ends]
        for end, before in _pairs(ends, cast("list[Json]", old["destinations"])):
            _keep(end, before, omitted_keeps=True)
            if end.get("id") is None and before.get("id") is not None:
                end["id"] = before["id"]
    return data


def _keep(end: Json, before: Json, *, omitted_keeps: bool) -> None:
    secret = before.get(_PASSPHRASE)
    asked = end.get(_PASSPHRASE) == MASK or (omitted_keeps and _PASSPHRASE not in end)
    if secret is not None and asked and end.get("type") == "srt":
        end[_PASSPHRASE] = secret


def _pairs(ends: Sequence[object], stored: Sequence[Json]) -> list[tuple[Json, Json]]:
    """Find the stored destination that each sent one was: by id, by where it goes, by position if none came or went."""
    left = dict(enumerate(stored))
    found: list[tuple[Json, Json]] = []
    waiting: list[tuple[int, Json]] = []
    for index, end in enumerate(ends):
        if not isinstance(end, dict):
            continue
        same = [at for at, one in left.items() if end.get("id") is not None and one.get("id") == end["id"]]
        if same:
            found.append((end, left.pop(same[0])))
        elif end.get("id") is None:
            waiting.append((index, end))
    for index, end in list(waiting):
        same = [at for at, one in left.items() if all(end.get(key) == one.get(key) for key in _IDENTITY)]
        if same:
            found.append((end, left.pop(same[0])))
            waiting.remove((index, end))
    if len(ends) == len(stored):
        found += [
            (end, left[index]) for index, end in waiting if index in left and left[index]["type"] == end.get("type")
        ]
    return found


def _named(data: Json, stored: Route) -> Route:
    """Return the route that the data describes; ids are given only where something else differs, too."""
    route = _parsed(data, stored.id)
    return stored if route == stored else _parsed(_with_ids(data, stored.destinations), stored.id)


def _with_ids(data: Json, stored: Sequence[Any]) -> Json:
    """Give every destination an id, so that it can be meant whatever comes or goes beside it."""
    ends = data.get("destinations")
    if not isinstance(ends, list) or len(ends) > MAX_DESTINATIONS:
        return data  # refused for that
    named: list[object] = []
    taken = {end.id for end in stored} | {end.get("id") for end in ends if _names(end)}
    for end in ends:
        if isinstance(end, Mapping) and end.get("id") is None:
            new = new_destination_id(taken)
            taken.add(new)
            named.append({**end, "id": new})
        else:
            named.append(end)
    return {**data, "destinations": named}


def _names(end: object) -> bool:
    return isinstance(end, Mapping) and isinstance(end.get("id"), str)


def _parsed(data: Json, route_id: str) -> Route:
    data = {key: value for key, value in data.items() if key not in (_BY_PRESET, "id")}
    return parse_route({"id": route_id, **data})


def _parsed_at(data: Json, stored: Route, index: int) -> Route:
    """Parse, and name the fields of one destination as whoever sent that one alone knows them."""
    try:
        return _named(data, stored)
    except RouteInvalid as error:
        raise RouteInvalid(seen_from(error.errors, index)) from None


def seen_from(errors: Sequence[FieldError], index: int) -> list[FieldError]:
    """Return errors about a route as the sender of one of its destinations sees them."""
    place = ("destinations", index)
    return [replace(one, location=one.location[2:]) if one.location[:2] == place else one for one in errors]
