"""What the machine and the server have: interfaces, free ports, engines, settings, and the doctor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, SecretStr, TypeAdapter
from pydantic.alias_generators import to_camel

from srt_router import __version__
from srt_router.api.bodies import json_answer
from srt_router.api.problems import Problem
from srt_router.doctor.check import Check, State
from srt_router.doctor.examination import examine_settings
from srt_router.processes.interfaces import Interface, interfaces
from srt_router.routes.copies import HIGHEST, LOWEST, free_ports, used_ports
from srt_router.settings import Settings
from srt_router.supervision.checks import PortTable
from srt_router.supervision.manager import RouteManager

_FIRST = {"srt": 6000, "udp": 5000}
"""Where the search for free ports begins."""


@dataclass(frozen=True, slots=True)
class InterfaceList:
    """The network interfaces of this machine."""

    items: list[Interface]


@dataclass(frozen=True, slots=True)
class FreePorts:
    """Ports that no route uses and nobody on this machine holds."""

    ports: list[int]


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting as it counts."""

    key: str
    value: str | int | float | bool | None
    """Null: not set, or secret."""
    secret: bool


@dataclass(frozen=True, slots=True)
class SettingList:
    """Every setting."""

    items: list[SettingView]


@dataclass(frozen=True, slots=True)
class CheckView:
    """What one check of the doctor found."""

    name: str
    state: State
    message: str
    remedy: str
    fixed: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `srt-router doctor --json` prints."""

    items: list[CheckView]
    ok: int
    warn: int
    fail: int


@dataclass(frozen=True, slots=True)
class EngineView:
    """The programs that carry routes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    version: str
    srt_version: str
    ffmpeg_version: str | None
    clock: bool
    encoders: list[str] | None


_INTERFACES = TypeAdapter(InterfaceList)
_PORTS = TypeAdapter(FreePorts)
_SETTINGS = TypeAdapter(SettingList)
_DIAGNOSIS = TypeAdapter(Diagnosis)
_ENGINE = TypeAdapter(EngineView)


def host_api(manager: RouteManager, settings: Settings) -> APIRouter:
    """The paths that look at the machine."""
    api = APIRouter(prefix="/api", tags=["host"])
    doctor = Doctor(settings)

    @api.get("/interfaces", response_model=InterfaceList, summary="Network interfaces and their addresses")
    async def list_interfaces() -> Response:
        """What `adapter` and `interface` of an end can be."""
        return json_answer(_INTERFACES, InterfaceList(await asyncio.to_thread(interfaces)))

    @api.get(
        "/ports/free",
        response_model=FreePorts,
        responses={409: {"model": Problem, "description": "No port is left"}},
        summary="Ports for a new listener or destination",
    )
    async def list_free_ports(
        protocol: Annotated[Literal["srt", "udp"], Query()] = "srt",
        count: Annotated[int, Query(ge=1, le=1000)] = 1,
        first: Annotated[int | None, Query(ge=LOWEST, le=HIGHEST, description="Begin here")] = None,
    ) -> Response:
        """Suggestions: nothing is reserved. Not used by any route, on air or not, nor by anybody on this machine."""
        table = await asyncio.to_thread(PortTable.look)
        taken = {*table.by_port, *used_ports(manager.configured())}
        return json_answer(_PORTS, FreePorts(free_ports(count, first or _FIRST[protocol], taken)))

    @api.get("/engine", response_model=EngineView, summary="Versions, and which hardware encoders work")
    async def read_engine() -> Response:
        engine = manager.engine
        encoders = manager.encoders
        found = EngineView(
            version=__version__,
            srt_version=".".join(map(str, engine.srt_version)),
            ffmpeg_version=engine.ffmpeg_version,
            clock=engine.clock,
            encoders=None if encoders is None else sorted(encoders),
        )
        return json_answer(_ENGINE, found)

    @api.get("/settings", response_model=SettingList, summary="The settings that count")
    async def list_settings() -> Response:
        """Read-only: they come from the settings file and the environment, at the start of the server."""
        return json_answer(_SETTINGS, SettingList(settings_of(settings)))

    @api.get("/doctor", response_model=Diagnosis, summary="What is wrong with this machine or this installation")
    async def examine() -> Response:
        """The same as `srt-router doctor --json`. A second request while one runs gets the answer of the first."""
        return json_answer(_DIAGNOSIS, await doctor.diagnosis())

    return api


class Doctor:
    """Examines in a thread, once for all who ask at the same time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: asyncio.Task[Diagnosis] | None = None

    async def diagnosis(self) -> Diagnosis:
        """What every check found."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(self._examine), name="doctor")
        return await asyncio.shield(self._running)

    def _examine(self) -> Diagnosis:
        found = list(examine_settings(self._settings))
        counts = {state: sum(one.state is state for one in found) for state in State}
        return Diagnosis([_view(one) for one in found], counts[State.OK], counts[State.WARN], counts[State.FAIL])


def _view(one: Check) -> CheckView:
    return CheckView(one.name, one.state, one.message, one.remedy, one.fixed)


def settings_of(settings: Settings) -> list[SettingView]:
    """Every setting, without its value where that is secret."""
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        secret = SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
        found.append(SettingView(name.upper(), None if secret else _as_written(value), secret))
    return found


def _as_written(value: object) -> str | int | float | bool | None:
    """The value as one would write it into the settings file."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, bool | int | float | None) else str(value)
