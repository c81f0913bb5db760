"""Everything that one server keeps in gateway.db: history, accounts, alarms, presets, and backups of it all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from srt_router.alarm_desk import AlarmDesk, keep_alarms
from srt_router.first_sign_in import KeptAccounts, keep_accounts
from srt_router.history import History, keep_history
from srt_router.settings import Settings
from srt_router.supervision.backup_sets import complete_interrupted
from srt_router.supervision.backups import Backups
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.presets import PresetBook

_PATIENCE_S = 5.0
"""So long the end of the server waits for a backup that is being made or put back."""


@dataclass(slots=True)
class Keeping:
    """What is kept, opened in this order and closed in the other."""

    history: History
    accounts: KeptAccounts
    alarms: AlarmDesk
    presets: PresetBook
    _reading: asyncio.Task[None]
    """Reads the presets."""
    _interrupted: str | None
    """What is wrong with a restore that was cut off; None: nothing is."""
    _backups: Backups | None = None
    _daily: asyncio.Task[None] | None = field(default=None)

    def back_up(self, editor: RouteEditor, tasks: asyncio.TaskGroup) -> Backups:
        """Make a backup each day; after a restore everybody reads anew what stands in gateway.db."""
        events, accounts = self.history.events, self.accounts.accounts
        backups = self._backups = Backups(events.database, editor)
        backups.trouble = self._interrupted
        backups.after_restore += [lambda: accounts.load(again=True), self.alarms.alarms.read_again, events.open]
        backups.after_restore.append(self.presets.load)
        self._daily = tasks.create_task(backups.run(), name="daily backup")
        return backups

    async def rest(self) -> None:
        """Begin nothing any more: the server takes its routes off air."""
        self.alarms.rest()
        if self._daily is not None and self._backups is not None:
            self._daily.cancel()
            await self._backups.close(_PATIENCE_S)  # what is cut off in the middle, the next start completes

    async def close(self) -> None:
        """Write what is new."""
        self._reading.cancel()
        await self.alarms.close()
        await self.accounts.close()
        await self.history.close()


async def keep(manager: RouteManager, settings: Settings, tasks: asyncio.TaskGroup) -> Keeping:
    """Open what is kept. Where gateway.db cannot be used it is kept in memory, and nothing on air waits for it."""
    interrupted = await asyncio.to_thread(complete_interrupted, settings.data_dir)
    history = await keep_history(manager.events, settings.data_dir, tasks)
    manager.keep_statistics(history.statistics)
    database = history.events.database
    accounts = keep_accounts(database, settings, tasks)
    alarms = keep_alarms(database, settings, manager, tasks)
    presets = PresetBook(database)
    return Keeping(history, accounts, alarms, presets, tasks.create_task(presets.run(), name="presets"), interrupted)
