"""Changes routes: one change after another, on disk before it takes effect, whole or not at all.

A change is a pure function from all routes to all routes. It is judged as a whole, written to routes.json
durably, and then supervision takes over what differs. So what was answered as done is on disk, whatever
happens next; and what could not be written has not happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srt_router.errors import SrtRouterError
from srt_router.routes.conflicts import Book
from srt_router.routes.errors import FieldError, RouteInvalid, RoutesFileChanged, RoutesFileInvalid
from srt_router.routes.model import Route
from srt_router.routes.revision import revision
from srt_router.routes.store import RoutesFile
from srt_router.supervision.effects import Effects
from srt_router.supervision.foresight import NO_ORDERS, Orders
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.presets import PresetBook

log = logging.getLogger("RouteManager")

Routes = tuple[Route, ...]
Change = Callable[[Routes], Routes]
"""Raises RouteInvalid, RouteNotFound, or whatever else keeps it from being made; nothing is changed then."""

_TRIES = 3


class RoutesFileUnwritable(SrtRouterError):  # noqa: N818 - said as it is
    """routes.json could not be written: nothing was changed."""

    code = "routesFileUnwritable"

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(
            f"{path} could not be written ({reason}): nothing was changed, and what is on air stays there. "
            "Make room on the disk or mend its rights, then try again"
        )


class ChangeRefused(SrtRouterError):  # noqa: N818 - said as it is
    """Something on this machine stands in the way of a change to what is on air: nothing was changed."""

    code = "changeRefused"

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        reasons = "; ".join(map(str, self.errors))
        super().__init__(f"Nothing was changed, since what is on air could not follow: {reasons}")


@dataclass(frozen=True, slots=True)
class Edited:
    """What a change did, or would do."""

    before: Routes
    after: Routes
    effects: Effects

    def route(self, route_id: str) -> Route:
        """A route as it is after the change, which must have it."""
        return next(route for route in self.after if route.id == route_id)

    def former(self, route_id: str) -> Route | None:
        """A route as it was."""
        return next((route for route in self.before if route.id == route_id), None)


class RouteEditor:
    """The only one who writes routes.json while the server runs. Runs on the event loop."""

    def __init__(self, manager: RouteManager, file: RoutesFile, secret: str, presets: PresetBook) -> None:
        self.manager = manager
        self.presets = presets
        """What a transcode may be chosen by."""
        self._file = file
        self._secret = secret
        self.turn = asyncio.Lock()
        """Whoever has it may change routes: two writers of one file have no owner task to stand in line at."""

    def revision(self, configuration: dict[str, object]) -> str:
        """The revision of the configuration of a route or a destination."""
        return revision(configuration, self._secret)

    async def edit(self, change: Change, *, dry_run: bool = False) -> Edited:
        """Make a change; with `dry_run`, only say what it would do.

        Raises what the change raises; RouteInvalid (collisions), RoutesFileInvalid (the file on disk is broken),
        RoutesFileChanged (somebody keeps editing it), ChangeRefused (a port is taken), RoutesFileUnwritable.
        """
        async with self.turn:
            edited = await self.prepare(change)
            if not dry_run:
                edited = await self.commit(change, edited)
                await self.manager.change_to(edited.after)
            return edited

    async def follow(self, stop: asyncio.Event) -> None:
        """Take hand edits of routes.json over until the event is set."""
        async for _ in self._file.occasions(stop):
            async with self.turn:
                await self._take_over_hand_edit()

    # Steps, for who holds `turn`

    async def prepare(self, change: Change, orders: Orders = NO_ORDERS) -> Edited:
        """Judge a change, and the orders that follow it, and say what it would do. Nothing happens yet."""
        await self._take_over_hand_edit()
        if self.manager.file_errors:
            raise RoutesFileInvalid(self._file.path, self.manager.file_errors)
        before = tuple(self.manager.configured())
        after = change(before)
        _refuse_collisions(before, after)
        outlook = await self.manager.foresight.look(before, after, orders)
        if outlook.obstacles:
            raise ChangeRefused(outlook.obstacles)
        return Edited(before, after, outlook.effects)

    async def commit(self, change: Change, edited: Edited, orders: Orders = NO_ORDERS) -> Edited:
        """Write a change that was judged; if the file was edited by hand meanwhile, judge it anew first."""
        for tries_left in reversed(range(_TRIES)):
            if edited.after == edited.before:
                return edited
            try:
                await self.write(edited.after)
            except RoutesFileChanged:
                if not tries_left:
                    raise
                edited = await self.prepare(change, orders)
            else:
                return edited
        raise AssertionError("the last try returns or raises")

    async def write(self, routes: Routes) -> None:
        """Put routes on disk. Raises RoutesFileInvalid, RoutesFileChanged, RoutesFileUnwritable."""
        try:
            await asyncio.to_thread(self._file.save, routes)
        except OSError as error:
            log.error("%s could not be written: %s", self._file.path, error)  # noqa: TRY400 - no fault of ours
            raise RoutesFileUnwritable(self._file.path, error) from error

    async def _take_over_hand_edit(self) -> None:
        changed = await self._file.changed()
        if changed is not None:
            await self.manager.apply(changed)


def _refuse_collisions(before: Sequence[Route], after: Sequence[Route]) -> None:
    """Raise RouteInvalid if a route that is new or changed collides with another."""
    known = {id(route) for route in before}
    fresh = [route for route in after if id(route) not in known]
    book = Book(route for route in after if id(route) in known)
    errors: list[FieldError] = []
    for route in fresh:
        found = book.conflicts(route)
        book.add(route)
        errors += found if len(fresh) == 1 else [one.under(route.id) for one in found]
    if errors:
        raise RouteInvalid(errors)
