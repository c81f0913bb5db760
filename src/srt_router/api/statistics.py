"""The numbers of a route: now, as a history, and counted anew."""

from __future__ import annotations

import time
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import ErrorDetails

from srt_router.api.audit import audit
from srt_router.api.problems import Problem
from srt_router.api.routes import Responses, RouteId
from srt_router.storage.ring import NAMES
from srt_router.storage.statistics import MAX_SLOTS, RESOLUTIONS, Columns, every, resolution_for
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_monitor import RouteStatistics

T = TypeVar("T")

_LATEST_MS = 2**43
_HOUR_MS = 3_600_000
_NOT_FOUND: Responses = {404: {"model": Problem}}
_INVALID: Responses = {**_NOT_FOUND, 422: {"model": Problem, "description": "See errors, field by field"}}


class HistoryQuery(BaseModel):
    """Which part of the history."""

    model_config = ConfigDict(extra="forbid")

    leg: str = Field("source", pattern=r"^(source|transcode|destination:[0-9]{1,3})$", description="Which leg")
    metrics: str = Field("bitrate", max_length=300, description=f"Names between commas, or `all`: {', '.join(NAMES)}")
    start: int | None = Field(None, alias="from", ge=0, le=_LATEST_MS, description="Milliseconds since the epoch")
    end: int | None = Field(None, alias="to", ge=0, le=_LATEST_MS, description="Milliseconds since the epoch: before")
    resolution: Literal["auto", "1", "10", "60", "600", "3600"] = Field("auto", description="Seconds of a slot")


class History(BaseModel):
    """Columns for a graph: all of the same length."""

    leg: str
    resolution: int
    """Seconds of a slot."""
    t: list[int]
    """Milliseconds since the epoch at which each slot begins; without a gap."""
    values: dict[str, list[float | None]]
    """By metric; null: not known, or nothing was there."""


_STATISTICS = TypeAdapter(RouteStatistics)
_HISTORY = TypeAdapter(History)


def statistics_api(manager: RouteManager) -> APIRouter:
    """The paths about the numbers of a route."""
    api = APIRouter(prefix="/api/routes/{route_id}", tags=["statistics"])

    @api.get("/stats", response_model=RouteStatistics, responses=_NOT_FOUND, summary="The numbers of a route now")
    async def read_stats(route_id: RouteId) -> Response:
        """Null is what is not known. The same comes every second over the WebSocket `/api/live`, in short."""
        return _json(_STATISTICS, manager.monitor.statistics(route_id))

    @api.post("/stats/reset", response_model=RouteStatistics, responses=_NOT_FOUND, summary="Count anew")
    async def reset_stats(route_id: RouteId, request: Request) -> Response:
        """The counters of every leg begin at 0 again; what is on air is not touched."""
        manager.monitor.reset(route_id)
        manager.streams.reset(route_id)
        audit(request, "statistics.reset", route_id=route_id)
        return _json(_STATISTICS, manager.monitor.statistics(route_id))

    @api.get("/history", response_model=History, responses=_INVALID, summary="The numbers of one leg over time")
    async def read_history(route_id: RouteId, query: Annotated[HistoryQuery, Query()]) -> Response:
        """Seconds for the last 10 minutes, 10 s for a day, minutes for 30 days. Without `from`: the last hour."""
        series = manager.monitor.series(route_id, query.leg)
        if series is None:
            raise _refused("leg", f"the route has no {query.leg}")
        metrics = _metrics(query.metrics)
        span, resolution = _span(query)
        store = manager.monitor.history
        if store is None:
            found = Columns(resolution, [], {name: [] for name in metrics})
        else:
            found = await store.find((route_id, series), metrics, span, resolution)
        answer = History.model_construct(leg=query.leg, resolution=resolution, t=found.t, values=found.values)
        return _json(_HISTORY, answer)

    return api


def _metrics(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        what = repr(unknown[0][:40]) if unknown else "empty name"
        raise _refused("metrics", f"there is no {what}; there are {', '.join(NAMES)}")
    return every(names)


def _span(query: HistoryQuery) -> tuple[tuple[int, int], int]:
    """First second and the one after the last, and the seconds of a slot."""
    now_t = int(time.time())
    end = now_t + 1 if query.end is None else -(-query.end // 1000)
    start = end - _HOUR_MS // 1000 if query.start is None else query.start // 1000
    if start >= end:
        raise _refused("from", "must be before 'to'")
    span = (start, end)
    resolution = resolution_for(span, now_t) if query.resolution == "auto" else int(query.resolution)
    if (end - start) // resolution > MAX_SLOTS:
        longer = next((one for one in RESOLUTIONS if (end - start) // one <= MAX_SLOTS), None)
        remedy = f"a resolution of {longer}" if longer else "a shorter time"
        raise _refused("resolution", f"gives more than {MAX_SLOTS} slots: ask for {remedy}")
    return span, resolution


def _refused(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([ErrorDetails(type="value_error", loc=("query", field), msg=message, input=None)])


def _json(adapter: TypeAdapter[T], value: T) -> Response:
    return Response(adapter.dump_json(value, by_alias=True), media_type="application/json")
