"""The HTTP application: paths, errors and the border around them."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

from srt_router import __version__
from srt_router.accounts.accounts import Accounts
from srt_router.alarms.service import Alarms
from srt_router.api import problems
from srt_router.api.alarms import alarms_api
from srt_router.api.auth import auth_api
from srt_router.api.backups import backups_api
from srt_router.api.border import Border
from srt_router.api.console import console_api
from srt_router.api.described import describe
from srt_router.api.destinations import destinations_api
from srt_router.api.events import events_api
from srt_router.api.feed import LiveFeed
from srt_router.api.guard import Guard
from srt_router.api.health import health_api
from srt_router.api.host import host_api
from srt_router.api.live import live_api
from srt_router.api.log_level import log_level_api
from srt_router.api.metrics import Metrics, metrics_api
from srt_router.api.network import Network
from srt_router.api.presets import presets_api
from srt_router.api.processes import processes_api
from srt_router.api.route_editing import route_editing_api
from srt_router.api.route_list import route_list_api
from srt_router.api.route_texts import RouteTexts
from srt_router.api.routes import routes_api
from srt_router.api.site import site
from srt_router.api.statistics import statistics_api
from srt_router.api.stream import stream_api
from srt_router.api.thumbnails import thumbnails_api
from srt_router.api.tokens import tokens_api
from srt_router.api.transfer import transfer_api
from srt_router.api.users import users_api
from srt_router.settings import Settings
from srt_router.storage.events import EventStore
from srt_router.supervision.backups import Backups
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the application serves."""

    manager: RouteManager
    housekeeping: Housekeeping
    events: EventStore
    editor: RouteEditor
    settings: Settings
    accounts: Accounts
    network: Network
    alarms: Alarms
    backups: Backups


def create_app(rooms: Rooms) -> FastAPI:
    """The application for one manager. Every page it serves works without the internet."""
    manager, events, accounts, network = rooms.manager, rooms.events, rooms.accounts, rooms.network
    app = FastAPI(
        title="SRT Router",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.manager = manager  # for audit()
    app.include_router(console_api())
    app.include_router(site())
    app.include_router(health_api(manager, events, rooms.backups))
    app.include_router(transfer_api(rooms.editor))
    app.include_router(auth_api(accounts, network))
    app.include_router(users_api(accounts))
    app.include_router(tokens_api(accounts))
    texts = RouteTexts(manager)
    app.include_router(route_list_api(manager, texts))
    app.include_router(routes_api(manager))
    app.include_router(statistics_api(manager))
    app.include_router(stream_api(manager))
    app.include_router(thumbnails_api(manager))
    app.include_router(route_editing_api(rooms.editor))
    app.include_router(destinations_api(rooms.editor))
    app.include_router(presets_api(rooms.editor))
    app.include_router(host_api(manager, rooms.settings))
    app.include_router(log_level_api())
    app.include_router(processes_api(rooms.housekeeping))
    app.include_router(events_api(events))
    app.include_router(backups_api(rooms.backups))
    app.include_router(alarms_api(rooms.alarms))
    feed = LiveFeed(manager, events, rooms.alarms, texts)
    app.include_router(live_api(feed))
    app.include_router(metrics_api(Metrics(manager, events, rooms.alarms, rooms.backups, feed)))

    describe(app)
    problems.install(app)
    app.add_middleware(Guard, accounts=accounts, network=network)
    app.add_middleware(Border, network=network)  # added last, asked first
    return app
