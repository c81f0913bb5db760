"""What the owner of a route is told, in the order in which it happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from srt_router.processes.child import Child
from srt_router.routes.model import Route
from srt_router.supervision import process_state as ps
from srt_router.supervision.checks import PortTable


@dataclass(frozen=True, slots=True)
class Order:
    """An operator, or the start of the server, wants the route on air or off it."""

    wanted: bool
    done: asyncio.Future[None]
    table: PortTable | None = None
    keep_trying: bool = False
    """If it is refused, look at it again until it can start."""
    again: bool = False
    """Take it off air first."""


@dataclass(frozen=True, slots=True)
class Change:
    """The route has a new definition."""

    route: Route
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to one of its processes."""

    process_type: str
    event: ps.Event
    child: Child | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """The receivers of the bus have joined it, or have had their time."""

    complete: bool
    round: int


@dataclass(frozen=True, slots=True)
class Renew:
    """One of its processes stalls and is to be replaced."""

    process_type: str


class Touched:
    """Something that decides its status has changed."""


class Complete:
    """What is missing beside processes that were taken over is to be started."""


class Recheck:
    """A start that was refused is looked at again."""


Message = Order | Change | Happened | Joined | Renew | Touched | Recheck | Complete
