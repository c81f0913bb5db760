"""The server, on one screen: open, clean up, start, wait, stop. Owns the only TaskGroup."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket

from srt_router import __version__, demo, engine_probe
from srt_router.api.app import create_app
from srt_router.api.server import bind, serve_api, url
from srt_router.history import keep_history
from srt_router.house import House, open_house
from srt_router.log_setup import logging_to
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.instance import keep_instance
from srt_router.processes.ownership import Rules
from srt_router.processes.priority import raise_priority
from srt_router.processes.server_file import remove_server_file, write_server_file
from srt_router.processes.spawner import Spawner, clear
from srt_router.processes.tag import Tag, new_nonce
from srt_router.routes.store import RoutesFile
from srt_router.settings import Settings
from srt_router.supervision.events import ServerStarted, ServerStopping
from srt_router.supervision.health_checker import limits_of
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager
from srt_router.system_checks import warn_about_system

log = logging.getLogger("SrtRouter")


def serve(settings: Settings, *, demo_if_empty: bool = False) -> None:
    """Run the server until SIGTERM or SIGINT.

    Raises UnsafeDirectory, AlreadyRunning, PortTaken before anything was touched.
    """
    house = open_house(settings)
    listener = bind(settings.host, settings.port)
    os.chdir("/")  # neither we nor our children keep a file system busy
    raise_priority()
    gc.freeze()  # what is loaded now stays: no collection needs to walk through it while streams are on air
    with logging_to(settings.logs):
        try:
            asyncio.run(_serve(settings, house, listener, demo_if_empty=demo_if_empty))
        except BaseException:
            log.critical("The server has crashed; every process it knew has been ended", exc_info=True)
            raise


async def _serve(settings: Settings, house: House, listener: socket.socket, *, demo_if_empty: bool) -> None:
    stop = _stop_on_signals()
    async with asyncio.TaskGroup() as tasks:
        spawner = Spawner(house.instance, house.run_dir, house.pid_files)
        tag = Tag(house.instance.id, house.instance.data_dir, process="probe", nonce=new_nonce())
        engine_probe.carry(tag.environment())
        manager = RouteManager(spawner, await engine_probe.probe(), tasks, limits_of(settings))
        history = await keep_history(manager.events, settings.data_dir, tasks)
        try:
            await warn_about_system(settings.run_dir)
            rules = Rules(settings.cleanup_scope, house.instance.first_start)
            await manager.cleanup(house.pid_manager, rules)
            crashpoint("after_cleanup")
            encoders = tasks.create_task(engine_probe.working_encoders(), name="hardware encoders")
            manager.hardware_from(encoders)  # what it tries carries our tag: not before the cleanup
            keep_instance(house.data_dir, house.instance)
            clear(house.run_dir)
            write_server_file(house.run_dir, url(listener))
            routes_file = RoutesFile(settings.data_dir)
            await manager.apply(await asyncio.to_thread(routes_file.load), first=True)
            if demo_if_empty:
                await demo.add_demo_route(manager, routes_file)
            app = create_app(manager, Housekeeping(manager, house.pid_manager, rules), history.events)
            manager.events.emit(ServerStarted(__version__, len(manager.configured())))
            api = tasks.create_task(serve_api(app, listener, stop), name="api")
            watch = tasks.create_task(_follow(manager, routes_file, stop), name="routes.json")
            if not stop.is_set():
                await manager.auto_start()
            demo.tell_how_to_watch(manager)
            await stop.wait()
            log.info("Stopping: taking every route off air")
            manager.events.emit(ServerStopping())
            await asyncio.gather(manager.stop_all(), api, watch)
        finally:
            remove_server_file(house.run_dir)
            await manager.end_everything()
            await history.close()
    log.info("Stopped")


def _stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM, SIGINT and SIGHUP set; nohup's wish to live on without a terminal is respected."""
    stop = asyncio.Event()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever starts us may ignore it, and then no end has a status
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signum is not signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    return stop


async def _follow(manager: RouteManager, routes_file: RoutesFile, stop: asyncio.Event) -> None:
    """Take hand edits of routes.json over while running."""
    async for parsed in routes_file.changes(stop):
        await manager.apply(parsed)
