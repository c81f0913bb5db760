"""What differs between two states of the routes, field by field, passphrases hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from srt_router.routes.errors import Location, field_path
from srt_router.routes.fields import MASK
from srt_router.routes.model import Route


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that is another now."""

    field: str
    """As in errors: `destinations[1].port`."""
    before: object
    """None: it was not there."""
    after: object
    """None: it is not there any more."""


@dataclass(frozen=True, slots=True)
class RouteChange:
    """A route that came, went, or is another now."""

    id: str
    name: str
    fields: list[FieldChange] = field(default_factory=list)
    """Empty for one that came or went."""


@dataclass(frozen=True, slots=True)
class Differences:
    """From one state of all routes to another."""

    added: list[RouteChange]
    changed: list[RouteChange]
    removed: list[RouteChange]


def differences(before: Iterable[Route], after: Iterable[Route]) -> Differences:
    """Compare all routes, by their ids."""
    old = {route.id: route for route in before}
    new = {route.id: route for route in after}
    return Differences(
        added=[RouteChange(route.id, route.name) for route in new.values() if route.id not in old],
        changed=[
            RouteChange(route.id, route.name, field_changes(old[route.id], route))
            for route in new.values()
            if route.id in old and old[route.id] != route
        ],
        removed=[RouteChange(route.id, route.name) for route in old.values() if route.id not in new],
    )


def field_changes(before: Route, after: Route) -> list[FieldChange]:
    """Compare two states of one route."""
    return [
        FieldChange(field_path(place), hidden(old, place), hidden(new, place))
        for place, old, new in _walk((), before.to_json(), after.to_json())
    ]


def hidden(value: object, place: Location = ()) -> object:
    """Return plain data with a mask in the place of every passphrase."""
    if place and place[-1] == "passphrase":
        return None if value is None else MASK
    if isinstance(value, Mapping):
        return {key: hidden(one, (*place, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [hidden(one) for one in value]
    return value


Found = Iterator[tuple[Location, object, object]]


def _walk(place: Location, before: object, after: object) -> Found:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        named = place and "id" not in before  # a destination that is given its id is the same one
        for key in {**before, **after}:
            if key == "id" and named:
                continue
            yield from _walk((*place, key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for index, old, new in _aligned(before, after):
            yield from _walk((*place, index), old, new)
    elif before != after or type(before) is not type(after):
        yield place, before, after


def _aligned(before: list[object], after: list[object]) -> Iterator[tuple[int, object, object]]:
    """Put side by side what has the same id, or else the same position."""
    old, new = _by_id(before), _by_id(after)
    if old is None or new is None:
        for index in range(max(len(before), len(after))):
            yield index, _at(before, index), _at(after, index)
        return
    for index, (key, value) in enumerate(new.items()):
        yield index, old.get(key), value
    for index, (key, value) in enumerate(old.items()):
        if key not in new:
            yield index, value, None


def _by_id(values: list[object]) -> dict[str, object] | None:
    if not all(isinstance(value, Mapping) and isinstance(value.get("id"), str) for value in values):
        return None
    return {str(cast("Mapping[str, object]", value)["id"]): value for value in values}


def _at(values: list[object], index: int) -> object:
    return values[index] if index < len(values) else None
