"""Several edits and orders at once: checked wholly first, then carried out whole, or taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from srt_router.errors import RouteNotFound, SrtRouterError, StartRefused, StopFailed
from srt_router.routes.errors import MOST_ERRORS, FieldError, RouteInvalid
from srt_router.routes.merging import Json, created, patched, replaced
from srt_router.routes.model import Route, new_route_id
from srt_router.routes.transcode_presets import Preset
from srt_router.supervision.editing import Edited, RouteEditor, Routes
from srt_router.supervision.foresight import Orders

log = logging.getLogger("RouteManager")


class StepAction(StrEnum):
    """What one step of a salvo does."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    CREATE = "create"
    REPLACE = "replace"
    PATCH = "patch"
    DELETE = "delete"


_ORDERS = (StepAction.START, StepAction.STOP, StepAction.RESTART)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a salvo."""

    action: StepAction
    route_id: str | None = None
    """None: the route is created by this step."""
    data: Json | None = None
    """The route, or the merge patch."""


class SalvoRefused(SrtRouterError):  # noqa: N818 - said as it is
    """A step of a salvo could not be carried out: everything is again as it was before."""

    code = "salvoRefused"

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        reasons = "; ".join(map(str, self.errors))
        super().__init__(f"The salvo was taken back, everything is as it was before: {reasons}")


async def fire(editor: RouteEditor, steps: Sequence[Step], *, dry_run: bool = False) -> Edited:
    """Carry out all steps: the edits as one, then all orders at once.

    Raises RouteInvalid (a step is wrong), SalvoRefused, and what RouteEditor.edit raises. None of the steps has
    happened then.
    """
    orders = _orders(steps)
    async with editor.turn:
        change = _change(steps, editor.presets.all())
        edited = await editor.prepare(change, orders)
        if dry_run:
            return edited
        edited = await editor.commit(change, edited, orders)
        manager = editor.manager
        on_air = {route.id for route in edited.before if manager.on_air(route.id)}
        refused = await _each(steps, orders.stop, manager.stop)
        if not refused:
            await manager.change_to(edited.after)
            refused = await _each(steps, orders.start, manager.start)
            refused += await _each(steps, orders.restart, manager.restart)
        if refused:
            await _take_back(editor, edited, on_air)
            raise SalvoRefused(refused)
        return edited


def _change(steps: Sequence[Step], presets: Sequence[Preset]) -> Callable[[Routes], Routes]:
    """All edits of a salvo as one change."""

    def change(routes: Routes) -> Routes:
        found = {route.id: route for route in routes}
        errors: list[FieldError] = []
        for index, step in enumerate(steps):
            if len(errors) >= MOST_ERRORS:
                break
            try:
                _apply(step, found, presets)
            except RouteInvalid as error:
                errors += [one.under("steps", index) for one in error.errors]
        errors += _unknown(steps, found)
        if errors:
            raise RouteInvalid(errors)
        return tuple(found.values())

    return change


def _apply(step: Step, routes: dict[str, Route], presets: Sequence[Preset]) -> None:
    if step.action in _ORDERS:
        return
    if step.action is StepAction.CREATE:
        route = _within("route", lambda: created(step.data or {}, new_route_id(routes), presets))
        routes[route.id] = route
        return
    stored = routes.get(step.route_id or "")
    if stored is None:
        raise RouteInvalid([FieldError(("routeId",), "there is no such route")])
    if step.action is StepAction.DELETE:
        del routes[stored.id]
    elif step.action is StepAction.PATCH:
        routes[stored.id] = _within("patch", lambda: patched(step.data or {}, stored, presets))
    else:
        routes[stored.id] = _within("route", lambda: replaced(step.data or {}, stored, presets))


def _within(name: str, make: Callable[[], Route]) -> Route:
    try:
        return make()
    except RouteInvalid as error:
        raise RouteInvalid(one.under(name) for one in error.errors) from None


def _unknown(steps: Sequence[Step], routes: dict[str, Route]) -> list[FieldError]:
    ordered = [(index, step) for index, step in enumerate(steps) if step.action in _ORDERS]
    return [
        FieldError(("steps", index, "routeId"), "there is no such route")
        for index, step in ordered
        if step.route_id not in routes
    ]


def _orders(steps: Sequence[Step]) -> Orders:
    found: dict[StepAction, set[str]] = {action: set() for action in _ORDERS}
    for index, step in enumerate(steps):
        if step.action not in _ORDERS or step.route_id is None:
            continue
        if any(step.route_id in ids for ids in found.values()):
            place = ("steps", index, "routeId")
            raise RouteInvalid([FieldError(place, "has two orders: one of start, stop, restart for each route")])
        found[step.action].add(step.route_id)
    return Orders(*(frozenset(found[action]) for action in _ORDERS))


async def _each(steps: Sequence[Step], route_ids: Iterable[str], order: Callable[[str], object]) -> list[FieldError]:
    """Give one order to many routes at once: why it was refused, where it was."""
    ids = list(route_ids)
    answers = await asyncio.gather(*(order(one) for one in ids), return_exceptions=True)  # type: ignore[call-overload]
    errors = []
    for route_id, answer in zip(ids, answers, strict=True):
        if isinstance(answer, StartRefused | StopFailed | RouteNotFound):
            position = next(index for index, step in enumerate(steps) if step.route_id == route_id)
            errors.append(FieldError(("steps", position), str(answer)))
        elif isinstance(answer, BaseException):
            raise answer
    return errors


async def _take_back(editor: RouteEditor, edited: Edited, on_air: set[str]) -> None:
    """Bring everything to where it was: the routes, and which of them are on air."""
    manager = editor.manager
    log.warning("A salvo was refused and is taken back")
    if edited.after != edited.before:
        await editor.write(edited.before)
        await manager.change_to(edited.before)
    there = {route.id for route in edited.before}
    await asyncio.gather(*(manager.stop(one) for one in there - on_air if manager.on_air(one)), return_exceptions=True)
    answers = await asyncio.gather(*(manager.start(one) for one in on_air), return_exceptions=True)
    for route_id, answer in zip(on_air, answers, strict=True):
        if isinstance(answer, BaseException):
            log.error("Route %s is not on air again after a salvo was taken back: %s", route_id, answer)
