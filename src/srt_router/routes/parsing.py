"""From JSON data to a route, or to errors that name the field and never show a value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from srt_router.routes.errors import MOST_ERRORS, FieldError, Location, RouteInvalid
from srt_router.routes.model import Route, RouteInput, SrtDestination, SrtSource, UdpDestination, UdpSource, json_names
from srt_router.routes.srt_options import Model, to_camel
from srt_router.routes.transcode import AudioEncode, MatrixCell, Transcode, VideoEncode

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

_PLACES: Mapping[tuple[str, ...], type[Model]] = {
    ("source", "srt"): SrtSource,
    ("source", "udp"): UdpSource,
    ("destinations", "srt"): SrtDestination,
    ("destinations", "udp"): UdpDestination,
    ("transcode",): Transcode,
    ("transcode", "video"): VideoEncode,
    ("transcode", "audio"): AudioEncode,
    ("transcode", "audio", "matrix"): MatrixCell,
}
"""Which part of a route stands where; the route itself stands around them."""
_HOMES: Mapping[type[Model], str] = {
    Route: "the route itself",
    SrtSource: "an SRT source",
    UdpSource: "a UDP source",
    SrtDestination: "an SRT destination",
    UdpDestination: "a UDP destination",
    Transcode: "'transcode'",
    VideoEncode: "'transcode.video'",
    AudioEncode: "'transcode.audio'",
    MatrixCell: "a crossing of 'transcode.audio.matrix'",
}
_FEW = 2
"""A field that is known in more places than that may be meant anywhere."""


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


def field_errors(error: ValidationError, whole: type[Model] = Route) -> tuple[FieldError, ...]:
    """Translate pydantic's errors about a route, the first ones: JSON names, our words, no values.

    `whole` is what was judged, if it is no route: something else with a `transcode`.
    """
    found = error.errors(include_url=False, include_context=True, include_input=False)
    return tuple(_field_error(one, whole) for one in found[:MOST_ERRORS])


def _field_error(details: ErrorDetails, whole: type[Model]) -> FieldError:
    kind = details["type"]
    location = _location(details["loc"])
    context: Mapping[str, object] = details.get("ctx", {})
    if kind == "extra_forbidden":
        return FieldError(location, _unknown_field(details["loc"], whole))
    if kind.startswith("union_tag"):
        location = (*location, "type")
    return FieldError(location, _message(kind, context, details["msg"]))


def _message(kind: str, context: Mapping[str, object], fallback: str) -> str:
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in {"too_long", "string_too_long"}:
        return f"must have at most {context['max_length']} {'entries' if kind == 'too_long' else 'characters'}"
    return _MESSAGES.get(kind, fallback)


def _unknown_field(loc: Location, whole: type[Model]) -> str:
    """Say where a field of this name belongs, or else which field of the same object was meant."""
    name = str(loc[-1]).lower()
    place = tuple(part for part in loc[:-1] if isinstance(part, str) and part not in _SHAPE_TAGS)
    model = _PLACES[place] if place else whole
    here = {to_camel(one).lower(): to_camel(one) for one in model.model_fields}
    homes = [_HOMES[model] for model, names in json_names().items() if name in {one.lower() for one in names}]
    if name not in here and 0 < len(homes) <= _FEW:
        return f"is not a known field here; it belongs in {' or '.join(homes)}"
    near = difflib.get_close_matches(name, here, n=1, cutoff=0.7)
    return f"is not a known field; did you mean '{here[near[0]]}'?" if near else "is not a known field"


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
