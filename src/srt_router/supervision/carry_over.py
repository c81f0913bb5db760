"""What outlives the server in RUN_DIR, so that the next one takes streams over as they are.

The process table says what lives, and its tags say for what. What it cannot say is kept in one file: what
operators asked for, and how each process has fared. It is written whole and renamed, when something in it
has changed and at most once a second; an operator's order is written before it is acknowledged. RUN_DIR is
in memory: after a restart of the machine nothing lives, and nothing is carried over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, ValidationError

from srt_router.monitoring.connections import Connection
from srt_router.processes.directories import SafeDirectory
from srt_router.routes.document import assemble, parse, render_route
from srt_router.routes.model import Route
from srt_router.supervision.carried_numbers import NUMBERS_FILE, CarriedNumbers
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.restart import Outcome

log = logging.getLogger("RouteManager")

STATE_FILE = "carry-over.state"
ROUTES_FILE = "routes-on-air.state"
_VERSION = 1
_MAX_BYTES = 16 * 1024 * 1024


class CarriedProcess(BaseModel):
    """How one process has fared. Its connection counts only for the very process: its nonce is in its tag."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    nonce: str = ""
    """Empty: it did not live, and waited for its next start."""
    pid: int | None = None
    log_at: int = 0
    """Its log has been read up to here."""
    connection: Connection = Connection.UNKNOWN
    since_ms: int | None = None
    peer: str | None = None
    peer_latency_ms: int | None = None
    peer_version: str | None = None
    connects: int = 0
    rejection: str | None = None
    connected_this_life: bool = False
    restarts: int = 0
    pause_s: float = 0.0
    """The last pause before a restart."""
    failures: tuple[float, ...] = ()
    """When it failed (monotonic seconds: they count from the boot of the machine)."""
    outcome: Outcome | None = None
    """What its last end meant."""
    attempts: int = 0
    """Restarts that the health checker has spent."""
    given_up_at: float | None = None
    """When it gave up (monotonic seconds)."""
    exit_code: int | None = None
    """How its last life ended."""
    exit_signal: int | None = None
    exit_ms: int | None = None
    exit_asked: bool = False


class Carried(BaseModel):
    """Everything that is carried over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = _VERSION
    wanted: dict[str, bool] = {}
    """By route: it is to be on air. A route that is not in here starts if its `autoStart` says so."""
    started_ms: dict[str, int] = {}
    """By route: when it was put on air."""
    processes: dict[str, CarriedProcess] = {}
    """By name: `{route_id}_{process_type}`."""


@dataclass(slots=True)
class CarryOver:
    """Writes the file while the server lives."""

    run_dir: SafeDirectory
    gather: Callable[[], Carried]
    """What is to be kept now."""
    sign: Callable[[], object]
    """Equal as long as that is the same: much cheaper, and asked once a second."""
    _signed: object = None
    _written: str | None = None
    _said: bool = False
    _texts: dict[int, tuple[Route, str]] = field(default_factory=dict)
    """The routes that were written last, by identity: with hundreds of them an edit makes the text of one."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def save(self) -> None:
        """Write what has changed; returns when it is there. A disk that refuses is said once."""
        async with self._lock:
            sign = self.sign()
            if self._written is not None and sign == self._signed:
                return
            text = self.gather().model_dump_json(exclude_defaults=True)
            if text == self._written or await self._write(STATE_FILE, text):
                self._signed, self._written = sign, text

    async def save_numbers(self, numbers: CarriedNumbers) -> None:
        """Keep what was counted."""
        async with self._lock:
            text = await asyncio.to_thread(numbers.model_dump_json, exclude_defaults=True)
            await self._write(NUMBERS_FILE, text)

    async def save_routes(self, routes: Iterable[Route]) -> None:
        """Keep the routes as they are in effect: routes.json may be broken when the next server reads it."""
        async with self._lock:
            texts = {id(route): self._texts.get(id(route)) or (route, render_route(route)) for route in routes}
            self._texts = texts
            await self._write(ROUTES_FILE, assemble(text for _, text in texts.values()))

    async def _write(self, name: str, text: str) -> bool:
        try:
            await asyncio.to_thread(replace_state, self.run_dir.fd, name, text)
        except OSError as error:
            if not self._said:
                self._said = True
                log.warning("Cannot keep what the next server needs to take over (%s): %s", name, error.strerror)
            return False
        self._said = False
        return True


def read_carried(run_dir: SafeDirectory) -> Carried:
    """What an earlier server left; nothing where it is missing, cut or garbled."""
    text = read_state(run_dir, STATE_FILE)
    if text is None:
        return Carried()
    try:
        found = Carried.model_validate_json(text)
    except ValidationError:
        log.warning("What the server before kept in RUN_DIR cannot be read: connections are read from the logs anew")
        return Carried()
    return found if found.version == _VERSION else Carried()


def read_numbers(run_dir: SafeDirectory) -> CarriedNumbers:
    """What an earlier server has counted; nothing where that is missing, cut or garbled."""
    text = read_state(run_dir, NUMBERS_FILE)
    if text is None:
        return CarriedNumbers()
    try:
        found = CarriedNumbers.model_validate_json(text)
    except ValidationError:
        log.warning("What the server before has counted cannot be read: counters begin anew")
        return CarriedNumbers()
    return found if found.version == _VERSION else CarriedNumbers()


def forget_carried(run_dir: SafeDirectory) -> None:
    """Nothing of an earlier server counts: its processes have been ended."""
    for name in (STATE_FILE, ROUTES_FILE, NUMBERS_FILE):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(name, dir_fd=run_dir.fd)


def read_routes_on_air(run_dir: SafeDirectory) -> tuple[Route, ...]:
    """The routes as they were in effect."""
    text = read_state(run_dir, ROUTES_FILE)
    return () if text is None else parse(text).routes


def carried_process(record: ProcessRecord, log_at: int) -> CarriedProcess:
    """What is kept of a process that lives, or waits for its next start."""
    connection, child, last = record.connection, record.child, record.last_exit
    restarts = record.state.restarts
    return CarriedProcess.model_construct(
        nonce=child.nonce if child else "",
        pid=child.pid if child else None,
        log_at=log_at if child else 0,
        connection=connection.connection,
        since_ms=connection.since_ms,
        peer=connection.peer,
        peer_latency_ms=connection.peer_latency_ms,
        peer_version=connection.peer_version,
        connects=connection.connects,
        rejection=record.rejection,
        connected_this_life=record.connected_this_life,
        restarts=restarts.total,
        pause_s=restarts.pause_s,
        failures=restarts.failures,
        outcome=record.state.last_outcome,
        attempts=record.watch.attempts,
        given_up_at=record.watch.given_up_at,
        exit_code=last.code if last else None,
        exit_signal=last.signal if last else None,
        exit_ms=record.last_exit_ms,
        exit_asked=record.last_exit_asked,
    )


def sign_of(record: ProcessRecord, log_at: int) -> tuple[object, ...]:
    """All that `carried_process` reads, none of which changes in itself: its parts are replaced."""
    return (
        record.spec.name,
        record.child,
        log_at,
        record.connection,
        record.rejection,
        record.connected_this_life,
        record.state,
        record.watch.attempts,
        record.watch.given_up_at,
        record.last_exit,
        record.last_exit_ms,
        record.last_exit_asked,
    )


def replace_state(dir_fd: int, name: str, text: str) -> None:
    """Put a file there, whole or not at all. Raises OSError."""
    temp = f".{name}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp, dir_fd=dir_fd)
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(temp, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def read_state(run_dir: SafeDirectory, name: str) -> str | None:
    """The text of a file in RUN_DIR; None where there is none that can be read, or it is too large to be ours."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=run_dir.fd)
    except OSError:
        return None
    try:
        with os.fdopen(fd, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError:
        return None
    return content.decode("utf-8", "replace") if len(content) <= _MAX_BYTES else None
