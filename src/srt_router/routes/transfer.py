"""Routes from and to a document in the shape of routes.json: what an import makes of the routes that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import cast

from srt_router.routes.conflicts import Book
from srt_router.routes.document import VERSION, shape_errors
from srt_router.routes.errors import MOST_ERRORS, FieldError, RouteInvalid
from srt_router.routes.merging import Json, created, replaced
from srt_router.routes.model import NewIds, Route
from srt_router.routes.transcode_presets import PRESETS, Preset


class ImportMode(StrEnum):
    """What becomes of the routes that the document does not name."""

    MERGE = "merge"
    """They stay."""
    REPLACE = "replace"
    """They are removed."""


def exported(routes: Sequence[Route], *, secrets: bool) -> Json:
    """Return a document with these routes; without secrets it can still be imported where they are known."""
    return {"version": VERSION, "routes": [route.to_json(hide_secrets=not secrets) for route in routes]}


def imported(
    document: object, current: Sequence[Route], mode: ImportMode, presets: Sequence[Preset] = PRESETS
) -> tuple[Route, ...]:
    """Return all routes after an import; a route without an id is a new one.

    Raises RouteInvalid with what is wrong (the first errors, where there are many), named by its place in the document.
    """
    if errors := shape_errors(document):
        raise RouteInvalid(errors)
    known = {route.id: route for route in current}
    found: dict[str, Route] = {}
    ids = NewIds(known)
    for index, item in enumerate(cast("dict[str, list[object]]", document)["routes"]):
        if len(errors) >= MOST_ERRORS:
            break
        try:
            route = _route(item, known, ids, presets)
        except RouteInvalid as error:
            errors += [one.under("routes", index) for one in error.errors]
            continue
        if route.id in found:
            errors.append(FieldError(("routes", index, "id"), "stands twice in the document"))
        found[route.id] = route
        ids.taken.add(route.id)
    if errors:
        raise RouteInvalid(errors)
    after = found if mode is ImportMode.REPLACE else {**known, **found}
    _refuse_collisions(list(found.values()), [route for route in after.values() if route.id not in found])
    return tuple(after.values())


def _refuse_collisions(new: Sequence[Route], others: Sequence[Route]) -> None:
    book = Book(others)
    errors: list[FieldError] = []
    for index, route in enumerate(new):
        errors += [one.under("routes", index) for one in book.conflicts(route)]
        book.add(route)
    if errors:
        raise RouteInvalid(errors)


def _route(item: object, known: Mapping[str, Route], ids: NewIds, presets: Sequence[Preset]) -> Route:
    if not isinstance(item, Mapping):
        raise RouteInvalid([FieldError((), "must be an object")])
    data = dict(item)
    route_id = data.pop("id", None)
    if isinstance(route_id, str) and route_id in known:
        return replaced(data, known[route_id], presets)
    return created(data, ids.next() if route_id is None else route_id, presets)
