"""What routes' paths are sent and what they answer with, beside the route itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from srt_router.api.problems import Problem
from srt_router.errors import PreconditionFailed
from srt_router.routes.model import Destination, RouteInput
from srt_router.supervision.editing import Edited, RouteEditor
from srt_router.supervision.effects import Effects
from srt_router.supervision.views import RouteView

Json = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]


class AsDescribedBy:
    """An object that is handed on as it was sent, and described by a model: what is stored is needed to judge it."""

    def __init__(self, model: Any) -> None:
        self._described: TypeAdapter[object] = TypeAdapter(model)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(self._described.core_schema)


RouteBody = Annotated[Json, AsDescribedBy(RouteInput)]
DestinationBody = Annotated[Json, AsDescribedBy(Destination)]
PatchBody = Json
"""A merge patch (RFC 7396): fields that are not named stay, null takes one away."""

RouteId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a route")]
DestinationKey = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="Id of a destination, which stays with it, or its position in the list, counted from 0",
    ),
]


def _dry_run(
    request: Request,
    dry_run: Annotated[
        bool, Query(alias="dryRun", description="Only say what would happen: nothing is changed")
    ] = False,
) -> bool:
    if dry_run:
        request.state.audited = True  # nothing is changed, so there is nothing to tell
    return dry_run


DryRun = Annotated[bool, Depends(_dry_run)]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="`ETag` of what the change was made from; 412 if it is another by now"),
]


def check(if_match: str | None, revision: str, what: str) -> None:
    """Raise PreconditionFailed unless the revision is one that the client knows. Weak tags match nothing."""
    if if_match is None or if_match.strip() == "*":
        return
    if quoted(revision) not in [tag.strip() for tag in if_match.split(",")]:
        raise PreconditionFailed(what)


def quoted(revision: str) -> str:
    """A revision as a strong entity tag."""
    return f'"{revision}"'


@dataclass(frozen=True, slots=True)
class RouteDetail(RouteView):
    """One route as it is now, and as it is configured."""

    config: Json = field(default_factory=dict)
    """As in routes.json, passphrases hidden."""


@dataclass(frozen=True, slots=True)
class RouteEdited(RouteDetail):
    """A route after an edit."""

    effects: Effects = field(default_factory=lambda: Effects.of(()))
    """What the edit did to processes."""


@dataclass(frozen=True, slots=True)
class DryRunAnswer:
    """What an edit would do."""

    effects: Effects
    config: Json | None = None
    """The route, or the destination, as it would be; null: it would be removed, or there are several."""


DETAIL = TypeAdapter(RouteDetail)
EDITED = TypeAdapter(RouteEdited)
_DRY_RUN = TypeAdapter(DryRunAnswer)

NOT_FOUND: Responses = {404: {"model": Problem}}
CONFLICT: Responses = {
    409: {"model": Problem, "description": "routes.json is broken or being edited, or a port is taken"},
    422: {"model": Problem, "description": "The errors name each field"},
    503: {"model": Problem, "description": "routes.json cannot be written"},
}
EDIT: Responses = {**NOT_FOUND, **CONFLICT, 412: {"model": Problem, "description": "It was changed meanwhile"}}


def detail(editor: RouteEditor, route_id: str) -> Response:
    """The answer with one route. Raises RouteNotFound."""
    configuration = editor.manager.configuration(route_id)
    view = editor.manager.route(route_id)
    found = _with(view, RouteDetail, config=configuration.to_json(hide_secrets=True))
    answer = json_answer(DETAIL, found)
    answer.headers["ETag"] = quoted(editor.revision(configuration.to_json()))
    return answer


def edited_answer(editor: RouteEditor, edited: Edited, route_id: str, status: int = 200) -> Response:
    """The answer with a route that was edited."""
    route = edited.route(route_id)
    view = editor.manager.route(route_id)
    found = _with(view, RouteEdited, config=route.to_json(hide_secrets=True), effects=edited.effects)
    answer = json_answer(EDITED, found, status)
    answer.headers["ETag"] = quoted(editor.revision(route.to_json()))
    return answer


def dry_run_answer(edited: Edited, config: Json | None = None) -> Response:
    """The answer to an edit that was only tried."""
    return json_answer(_DRY_RUN, DryRunAnswer(edited.effects, config))


def json_answer(adapter: TypeAdapter[Any], value: object, status: int = 200) -> Response:
    """A response in JSON, with the names that clients know."""
    return Response(adapter.dump_json(value, by_alias=True), status, media_type="application/json")


def _with(view: RouteView, kind: Callable[..., RouteDetail], **more: object) -> RouteDetail:
    known = {one.name: getattr(view, one.name) for one in fields(RouteView)}
    return kind(**known, **more)
