"""Which bus belongs to which route, and when its receivers have joined it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field

from srt_router.processes import sockets
from srt_router.routes.bus import Bus, allocate
from srt_router.supervision.taps import BusTaps

log = logging.getLogger("RouteManager")

_LOOK_S = 0.02


@dataclass(slots=True)
class BusBook:
    """The buses of this server. A route keeps its bus while the server lives, unless somebody else took it."""

    instance: str
    configured: frozenset[tuple[str, int]] = frozenset()
    """Local addresses and ports that routes are configured to bind, on air or not."""
    _buses: dict[tuple[str, str], Bus] = field(default_factory=dict)
    _taken: set[Bus] = field(default_factory=set)
    """The values of `_buses`: with hundreds of routes they are not gathered anew for each."""

    def assign(self, route_id: str, occupied: frozenset[tuple[str, int]], which: str = "A") -> Bus:
        """A bus of a route that is about to start; `occupied` is what the kernel's table shows in use.

        `which` is A, that of the source, or B, behind a transcode.
        """
        key = (route_id, which)
        known = self._buses.get(key)
        if known and (known.group, known.port) not in occupied:
            return known
        if known:
            self._taken.discard(known)
        bus = allocate(self.instance, f"{route_id}/{which}", self._taken, occupied, self.configured)
        self._buses[key] = bus
        self._taken.add(bus)
        return bus

    def take_over(self, route_id: str, buses: tuple[Bus, Bus]) -> bool:
        """Keep the buses that a route has had under an earlier server; False where another route has one of them."""
        if self._taken & set(buses) or buses[0] == buses[1]:
            return False
        for which, bus in zip("AB", buses, strict=True):
            self._buses[(route_id, which)] = bus
            self._taken.add(bus)
        return True

    def forget(self, route_id: str) -> None:
        """The route is gone."""
        for key in [key for key in self._buses if key[0] == route_id]:
            self._taken.discard(self._buses.pop(key))


class JoinWatch:
    """Waits until the receivers of a bus have joined it. One look at the kernel's table serves all who wait."""

    def __init__(self, tasks: asyncio.TaskGroup, taps: BusTaps) -> None:
        self._tasks = tasks
        self.taps = taps
        self._waiting: dict[asyncio.Future[None], tuple[Bus, int]] = {}
        self._task: asyncio.Task[None] | None = None

    async def wait(self, bus: Bus, count: int, timeout_s: float) -> bool:
        """True once `count` sockets are bound to the bus, False when that took too long."""
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[seen] = (bus, count)
        if self._task is None or self._task.done():
            self._task = self._tasks.create_task(self._look(), name="join watch")
        try:
            await asyncio.wait_for(seen, timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(seen, None)
        return True

    async def _look(self) -> None:
        while self._waiting:
            try:
                members = await asyncio.to_thread(sockets.bound_udp)
            except OSError as error:  # who waits starts without, when his time is over
                log.error("Cannot see who has joined the buses: %s", error)  # noqa: TRY400
                members = Counter()
            for seen, (bus, count) in list(self._waiting.items()):
                own = 1 if self.taps.is_open(bus) else 0
                if not seen.done() and sockets.joined(members, bus.group, bus.port) - own >= count:
                    seen.set_result(None)
            await asyncio.sleep(_LOOK_S)
