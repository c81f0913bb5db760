"""`/api/routes/{id}/stream`: what is really inside the transport stream of a route."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, TypeAdapter

from srt_router.api.bodies import Responses, RouteId, json_answer
from srt_router.api.problems import Problem
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.stream_views import StreamItem


class StreamList(BaseModel):
    """The stream that comes in, and with a transcode the one behind it; none while the route is off air."""

    items: list[StreamItem]


_STREAMS = TypeAdapter(StreamList)
_NOT_FOUND: Responses = {404: {"model": Problem}}


def stream_api(manager: RouteManager) -> APIRouter:
    """The path that shows the insides of a stream."""
    api = APIRouter(prefix="/api/routes/{route_id}", tags=["routes"])

    @api.get("/stream", response_model=StreamList, responses=_NOT_FOUND, summary="What is inside its stream")
    async def read_stream(route_id: RouteId) -> Response:
        """Services, PIDs, codecs, continuity errors, and the first priority of TR 101 290."""
        manager.configuration(route_id)  # there is such a route
        return json_answer(_STREAMS, StreamList.model_construct(items=manager.streams.items(route_id)))

    return api
