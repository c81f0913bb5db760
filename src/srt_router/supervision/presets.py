"""The presets that routes choose a transcode by: those that are built in, and the operator's own in gateway.db."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from srt_router.errors import SrtRouterError
from srt_router.routes.transcode_presets import PRESETS, Preset, PresetInvalid, parse_preset
from srt_router.storage.database import Database, Unavailable

log = logging.getLogger("Presets")

T = TypeVar("T")
Json = dict[str, object]
Own = tuple[Preset, ...]

MOST_PRESETS = 200
"""So many of their own operators may have."""
_AGAIN_S = 1.0
_PATIENCE_S = 5.0
"""A disk that hangs is waited for no longer."""


class PresetNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No preset has this id."""

    code = "presetNotFound"

    def __init__(self, preset_id: str) -> None:
        super().__init__(f"there is no preset {preset_id}")


class PresetBuiltIn(SrtRouterError):  # noqa: N818 - said as it is
    """The preset comes with SRT Router: it stays as it is."""

    code = "presetBuiltIn"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is built in and stays as it is: make a preset of your own, under another name")


class PresetNameTaken(SrtRouterError):  # noqa: N818 - said as it is
    """Another preset is called so."""

    code = "presetNameTaken"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a preset {name!r} already: choose another name")


class PresetLimit(SrtRouterError):  # noqa: N818 - said as it is
    """There are as many presets as there may be."""

    code = "presetLimit"

    def __init__(self) -> None:
        super().__init__(f"there are {MOST_PRESETS} presets of your own, and no more may be: remove one first")


class PresetBook:
    """Every preset. What is changed is on disk before it counts. Runs on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own: Own = ()
        self._unread = asyncio.Event()
        """Set while what is known here may be other than what stands in gateway.db."""
        self._unread.set()

    def all(self) -> Own:
        """Those that are built in, then the operator's own in the order in which they were made."""
        return (*PRESETS, *self._own)

    async def add(self, data: object) -> Preset:
        """Make one. Raises PresetInvalid, PresetNameTaken, PresetLimit, Unavailable: nothing was changed then."""
        new = parse_preset(data, "")

        def step(connection: sqlite3.Connection) -> Preset:
            own = _read(connection)
            _refuse_name(new.name, own)
            if _count(connection) >= MOST_PRESETS:
                raise PresetLimit
            return _put(connection, new, _new_id(connection))

        return await self._change(step)

    async def replace(self, preset_id: str, data: object) -> tuple[Preset, Preset]:
        """Change all of one but its id; the answer is what it was and what it is.

        Raises PresetNotFound, PresetBuiltIn, PresetInvalid, PresetNameTaken, Unavailable: nothing was changed then.
        """
        _refuse_built_in(preset_id)
        new = parse_preset(data, preset_id)

        def step(connection: sqlite3.Connection) -> tuple[Preset, Preset]:
            own = _read(connection)
            before = _one(own, preset_id)
            _refuse_name(new.name, tuple(one for one in own if one is not before))
            return before, _put(connection, new, preset_id)

        return await self._change(step)

    async def remove(self, preset_id: str) -> Preset:
        """Remove one; routes that were made with it stay as they are. Raises as `replace` does."""
        _refuse_built_in(preset_id)

        def step(connection: sqlite3.Connection) -> Preset:
            gone = _one(_read(connection), preset_id)
            connection.execute("DELETE FROM presets WHERE id = ?", [preset_id])
            return gone

        return await self._change(step)

    async def load(self) -> None:
        """Read what stands in gateway.db. Raises Unavailable; what was known stays known then."""
        await self._change(lambda _: None)

    async def run(self) -> None:
        """Read as soon as that can be done, and again after a disk has hung, until cancelled."""
        while True:
            await self._unread.wait()
            try:
                await self.load()
            except Unavailable:  # `trouble` of the database tells it
                await asyncio.sleep(_AGAIN_S)

    async def _change(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run `step` in a transaction, and know what stands there then."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                done, own = await self._database.write(lambda connection: (step(connection), _read(connection)))
        except TimeoutError:
            self._unread.set()  # it may be done later
            raise Unavailable(f"{self._database.path} does not answer: its disk hangs. Try again later") from None
        self._own = own
        self._unread.clear()
        return done


# In the thread of the database


def _read(connection: sqlite3.Connection) -> Own:
    found = []
    for id_, document in connection.execute("SELECT id, document FROM presets ORDER BY length(id), id"):
        try:
            found.append(parse_preset(json.loads(document), id_))
        except (ValueError, RecursionError, PresetInvalid):  # of a version that knew more: it must not hide the others
            log.warning("gateway.db: a preset cannot be read and is left out")
    return tuple(found)


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM presets").fetchone()[0])


def _new_id(connection: sqlite3.Connection) -> str:
    stamp = time.time_ns() // 1_000_000
    while connection.execute("SELECT 1 FROM presets WHERE id = ?", [f"preset_{stamp}"]).fetchone():
        stamp += 1
    return f"preset_{stamp}"


def _put(connection: sqlite3.Connection, new: Preset, preset_id: str) -> Preset:
    document: Json = {"name": new.name, "description": new.description, "transcode": new.transcode}
    connection.execute("INSERT OR REPLACE INTO presets VALUES (?, ?)", [preset_id, json.dumps(document)])
    return Preset(preset_id, new.name, new.description, new.transcode)


# What is refused


def _one(own: Own, preset_id: str) -> Preset:
    found = next((one for one in own if one.id == preset_id), None)
    if found is None:
        raise PresetNotFound(preset_id)
    return found


def _refuse_built_in(preset_id: str) -> None:
    if any(one.id == preset_id for one in PRESETS):
        raise PresetBuiltIn(preset_id)


def _refuse_name(name: str, others: Own) -> None:
    wanted = name.strip().casefold()
    if any(one.name.strip().casefold() == wanted for one in (*PRESETS, *others)):
        raise PresetNameTaken(name)
