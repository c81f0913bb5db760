"""All checks in their order. A check that crashes fails by itself and holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from srt_router.doctor import configuration, folders, kernel, machine, programs, running
from srt_router.doctor.check import Check, Checker, Subject, fail, ok
from srt_router.errors import SettingsError
from srt_router.settings import Settings, load_settings

WITHOUT_SETTINGS: dict[str, Callable[[], Sequence[Check]]] = {
    "Python": programs.python,
    "srt-live-transmit": programs.srt_live_transmit,
    "ffmpeg": programs.ffmpeg,
    "ffprobe": programs.ffprobe,
    "receive buffers": kernel.receive_buffers,
    "loopback multicast": kernel.loopback_multicast,
    "clock": machine.clock,
    "memory": machine.memory,
    "systemd": machine.systemd,
}
"""Checks of the machine alone."""

WITH_SETTINGS: dict[str, Checker] = {
    "folders": folders.folders,
    "disk": folders.disk,
    "user": folders.user,
    "routes.json": configuration.routes_file,
    "engine": configuration.engine,
    "ports": configuration.ports,
    "limits": machine.limits,
    "server": running.server,
    "HOST and PORT": running.address,
    "orphans": running.orphans,
    "PID files": running.pid_files,
    "stuck processes": running.stuck,
}
"""Checks of one installation."""


def examine(config: Path | None, environment: Mapping[str, str], *, fix: bool = False) -> Iterator[Check]:
    """Carry out every check; with `fix`, mend what can be mended without risk and look again."""
    for name, check in WITHOUT_SETTINGS.items():
        yield from carry_out(name, lambda check=check: check(), fix=fix)  # type: ignore[misc]
    try:
        settings = load_settings(config, environment)
    except SettingsError as error:
        yield fail("settings", str(error), "mend it; everything that depends on the settings was left out")
        return
    yield ok("settings", f"valid{f', from {config}' if config else ''}")
    yield from _of_installation(settings, fix=fix)


def examine_settings(settings: Settings) -> Iterator[Check]:
    """Carry out every check for settings that are in force already; mends nothing. Blocks for seconds."""
    for name, check in WITHOUT_SETTINGS.items():
        yield from carry_out(name, lambda check=check: check(), fix=False)  # type: ignore[misc]
    yield ok("settings", "valid, and in force")
    yield from _of_installation(settings, fix=False)


def _of_installation(settings: Settings, *, fix: bool) -> Iterator[Check]:
    for name, checker in WITH_SETTINGS.items():
        yield from carry_out(name, lambda checker=checker: checker(Subject(settings)), fix=fix)  # type: ignore[misc]


def carry_out(name: str, check: Callable[[], object], *, fix: bool) -> list[Check]:
    """One check, isolated from all others."""
    results = _results(name, check)
    if not fix or not any(one.fix for one in results):
        return results
    done = {one.name: _mend(one) for one in results if one.fix}
    return [replace(one, fixed=done.get(one.name, "")) for one in _results(name, check)]


def _results(name: str, check: Callable[[], object]) -> list[Check]:
    try:
        return list(check())  # type: ignore[call-overload,no-any-return]
    except Exception as error:  # noqa: BLE001 - the edge of a check: its own failure is its result
        return [fail(name, f"could not be looked at: {type(error).__name__}: {error}", "report this as a bug")]


def _mend(one: Check) -> str:
    assert one.fix is not None  # noqa: S101 - the caller looked
    try:
        return one.fix()
    except OSError as error:
        return f"could not be mended: {error.strerror or error}"
