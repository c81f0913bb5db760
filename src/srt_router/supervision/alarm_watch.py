"""Gathers once a second what alarms are judged by, and tells the world what they come to. Thin: it decides nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from srt_router.alarms.facts import Facts, RouteFacts
from srt_router.alarms.model import AlarmKind
from srt_router.alarms.recent import LastMinute
from srt_router.alarms.records import Alarm
from srt_router.alarms.service import Alarms, Told
from srt_router.monitoring.leg_statistics import LegNumbers
from srt_router.processes.states import ProcessState
from srt_router.redaction import redact
from srt_router.supervision.alarm_events import AlarmCleared, AlarmDeliveryFailed, AlarmRaised
from srt_router.supervision.event_bus import Announced
from srt_router.supervision.events import OrphansCleanedUp
from srt_router.supervision.housekeeping import Housekeeping, OrphanItem
from srt_router.supervision.inventory import Action
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.restart import LOOP_WINDOW_S
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.views import reasons

log = logging.getLogger("Alarms")

LOOK_S = 1.0
ORPHANS_S = 60.0
"""The process table is looked through so often."""
_AT_ONCE = 50
"""Routes in one turn of the loop."""
_MEASURED = frozenset(
    {AlarmKind.BITRATE_BELOW, AlarmKind.LOSS_ABOVE, AlarmKind.BUS_DROPS_ABOVE, AlarmKind.CONTINUITY_ERRORS_ABOVE}
)


@dataclass(slots=True)
class _Watched:
    """What is remembered of one route between two looks."""

    status: RouteStatus
    since: float
    """Monotonic seconds."""
    continuity: LastMinute = field(default_factory=LastMinute)
    drops: LastMinute = field(default_factory=LastMinute)


class AlarmWatch:
    """Looks at all routes for the alarms. Runs on the event loop."""

    def __init__(self, alarms: Alarms, manager: RouteManager) -> None:
        self._alarms = alarms
        self._manager = manager
        self._watched: dict[str, _Watched] = {}
        self._orphans: tuple[str, ...] | None = None
        self._cleaned_up: tuple[str, ...] = ()
        """Orphans that a cleanup has ended: they are seen once, though they are gone."""
        manager.events.subscribe(self._happened)
        alarms.subscribe(self._tell)

    async def run(self, housekeeping: Housekeeping) -> None:
        """Look, until cancelled."""
        looking = asyncio.create_task(self._look_for_orphans(housekeeping), name="orphans for alarms")
        try:
            while True:
                began = time.monotonic()
                await self._look()
                await asyncio.sleep(max(0.1, LOOK_S - (time.monotonic() - began)))
        finally:
            looking.cancel()

    async def _look(self) -> None:
        try:
            facts = await self._gather()
            self._alarms.look(facts, time.monotonic())
        except Exception:  # noqa: BLE001 - alarms that cannot be judged take nothing off air
            log.exception("Alarms cannot be judged")

    # Routes

    async def _gather(self) -> Facts:
        owners: Mapping[str, RouteOwner] = self._manager.monitor.owners
        for gone in self._watched.keys() - owners.keys():
            del self._watched[gone]
        measured = not _MEASURED.isdisjoint(self._alarms.kinds())
        routes = {}
        for number, owner in enumerate(list(owners.values()), 1):
            routes[owner.route.id] = self._facts(owner, time.monotonic(), measured=measured)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        there = {route_id: facts for route_id, facts in routes.items() if route_id in owners}
        return Facts(there, complete=not self._manager.file_errors, orphans=self._seen_orphans())

    def _facts(self, owner: RouteOwner, now: float, *, measured: bool) -> RouteFacts:
        route, status = owner.route, owner.status
        watched = self._watched.get(route.id)
        if watched is None:
            watched = self._watched[route.id] = _Watched(status, now)
        elif watched.status is not status:
            watched.status, watched.since = status, now
        restarts = {name: record.state.restarts for name, record in owner.processes.items()}
        facts = RouteFacts(
            id=route.id,
            name=route.name,
            tags=route.tags,
            status=str(status),
            status_s=now - watched.since,
            reasons=partial(_reasons, owner),
            crash_looping=tuple(name for name, one in restarts.items() if one.failures and one.crash_looping(now)),
            failing=any(one.failures and now - one.failures[-1] < LOOP_WINDOW_S for one in restarts.values()),
        )
        return self._measured(facts, watched, now) if measured else facts

    def _measured(self, facts: RouteFacts, watched: _Watched, now: float) -> RouteFacts:
        monitor = self._manager.monitor
        legs = monitor.numbers(facts.id)
        worst = max(legs, key=lambda leg: leg.loss_percent or 0.0, default=None)
        drops = [leg.bus_drops for leg in legs if leg.bus_drops is not None]
        return replace(
            facts,
            source_mbps=_source_mbps(legs),
            loss_percent=worst.loss_percent if worst else None,
            loss_leg=worst.leg if worst else None,
            continuity_errors=watched.continuity.add(monitor.continuity_errors(facts.id), now),
            bus_drops=watched.drops.add(sum(drops) if drops else None, now),
        )

    # Orphans

    def _happened(self, event: Announced) -> None:
        if event.kind == OrphansCleanedUp.kind:
            killed = event.data.get("killed")
            self._cleaned_up += tuple(f"PID {pid}, ended" for pid in killed) if isinstance(killed, list) else ()

    def _seen_orphans(self) -> tuple[str, ...] | None:
        gone, self._cleaned_up = self._cleaned_up, ()
        return gone + (self._orphans or ()) if gone else self._orphans

    async def _look_for_orphans(self, housekeeping: Housekeeping) -> None:
        while True:
            try:
                self._orphans = tuple(_in_words(one) for one in await housekeeping.orphans() if _is_orphan(one))
            except OSError as error:
                log.warning("Orphans cannot be looked for: %s", error.strerror)
                self._orphans = None
            except Exception:  # noqa: BLE001 - a process table that cannot be read is unknown, and nothing more
                log.exception("Orphans cannot be looked for")
                self._orphans = None
            await asyncio.sleep(ORPHANS_S)

    # Telling

    def _tell(self, told: Told) -> None:
        if not isinstance(told, Alarm):
            receiver = told.receiver
            self._manager.events.emit(AlarmDeliveryFailed(receiver.id, receiver.name, told.error, told.given_up))
            return
        facts = (told.id, told.rule_id, told.rule, str(told.severity), told.route_id)
        if told.cleared_because is None:
            self._manager.events.emit(AlarmRaised(*facts, told.message))
        else:
            seen = told.cleared_message or told.message
            self._manager.events.emit(AlarmCleared(*facts, seen, str(told.cleared_because)))


def _reasons(owner: RouteOwner) -> tuple[str, ...]:
    secrets = owner.route.secrets()
    return tuple(redact(reason, secrets) for reason in reasons(owner))


def _source_mbps(legs: list[LegNumbers]) -> float | None:
    for leg in legs:
        if leg.leg == "source":
            return None if leg.bitrate is None else round(leg.bitrate / 1000, 3)
    return None


def _is_orphan(one: OrphanItem) -> bool:
    """A process that runs and has no owner; one that rightly has none here is none of our business."""
    return one.state is ProcessState.ORPHANED and one.action in (Action.KILL, Action.REPORT)


def _in_words(one: OrphanItem) -> str:
    return f"PID {one.pid} {one.program}" + (f" of {one.route}" if one.route else "")
