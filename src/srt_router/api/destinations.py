"""`/api/routes/{id}/destinations`: destinations come, go and change while the others stay on air."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from srt_router.api.audit import audit
from srt_router.api.bodies import (
    EDIT,
    NOT_FOUND,
    DestinationBody,
    DestinationKey,
    DryRun,
    DryRunAnswer,
    IfMatch,
    Json,
    PatchBody,
    Responses,
    RouteId,
    check,
    dry_run_answer,
    json_answer,
    quoted,
)
from srt_router.errors import DestinationNotFound, RouteNotFound
from srt_router.monitoring.connections import Connection
from srt_router.routes.merging import (
    find_destination,
    with_destination,
    with_destination_patched,
    with_destination_replaced,
    without_destination,
)
from srt_router.routes.model import Route
from srt_router.supervision.editing import Edited, RouteEditor, Routes
from srt_router.supervision.effects import Effects
from srt_router.supervision.process_state import Phase


@dataclass(frozen=True, slots=True)
class DestinationDetail:
    """One destination as it is now, and as it is configured."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    index: int
    """Position in the route's list: another one as soon as a destination before it goes."""
    id: str | None
    """Stays with it; null: its route was written by hand, and not edited here since."""
    process: str | None
    connection: Connection
    state: Phase
    config: Json
    """As in routes.json, passphrases hidden."""


@dataclass(frozen=True, slots=True)
class DestinationList:
    """The destinations of a route, in their order."""

    items: list[DestinationDetail]


@dataclass(frozen=True, slots=True)
class DestinationEdited:
    """A destination after an edit."""

    index: int
    id: str | None
    process: str | None
    connection: Connection
    state: Phase
    config: Json
    effects: Effects
    """What the edit did to processes."""


_LIST = TypeAdapter(DestinationList)
_ONE = TypeAdapter(DestinationDetail)
_EDITED = TypeAdapter(DestinationEdited)
_TRIED = "With `dryRun`: what would happen"
_ADDED: Responses = {
    201: {"model": DestinationEdited, "description": "It was added; `Location` is its path"},
    200: {"model": DryRunAnswer, "description": _TRIED},
}
_CHANGED: Responses = {200: {"model": DestinationEdited | DryRunAnswer, "description": _TRIED}}
_GONE: Responses = {
    204: {"description": "Its process ends, and it is removed"},
    200: {"model": DryRunAnswer, "description": _TRIED},
}
_Make = Callable[[Route, int], Route]


def destinations_api(editor: RouteEditor) -> APIRouter:
    """The paths of single destinations. Nothing here touches the other destinations of the route."""
    api = APIRouter(prefix="/api/routes/{route_id}/destinations", tags=["destinations"])
    _reading(api, editor)
    _adding_and_removing(api, editor)
    _changing(api, editor)
    _switching(api, editor)
    return api


def _reading(api: APIRouter, editor: RouteEditor) -> None:
    @api.get("", response_model=DestinationList, responses=NOT_FOUND, summary="The destinations of a route")
    async def list_destinations(route_id: RouteId) -> Response:
        count = len(editor.manager.configuration(route_id).destinations)
        return json_answer(_LIST, DestinationList([_detail(editor, route_id, index) for index in range(count)]))

    @api.get("/{key}", response_model=DestinationDetail, responses=NOT_FOUND, summary="One destination")
    async def read_destination(route_id: RouteId, key: DestinationKey) -> Response:
        route = editor.manager.configuration(route_id)
        index = _find(route, key)
        return _tagged(editor, route, index, json_answer(_ONE, _detail(editor, route_id, index)))


def _adding_and_removing(api: APIRouter, editor: RouteEditor) -> None:
    @api.post("", status_code=201, response_model=None, responses={**EDIT, **_ADDED}, summary="Add a destination")
    async def add_destination(route_id: RouteId, body: DestinationBody, dry_run: DryRun, request: Request) -> Response:
        """On air at once if the route is; it gets an `id` if it has none. Nobody else notices."""
        edited = await _edit(editor, route_id, lambda route: with_destination(route, body), dry_run=dry_run)
        index = len(edited.route(route_id).destinations) - 1
        return _answer(editor, edited, route_id, index, _Told(request, "destination.add", dry_run, 201))

    @api.delete(
        "/{key}", status_code=204, response_model=None, responses={**EDIT, **_GONE}, summary="Remove a destination"
    )
    async def delete_destination(
        route_id: RouteId, key: DestinationKey, dry_run: DryRun, request: Request, if_match: IfMatch = None
    ) -> Response:
        asked = _Asked(editor, route_id, key, if_match)
        edited = await _edit(
            editor, route_id, lambda route: without_destination(route, asked.index(route)), dry_run=dry_run
        )
        if dry_run:
            return dry_run_answer(edited)
        _tell(edited, route_id, _Told(request, "destination.delete", dry_run))
        return Response(status_code=204)


def _changing(api: APIRouter, editor: RouteEditor) -> None:
    @api.put("/{key}", response_model=None, responses={**EDIT, **_CHANGED}, summary="Replace a destination")
    async def replace_destination(  # noqa: PLR0913 - one parameter for each part of the request
        route_id: RouteId,
        key: DestinationKey,
        body: DestinationBody,
        dry_run: DryRun,
        request: Request,
        if_match: IfMatch = None,
    ) -> Response:
        """Whatever is not named gets its default, but a passphrase that is not named stays; null removes it."""
        return await _change(
            _Asked(editor, route_id, key, if_match),
            lambda route, index: with_destination_replaced(route, index, body),
            _Told(request, "destination.edit", dry_run),
        )

    @api.patch("/{key}", response_model=None, responses={**EDIT, **_CHANGED}, summary="Change a destination")
    async def patch_destination(  # noqa: PLR0913 - one parameter for each part of the request
        route_id: RouteId,
        key: DestinationKey,
        body: PatchBody,
        dry_run: DryRun,
        request: Request,
        if_match: IfMatch = None,
    ) -> Response:
        """A merge patch (RFC 7396): what is not named stays; null removes."""
        return await _change(
            _Asked(editor, route_id, key, if_match),
            lambda route, index: with_destination_patched(route, index, body),
            _Told(request, "destination.edit", dry_run),
        )


def _switching(api: APIRouter, editor: RouteEditor) -> None:
    @api.post("/{key}/start", response_model=None, responses={**EDIT, **_CHANGED}, summary="Enable a destination")
    async def start_destination(
        route_id: RouteId, key: DestinationKey, dry_run: DryRun, request: Request, if_match: IfMatch = None
    ) -> Response:
        """Sets `enabled`: on air whenever the route is. For one that is enabled it does nothing."""
        return await _change(
            _Asked(editor, route_id, key, if_match),
            lambda route, index: _enabled(route, index, enabled=True),
            _Told(request, "destination.start", dry_run),
        )

    @api.post("/{key}/stop", response_model=None, responses={**EDIT, **_CHANGED}, summary="Disable a destination")
    async def stop_destination(
        route_id: RouteId, key: DestinationKey, dry_run: DryRun, request: Request, if_match: IfMatch = None
    ) -> Response:
        """Takes `enabled` away: it stays configured and keeps its port. For one that is disabled it does nothing."""
        return await _change(
            _Asked(editor, route_id, key, if_match),
            lambda route, index: _enabled(route, index, enabled=False),
            _Told(request, "destination.stop", dry_run),
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which destination somebody means."""

    editor: RouteEditor
    route_id: str
    key: str
    if_match: str | None

    def index(self, route: Route) -> int:
        """Where it is now. Raises DestinationNotFound, PreconditionFailed."""
        index = _find(route, self.key)
        check(self.if_match, _revision(self.editor, route, index), f"Destination {self.key} of route {route.id}")
        return index


@dataclass(frozen=True, slots=True)
class _Told:
    """How an edit is told and answered."""

    request: Request
    action: str
    dry_run: bool
    status: int = 200


async def _change(asked: _Asked, make: _Make, told: _Told) -> Response:
    where: list[int] = []

    def change(route: Route) -> Route:
        where[:] = [asked.index(route)]
        return make(route, where[0])

    edited = await _edit(asked.editor, asked.route_id, change, dry_run=told.dry_run)
    return _answer(asked.editor, edited, asked.route_id, where[0], told)


async def _edit(editor: RouteEditor, route_id: str, make: Callable[[Route], Route], *, dry_run: bool) -> Edited:
    def change(routes: Routes) -> Routes:
        if not any(route.id == route_id for route in routes):
            raise RouteNotFound(f"there is no route {route_id}")
        return tuple(make(route) if route.id == route_id else route for route in routes)

    return await editor.edit(change, dry_run=dry_run)


def _enabled(route: Route, index: int, *, enabled: bool) -> Route:
    if route.destinations[index].enabled is enabled:
        return route
    return with_destination_patched(route, index, {"enabled": enabled})


def _find(route: Route, key: str) -> int:
    index = find_destination(route, key)
    if index is None:
        raise DestinationNotFound(f"route {route.id} has no destination {key}")
    return index


def _config(route: Route, index: int, *, hide_secrets: bool) -> Json:
    ends = route.to_json(hide_secrets=hide_secrets)["destinations"]
    assert isinstance(ends, list)  # noqa: S101 - the model's own document
    found: Json = ends[index]
    return found


def _revision(editor: RouteEditor, route: Route, index: int) -> str:
    return editor.revision(_config(route, index, hide_secrets=False))


def _tagged(editor: RouteEditor, route: Route, index: int, answer: Response) -> Response:
    answer.headers["ETag"] = quoted(_revision(editor, route, index))
    return answer


def _detail(editor: RouteEditor, route_id: str, index: int) -> DestinationDetail:
    route, leg = editor.manager.configuration(route_id), editor.manager.route(route_id).destinations[index]
    end = route.destinations[index]
    config = _config(route, index, hide_secrets=True)
    return DestinationDetail(index, end.id, leg.process, leg.connection, leg.state, config)


def _answer(editor: RouteEditor, edited: Edited, route_id: str, index: int, told: _Told) -> Response:
    route = edited.route(route_id)
    config = _config(route, index, hide_secrets=True)
    if told.dry_run:
        return dry_run_answer(edited, config)
    _tell(edited, route_id, told)
    leg = editor.manager.route(route_id).destinations[index]
    end = DestinationEdited(
        index, route.destinations[index].id, leg.process, leg.connection, leg.state, config, edited.effects
    )
    answer = json_answer(_EDITED, end, told.status)
    if told.status == 201:
        answer.headers["Location"] = f"/api/routes/{route_id}/destinations/{end.id or index}"
    return _tagged(editor, route, index, answer)


def _tell(edited: Edited, route_id: str, told: _Told) -> None:
    """Tell what was done, of the destinations only."""
    before, after = edited.former(route_id), edited.route(route_id)
    if before != after:
        audit(
            told.request,
            told.action,
            route_id=route_id,
            before=before.to_json() if before else None,
            after=after.to_json(),
        )
