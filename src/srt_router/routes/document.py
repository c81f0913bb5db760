"""The text of routes.json: to routes and errors, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn, cast

from srt_router.routes.conflicts import Book
from srt_router.routes.errors import MOST_ERRORS, FieldError, Location, RouteInvalid
from srt_router.routes.model import Route
from srt_router.routes.parsing import parse_route
from srt_router.routes.positions import Positions, positions

VERSION = 1
"""The version of the file's layout."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a routes file says."""

    routes: tuple[Route, ...] = ()
    """The routes that are valid, in the order of the file."""
    errors: tuple[FieldError, ...] = ()
    """What is wrong; empty: the file is good."""


def parse(text: str) -> Parsed:
    """Read the text of a routes file; never raises.

    A route that is invalid, or collides with one before it, is reported and left out. A text that is
    not JSON, of another version or of another shape gives no routes at all.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
        where = positions(text)
    except json.JSONDecodeError as error:
        return _broken(FieldError((), f"is not JSON: {error.msg} (column {error.colno})", error.lineno))
    except RecursionError:
        return _broken(FieldError((), "is nested too deeply"))
    except ValueError as error:
        return _broken(FieldError((), f"is not JSON: {error}"))
    errors = shape_errors(data, where.duplicates)
    if errors:
        return Parsed(errors=_with_lines(errors, where))
    routes, errors = _routes(cast("dict[str, list[object]]", data)["routes"], where)
    return Parsed(routes, _with_lines(errors, where))


def render(routes: Iterable[Route]) -> str:
    """Return the text of a routes file."""
    return assemble(map(render_route, routes))


def render_route(route: Route) -> str:
    """Return the text of one route, as it stands in a routes file."""
    text = json.dumps(route.to_json(), ensure_ascii=False, indent=2)
    return "    " + text.replace("\n", "\n    ")


def assemble(texts: Iterable[str]) -> str:
    """Return the text of a routes file, made of the texts of its routes."""
    routes = ",\n".join(texts)
    listed = f"[\n{routes}\n  ]" if routes else "[]"
    return f'{{\n  "version": {VERSION},\n  "routes": {listed}\n}}\n'


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value of JSON")


def _broken(error: FieldError) -> Parsed:
    return Parsed(errors=(error,))


def shape_errors(data: object, duplicates: Iterable[Location] = ()) -> list[FieldError]:
    """Return what is wrong with a document around its routes; `duplicates` are keys that stand twice."""
    if not isinstance(data, dict):
        return [FieldError((), 'must be an object {"version": 1, "routes": [...]}')]
    errors = [FieldError(place, "stands twice") for place in duplicates if len(place) == 1]
    version = data.get("version")
    if "version" not in data:
        errors.append(FieldError(("version",), "is required"))
    elif isinstance(version, bool) or not isinstance(version, int) or version != VERSION:
        errors.append(FieldError(("version",), f"must be {VERSION}: this server knows no other version"))
    if not isinstance(data.get("routes"), list):
        errors.append(FieldError(("routes",), "must be a list" if "routes" in data else "is required"))
    known = {"version", "routes"}
    errors += [FieldError((key,), "is not a known field") for key in data if key not in known]
    return errors[:MOST_ERRORS]


def _routes(items: list[object], where: Positions) -> tuple[tuple[Route, ...], list[FieldError]]:
    book = Book()
    routes: list[Route] = []
    errors: list[FieldError] = []
    for index, item in enumerate(items):
        twice = [place[2:] for place in where.duplicates if place[:2] == ("routes", index)]
        found = [FieldError(place, "stands twice in one object") for place in twice]
        try:
            route = parse_route(item)
        except RouteInvalid as error:
            found += error.errors
        else:
            found += book.conflicts(route)
            if not found:
                book.add(route)
                routes.append(route)
        errors += [error.under("routes", index) for error in found]
    return tuple(routes), errors


def _with_lines(errors: Iterable[FieldError], where: Positions) -> tuple[FieldError, ...]:
    lines: dict[Location, int | None] = {}
    for error in errors:
        lines.setdefault(error.location, where.line(error.location))
    return tuple(replace(error, line=lines[error.location]) for error in errors)
