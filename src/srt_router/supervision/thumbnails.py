"""Thumbnails as the server has them: which are asked for, the newest of each, and why there is none.

They are made by the stream monitor's process (transport_stream/thumbnails.py), and only of routes that somebody
has asked for lately: a wall that nobody looks at costs nothing. Kept in memory, one small picture per bus.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from srt_router.errors import SrtRouterError
from srt_router.supervision.stream_results import Json

LOOKED_AT_S = 30.0
"""Who has asked within so many seconds still looks."""
MAX_BYTES = 256 * 1024
"""A picture that is larger is none of ours: a usual one has 10 kB."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}\.jpg\.tmp")
_JPEG_BEGINS, _JPEG_ENDS = b"\xff\xd8", b"\xff\xd9"


class ThumbnailsOff(SrtRouterError):  # noqa: N818 - said as it is
    """No thumbnails are made here."""

    code = "thumbnailsOff"


class NothingOnAir(SrtRouterError):  # noqa: N818 - said as it is
    """Nothing flows through the route at this moment."""

    code = "nothingOnAir"


class ThumbnailPending(SrtRouterError):  # noqa: N818 - said as it is
    """It is being made."""

    code = "thumbnailPending"
    wait_s = 3
    """So long it takes as a rule."""


class NoPicture(SrtRouterError):  # noqa: N818 - said as it is
    """The stream shows no picture that could be read."""

    code = "noPicture"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture of what is on air."""

    data: bytes
    """A JPEG file."""
    at: int
    """Milliseconds since the epoch at which the piece of stream that shows it began."""
    tag: str
    """Another one for another picture."""


@dataclass(slots=True)
class _Bus:
    since_ms: int
    """What is older shows the route that had the bus before."""
    asked_at: float | None = None
    newest: Thumbnail | None = None
    error: str | None = None
    """Why the last try made none."""


class Thumbnails:
    """By bus, as `group:port`. Everything here runs on the event loop; files are read in a worker thread."""

    def __init__(self, run_dir_fd: int) -> None:
        self.share: float | None = None
        """Of one core, for making them; None: they are switched off."""
        self._run_dir_fd = run_dir_fd
        self._buses: dict[str, _Bus] = {}

    def begin(self, key: str) -> None:
        """A route has got this bus."""
        self._buses[key] = _Bus(_now_ms())

    def forget(self, key: str) -> None:
        """The bus is given back."""
        self._buses.pop(key, None)

    def wanted(self, flows: Callable[[str], bool], now: float) -> list[str]:
        """Of which of the buses that flow somebody wants to see pictures. What nobody looks at is thrown away."""
        found = []
        for key, bus in self._buses.items():
            if bus.asked_at is None:
                continue
            if now - bus.asked_at > LOOKED_AT_S:
                bus.asked_at = bus.newest = bus.error = None
            elif flows(key):
                found.append(key)
        return found if self.share is not None else []

    def ask(self, key: str, route_id: str) -> Thumbnail:
        """The newest picture of a bus that flows; from now on they are made. Raises ThumbnailPending, NoPicture."""
        bus = self._buses.get(key)
        if bus is not None:
            bus.asked_at = time.monotonic()
            if bus.newest is not None:
                return bus.newest
            if bus.error is not None:
                raise NoPicture(f"there is no picture of route {route_id}: {bus.error}; it is tried again")
        raise ThumbnailPending(f"the first picture of route {route_id} is being made: ask again in some seconds")

    async def take(self, lines: Iterable[Json]) -> None:
        """Read the pictures that the monitor has told of."""
        for line in lines:
            key, told = line.get("bus"), line.get("thumbnail")
            if not isinstance(key, str) or not isinstance(told, dict) or key not in self._buses:
                continue
            at, name, error = told.get("at"), told.get("file"), told.get("error")
            if not isinstance(at, int) or at < self._buses[key].since_ms:
                continue
            if isinstance(error, str):
                self._buses[key].newest, self._buses[key].error = None, error
            elif isinstance(name, str) and _NAME.fullmatch(name):
                await self._read(key, name, at)

    async def _read(self, key: str, name: str, at: int) -> None:
        try:
            data = await asyncio.to_thread(_file, name, self._run_dir_fd)
        except OSError:
            return  # there is a newer one by now
        bus = self._buses.get(key)
        if bus is None or at < bus.since_ms or bus.asked_at is None:
            return
        if data.startswith(_JPEG_BEGINS) and data.endswith(_JPEG_ENDS):
            bus.newest, bus.error = Thumbnail(data, at, sha256(data).hexdigest()[:16]), None


def _file(name: str, dir_fd: int) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    with os.fdopen(fd, "rb") as file:
        return file.read(MAX_BYTES)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
