"""`/api/processes`, `/api/orphans`, `/api/cleanup`: every media process of this host."""

from __future__ import annotations

from typing import TypeVar

from fastapi import APIRouter, Response
from pydantic import BaseModel, TypeAdapter

from srt_router.supervision.housekeeping import CleanupView, Housekeeping, OrphanItem
from srt_router.supervision.inventory import ProcessItem

T = TypeVar("T")


class ProcessList(BaseModel):
    """Every process, by route and type; those without a route last."""

    items: list[ProcessItem]


class OrphanList(BaseModel):
    """Every orphan and every stale PID file."""

    items: list[OrphanItem]


_PROCESSES = TypeAdapter(ProcessList)
_ORPHANS = TypeAdapter(OrphanList)
_CLEANUP = TypeAdapter(CleanupView)


def processes_api(housekeeping: Housekeeping) -> APIRouter:
    """The paths that look at and clean up processes."""
    api = APIRouter(prefix="/api", tags=["processes"])

    @api.get("/processes", response_model=ProcessList, summary="Every media process of this host")
    async def list_processes() -> Response:
        """Also processes of nobody and of other routers, processes that wait to be started again, stale PID files."""
        return _json(_PROCESSES, ProcessList.model_construct(items=await housekeeping.processes()))

    @api.get("/orphans", response_model=OrphanList, summary="Orphans, and what a cleanup would do with each")
    async def list_orphans() -> Response:
        return _json(_ORPHANS, OrphanList.model_construct(items=await housekeeping.orphans()))

    @api.post("/cleanup", response_model=CleanupView, summary="End every orphan now")
    async def cleanup() -> Response:
        """Routes on air are not touched. Answers when every orphan is dead; a second request joins the first."""
        return _json(_CLEANUP, await housekeeping.cleanup())

    return api


def _json(adapter: TypeAdapter[T], value: T) -> Response:
    return Response(adapter.dump_json(value, by_alias=True), media_type="application/json")
