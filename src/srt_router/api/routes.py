"""`/api/routes`: what is on air, and start, stop, restart."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, TypeAdapter

from srt_router.api.problems import Problem
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.views import RouteView, StatsView

T = TypeVar("T")
Responses = dict[int | str, dict[str, Any]]


class RouteList(BaseModel):
    """All routes, in the order of routes.json."""

    items: list[RouteView]


class StatsList(BaseModel):
    """The newest statistics of each process of a route."""

    items: list[StatsView]


_LIST = TypeAdapter(RouteList)
_ROUTE = TypeAdapter(RouteView)
_STATS = TypeAdapter(StatsList)

RouteId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a route")]
_NOT_FOUND: Responses = {404: {"model": Problem}}
_START: Responses = {404: {"model": Problem}, 409: {"model": Problem, "description": "A check before the start failed"}}


def routes_api(manager: RouteManager) -> APIRouter:
    """The paths under `/api/routes`."""
    api = APIRouter(prefix="/api/routes", tags=["routes"])

    @api.get("", response_model=RouteList, summary="Every route with its status and processes")
    async def list_routes() -> Response:
        return _json(_LIST, RouteList.model_construct(items=manager.routes()))

    @api.get("/{route_id}", response_model=RouteView, responses=_NOT_FOUND, summary="One route")
    async def read_route(route_id: RouteId) -> Response:
        return _json(_ROUTE, manager.route(route_id))

    @api.get("/{route_id}/stats", response_model=StatsList, responses=_NOT_FOUND, summary="Newest statistics")
    async def read_stats(route_id: RouteId) -> Response:
        return _json(_STATS, StatsList.model_construct(items=manager.stats(route_id)))

    @api.post("/{route_id}/start", response_model=RouteView, responses=_START, summary="Put a route on air")
    async def start(route_id: RouteId) -> Response:
        await manager.start(route_id)
        return _json(_ROUTE, manager.route(route_id))

    @api.post("/{route_id}/stop", response_model=RouteView, responses=_NOT_FOUND, summary="Take a route off air")
    async def stop(route_id: RouteId) -> Response:
        """Answers when every process of the route is dead."""
        await manager.stop(route_id)
        return _json(_ROUTE, manager.route(route_id))

    @api.post("/{route_id}/restart", response_model=RouteView, responses=_START, summary="Stop and start")
    async def restart(route_id: RouteId) -> Response:
        await manager.restart(route_id)
        return _json(_ROUTE, manager.route(route_id))

    return api


def _json(adapter: TypeAdapter[T], value: T) -> Response:
    return Response(adapter.dump_json(value, by_alias=True), media_type="application/json")
