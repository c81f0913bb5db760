"""`GET /api/routes` and `GET /api/tags`: routes are found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from srt_router.api.bodies import json_answer, quoted
from srt_router.api.problems import Problem
from srt_router.api.route_texts import RouteTexts, listed
from srt_router.routes.search import Search, page, tag_counts
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.views import RouteView


class RouteQuery(BaseModel):
    """Which routes; filters that are not given do not choose."""

    model_config = ConfigDict(extra="forbid")

    tag: list[str] = Field([], max_length=64, description="Only routes with this tag; several: with all of them")
    status: list[RouteStatus] = Field([], max_length=16, description="Only these; may be given several times")
    q: str = Field("", max_length=200, description="Stands in id, name, description, tags, hosts or ports")
    limit: int | None = Field(None, ge=1, le=10_000, description="Routes on one page; all unless given")
    cursor: str | None = Field(
        None,
        pattern=r"^[0-9]{1,8}\.route_[0-9]{1,20}$",
        description="`nextCursor` of the page before; filters stay the same",
    )


class RouteList(BaseModel):
    """Routes, in the order of routes.json."""

    items: list[RouteView]
    nextCursor: str | None  # noqa: N815 - as it is called in JSON
    """For the next page; null: this was the last one."""


class TagCount(BaseModel):
    """One tag."""

    name: str
    routes: int
    """How many routes have it."""


class TagList(BaseModel):
    """Every tag that a route has, by name."""

    items: list[TagCount]


_TAGS = TypeAdapter(TagList)


def route_list_api(manager: RouteManager, texts: RouteTexts) -> APIRouter:
    """The paths that find routes."""
    api = APIRouter(prefix="/api", tags=["routes"])

    @api.get(
        "/routes",
        response_model=RouteList,
        responses={
            304: {"description": "With If-None-Match: nothing of any route has changed"},
            422: {"model": Problem, "description": "A filter is not valid; the errors name it"},
        },
        summary="Every route with its status and processes",
    )
    async def list_routes(
        query: Annotated[RouteQuery, Query()],
        if_none_match: Annotated[str | None, Header(alias="If-None-Match", description="`ETag` of such a list")] = None,
    ) -> Response:
        """`ETag` is there where no filter is."""
        await texts.refresh()
        if query.tag or query.status or query.q:
            return Response(_found(manager, texts, query), media_type="application/json")
        content = texts.document() if query.limit is None and query.cursor is None else _found(manager, texts, query)
        tag = quoted(texts.version)
        if tag in [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, media_type="application/json", headers={"ETag": tag})

    @api.get("/tags", response_model=TagList, summary="Every tag, and how many routes have it")
    async def list_tags() -> Response:
        counts = tag_counts(manager.configured())
        return json_answer(_TAGS, TagList(items=[TagCount(name=name, routes=count) for name, count in counts.items()]))

    return api


def _found(manager: RouteManager, texts: RouteTexts, query: RouteQuery) -> bytes:
    search = Search(tuple(query.tag), query.q)
    found = [
        route
        for route in manager.configured()
        if search.finds(route) and (not query.status or manager.status(route.id) in query.status)
    ]
    shown, cursor = page(found, query.cursor, query.limit)
    return listed([texts.text(route.id) for route in shown], cursor)
