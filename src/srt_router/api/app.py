"""The HTTP application: paths, errors and the border around them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_swagger import patch_fastapi

from srt_router import __version__
from srt_router.api import problems
from srt_router.api.border import Border
from srt_router.api.events import events_api
from srt_router.api.feed import LiveFeed
from srt_router.api.health import health_api
from srt_router.api.live import live_api
from srt_router.api.processes import processes_api
from srt_router.api.routes import routes_api
from srt_router.storage.events import EventStore
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager


def create_app(manager: RouteManager, housekeeping: Housekeeping, events: EventStore) -> FastAPI:
    """The application for one manager. Every page it serves works without the internet."""
    app = FastAPI(
        title="SRT Router",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    patch_fastapi(app, docs_url="/docs", redirect_from_root_to_docs=False)
    app.include_router(health_api(manager, events))
    app.include_router(routes_api(manager))
    app.include_router(processes_api(housekeeping))
    app.include_router(events_api(events))
    app.include_router(live_api(LiveFeed(manager, events)))

    @app.get("/", include_in_schema=False)
    async def console() -> RedirectResponse:
        return RedirectResponse("/docs")

    problems.install(app)
    app.add_middleware(Border)
    return app
