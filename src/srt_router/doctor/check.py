"""One check and its result. A check reads; what may be mended without risk is mended only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from srt_router.processes.states import Listed
from srt_router.routes.document import Parsed
from srt_router.routes.store import RoutesFile
from srt_router.settings import Settings
from srt_router.supervision.installation import Installation, look_at


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    WARN = "warn"
    """It works, and may not for long, or not for everybody."""
    FAIL = "fail"
    """Something does not work until this is mended."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    name: str
    state: State
    message: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""
    fixed: str = ""
    """What `--fix` has done."""
    fix: Callable[[], str] | None = field(default=None, compare=False, repr=False)
    """Mends it without risk; answers what it did. Raises OSError."""


@dataclass
class Subject:
    """The installation that is looked at; what several checks need is read once."""

    settings: Settings

    @cached_property
    def installation(self) -> Installation:
        """Processes, PID files and the server."""
        return look_at(self.settings)

    @cached_property
    def listed(self) -> list[Listed]:
        """Every media process and PID file."""
        return self.installation.list_processes()

    @cached_property
    def parsed(self) -> Parsed:
        """What routes.json says. Raises OSError."""
        return RoutesFile(self.settings.data_dir).load()

    def folders(self) -> dict[str, Path]:
        """The folders of the installation by setting."""
        settings = self.settings
        return {
            "DATA_DIR": settings.data_dir,
            "PID_DIR": settings.pid_dir,
            "RUN_DIR": settings.run_dir,
            "LOG_DIR": settings.logs,
        }


Checker = Callable[[Subject], Iterable[Check]]


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name, State.OK, message)


def warn(name: str, message: str, remedy: str = "", fix: Callable[[], str] | None = None) -> Check:
    """Something to look at."""
    return Check(name, State.WARN, message, remedy, fix=fix)


def fail(name: str, message: str, remedy: str = "", fix: Callable[[], str] | None = None) -> Check:
    """Something that must be mended."""
    return Check(name, State.FAIL, message, remedy, fix=fix)
