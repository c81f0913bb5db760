"""Restarts that wait since an upgrade, done when somebody says so: one process at a time, each back before the next.

A version that makes other command lines leaves what runs alone (adoption.py). What it would restart is said; when it is
restarted is for people to say, route by route.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from srt_router.errors import RouteNotFound, SrtRouterError
from srt_router.processes.spec import Peer
from srt_router.supervision.process_record import ProcessRecord, pending
from srt_router.supervision.process_state import Phase
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.services import Services
from srt_router.supervision.upgrade_events import PendingRestartApplied, PendingRestartFailed

log = logging.getLogger("RouteManager")

BACK_S = 30.0
"""So long a process may take until it is as it was before."""
CLIENT_S = 10.0
"""So long the client of a listener is waited for: a listener cannot call it back."""
_STEADY_S = 1.0
"""A process that lives so long has understood its command line."""
_LOOK_S = 0.05


class ProcessNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """The route has no such process, or it does not wait for a restart."""

    code = "processNotFound"


class Applying:
    """The restarts under way. Everything here runs on the event loop."""

    def __init__(self, owners: Mapping[str, RouteOwner], services: Services) -> None:
        self._owners = owners
        self._services = services
        self._queues: dict[str, list[str]] = {}
        """By route: the process that is being restarted, and those that follow."""
        self._tasks: set[asyncio.Task[None]] = set()

    def apply(self, route_id: str, process_type: str | None = None) -> list[str]:
        """Begin to restart what waits for it on one route, or that one process. The answer is what, in order.

        Raises RouteNotFound, ProcessNotFound.
        """
        owner = self._owners.get(route_id)
        if owner is None:
            raise RouteNotFound(f"there is no route {route_id}")
        waiting = pending(owner.processes.values())
        if process_type is not None:
            if process_type not in waiting:
                raise ProcessNotFound(f"route {route_id} has no process {process_type} that waits for a restart")
            waiting = [process_type]
        queue = self._queues.get(route_id)
        if queue is not None:
            queue += [one for one in waiting if one not in queue]
        elif waiting:
            self._queues[route_id] = list(waiting)
            task = self._services.tasks.create_task(self._run(owner), name=f"pending restarts of {route_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return waiting

    def close(self) -> None:
        """Begin no other one."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, owner: RouteOwner) -> None:
        route_id = owner.route.id
        queue = self._queues[route_id]
        try:
            while queue:
                record = owner.processes.get(queue[0])
                if record is not None and record.outdated:
                    trouble = await self._restart(owner, record)
                    if trouble is not None:
                        event = PendingRestartFailed(route_id, queue[0], trouble, queue[1:])
                        log.error("%s", event.message)
                        self._services.events.emit(event)
                        return
                    self._services.events.emit(PendingRestartApplied(route_id, queue[0]))
                    log.info("Route %s: %s runs with its new command line", route_id, queue[0])
                queue.pop(0)
        finally:
            del self._queues[route_id]

    async def _restart(self, owner: RouteOwner, record: ProcessRecord) -> str | None:
        """Replace one process and wait until it is as it was; what is wrong if it is not."""
        process_type, before, had_peer = record.spec.process_type, record.pid, record.connection.connected
        owner.renew(process_type)
        deadline = time.monotonic() + BACK_S
        while time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)
            now = owner.processes.get(process_type)
            if now is None or not owner.wanted:
                return "its route was taken off air or changed meanwhile"
            if now.pid not in (None, before) and _is_back(now, had_peer=had_peer):
                return None
        if record.state.phase is Phase.UP:
            return "its peer is not there again"
        return f"it does not run ({record.last_exit})"


def _is_back(record: ProcessRecord, *, had_peer: bool) -> bool:
    if record.state.phase is not Phase.UP or record.state.up_since is None:
        return False
    if had_peer and record.connection.connected:
        return True
    up_s = time.monotonic() - record.state.up_since
    if had_peer:
        return record.spec.peer is Peer.LISTENER and up_s >= CLIENT_S
    return up_s >= _STEADY_S
