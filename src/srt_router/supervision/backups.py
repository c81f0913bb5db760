"""Backups of gateway.db and routes.json while the server runs: daily, on request, and put back without a gap.

A restore judges first and changes last: the set is unpacked and verified, the new routes are judged like any
other edit, what is there is backed up, and the decision is written down. Then gateway.db is swapped by its
only writer and the routes are changed by their only editor, so that just what differs leaves the air.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TypeVar

from srt_router.errors import SrtRouterError, UnsafeDirectory
from srt_router.processes.crashpoint import crashpoint
from srt_router.routes.document import Parsed, render
from srt_router.routes.errors import RoutesFileInvalid
from srt_router.routes.store import FILE_NAME as ROUTES
from srt_router.routes.store import write_atomically
from srt_router.storage.backup_database import install
from srt_router.storage.backup_folder import FOLDER, BackupFolder, BackupSet
from srt_router.storage.database import Database, Refused, Unavailable
from srt_router.storage.restoring import Staged, stage
from srt_router.supervision import backup_sets
from srt_router.supervision.backup_events import BackupCreated, BackupRestored, DailyBackupFailed
from srt_router.supervision.backup_sets import BackupFailed, Restored, RestoreFailed, Verification, stage_verified
from srt_router.supervision.editing import Edited, RouteEditor, Routes

log = logging.getLogger("Backups")

T = TypeVar("T")

HOUR = 3
"""Local time at which the daily backup is made."""
_AFTER_START_S = 60.0
"""A backup that was missed waits until the routes have started."""
_LOOK_EVERY_S = 30.0
_RETRY_S = 3600.0
_CLOCK_SLACK_S = 300.0


class BackupBusy(SrtRouterError):  # noqa: N818 - said as it is
    """A backup is being made, verified or restored: one at a time."""

    code = "backupBusy"


class Backups:
    """The backups of one server. Runs on the event loop; what touches the disk runs in threads."""

    def __init__(self, database: Database, editor: RouteEditor, *, after_start_s: float = _AFTER_START_S) -> None:
        self.trouble: str | None = None
        """Why the daily backup could not be made; None where all is well."""
        self.newest: int | None = None
        """When the newest backup was made, in milliseconds since the epoch; None: there is none that is known."""
        self.after_restore: list[Callable[[], Awaitable[None]]] = []
        """Whoever keeps in memory what stands in gateway.db reads it anew there."""
        self._data_dir = database.path.parent
        self._database = database
        self._editor = editor
        self._after_start_s = after_start_s
        self._working: asyncio.Task[Any] | None = None

    # Looking

    async def sets(self) -> list[BackupSet]:
        """Every backup, newest first. Raises BackupFailed."""
        return await self._with_folder(BackupFolder.sets)

    async def open(self, file_name: str) -> BinaryIO:
        """One of the two files of a backup. Raises BackupNotFound, BackupFailed."""
        return await self._with_folder(lambda folder: folder.open(file_name))

    async def verify(self, name: str) -> Verification:
        """Look at every byte of a backup. Raises BackupNotFound, BackupBusy, BackupFailed."""

        return await self._alone(
            lambda: self._with_folder(lambda folder: backup_sets.verify(folder, folder.find(name)))
        )

    # Changing

    async def create(self, reason: str) -> BackupSet:
        """Make a backup of this moment and remove the oldest. Raises BackupBusy, BackupFailed."""
        return await self._alone(lambda: self._create(reason))

    async def remove(self, name: str) -> BackupSet:
        """Remove a backup. Raises BackupNotFound, BackupBusy, BackupFailed."""

        def remove(folder: BackupFolder) -> BackupSet:
            found = folder.find(name)
            folder.remove(found)
            return found

        return await self._alone(lambda: self._with_folder(remove))

    async def restore(self, name: str, by: str) -> Restored:
        """Make gateway.db and the routes what they were; only routes that differ leave the air.

        Raises BackupNotFound, BackupInvalid, BackupBusy, RestoreFailed, and what keeps routes from being edited
        (ChangeRefused and the like); nothing was changed then.
        """
        return await self._alone(lambda: self._restore(name, by))

    # The daily one

    async def run(self) -> None:
        """Make a backup each day at three, and soon after the start if one was missed; until cancelled."""
        with contextlib.suppress(SrtRouterError):
            await self._newest()
        await asyncio.sleep(self._after_start_s)
        while True:
            pause = _LOOK_EVERY_S
            try:
                if is_due(datetime.now(UTC).astimezone(), await self._newest()):
                    await self.create("daily")
            except BackupBusy:
                pass  # the next look finds it due still
            except SrtRouterError as error:
                if self.trouble is None:
                    log.error("The daily backup failed: %s", error)  # noqa: TRY400 - said whole
                self.trouble = f"the daily backup failed: {error}"
                self._editor.manager.events.emit(DailyBackupFailed(str(error)))
                pause = _RETRY_S
            await asyncio.sleep(pause)

    async def close(self, patience_s: float) -> None:
        """Let what is being done come to its end. What is cut off in the middle is completed at the next start."""
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=patience_s)

    # Steps

    async def _newest(self) -> datetime | None:
        """When the last backup was made; one of the future, by a clock that was wrong, counts for nothing."""
        latest = (time.time() + _CLOCK_SLACK_S) * 1000
        past = [one.created_at for one in await self.sets() if one.created_at <= latest]
        self.newest = max(past, default=None)
        return None if self.newest is None else datetime.fromtimestamp(self.newest / 1000, UTC)

    async def _create(self, reason: str) -> BackupSet:
        made, gone = await self._make(prune=True)
        self.trouble, self.newest = None, made.created_at
        self._told(made, reason, gone)
        return made

    async def _make(self, *, prune: bool) -> tuple[BackupSet, list[BackupSet]]:
        routes = tuple(self._editor.manager.configured())

        def make(folder: BackupFolder) -> tuple[BackupSet, list[BackupSet]]:
            made = backup_sets.make_set(self._data_dir, folder, render(routes).encode())
            with contextlib.suppress(OSError):  # the new one is there; the old ones go the next time
                return made, folder.prune() if prune else []
            return made, []

        return await self._with_folder(make)

    def _told(self, made: BackupSet, reason: str, gone: list[BackupSet]) -> None:
        log.info("Backup %s was made (%s)", made.name, reason)
        names = [one.name for one in gone]
        self._editor.manager.events.emit(BackupCreated(made.name, made.size, reason, names))

    async def _restore(self, name: str, by: str) -> Restored:
        staged, parsed = await self._with_folder(lambda folder: stage_verified(self._data_dir, folder, name, by))
        try:
            async with self._editor.turn:
                aside, edited = await self._judge(parsed)
                safety = await self._safety()
                await asyncio.to_thread(staged.decide)
                crashpoint("restore_decided")
                aside += await self._swap_database(staged)
                crashpoint("restore_database_swapped")
                edited = await self._commit(parsed, edited, safety)
                crashpoint("restore_routes_written")
                await self._editor.manager.change_to(edited.after)
        except Exception as error:  # but not where the server is stopped: then the next start completes it
            await asyncio.to_thread(staged.forget)
            if isinstance(error, OSError | Unavailable):
                raise RestoreFailed(f"{name} could not be restored: {error}. Nothing was changed") from error
            raise
        await asyncio.to_thread(staged.forget)
        return await self._restored(name, by, safety, aside, edited)

    async def _restored(
        self, name: str, by: str, safety: BackupSet | None, aside: list[str], edited: Edited
    ) -> Restored:
        for again in self.after_restore:
            with contextlib.suppress(Unavailable):  # health tells it
                await again()
        log.info("Backup %s was restored", name)
        event = BackupRestored(name, safety.name if safety else None, aside, by)
        self._editor.manager.events.emit(event)
        before = {route.id: route for route in edited.before}
        return backup_sets.outcome(name, safety, aside, before, edited.after)

    async def _judge(self, parsed: Parsed) -> tuple[list[str], Edited]:
        """What the routes of the backup would change. A routes.json with faults is kept under another name."""
        try:
            return [], await self._editor.prepare(_to(parsed))
        except RoutesFileInvalid:
            routes = tuple(self._editor.manager.configured())

            def mend() -> list[str]:
                kept = backup_sets.set_routes_aside(self._data_dir, backup_sets.stamp_now())
                write_atomically(self._data_dir / ROUTES, render(routes).encode())
                return kept

            return await asyncio.to_thread(mend), await self._editor.prepare(_to(parsed))

    async def _safety(self) -> BackupSet | None:
        """Back up what is there; None for a database that cannot be used, which is set aside instead."""
        try:
            made, _ = await self._make(prune=False)
        except BackupFailed as error:
            if isinstance(error.__cause__, Refused):
                return None
            raise RestoreFailed(f"{error}. Nothing was changed") from error
        self._told(made, "beforeRestore", [])
        return made

    async def _swap_database(self, staged: Staged) -> list[str]:
        stamp = backup_sets.stamp_now()
        aside = await self._database.exclusively(lambda path: install(path, staged.database, stamp))
        return [aside.name] if aside else []

    async def _commit(self, parsed: Parsed, edited: Edited, safety: BackupSet | None) -> Edited:
        """Write the routes; where that cannot be done, the database becomes what it was."""
        try:
            return await self._editor.commit(_to(parsed), edited)
        except SrtRouterError as error:
            try:
                await self._take_back(safety)
            except (SrtRouterError, OSError) as second:
                log.error("gateway.db could not be taken back: %s", second)  # noqa: TRY400 - said whole
                raise RestoreFailed(
                    f"gateway.db was restored, the routes were not, and are as they were: {error}. "
                    "Mend that, then restore again"
                ) from error
            raise

    async def _take_back(self, safety: BackupSet | None) -> None:
        if safety is None:
            raise RestoreFailed("what was there before could not be used")
        before, _ = await self._with_folder(lambda folder: stage(self._data_dir, folder, safety, "local"))
        try:
            await asyncio.to_thread(before.decide)
            await self._swap_database(before)
        finally:
            await asyncio.to_thread(before.forget)

    # One at a time, in threads

    async def _alone(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._working is not None:
            raise BackupBusy("a backup is being made, verified or restored: try again when that is done")
        task = self._working = asyncio.create_task(work(), name="backup")
        task.add_done_callback(self._worked)
        return await asyncio.shield(task)  # whoever hangs up does not stop it half way

    def _worked(self, task: asyncio.Task[Any]) -> None:
        self._working = None
        if not task.cancelled():
            task.exception()  # who asked gets it; who has hung up does not want it

    async def _with_folder(self, work: Callable[[BackupFolder], T]) -> T:
        def run() -> T:
            try:
                with BackupFolder(self._data_dir) as folder:
                    return work(folder)
            except UnsafeDirectory as error:
                raise BackupFailed(str(error)) from error
            except OSError as error:
                where = error.filename or self._data_dir / FOLDER
                raise BackupFailed(f"{where}: {error.strerror or error}") from error

        return await asyncio.to_thread(run)


def is_due(now: datetime, newest: datetime | None) -> bool:
    """True if no backup was made since it was last three o'clock; `now` is local time.

    A change of the clocks between summer and winter skips none and makes none twice.
    """
    today = now.replace(hour=HOUR, minute=0, second=0, microsecond=0, tzinfo=None)
    last = today.astimezone()
    if last > now:
        last = (today - timedelta(days=1)).astimezone()
    return newest is None or newest < last


def _to(parsed: Parsed) -> Callable[[Routes], Routes]:
    """The change to these routes; those that are the same already stay the very same objects."""

    def change(current: Routes) -> Routes:
        known = {route.id: route for route in current}
        return tuple(known[one.id] if known.get(one.id) == one else one for one in parsed.routes)

    return change
