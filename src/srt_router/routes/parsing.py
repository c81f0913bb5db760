"""From JSON data to a route, or to errors that name the field and never show a value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from srt_router.routes.errors import MOST_ERRORS, FieldError, Location, RouteInvalid
from srt_router.routes.model import Route, RouteInput, json_names

_UNION_TAGS = frozenset({"srt", "udp"})
_SHAPE_TAGS = frozenset({"word", "encode"})

_MESSAGES = {
    "missing": "is required",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "union_tag_not_found": "is required",
    "union_tag_invalid": "must be 'srt' or 'udp'",
}
"""pydantic's types of errors, in our words."""


def parse_route(data: object) -> Route:
    """Return the route that a JSON object describes; raises RouteInvalid."""
    try:
        return Route.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise RouteInvalid(field_errors(error)) from None


def parse_route_input(data: object) -> RouteInput:
    """Return the route without id that a JSON object describes; raises RouteInvalid."""
    try:
        return RouteInput.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise RouteInvalid(field_errors(error)) from None


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Translate pydantic's errors about a route, the first ones: JSON names, our words, no values."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    return tuple(map(_field_error, found[:MOST_ERRORS]))


def _field_error(details: ErrorDetails) -> FieldError:
    kind = details["type"]
    location = _location(details["loc"])
    context: Mapping[str, object] = details.get("ctx", {})
    if kind.startswith("union_tag"):
        location = (*location, "type")
    return FieldError(location, _message(kind, location, context, details["msg"]))


def _message(kind: str, location: Location, context: Mapping[str, object], fallback: str) -> str:
    if kind == "extra_forbidden":
        return _unknown_field(str(location[-1]), location)
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in {"too_long", "string_too_long"}:
        return f"must have at most {context['max_length']} {'entries' if kind == 'too_long' else 'characters'}"
    return _MESSAGES.get(kind, fallback)


def _unknown_field(name: str, location: Location) -> str:
    in_route = len(location) == 1
    known = {known for model, names in json_names().items() if (model is Route) == in_route for known in names}
    near = difflib.get_close_matches(name.lower(), {other.lower() for other in known}, n=1, cutoff=0.7)
    meant = next((other for other in known if near and other.lower() == near[0]), None)
    return f"is not a known field; did you mean '{meant}'?" if meant else "is not a known field"


def _location(loc: tuple[int | str, ...]) -> Location:
    """Take out what pydantic puts in for the chosen member of a union: `source.srt.port`, `video.encode.codec`."""
    parts: list[str | int] = []
    for index, part in enumerate(loc):
        before = loc[index - 1] if index else None
        after_end = before == "source" or (isinstance(before, int) and loc[index - 2] == "destinations")
        after_stream = before in ("video", "audio") and loc[index - 2] == "transcode"
        if not (after_end and part in _UNION_TAGS) and not (after_stream and part in _SHAPE_TAGS):
            parts.append(part)
    return tuple(parts)
