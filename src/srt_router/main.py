"""The server, on one screen: open, clean up, start, wait, stop. Owns the only TaskGroup."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket

from srt_router import __version__, demo, engine_probe
from srt_router.api.app import Rooms, create_app
from srt_router.api.network import Network
from srt_router.api.server import bind, serve_api, url
from srt_router.api.tls import certificate
from srt_router.house import House, move_in, open_house
from srt_router.keeping import keep
from srt_router.log_setup import logging_to
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.ownership import Rules
from srt_router.processes.priority import raise_priority
from srt_router.processes.server_file import remove_server_file
from srt_router.processes.spawner import Spawner
from srt_router.processes.tag import Tag, new_nonce
from srt_router.routes.engine import Engine
from srt_router.routes.store import RoutesFile
from srt_router.settings import OnStart, Settings
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.events import ServerStarted, ServerStopping
from srt_router.supervision.health_checker import limits_of
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager
from srt_router.system_checks import warn_about_system

log = logging.getLogger("SrtRouter")


def serve(settings: Settings, *, demo_if_empty: bool = False) -> None:
    """Run the server until SIGTERM or SIGINT.

    Raises SettingsError, UnsafeDirectory, AlreadyRunning, PortTaken before anything was touched.
    """
    certificate(settings)  # before anything is touched
    house = open_house(settings)
    listener = bind(settings.host, settings.port)
    os.chdir("/")  # neither we nor our children keep a file system busy
    raise_priority()
    gc.freeze()  # what is loaded now stays: no collection needs to walk through it while streams are on air
    with logging_to(settings.logs):
        try:
            asyncio.run(_serve(settings, house, listener, demo_if_empty=demo_if_empty))
        except BaseException:
            adopt = settings.on_start is OnStart.ADOPT
            fate = "its routes stay on air for the next one" if adopt else "every process it knew has been ended"
            log.critical("The server has crashed; %s", fate, exc_info=True)
            raise


async def _serve(settings: Settings, house: House, listener: socket.socket, *, demo_if_empty: bool) -> None:
    stop = _stop_on_signals()
    async with asyncio.TaskGroup() as tasks:
        spawner = Spawner(house.instance, house.run_dir, house.pid_files)
        manager = RouteManager(spawner, await _engine(house), tasks, limits_of(settings))
        kept = await keep(manager, settings, tasks)
        network = Network.of(settings, house.instance.id)
        try:
            await warn_about_system(settings.run_dir)
            routes_file = RoutesFile(settings.data_dir)
            rules = await _settle(manager, house, settings, routes_file, tasks)
            here = url(listener, tls=network.tls)
            move_in(house, here, kept.accounts.accounts.open_local(), manager.handover.names())
            if settings.stream_monitor:
                manager.streams.start()
            if demo_if_empty:
                await demo.add_demo_route(manager, routes_file)
            editor = RouteEditor(manager, routes_file, house.instance.id)
            housekeeping = Housekeeping(manager, house.pid_manager, rules)
            rooms = Rooms(
                manager=manager,
                housekeeping=housekeeping,
                events=kept.history.events,
                editor=editor,
                settings=settings,
                accounts=kept.accounts.accounts,
                network=network,
                alarms=kept.alarms.alarms,
                backups=kept.back_up(editor, tasks),
            )
            manager.events.emit(ServerStarted(__version__, len(manager.configured())))
            api = tasks.create_task(serve_api(create_app(rooms), listener, stop, network.certificate), name="api")
            watch = tasks.create_task(editor.follow(stop), name="routes.json")
            if not stop.is_set():
                manager.handover.complete()
                await manager.auto_start()
                manager.handover.begin()
                kept.alarms.watch(housekeeping)
            demo.tell_how_to_watch(manager)
            await stop.wait()
            manager.events.emit(ServerStopping(stays_on_air=stop.leave))
            await asyncio.gather(kept.rest(), _end(manager, stop), api, watch)
        finally:
            remove_server_file(house.run_dir)
            if not stop.leave and settings.on_start is not OnStart.ADOPT:
                await manager.end_everything()
            await kept.close()
    log.info("Stopped")


async def _settle(
    manager: RouteManager, house: House, settings: Settings, routes_file: RoutesFile, tasks: asyncio.TaskGroup
) -> Rules:
    """Take routes.json over, and end or adopt what an earlier server has left. The answer is what may be killed."""
    rules = Rules(settings.cleanup_scope, house.instance.first_start)
    adopt = settings.on_start is OnStart.ADOPT
    if adopt:
        # What is tried carries our tag: it has to be over before the cleanup.
        manager.hardware_from(trial := tasks.create_task(engine_probe.working_encoders(), name="hardware encoders"))
        await trial
        parsed = await manager.handover.look(await asyncio.to_thread(routes_file.load), house.pid_manager)
        crashpoint("after_survivors")
        await manager.apply(parsed, first=True)
        crashpoint("after_adoption")
    await manager.cleanup(house.pid_manager, rules)
    crashpoint("after_cleanup")
    if not adopt:
        await manager.handover.forget()
        manager.hardware_from(tasks.create_task(engine_probe.working_encoders(), name="hardware encoders"))
        await manager.apply(await asyncio.to_thread(routes_file.load), first=True)
    return rules


async def _end(manager: RouteManager, stop: Stop) -> None:
    if stop.leave:
        log.info("Leaving: every route stays on air, for the next server")
        await manager.leave()
    else:
        log.info("Stopping: taking every route off air")
        await manager.stop_all()


async def _engine(house: House) -> Engine:
    """What the installed programs can do; the processes that find it out carry our tag too."""
    tag = Tag(house.instance.id, house.instance.data_dir, process="probe", nonce=new_nonce())
    engine_probe.carry(tag.environment())
    return await engine_probe.probe()


class Stop(asyncio.Event):
    """Set once the server is to end."""

    leave = False
    """Its routes are to stay on air."""

    def for_upgrade(self) -> None:
        """End, and leave every process as it is."""
        self.leave = not self.is_set()  # who was told to take everything off air does that
        self.set()


def _stop_on_signals() -> Stop:
    """An event that SIGTERM, SIGINT and SIGHUP set, and SIGUSR2, which leaves the routes on air.

    nohup's wish to live on without a terminal is respected.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever starts us may ignore it, and then no end has a status
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signum is not signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(signal.SIGUSR2, stop.for_upgrade)
    return stop
