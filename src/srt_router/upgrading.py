"""One life of the server in its process, and how the next one begins: upgrades in place."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from dataclasses import dataclass, field, replace

from srt_router import __version__
from srt_router.house import House
from srt_router.processes.priority import raised_from
from srt_router.processes.server_file import read_server_file, write_server_file
from srt_router.processes.successor import HandedOver, Self, since
from srt_router.replacing import UpgradeRefused, find_successor
from srt_router.service_manager import ServiceManager
from srt_router.settings import Settings
from srt_router.signals import Stop
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.upgrade_events import UpgradeFailed

log = logging.getLogger("SrtRouter")

_FAILURES = (RouteStatus.FAILED, RouteStatus.DEGRADED)


@dataclass(slots=True)
class Life:
    """What one life of the server begins with."""

    settings: Settings
    house: House
    itself: Self
    listener: socket.socket
    handed: HandedOver | None
    """What the program before has handed on; None: this is the first life in this process."""
    demo_if_empty: bool = False
    service: ServiceManager = field(default_factory=lambda: ServiceManager.of(os.environ))
    trouble: str | None = None
    """Why the program that was to go on could not be started."""

    @property
    def goes_on(self) -> bool:
        """What runs was started by this very process: it is taken over."""
        return self.handed is not None

    @property
    def replaced(self) -> str | None:
        """The version that this life follows in its process."""
        return self.handed.version if self.handed else None

    def go_on(self) -> None:
        """Become the program as it is installed now. Where the kernel refuses, this program lives on, and says so."""
        house = self.house
        self.handed = HandedOver(
            pid=os.getpid(),
            data_dir=house.data_dir.fd,
            pid_dir=house.pid_files.fd,
            run_dir=house.run_dir.fd,
            listener=self.listener.fileno(),
            priority=raised_from(),
            version=__version__,
            began_s=time.monotonic(),
        )
        try:
            self.itself.become(self.handed)
        except OSError as error:
            self.trouble = f"{self.itself.program} could not be started: {error.strerror}"

    def begin(self, manager: RouteManager) -> None:
        """We answer, and everything that there was has been taken over or ended."""
        if self.trouble is not None:
            refuse(self, manager, self.trouble)
        elif self.handed is not None:
            log.info(
                "Version %s goes on, %s went before: it took %.2f s", __version__, self.replaced, since(self.handed)
            )
        self.trouble = None
        manager.on_look = lambda: self._looked(manager)
        self._looked(manager)
        self.service.ready()

    def _looked(self, manager: RouteManager) -> None:
        """The manager has just looked at every route: that, and no timer, is what it means that we live."""
        self.service.alive()
        statuses = manager.statuses()
        off = statuses.count(RouteStatus.STOPPED)
        text = f"{len(statuses) - off} of {len(statuses)} route(s) on air"
        bad = ", ".join(f"{count} {status}" for status in _FAILURES if (count := statuses.count(status)))
        self.service.status(f"{text}; {bad}" if bad else text)


async def follow_upgrades(life: Life, stop: Stop, manager: RouteManager) -> None:
    """Whenever it is asked for, try the installed program out; if it could be the server, let it go on."""
    life.begin(manager)
    while True:
        await stop.upgrade.wait()
        life.service.reloading()
        log.info("Asked to go on with the program as it is installed now: trying it out")
        try:
            found = await find_successor(life.itself, life.settings, life.house)
        except UpgradeRefused as error:
            refuse(life, manager, str(error))
            life.service.ready()
        else:
            if found.warning:
                log.warning("%s", found.warning)
            stop.replace()
            return
        stop.upgrade.clear()


def refuse(life: Life, manager: RouteManager, reason: str) -> None:
    """Say that everything stays as it was, and why."""
    log.error("The program as it is installed now cannot take over: %s; this server goes on as it is", reason)
    manager.events.emit(UpgradeFailed(reason))
    with contextlib.suppress(OSError):
        here = read_server_file(life.house.run_dir.path)
        if here is not None:
            write_server_file(life.house.run_dir, replace(here, refused=reason, refusals=here.refusals + 1))
