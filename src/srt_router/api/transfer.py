"""`/api/routes/salvo`, `/export`, `/import`: many routes at once, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from srt_router.accounts.roles import Role
from srt_router.api.access import caller_of
from srt_router.api.audit import audit
from srt_router.api.bodies import (
    CONFLICT,
    AsDescribedBy,
    DryRun,
    Json,
    PatchBody,
    Responses,
    RouteBody,
    json_answer,
)
from srt_router.api.problems import Problem, problem
from srt_router.errors import RouteNotFound
from srt_router.routes.differences import Differences, differences
from srt_router.routes.model import Route
from srt_router.routes.transfer import ImportMode, exported, imported
from srt_router.supervision.editing import Edited, RouteEditor
from srt_router.supervision.effects import Effects
from srt_router.supervision.salvo import Step, StepAction, fire


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


RouteIdField = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class OrderStep(_Strict):
    """Put a route on air, take it off, or both."""

    action: Literal["start", "stop", "restart"]
    routeId: RouteIdField  # noqa: N815 - as it is called in JSON


class DeleteStep(_Strict):
    """Remove a route."""

    action: Literal["delete"]
    routeId: RouteIdField  # noqa: N815


class CreateStep(_Strict):
    """Make a route."""

    action: Literal["create"]
    route: RouteBody


class ReplaceStep(_Strict):
    """Replace a route."""

    action: Literal["replace"]
    routeId: RouteIdField  # noqa: N815
    route: RouteBody


class PatchStep(_Strict):
    """Change a route by a merge patch."""

    action: Literal["patch"]
    routeId: RouteIdField  # noqa: N815
    patch: PatchBody


class Salvo(_Strict):
    """What is to happen at once."""

    steps: Annotated[
        list[Annotated[OrderStep | DeleteStep | CreateStep | ReplaceStep | PatchStep, Field(discriminator="action")]],
        Field(min_length=1, max_length=1000),
    ]


class ImportDocument(BaseModel):
    """A document in the shape of routes.json; a route without `id` is a new one."""

    version: Literal[1]
    routes: list[RouteBody]


DocumentBody = Annotated[Json, AsDescribedBy(ImportDocument)]


@dataclass(frozen=True, slots=True)
class ManyEdited:
    """What became of many routes."""

    differences: Differences
    effects: Effects


_MANY = TypeAdapter(ManyEdited)
_REFUSED: Responses = {**CONFLICT, 409: {"model": Problem, "description": "Something stands in the way"}}
_EXPORT: Responses = {
    200: {"description": "A document in the shape of routes.json", "content": {"application/json": {}}},
    403: {"model": Problem, "description": "The role may not see passphrases"},
    404: {"model": Problem},
}


def transfer_api(editor: RouteEditor) -> APIRouter:
    """The paths for many routes at once. To be included before `/api/routes/{id}`."""
    api = APIRouter(prefix="/api/routes", tags=["routes"])

    @api.post("/salvo", response_model=ManyEdited, responses=_REFUSED, summary="Several edits and orders at once")
    async def fire_salvo(salvo: Salvo, dry_run: DryRun, request: Request) -> Response:
        """All steps are checked first. Edits are made as one, then all orders are given at once.

        If one is refused, everything is taken back.
        """
        edited = await fire(editor, [_step(one) for one in salvo.steps], dry_run=dry_run)
        if not dry_run:
            audit(request, "route.salvo", before=_audited(edited.before, edited), after=_audited(edited.after, edited))
        return _answer(edited)

    @api.get("/export", response_class=Response, responses=_EXPORT, summary="Routes as a document")
    async def export_routes(
        request: Request,
        secrets: Annotated[bool, Query(description="With passphrases in the clear; who asks is told")] = False,
        route: Annotated[list[str] | None, Query(description="Only these routes; may be given several times")] = None,
    ) -> Response:
        """Importable. Without `secrets` passphrases are masked, and an import keeps those that are known there."""
        chosen = _chosen(editor.manager.configured(), route)
        if secrets:
            caller = caller_of(request)
            if caller is None or not caller.may(Role.OPERATOR):
                detail = f"passphrases are shown to the role {Role.OPERATOR} and above: export without `secrets`"
                return problem(403, "roleTooLow", "Not allowed", detail)
            audit(request, "route.export", after={"secrets": "included", "routes": len(chosen)})
        answer = json_answer(TypeAdapter(Json), exported(chosen, secrets=secrets))
        answer.headers["Content-Disposition"] = 'attachment; filename="routes.json"'
        return answer

    @api.post("/import", response_model=ManyEdited, responses=_REFUSED, summary="Take routes of a document over")
    async def import_routes(
        body: DocumentBody,
        dry_run: DryRun,
        request: Request,
        mode: Annotated[
            ImportMode, Query(description="`merge`: other routes stay; `replace`: they are removed")
        ] = ImportMode.MERGE,
    ) -> Response:
        """Whole or not at all. With `dryRun` it answers with what would differ, field by field."""
        edited = await editor.edit(lambda routes: imported(body, routes, mode, editor.presets.all()), dry_run=dry_run)
        if not dry_run:
            audit(request, "route.import", before=_audited(edited.before, edited), after=_audited(edited.after, edited))
        return _answer(edited)

    return api


def _step(step: Any) -> Step:
    data = getattr(step, "route", None) or getattr(step, "patch", None)
    return Step(StepAction(step.action), getattr(step, "routeId", None), data)


def _chosen(routes: list[Route], ids: list[str] | None) -> list[Route]:
    if ids is None:
        return routes
    known = {route.id: route for route in routes}
    for route_id in ids:
        if route_id not in known:
            raise RouteNotFound(f"there is no route {route_id}")
    return [known[route_id] for route_id in dict.fromkeys(ids)]


def _audited(routes: tuple[Route, ...], edited: Edited) -> Json:
    """The routes of one state that are others in the other state."""
    same = {id(route) for route in edited.before} & {id(route) for route in edited.after}
    return {route.id: route.to_json() for route in routes if id(route) not in same}


def _answer(edited: Edited) -> Response:
    return json_answer(_MANY, ManyEdited(differences(edited.before, edited.after), edited.effects))
