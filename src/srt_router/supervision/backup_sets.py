"""Backups of one DATA_DIR as work for a thread, or for a command without a server: made, verified, put in place."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.errors import SrtRouterError
from srt_router.routes.document import Parsed, render
from srt_router.routes.errors import FieldError, RoutesFileInvalid
from srt_router.routes.model import Route
from srt_router.routes.store import BACKUP_NAME, RoutesFile, write_atomically
from srt_router.routes.store import FILE_NAME as ROUTES
from srt_router.storage.backup_database import Contents, copy_database, inspect, install
from srt_router.storage.backup_folder import BackupFolder, BackupInvalid, BackupSet
from srt_router.storage.database import FILE_NAME as DATABASE
from srt_router.storage.database import Refused, Unavailable
from srt_router.storage.events import Event, insert, newest_id
from srt_router.storage.restoring import Staged, stage, unfinished
from srt_router.supervision.backup_events import BackupRestored

log = logging.getLogger("Backups")

_CAMEL = ConfigDict(alias_generator=to_camel)
_TOLD = 10
"""So many faults of a routes.json are told."""


class BackupFailed(SrtRouterError):  # noqa: N818 - said as it is
    """A backup could not be made or removed."""

    code = "backupFailed"


class RestoreFailed(SrtRouterError):  # noqa: N818 - said as it is
    """A backup could not be put in place."""

    code = "restoreFailed"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a look into a backup, from the first to the last byte, has found."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    name: str
    ok: bool
    """It can be restored."""
    problems: list[str]
    version: int | None = None
    """Of the database's layout."""
    routes: int | None = None
    events: int | None = None
    users: int | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has done."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    name: str
    safety: str | None
    """The backup of what was there before; None where that could not be backed up, and see `setAside`."""
    set_aside: list[str] = field(default_factory=list)
    """Files in DATA_DIR that could not be used, under their new names: nothing of them was overwritten."""
    added: list[str] = field(default_factory=list)
    """Ids of routes that are there again."""
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


# Making


def make_set(data_dir: Path, folder: BackupFolder, routes: bytes) -> BackupSet:
    """Copy the database beside these routes, look at the copy, and keep both.

    Raises BackupFailed; there is no new set then.
    """
    copy = folder.workplace(DATABASE)
    try:
        copy_database(data_dir / DATABASE, copy)
        inspect(copy)
        return folder.publish(copy, routes, time.time())
    except (Unavailable, OSError) as error:
        raise BackupFailed(f"no backup could be made: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            copy.unlink(missing_ok=True)


def routes_on_disk(data_dir: Path) -> bytes:
    """What stands in routes.json, as it is. Raises RoutesFileInvalid, OSError."""
    path = data_dir / ROUTES
    parsed = RoutesFile(data_dir).load()
    if parsed.errors:
        raise RoutesFileInvalid(path, parsed.errors)
    return path.read_bytes() if path.exists() else render(()).encode()


# Looking


def verify(folder: BackupFolder, wanted: BackupSet) -> Verification:
    """Look at every byte of a set. Raises BackupNotFound, and OSError where there is no room to unpack it."""
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.path, ignore_cleanup_errors=True) as place:
        database, routes = Path(place) / DATABASE, Path(place) / ROUTES
        try:
            folder.unpack(wanted, database, routes)
        except BackupInvalid as error:
            return Verification(wanted.name, ok=False, problems=[str(error)])
        problems: list[str] = []
        contents: Contents | None = None
        try:
            contents = inspect(database)
        except Refused as error:
            problems.append(_relative(str(error), place))
        parsed = RoutesFile(Path(place)).load()
        problems += faults(parsed.errors)
        return Verification(
            name=wanted.name,
            ok=not problems,
            problems=problems,
            version=contents.version if contents else None,
            routes=None if parsed.errors else len(parsed.routes),
            events=contents.events if contents else None,
            users=contents.users if contents else None,
        )


def faults(errors: Iterable[FieldError]) -> list[str]:
    """What is wrong with a routes.json, in sentences; the first ones."""
    told = [f"{ROUTES}: {error}" for error in errors]
    return told if len(told) <= _TOLD else [*told[:_TOLD], f"{ROUTES}: and {len(told) - _TOLD} more"]


# Restoring


def stage_verified(data_dir: Path, folder: BackupFolder, name: str, by: str) -> tuple[Staged, Parsed]:
    """Unpack and verify a set for a restore. Raises BackupNotFound, BackupInvalid, RestoreFailed."""
    wanted = folder.find(name)
    try:
        staged, _ = stage(data_dir, folder, wanted, by)
    except (BackupInvalid, Refused) as error:
        problem = _relative(str(error), str(data_dir / "restoring"))
        raise BackupInvalid(f"backup {name} cannot be restored: {problem}. Nothing was changed") from error
    except (Unavailable, OSError) as error:
        raise RestoreFailed(f"backup {name} could not be unpacked: {_reason(error)}. Nothing was changed") from error
    parsed = RoutesFile(staged.folder).load()
    if parsed.errors:
        staged.forget()
        problems = "; ".join(faults(parsed.errors))
        raise BackupInvalid(f"backup {name} cannot be restored: {problems}. Nothing was changed")
    return staged, parsed


def restore_offline(data_dir: Path, name: str, by: str) -> Restored:
    """Restore without a server; the lock on DATA_DIR must be held.

    Raises BackupNotFound, BackupInvalid, RestoreFailed; UnsafeDirectory for the folder.
    """
    complete_interrupted(data_dir)
    with BackupFolder(data_dir) as folder:
        staged, parsed = stage_verified(data_dir, folder, name, by)
        try:
            before = {route.id: route for route in RoutesFile(data_dir).load().routes}
            safety = _safety(data_dir, folder, before.values())
            staged.decide()
            aside = put_in_place(data_dir, staged)
        except (Unavailable, OSError) as error:
            raise RestoreFailed(f"backup {name} could not be put in place: {_reason(error)}") from error
        finally:
            staged.forget()
    return outcome(name, safety, aside, before, parsed.routes)


def outcome(
    name: str, safety: BackupSet | None, aside: list[str], before: dict[str, Route], after: Iterable[Route]
) -> Restored:
    """What a restore has done, told by the routes before and after."""
    now = {route.id: route for route in after}
    return Restored(
        name=name,
        safety=safety.name if safety else None,
        set_aside=aside,
        added=[one for one in now if one not in before],
        changed=[one for one, route in now.items() if one in before and before[one] != route],
        removed=[one for one in before if one not in now],
    )


def complete_interrupted(data_dir: Path) -> str | None:
    """Do what is left of a restore that was decided when its process died; nobody else may use DATA_DIR.

    Returns what is wrong if that cannot be done: then things are as they are, and nobody tries again by himself.
    """
    staged = unfinished(data_dir)
    if staged is None:
        return None
    log.warning("The restore of %s was interrupted: completing it", staged.backup)
    try:
        put_in_place(data_dir, staged)
    except (Unavailable, OSError) as error:
        problem = f"The restore of {staged.backup} was interrupted and could not be completed: {_reason(error)}"
        log.error("%s", problem)  # noqa: TRY400 - said whole
        return f"{problem}. Restore it again"
    finally:
        staged.forget()
    return None


def put_in_place(data_dir: Path, staged: Staged) -> list[str]:
    """Put both files where they belong; doing it twice does no harm. Nobody else may use DATA_DIR.

    Returns what had to be set aside. Raises Unavailable, OSError.
    """
    stamp = stamp_now()
    aside = install(data_dir / DATABASE, staged.database, stamp)
    set_aside = [aside.name] if aside else []
    set_aside += _put_routes(data_dir, staged.routes.read_bytes(), stamp)
    _note(data_dir / DATABASE, BackupRestored(staged.backup, None, set_aside, staged.by))
    return set_aside


def set_routes_aside(data_dir: Path, stamp: str) -> list[str]:
    """Keep a copy of a routes.json with faults under another name. Raises OSError."""
    path = data_dir / ROUTES
    if not path.exists():
        return []
    kept = path.with_name(f"{ROUTES}.set-aside_{stamp}")
    write_atomically(kept, path.read_bytes())
    return [kept.name]


def stamp_now() -> str:
    """This moment as it stands in file names, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")


def _put_routes(data_dir: Path, content: bytes, stamp: str) -> list[str]:
    path = data_dir / ROUTES
    current = path.read_bytes() if path.exists() else None
    if current == content:
        return []
    set_aside = []
    if current is not None:
        if RoutesFile(data_dir).load().errors:
            set_aside = set_routes_aside(data_dir, stamp)
        else:
            write_atomically(data_dir / BACKUP_NAME, current)
    write_atomically(path, content)
    return set_aside


def _safety(data_dir: Path, folder: BackupFolder, routes: Iterable[Route]) -> BackupSet | None:
    """Back up what is there; None for a database that cannot be used, which is set aside instead."""
    try:
        content = routes_on_disk(data_dir)
    except RoutesFileInvalid:
        content = render(routes).encode()  # the file itself is set aside
    try:
        return make_set(data_dir, folder, content)
    except BackupFailed as error:
        if isinstance(error.__cause__, Refused):
            return None
        raise RestoreFailed(f"{error}. Nothing was changed") from error


def _note(path: Path, restored: BackupRestored) -> None:
    """Write into the history that this happened, where no server is there to tell it."""
    now = time.time_ns() // 1_000_000
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        number = max(newest_id(connection) + 1, now * 1000)
        event = Event(number, now, restored.kind, None, None, restored.message, restored.data(), restored.actor)
        insert(connection, [event])
        connection.execute("COMMIT")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return str(error)


def _relative(text: str, folder: str) -> str:
    return text.replace(f"{folder}{os.sep}", "")
