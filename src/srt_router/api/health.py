"""`/api/health`: can the server do its work?"""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Response
from pydantic import BaseModel

from srt_router import __version__
from srt_router.storage.events import EventStore
from srt_router.supervision.backups import Backups
from srt_router.supervision.manager import RouteManager


class Health(BaseModel):
    """The answer, with 200 while the server can do its work and 503 while it cannot."""

    status: str
    """`ok` or `unavailable`."""
    version: str
    problems: list[str]
    """What is wrong, in sentences; with 200, what an operator should still look at."""
    routes: dict[str, int]
    """How many routes have which status."""


def health_api(manager: RouteManager, events: EventStore, backups: Backups) -> APIRouter:
    """The path `/api/health`, open to everybody."""
    api = APIRouter(prefix="/api/health", tags=["health"])

    @api.head("", include_in_schema=False)
    @api.get("", response_model=Health, responses={503: {"model": Health}}, summary="Can the server do its work?")
    async def health(response: Response) -> Health:
        able = manager.able
        trouble = [one for one in (events.trouble, backups.trouble) if one]
        response.status_code = 200 if able else 503
        return Health(
            status="ok" if able else "unavailable",
            version=__version__,
            problems=[f"routes.json: {error}" for error in manager.file_errors] + trouble,
            routes=dict(Counter(status for status in manager.statuses())),
        )

    return api
