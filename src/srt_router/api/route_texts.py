"""Routes as JSON, put into words once for all who ask: fifty pollers of five hundred routes cost what one does.

The words about a route are kept until something of it changes, and those about all of them until something of any
changes. Everybody who may ask for routes sees the same of them, whatever the role: passphrases are hidden in all of it.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time

from pydantic import TypeAdapter

from srt_router.errors import RouteNotFound
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.views import RouteView

_ROUTE = TypeAdapter(RouteView)
_AT_ONCE = 20
"""So many routes that have changed are put into words in one turn of the loop."""


class RouteTexts:
    """What is said of each route, and of all. Everything here runs on the event loop."""

    def __init__(self, manager: RouteManager) -> None:
        self._manager = manager
        self._known: dict[str, bytes] = {}
        self._changed: set[str] = set()
        """Routes about which the known words may be wrong."""
        self._hold_until: dict[str, float] = {}
        """Of which they become wrong by themselves, and when (monotonic seconds)."""
        self._order: list[str] = []
        self._life = secrets.token_hex(4)
        """The next server begins to count anew."""
        self._version = 0
        self._document: tuple[int, bytes] = (-1, b"")
        """Every route, and the version of that."""
        manager.on_change(self._changed.add)

    def text(self, route_id: str) -> bytes:
        """One route as it is now; the same object as the last time if nothing has changed. Raises RouteNotFound."""
        known = self._known.get(route_id)
        due = route_id in self._changed or time.monotonic() >= self._hold_until.get(route_id, math.inf)
        return self._put_into_words(route_id, known) if due or known is None else known

    async def refresh(self) -> None:
        """Put into words what has changed, in turns: what is said after this is no older than this call."""
        now = time.monotonic()
        due = [*self._changed, *(route_id for route_id, until in self._hold_until.items() if until <= now)]
        order = self._manager.route_ids()
        if order != self._order:
            due += [route_id for route_id in order if route_id not in self._known]
        for number, route_id in enumerate(due, 1):
            self._renew(route_id)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        if len(self._changed) <= _AT_ONCE:
            for route_id in list(self._changed):  # meanwhile
                self._renew(route_id)
        self._follow(self._manager.route_ids())

    @property
    def version(self) -> str:
        """Names what is said of all routes: the same only if every word of it is."""
        return f"{self._life}-{self._version}"

    def document(self) -> bytes:
        """Every route of the last `refresh`, as the answer to who asks for all."""
        version, document = self._document
        if version != self._version:
            texts = [self._known.get(route_id) or self.text(route_id) for route_id in self._order]
            document = listed(texts, None)
            self._document = self._version, document
        return document

    def _renew(self, route_id: str) -> None:
        try:
            self.text(route_id)
        except RouteNotFound:
            self._forget(route_id)

    def _follow(self, order: list[str]) -> None:
        if order != self._order:
            for route_id in self._known.keys() - set(order):
                self._forget(route_id)
            self._order = order
            self._version += 1

    def _put_into_words(self, route_id: str, known: bytes | None) -> bytes:
        until = self._manager.route_holds_until(route_id)  # before the words: they may be right for longer, not shorter
        text = _ROUTE.dump_json(self._manager.route(route_id), by_alias=True)
        self._changed.discard(route_id)
        if until < math.inf:
            self._hold_until[route_id] = until
        else:
            self._hold_until.pop(route_id, None)
        if text == known:
            return known
        self._known[route_id] = text
        self._version += 1
        return text

    def _forget(self, route_id: str) -> None:
        self._changed.discard(route_id)
        self._known.pop(route_id, None)
        self._hold_until.pop(route_id, None)


def listed(texts: list[bytes], cursor: str | None) -> bytes:
    """The answer with these routes."""
    return b'{"items":[%s],"nextCursor":%s}' % (b",".join(texts), json.dumps(cursor).encode())
