"""The server, on one screen: open, clean up or take over, start, wait, stop. Owns the only TaskGroup."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import socket
import time
from dataclasses import dataclass, replace

from srt_router import __version__, demo, engine_probe, replacing, signals
from srt_router.api.listening import bind, url
from srt_router.api.tls import certificate
from srt_router.engine_memory import EngineMemory
from srt_router.house import House, move_in, open_house
from srt_router.keeping import Keeping, keep
from srt_router.log_setup import logging_to
from srt_router.processes import successor
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.limits import few_descriptors, share_one_heap
from srt_router.processes.ownership import Rules
from srt_router.processes.priority import raise_priority
from srt_router.processes.server_file import ServerFile, read_server_file, remove_server_file
from srt_router.processes.spawner import Spawner
from srt_router.processes.tag import OF_NO_ROUTE, Tag, new_nonce
from srt_router.routes.document import Parsed
from srt_router.routes.engine import Engine
from srt_router.routes.store import RoutesFile
from srt_router.settings import OnStart, Settings
from srt_router.signals import Ending, Stop
from srt_router.supervision.backups import Backups
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.events import ServerStarted, ServerStopping
from srt_router.supervision.health_checker import limits_of
from srt_router.supervision.housekeeping import Housekeeping
from srt_router.supervision.manager import RouteManager
from srt_router.system_checks import warn_about_system
from srt_router.upgrading import Life, follow_upgrades

log = logging.getLogger("SrtRouter")

_STARTING_S = 5
"""Seconds at most for which the API waits for routes to be started: a name that nobody resolves may take longer."""


def serve(settings: Settings, *, demo_if_empty: bool = False) -> None:
    """Run the server until it is told to stop; replaced by another program of itself, it goes on in this process.

    Raises SettingsError, UnsafeDirectory, AlreadyRunning, PortTaken before anything was touched.
    """
    on_trial = replacing.on_trial()
    if on_trial or few_descriptors():
        _load_web()
    if on_trial:
        replacing.try_out(settings)
        return
    share_one_heap()
    itself, handed = successor.Self.now(), successor.taken_over()
    certificate(settings)  # before anything is touched
    house = open_house(settings, handed)
    listener = socket.socket(fileno=handed.listener) if handed else bind(settings.host, settings.port)
    os.chdir("/")  # neither we nor our children keep a file system busy
    raise_priority(handed.priority if handed else None)
    life = Life(settings, house, itself, listener, handed, demo_if_empty=demo_if_empty)
    while _live(life) is Ending.REPLACE:
        life.go_on()


def _live(life: Life) -> Ending:
    """One life of the server, from its start to its end."""
    signals.hold()  # until somebody obeys them: none of the threads that are started before does
    with logging_to(life.settings.logs, life.settings.log):
        try:
            stop = asyncio.run(_serve(life))
        except BaseException:
            adopt = life.settings.on_start is OnStart.ADOPT
            fate = "its routes stay on air for the next one" if adopt else "every process it knew has been ended"
            log.critical("The server has crashed; %s", fate, exc_info=True)
            raise
        stop.pass_on()
        return stop.ending


async def _serve(life: Life) -> Stop:
    stop, settings, house = signals.listen(), life.settings, life.house
    async with asyncio.TaskGroup() as tasks:
        spawner = Spawner(house.instance, house.run_dir, house.pid_files)
        memory = await asyncio.to_thread(EngineMemory, house.run_dir)
        manager = RouteManager(spawner, await _engine(house, memory, stop), tasks, limits_of(settings))
        kept = await keep(manager, settings, tasks)
        rise = _Rise(life, stop, tasks, manager, kept, RoutesFile(settings.data_dir))
        try:
            await warn_about_system(settings.run_dir)
            rules = await rise.settle(memory)
            if stop.is_set():
                await rise.end()
            else:
                await rise.stay(rules)
        finally:
            if not stop.hands_on():
                remove_server_file(house.run_dir)
            if not stop.stays_on_air and settings.on_start is not OnStart.ADOPT:
                await manager.end_everything()
            await kept.close()
    log.info("Stopped")
    if stop.hands_on():
        signals.hold()  # what comes from now on is for the program that follows
    return stop


async def _engine(house: House, memory: EngineMemory, stop: Stop) -> Engine:
    """What the installed programs can do; the processes that find it out carry our tag too."""
    tag = Tag(house.instance.id, house.instance.data_dir, process=OF_NO_ROUTE, nonce=new_nonce())
    engine_probe.carry(tag.environment())
    return await stop.unless(engine_probe.probe(memory)) or engine_probe.unknown()


@dataclass(frozen=True, slots=True)
class _Rise:
    """One life of the server, step by step."""

    life: Life
    stop: Stop
    tasks: asyncio.TaskGroup
    manager: RouteManager
    kept: Keeping
    routes_file: RoutesFile

    async def settle(self, memory: EngineMemory) -> Rules:
        """Take routes.json over, and end or adopt what an earlier server has left. The answer is what may be killed.

        Told to end before anything was adopted, the server adopts nothing: off air means that all of it ends here.
        """
        house, manager, stop = self.life.house, self.manager, self.stop
        rules = Rules(self.life.settings.cleanup_scope, house.instance.first_start)
        adopt = self.life.settings.on_start is OnStart.ADOPT or self.life.goes_on
        if adopt:
            # What is tried carries our tag: it has to be over before the cleanup.
            await stop.unless(self._try_hardware(memory))
            if not stop.is_set():
                parsed = await manager.handover.look(await self._read_routes(), house.pid_manager)
                crashpoint("after_survivors")
                await manager.apply(parsed, first=True)
                crashpoint("after_adoption")
        if stop.is_set() and stop.stays_on_air:
            return rules
        await manager.cleanup(house.pid_manager, rules)
        crashpoint("after_cleanup")
        if not adopt:
            await manager.handover.forget()
        if not adopt and not stop.is_set():
            self._try_hardware(memory)
            await manager.apply(await self._read_routes(), first=True)
        return rules

    def _try_hardware(self, memory: EngineMemory) -> asyncio.Task[frozenset[str]]:
        trial = engine_probe.hardware(memory, self.manager.engine)
        self.manager.hardware_from(task := self.tasks.create_task(trial, name="hardware encoders"))
        return task

    async def _read_routes(self) -> Parsed:
        return await asyncio.to_thread(self.routes_file.load)

    async def stay(self, rules: Rules) -> None:
        """Be on air, and answer, until told to stop."""
        life, stop, manager, kept, tasks = self.life, self.stop, self.manager, self.kept, self.tasks
        self._move_in()
        if life.demo_if_empty and not life.goes_on:
            await demo.add_demo_route(manager, self.routes_file)
        editor = RouteEditor(manager, self.routes_file, life.house.instance.id, kept.presets)
        housekeeping = Housekeeping(manager, life.house.pid_manager, rules)
        manager.events.emit(ServerStarted(__version__, len(manager.configured()), life.replaced))
        backups, started, answers = kept.back_up(editor, tasks), asyncio.Event(), asyncio.Event()
        api = tasks.create_task(self._answer(editor, housekeeping, backups, started, answers), name="api")
        watch = tasks.create_task(editor.follow(stop), name="routes.json")
        if few_descriptors():  # the API takes its own before many routes use them up
            started.set()
            await stop.unless(answers.wait())
        if not stop.is_set():
            manager.handover.complete()
            with manager.starting_only():
                await manager.auto_start()
                manager.handover.begin()
                with contextlib.suppress(TimeoutError):
                    await stop.unless(asyncio.wait_for(manager.started(), _STARTING_S))
            kept.alarms.watch(housekeeping)
        started.set()
        await stop.unless(answers.wait())
        upgrades = tasks.create_task(follow_upgrades(life, stop, manager), name="upgrades")
        demo.tell_how_to_watch(manager)
        await stop.wait()
        upgrades.cancel()
        await self.end(api, watch)

    async def _answer(
        self,
        editor: RouteEditor,
        housekeeping: Housekeeping,
        backups: Backups,
        started: asyncio.Event,
        answers: asyncio.Event,
    ) -> None:
        """The API. What it is made of is loaded once routes are on air, since that takes longest.

        Not in a thread: one that loads keeps the interpreter from the loop for 5 ms at a time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTING_S):
                await started.wait()
        if self.stop.is_set():
            return  # there is nobody to be answered any more
        _load_web()
        from srt_router.api.app import Rooms, create_app
        from srt_router.api.network import Network
        from srt_router.api.server import serve_api

        network = Network.of(self.life.settings, self.life.house.instance.id)
        rooms = Rooms(
            manager=self.manager,
            housekeeping=housekeeping,
            events=self.kept.history.events,
            editor=editor,
            settings=self.life.settings,
            accounts=self.kept.accounts.accounts,
            network=network,
            alarms=self.kept.alarms.alarms,
            backups=backups,
        )
        app = create_app(rooms)
        gc.freeze()  # what is loaded now stays: no collection needs to walk through it while streams are on air
        gc.enable()
        answers.set()
        await serve_api(app, self.life.listener, self.stop, network.certificate, handed_on=self.stop.hands_on)

    def _move_in(self) -> None:
        """Say where we are. Commands that read it before the program was replaced stay signed in."""
        life, manager = self.life, self.manager
        tls = None not in (life.settings.tls_cert, life.settings.tls_key)
        before = read_server_file(life.house.run_dir.path) if life.goes_on else None
        token = self.kept.accounts.accounts.open_local(before.token if before else None)
        here = ServerFile(os.getpid(), url(life.listener, tls=tls), token, __version__, time.time_ns() // 1_000_000)
        if before and life.trouble:  # the program that went before goes on
            here = replace(here, started_at=before.started_at, refusals=before.refusals)
        move_in(life.house, here, manager.handover.names())
        if life.settings.stream_monitor:
            manager.streams.start(life.settings.thumbnail_share)

    async def end(self, *answering: asyncio.Task[None]) -> None:
        """Do what we were told, once everybody who asked has an answer."""
        manager, stop, kept, service = self.manager, self.stop, self.kept, self.life.service
        manager.events.emit(ServerStopping(stays_on_air=stop.stays_on_air))
        if stop.ending is Ending.OFF_AIR:
            log.info("Stopping: taking every route off air")
            service.stopping("taking every route off air")
            await asyncio.gather(kept.rest(), manager.stop_all(), *answering)
            return
        if stop.ending is Ending.REPLACE:
            log.info("Going on with the program as it is installed now: every route stays on air")
            await asyncio.gather(*answering)  # while everything that it asks for is still there
        else:
            log.info("Leaving: every route stays on air, for the next server")
            service.stopping("every route stays on air for the next server")
        await asyncio.gather(kept.rest(), manager.leave(), *answering)


def _load_web() -> None:
    importlib.import_module("pydantic.v1")  # FastAPI asks for it at the first route, when no descriptor may be left
    for name in ("app", "network", "server"):
        importlib.import_module(f"srt_router.api.{name}")
