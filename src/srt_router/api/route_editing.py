"""`/api/routes`: routes are made, changed, copied and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter

from srt_router.api.audit import audit
from srt_router.api.bodies import (
    EDIT,
    NOT_FOUND,
    DryRun,
    DryRunAnswer,
    IfMatch,
    PatchBody,
    Responses,
    RouteBody,
    RouteDetail,
    RouteEdited,
    RouteId,
    check,
    detail,
    dry_run_answer,
    edited_answer,
    json_answer,
)
from srt_router.errors import RouteNotFound
from srt_router.routes.copies import copied, used_ports
from srt_router.routes.merging import created, patched, replaced
from srt_router.routes.model import Route, SrtDestination, SrtSource, new_route_id
from srt_router.routes.srt_options import passphrase_of
from srt_router.supervision.checks import PortTable
from srt_router.supervision.editing import Change, Edited, RouteEditor, Routes


class EndSecrets(BaseModel):
    """What is secret of one end."""

    model_config = ConfigDict(extra="forbid")

    index: int | None
    """Position of a destination; null: the source."""
    id: str | None
    """Id of a destination that has one."""
    passphrase: str | None
    """In the clear; null: it has none."""


class Secrets(BaseModel):
    """What is secret of a route."""

    items: list[EndSecrets]


_SECRETS = TypeAdapter(Secrets)
_MADE: Responses = {
    201: {"model": RouteEdited, "description": "The route was made; `Location` is its path"},
    200: {"model": DryRunAnswer, "description": "With `dryRun`: what would happen"},
}
_CHANGED: Responses = {200: {"model": RouteEdited | DryRunAnswer, "description": "With `dryRun`: what would happen"}}
_GONE: Responses = {
    204: {"description": "It is off air and removed"},
    200: {"model": DryRunAnswer, "description": "With `dryRun`: what would happen"},
}


def route_editing_api(editor: RouteEditor) -> APIRouter:
    """The paths that change routes."""
    api = APIRouter(prefix="/api/routes", tags=["routes"])
    _reading(api, editor)
    _making(api, editor)
    _changing(api, editor)
    return api


def _reading(api: APIRouter, editor: RouteEditor) -> None:
    @api.get("/{route_id}", response_model=RouteDetail, responses=NOT_FOUND, summary="One route")
    async def read_route(route_id: RouteId) -> Response:
        """Status and processes as they are now, `config` as it stands in routes.json. `ETag` is of `config` alone."""
        return detail(editor, route_id)

    @api.get("/{route_id}/secrets", response_model=Secrets, responses=NOT_FOUND, summary="Passphrases in the clear")
    async def read_secrets(route_id: RouteId, request: Request) -> Response:
        """Only here, and in an export that asks for them, can passphrases be read. Who reads them is told."""
        route = editor.manager.configuration(route_id)
        audit(request, "route.secrets", route_id=route_id)
        return json_answer(_SECRETS, secrets_of(route))


def _making(api: APIRouter, editor: RouteEditor) -> None:
    @api.post("", status_code=201, response_model=None, responses={**EDIT, **_MADE}, summary="Make a route")
    async def create_route(body: RouteBody, dry_run: DryRun, request: Request) -> Response:
        """With `autoStart` it goes on air at once. `transcode` may be the name of a preset."""
        made: list[Route] = []

        def change(routes: Routes) -> Routes:
            made[:] = [created(body, new_route_id([route.id for route in routes]), editor.presets.all())]
            return (*routes, *made)

        edited = await editor.edit(change, dry_run=dry_run)
        return _made(editor, edited, made[0], request, dry_run=dry_run)

    @api.post(
        "/{route_id}/duplicate",
        status_code=201,
        response_model=None,
        responses={**EDIT, **_MADE},
        summary="Make a copy with ports of its own",
    )
    async def duplicate_route(
        route_id: RouteId, dry_run: DryRun, request: Request, body: Annotated[PatchBody | None, Body()] = None
    ) -> Response:
        """The copy has free ports and does not start by itself. The body is a merge patch for it, and wins."""
        table = await asyncio.to_thread(PortTable.look)
        made: list[Route] = []

        def change(routes: Routes) -> Routes:
            taken = {*table.by_port, *used_ports(routes)}
            new, presets = new_route_id([one.id for one in routes]), editor.presets.all()
            made[:] = [copied(_one(routes, route_id), new, body or {}, taken, presets)]
            return (*routes, *made)

        edited = await editor.edit(change, dry_run=dry_run)
        return _made(editor, edited, made[0], request, dry_run=dry_run)


def _changing(api: APIRouter, editor: RouteEditor) -> None:
    @api.put("/{route_id}", response_model=None, responses={**EDIT, **_CHANGED}, summary="Replace a route")
    async def replace_route(
        route_id: RouteId, body: RouteBody, dry_run: DryRun, request: Request, if_match: IfMatch = None
    ) -> Response:
        """Whatever is not named gets its default, but a passphrase that is not named stays; null removes it."""
        change = _change_of(editor, route_id, if_match, lambda route: replaced(body, route, editor.presets.all()))
        edited = await editor.edit(change, dry_run=dry_run)
        return _changed(editor, edited, route_id, request, dry_run=dry_run)

    @api.patch("/{route_id}", response_model=None, responses={**EDIT, **_CHANGED}, summary="Change a route")
    async def patch_route(
        route_id: RouteId, body: PatchBody, dry_run: DryRun, request: Request, if_match: IfMatch = None
    ) -> Response:
        """A merge patch (RFC 7396): what is not named stays; null removes. Lists are replaced as a whole."""
        change = _change_of(editor, route_id, if_match, lambda route: patched(body, route, editor.presets.all()))
        edited = await editor.edit(change, dry_run=dry_run)
        return _changed(editor, edited, route_id, request, dry_run=dry_run)

    @api.delete(
        "/{route_id}", status_code=204, response_model=None, responses={**EDIT, **_GONE}, summary="Remove a route"
    )
    async def delete_route(route_id: RouteId, dry_run: DryRun, request: Request, if_match: IfMatch = None) -> Response:
        """Takes it off air first. Answers when every process of it is dead."""

        def change(routes: Routes) -> Routes:
            gone = _one(routes, route_id)
            check(if_match, editor.revision(gone.to_json()), f"Route {route_id}")
            return tuple(route for route in routes if route is not gone)

        edited = await editor.edit(change, dry_run=dry_run)
        if dry_run:
            return dry_run_answer(edited)
        former = edited.former(route_id)
        audit(request, "route.delete", route_id=route_id, before=former.to_json() if former else None)
        return Response(status_code=204)


def secrets_of(route: Route) -> Secrets:
    """Every end that can have a passphrase."""
    found = []
    if isinstance(route.source, SrtSource):
        found.append(EndSecrets(index=None, id=None, passphrase=passphrase_of(route.source)))
    for index, end in enumerate(route.destinations):
        if isinstance(end, SrtDestination):
            found.append(EndSecrets(index=index, id=end.id, passphrase=passphrase_of(end)))
    return Secrets(items=found)


def _one(routes: Routes, route_id: str) -> Route:
    found = next((route for route in routes if route.id == route_id), None)
    if found is None:
        raise RouteNotFound(f"there is no route {route_id}")
    return found


def _change_of(editor: RouteEditor, route_id: str, if_match: str | None, make: Callable[[Route], Route]) -> Change:
    """A change of one route, if it is still the one that the client knows."""

    def change(routes: Routes) -> Routes:
        stored = _one(routes, route_id)
        check(if_match, editor.revision(stored.to_json()), f"Route {route_id}")
        made = make(stored)
        return tuple(made if route is stored else route for route in routes)

    return change


def _made(editor: RouteEditor, edited: Edited, made: Route, request: Request, *, dry_run: bool) -> Response:
    if dry_run:
        return dry_run_answer(edited, made.to_json(hide_secrets=True))
    audit(request, "route.create", route_id=made.id, after=made.to_json())
    answer = edited_answer(editor, edited, made.id, 201)
    answer.headers["Location"] = f"/api/routes/{made.id}"
    return answer


def _changed(editor: RouteEditor, edited: Edited, route_id: str, request: Request, *, dry_run: bool) -> Response:
    route, former = edited.route(route_id), edited.former(route_id)
    if dry_run:
        return dry_run_answer(edited, route.to_json(hide_secrets=True))
    audit(request, "route.edit", route_id=route_id, before=former.to_json() if former else None, after=route.to_json())
    return edited_answer(editor, edited, route_id)
