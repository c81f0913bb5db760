"""What the clients of `/api/live` are to be told: made once for all of them, kept for each in a bounded queue.

Of a route, and of the statistics, a client needs the newest state only; so whatever it has not fetched
yet is replaced. Events are not: a client that is too slow for them is told that it missed some.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable

from pydantic import TypeAdapter

from srt_router import __version__
from srt_router.alarms.records import Alarm
from srt_router.alarms.service import Alarms
from srt_router.api.route_texts import RouteTexts
from srt_router.errors import RouteNotFound
from srt_router.monitoring.leg_statistics import LegNumbers
from srt_router.storage.events import Event, EventStore
from srt_router.supervision.manager import RouteManager

log = logging.getLogger("Api")

MISSED = '{"type":"missed"}'
EVENTS_KEPT = 256
"""Events that wait for one client at most."""
CLIENTS = 256
ALARMS_TOLD = 500
"""The newest active alarms; `GET /api/alarms` has all of them."""

_GATHER_S = 0.02
"""Changes of one route within so long are told as one."""
_AT_ONCE = 25
"""So many routes that have changed are put into words in one turn of the loop."""
_IN_A_TURN = 10
"""So many of all routes, for a snapshot or the statistics."""
_STATS_S = 1.0

_EVENT = TypeAdapter(Event)
_ALARMS = TypeAdapter(list[Alarm])
_LEGS = TypeAdapter(list[LegNumbers])


class Subscriber:
    """What waits for one client."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.missed = False
        """Events were dropped: it must be told, and gets a new snapshot."""
        self._routes: dict[str, str] = {}
        self._events: deque[str] = deque()
        self._alarms: str | None = None
        self._stats: str | None = None

    def put_route(self, route_id: str, text: str) -> None:
        """The newest of a route; what waited is out of date."""
        self._routes[route_id] = text
        self.wake.set()

    def put_event(self, text: str) -> None:
        """One more event."""
        if len(self._events) >= EVENTS_KEPT:
            self._events.popleft()
            self.missed = True
        self._events.append(text)
        self.wake.set()

    def put_alarms(self, text: str) -> None:
        """The newest list of active alarms."""
        self._alarms = text
        self.wake.set()

    def put_stats(self, text: str) -> None:
        """The newest statistics."""
        self._stats = text
        self.wake.set()

    def next(self) -> str | None:
        """What is to be sent next; None: nothing waits."""
        if self._routes:
            return self._routes.pop(next(iter(self._routes)))
        if self._alarms is not None:
            alarms, self._alarms = self._alarms, None
            return alarms
        if self._events:
            return self._events.popleft()
        stats, self._stats = self._stats, None
        return stats

    def __len__(self) -> int:
        rest = (self._alarms is not None) + (self._stats is not None)
        return len(self._routes) + len(self._events) + rest


class LiveFeed:
    """Turns changes into messages for every client. Runs on the event loop; idle while nobody looks."""

    def __init__(self, manager: RouteManager, events: EventStore, alarms: Alarms, texts: RouteTexts) -> None:
        self._manager = manager
        self._texts = texts
        self._events = events
        self._alarms = alarms
        self._clients: set[Subscriber] = set()
        self._changed: dict[str, None] = {}
        self._told: dict[str, int] = {}
        """What was last told of a route, as a hash: the same is not told twice."""
        self._timer: asyncio.TimerHandle | None = None
        self._alarms_timer: asyncio.TimerHandle | None = None
        self._server = json.dumps({"startedAt": _now_ms(), "version": __version__})
        """Which life of the server this is."""
        self._ticking: asyncio.Task[None] | None = None
        self._building: asyncio.Task[str] | None = None
        self._next_build: asyncio.Task[str] | None = None
        manager.subscribe(self._route_changed)
        events.subscribe(self._happened)
        alarms.on_change(self._alarms_changed)

    @property
    def clients(self) -> int:
        """How many there are."""
        return len(self._clients)

    @property
    def full(self) -> bool:
        """There are as many clients as there may be."""
        return len(self._clients) >= CLIENTS

    def join(self) -> Subscriber:
        """One more client; from now on it misses nothing."""
        subscriber = Subscriber()
        subscriber.put_alarms(self._alarm_words())
        self._clients.add(subscriber)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick(), name="live statistics")
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """A client has gone."""
        self._clients.discard(subscriber)
        if not self._clients and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self._changed.clear()
            self._told.clear()

    # The whole picture

    def snapshot(self) -> Awaitable[str]:
        """Every route, not older than this call. Clients that ask at the same time share one."""
        if self._next_build is None:
            self._next_build = asyncio.create_task(self._build(self._building), name="live snapshot")
        return asyncio.shield(self._next_build)

    async def _build(self, before: asyncio.Task[str] | None) -> str:
        if before is not None:
            await asyncio.wait({before})
        self._building, self._next_build = self._next_build, None
        last_event = self._events.last_id
        texts, numbers = [], []
        for number, route in enumerate(self._manager.configured(), 1):
            if (text := self._words(route.id)) is not None:
                texts.append(text)
                self._told.pop(route.id, None)  # whatever comes next of it is news for who gets this
                numbers.append(self._numbers(route.id))
            if number % _IN_A_TURN == 0:
                await asyncio.sleep(0)
        head = f'{{"type":"snapshot","at":{_now_ms()},"server":{self._server},"lastEventId":{last_event}'
        return f'{head},"routes":[{",".join(texts)}],"stats":{{{",".join(filter(None, numbers))}}}}}'

    def _words(self, route_id: str) -> str | None:
        try:
            return self._texts.text(route_id).decode()
        except RouteNotFound:
            return None

    def _numbers(self, route_id: str) -> str | None:
        """`"route_1":[…]`; what is not known is left out, as it is most of all there could be."""
        try:
            words = _LEGS.dump_json(self._manager.monitor.numbers(route_id), by_alias=True, exclude_none=True)
        except RouteNotFound:
            return None
        except Exception:  # noqa: BLE001 - who looks gets no statistics, and what is on air stays there
            log.exception("The statistics of %s cannot be told", route_id)
            return None
        return f'"{route_id}":{words.decode()}'

    # Changes

    def _route_changed(self, route_id: str) -> None:
        if self._clients:
            self._changed[route_id] = None
            self._tell_soon()

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_S, self._tell_changes)

    def _tell_changes(self) -> None:
        self._timer = None
        for route_id in list(self._changed)[:_AT_ONCE]:
            del self._changed[route_id]
            words = self._words(route_id)
            if words is None:
                text = f'{{"type":"removed","id":"{route_id}"}}'
                self._told.pop(route_id, None)
            else:
                text = f'{{"type":"route","route":{words}}}'
                if self._told.get(route_id) == hash(text):
                    continue
                self._told[route_id] = hash(text)
            for client in self._clients:
                client.put_route(route_id, text)
        if self._changed:
            self._tell_soon()

    def _happened(self, event: Event) -> None:
        if self._clients:
            text = f'{{"type":"event","event":{_EVENT.dump_json(event, by_alias=True).decode()}}}'
            for client in self._clients:
                client.put_event(text)

    def _alarms_changed(self) -> None:
        if self._clients and self._alarms_timer is None:
            self._alarms_timer = asyncio.get_running_loop().call_later(_GATHER_S, self._tell_alarms)

    def _tell_alarms(self) -> None:
        self._alarms_timer = None
        text = self._alarm_words()
        for client in self._clients:
            client.put_alarms(text)

    def _alarm_words(self) -> str:
        active = self._alarms.active()
        words = _ALARMS.dump_json(active[:ALARMS_TOLD], by_alias=True).decode()
        return f'{{"type":"alarms","at":{_now_ms()},"total":{len(active)},"items":{words}}}'

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_STATS_S)
            texts = []
            for number, route in enumerate(self._manager.configured(), 1):
                texts.append(self._numbers(route.id))
                if number % _IN_A_TURN == 0:
                    await asyncio.sleep(0)
            text = f'{{"type":"stats","at":{_now_ms()},"routes":{{{",".join(filter(None, texts))}}}}}'
            for client in self._clients:
                client.put_stats(text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
