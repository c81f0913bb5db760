"""The demo route: a test pattern over real SRT to two destinations, for whoever starts with an empty house."""

from __future__ import annotations

import asyncio
import logging

from srt_router.routes.document import Parsed
from srt_router.routes.model import Route, SrtDestination, UdpDestination, new_route_id
from srt_router.routes.parsing import parse_route
from srt_router.routes.store import RoutesFile
from srt_router.supervision.checks import PortTable
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_state import RouteStatus

log = logging.getLogger("Demo")

_FIRST_PORT = 9710
_NAME = "Demo: test pattern"


async def add_demo_route(manager: RouteManager, routes_file: RoutesFile) -> None:
    """Put the demo route into routes.json if there is no route at all, and nothing wrong with the file."""
    if manager.routes() or manager.file_errors:
        return
    table = await asyncio.to_thread(PortTable.look)
    free = [port for port in range(_FIRST_PORT, _FIRST_PORT + 200) if port not in table.by_port]
    route = _demo_route(free)
    await asyncio.to_thread(routes_file.save, [route])
    await manager.apply(Parsed((route,), ()), first=True)
    log.info("No route yet: the route '%s' goes on air (%s)", route.name, routes_file.path)


def _demo_route(ports: list[int]) -> Route:
    source, srt, udp = ports[:3]
    return parse_route(
        {
            "id": new_route_id(()),
            "name": _NAME,
            "autoStart": True,
            "testSource": True,
            "source": {"type": "srt", "mode": "listener", "port": source, "latency": 120},
            "transcode": None,
            "destinations": [
                {"type": "srt", "mode": "listener", "port": srt, "latency": 120},
                {"type": "udp", "host": "127.0.0.1", "port": udp},
            ],
        }
    )


def tell_how_to_watch(manager: RouteManager) -> None:
    """Print, as soon as a route with a test source is on air for the first time, how to see its picture."""
    waiting = {route.id: route for route in manager.configured() if route.test_source}

    def look(route_id: str) -> None:
        if route_id in waiting and manager.status(route_id) is RouteStatus.RUNNING:
            _tell(waiting.pop(route_id))

    manager.subscribe(look)
    for route_id in list(waiting):
        look(route_id)


def _tell(route: Route) -> None:
    for end in route.destinations:
        if isinstance(end, SrtDestination) and end.mode == "listener":
            log.info("Watch '%s': ffplay 'srt://127.0.0.1:%d?mode=caller'", route.name, end.port)
        elif isinstance(end, UdpDestination) and end.host == "127.0.0.1":
            log.info("Watch '%s': ffplay 'udp://127.0.0.1:%d'", route.name, end.port)
