"""`/api/events`: what happened, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from srt_router.api.problems import Problem
from srt_router.storage.events import Event, EventFilter, EventStore
from srt_router.supervision.events import KINDS

LONGEST_PAGE = 1000
_LATEST = 2**53

Responses = dict[int | str, dict[str, Any]]


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind[:50]!r}; there are {', '.join(KINDS)}")
    return kind


Kind = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(KINDS)})]
Moment = Annotated[int, Field(ge=0, le=_LATEST)]


class EventQuery(BaseModel):
    """Which events; filters that are not given do not choose."""

    model_config = ConfigDict(extra="forbid")

    route: str | None = Field(None, max_length=64, description="Id of a route; also one that is no more")
    kind: list[Kind] = Field([], max_length=50, description="Only these kinds; may be given several times")
    since: Moment | None = Field(None, description="Milliseconds since the epoch: not before")
    until: Moment | None = Field(None, description="Milliseconds since the epoch: before")
    text: str | None = Field(None, max_length=200, description="Stands in the message, in small letters or capitals")
    limit: int = Field(100, ge=1, le=LONGEST_PAGE, description="Events on one page")
    cursor: str | None = Field(
        None, pattern=r"^[0-9]{1,16}$", description="`nextCursor` of the page before; filters stay the same"
    )


class EventList(BaseModel):
    """One page of events, newest first."""

    items: list[Event]
    nextCursor: str | None  # noqa: N815 - as it is called in JSON
    """For the next page; null: this was the last one."""


_LIST = TypeAdapter(EventList)


def events_api(events: EventStore) -> APIRouter:
    """The path `/api/events`."""
    api = APIRouter(prefix="/api/events", tags=["events"])
    invalid: Responses = {422: {"model": Problem, "description": "A filter is not valid; the errors name it"}}

    @api.get("", response_model=EventList, responses=invalid, summary="What happened, newest first")
    async def list_events(query: Annotated[EventQuery, Query()]) -> Response:
        """Kinds and their data: docs/reference/events.md. New events come over the WebSocket `/api/live`."""
        wanted = EventFilter(
            route=query.route,
            kinds=tuple(query.kind),
            since=query.since,
            until=query.until,
            text=query.text,
            before=None if query.cursor is None else int(query.cursor),
        )
        found = await events.find(wanted, query.limit + 1)
        page, more = found[: query.limit], len(found) > query.limit
        answer = EventList.model_construct(items=page, nextCursor=str(page[-1].id) if more else None)
        return Response(_LIST.dump_json(answer, by_alias=True), media_type="application/json")

    return api
