"""Routes as JSON, put into words once for all who ask: fifty pollers of five hundred routes cost what one does."""

from __future__ import annotations

from pydantic import TypeAdapter

from srt_router.supervision.manager import RouteManager
from srt_router.supervision.views import RouteView

_ROUTE = TypeAdapter(RouteView)
_SPARE = 100
"""So many routes that are no more may be remembered."""


class RouteTexts:
    """What was said of each route, and of what condition that was said: another condition, other words."""

    def __init__(self, manager: RouteManager) -> None:
        self._manager = manager
        self._known: dict[str, tuple[tuple[object, ...], bytes]] = {}

    def text(self, route_id: str) -> bytes:
        """One route as it is now. Raises RouteNotFound."""
        now = self._manager.condition(route_id)
        known = self._known.get(route_id)
        if known is not None and known[0] == now:
            return known[1]
        text = _ROUTE.dump_json(self._manager.route(route_id), by_alias=True)
        if len(self._known) > len(self._manager.configured()) + _SPARE:
            self._known.clear()
        self._known[route_id] = now, text
        return text
