"""What the owner of a route keeps, as far as it is shown: whoever keeps words about a route hears of every change.

Nobody who changes something has to think of that: giving an attribute another value, or a route another process, is
what tells. It is told at once, before anything else runs on the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from srt_router.routes.model import Route
from srt_router.supervision.messages import Order
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.route_state import RouteStatus, route_status

Changed = Callable[[], None]

_SHOWN = frozenset({"route", "wanted", "refused", "started_ms", "next_starts"})


class Records(dict[str, ProcessRecord]):
    """Processes of one route by type. Tells when one comes or goes, and when one that is in it changes."""

    def __init__(self, changed: Changed) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, process_type: str, record: ProcessRecord) -> None:
        """One more, or another one."""
        super().__setitem__(process_type, record)
        record.changed = self._changed
        self._changed()

    def __delitem__(self, process_type: str) -> None:
        """One less."""
        super().__delitem__(process_type)
        self._changed()

    def pop(self, process_type: str, *default: Any) -> Any:
        """One less, if it is there."""
        found = super().pop(process_type, *default)
        self._changed()
        return found

    def add(self, records: Mapping[str, ProcessRecord]) -> None:
        """Several more."""
        for process_type, record in records.items():
            self[process_type] = record

    def _other(self, *_: object, **__: object) -> Any:
        raise TypeError("processes come by [] and add, and go by pop: another change would not be told")

    __ior__ = update = setdefault = popitem = clear = _other


class RouteCondition:
    """The part of a route's owner that is shown."""

    def __init__(self, route: Route, changed: Callable[[str], None]) -> None:
        self._tell_change = partial(changed, route.id)
        self._status: RouteStatus | None = None
        self.route = route
        self.wanted = False
        self.refused: tuple[str, ...] = ()
        """Why the last start was refused, while it is tried again."""
        self.processes = Records(self._changed)
        self.ended = Records(self._changed)
        """The last life of processes that are wanted no more: how they ended, and their last words."""
        self.started_ms: int | None = None
        self.next_starts: tuple[Order, ...] = ()
        """Orders to start that wait for the last old process to die."""

    def __setattr__(self, name: str, value: object) -> None:
        """Tell of what is shown."""
        object.__setattr__(self, name, value)
        if name in _SHOWN:
            self._changed()

    def _changed(self) -> None:
        self._status = None
        self._tell_change()

    @property
    def status(self) -> RouteStatus:
        """The status of the route now."""
        if self._status is None:  # asked for by many, every second
            self._status = self._read_status()
        return self._status

    def _read_status(self) -> RouteStatus:
        if self.next_starts:
            return RouteStatus.RESTARTING
        views = [record.view() for record in self.processes.values()]
        return route_status(wanted=self.wanted, refused=bool(self.refused), processes=views)
