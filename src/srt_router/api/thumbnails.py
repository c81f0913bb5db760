"""`GET /api/routes/{id}/thumbnail`: a small picture of what is on air; `GET /api/thumbnails`: of which there is one."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, TypeAdapter

from srt_router.api.bodies import Responses, RouteId, json_answer, quoted
from srt_router.api.problems import Problem
from srt_router.errors import SrtRouterError
from srt_router.supervision.manager import RouteManager

_JPEG = "image/jpeg"
_ANSWERS: Responses = {
    200: {"content": {_JPEG: {"schema": {"type": "string", "format": "binary"}}}, "description": "A JPEG picture"},
    304: {"description": "It is the picture of `If-None-Match`"},
    404: {
        "model": Problem,
        "description": "There is no such route, or no picture: `code` says whether thumbnails are off, nothing is on "
        "air, the first one is being made (`Retry-After`), or the stream shows none",
    },
}


class ThumbnailItem(BaseModel):
    """The newest picture of one route, or why there is none."""

    routeId: str  # noqa: N815 - as it is called in JSON
    at: int | None
    """Milliseconds since the epoch at which it was on air; null: there is no picture."""
    version: str | None
    """Another one for another picture; null: there is no picture."""
    code: str | None
    """Why there is none, as `GET /api/routes/{id}/thumbnail` would answer; null: there is one."""


class ThumbnailList(BaseModel):
    """In the order in which they were asked for."""

    items: list[ThumbnailItem]


_LIST = TypeAdapter(ThumbnailList)


def thumbnails_api(manager: RouteManager) -> APIRouter:
    """The paths of the pictures."""
    api = APIRouter(prefix="/api", tags=["routes"])

    @api.get("/thumbnails", response_model=ThumbnailList, summary="Of which routes there is a picture now")
    async def list_thumbnails(
        route: Annotated[list[str], Query(min_length=1, max_length=200, description="Ids of routes")],
    ) -> Response:
        """For a page that shows many: one request says which have changed. Asks for each of them to be made."""
        items = [_item(manager, route_id) for route_id in dict.fromkeys(route)]
        return json_answer(_LIST, ThumbnailList(items=items))

    @api.get(
        "/routes/{route_id}/thumbnail",
        response_class=Response,
        responses=_ANSWERS,
        summary="A small picture of what is on air",
    )
    async def read_thumbnail(
        route_id: RouteId,
        if_none_match: Annotated[str | None, Header(alias="If-None-Match", description="`ETag` of a picture")] = None,
    ) -> Response:
        """320 pixels wide. Pictures are made while somebody asks for them: every few seconds, or as often as the
        share of processor time that they may have allows."""
        manager.configuration(route_id)  # there is such a route
        found = manager.streams.thumbnail(route_id)
        headers = {
            "etag": quoted(found.tag),
            "last-modified": formatdate(found.at / 1000, usegmt=True),
            "age": str(max(0, round(time.time() - found.at / 1000))),
        }
        known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
        if quoted(found.tag) in known:
            return Response(status_code=304, headers=headers)
        return Response(found.data, media_type=_JPEG, headers=headers)

    return api


def _item(manager: RouteManager, route_id: str) -> ThumbnailItem:
    try:
        manager.configuration(route_id)
        found = manager.streams.thumbnail(route_id)
    except SrtRouterError as error:
        return ThumbnailItem(routeId=route_id, at=None, version=None, code=error.code)
    return ThumbnailItem(routeId=route_id, at=found.at, version=found.tag, code=None)
