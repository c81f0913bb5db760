"""`/api/routes`: what is on air, and start, stop, restart."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from srt_router.api.audit import audit
from srt_router.api.problems import Problem
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.views import RouteView

T = TypeVar("T")
Responses = dict[int | str, dict[str, Any]]


_ROUTE = TypeAdapter(RouteView)

RouteId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a route")]
_NOT_FOUND: Responses = {404: {"model": Problem}}
_START: Responses = {404: {"model": Problem}, 409: {"model": Problem, "description": "A check before the start failed"}}


class ApplyBody(BaseModel):
    """Which of the restarts that wait."""

    model_config = ConfigDict(extra="forbid")

    process: str | None = Field(None, max_length=64, description="Type of one process; all that wait unless given")


class Applied(BaseModel):
    """What is restarted, in this order."""

    items: list[str]


def routes_api(manager: RouteManager) -> APIRouter:
    """The paths under `/api/routes`."""
    api = APIRouter(prefix="/api/routes", tags=["routes"])

    @api.post("/{route_id}/start", response_model=RouteView, responses=_START, summary="Put a route on air")
    async def start(route_id: RouteId, request: Request) -> Response:
        """For a route that is on air it does nothing."""
        await manager.start(route_id)
        audit(request, "route.start", route_id=route_id)
        return _json(_ROUTE, manager.route(route_id))

    @api.post("/{route_id}/stop", response_model=RouteView, responses=_NOT_FOUND, summary="Take a route off air")
    async def stop(route_id: RouteId, request: Request) -> Response:
        """Answers when every process of the route is dead. For a route that is off air it does nothing."""
        await manager.stop(route_id)
        audit(request, "route.stop", route_id=route_id)
        return _json(_ROUTE, manager.route(route_id))

    @api.post("/{route_id}/restart", response_model=RouteView, responses=_START, summary="Stop and start")
    async def restart(route_id: RouteId, request: Request) -> Response:
        await manager.restart(route_id)
        audit(request, "route.restart", route_id=route_id)
        return _json(_ROUTE, manager.route(route_id))

    @api.post("/{route_id}/apply", status_code=202, responses=_NOT_FOUND, summary="Do the restarts that wait")
    async def apply(route_id: RouteId, request: Request, wanted: ApplyBody | None = None) -> Applied:
        """Restarts what an upgrade would start with another command line, one process after another."""
        items = manager.applying.apply(route_id, wanted.process if wanted else None)
        audit(request, "route.apply", route_id=route_id, after={"processes": items})
        return Applied(items=items)

    return api


def _json(adapter: TypeAdapter[T], value: T) -> Response:
    return Response(adapter.dump_json(value, by_alias=True), media_type="application/json")
