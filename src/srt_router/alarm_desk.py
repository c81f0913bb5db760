"""The alarms of one server: opened before anything happens, watched while routes are on air, closed at the end."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from srt_router.alarms.service import Alarms
from srt_router.alarms.transport import MailServer, RealTransport, SmtpSecurity
from srt_router.settings import Settings
from srt_router.storage.database import Database
from srt_router.supervision.alarm_watch import AlarmWatch
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager

_LAST_WORDS_S = 2.0
"""A disk that hangs holds up the end of the server for no longer."""


@dataclass(slots=True)
class AlarmDesk:
    """Alarms, and the tasks that keep and judge them."""

    alarms: Alarms
    _watch: AlarmWatch
    _tasks: asyncio.TaskGroup
    _keeping: asyncio.Task[None]
    _watching: asyncio.Task[None] | None = None

    def watch(self, housekeeping: Housekeeping) -> None:
        """Judge what is seen, from now on: routes that shall be on air have been started."""
        self._watching = self._tasks.create_task(self._watch.run(housekeeping), name="alarm watch")

    def rest(self) -> None:
        """Judge no more: routes that the server takes off air have not recovered."""
        if self._watching is not None:
            self._watching.cancel()

    async def close(self) -> None:
        """Write what is new; what is not delivered yet, the next server delivers."""
        self.rest()
        self._keeping.cancel()
        await self.alarms.close(_LAST_WORDS_S)


def keep_alarms(database: Database, settings: Settings, manager: RouteManager, tasks: asyncio.TaskGroup) -> AlarmDesk:
    """Open the alarms. Nothing on air waits for them: what is kept is read by a task."""
    alarms = Alarms(database, RealTransport(mail_server(settings)), tasks)
    return AlarmDesk(alarms, AlarmWatch(alarms, manager), tasks, tasks.create_task(alarms.run(), name="alarms"))


def mail_server(settings: Settings) -> MailServer | None:
    """The SMTP server of the settings; None where none is set."""
    if settings.smtp_host is None:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=SmtpSecurity(settings.smtp_security),
        sender=settings.smtp_from or f"srt-router@{socket.gethostname()}",
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
    )
