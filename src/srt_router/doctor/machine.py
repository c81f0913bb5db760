"""The machine: its clock, its memory, its limits, and whether systemd looks after the server."""

from __future__ import annotations

import ctypes
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srt_router.doctor.check import Check, Subject, fail, ok, warn

_BUILT_YEAR, _FAR_YEAR = 2025, 2100
_STA_UNSYNC = 0x40
_TIME_ERROR = 5
_MB = 1_000_000
_MEMORY_FAIL, _MEMORY_WARN = 64 * _MB, 256 * _MB
_SWAP_LEFT = 0.2
_FILES_BASE, _FILES_PER_PROCESS = 128, 4
"""Open files of the server: by itself, and for each process (pidfd, statistics, log, room)."""
_THREADS_BASE, _THREADS_PER_PROCESS = 64, 6
"""srt-live-transmit has four threads, ffmpeg some more."""
_UNIT = "srt-router.service"
_SYSTEMD = Path("/run/systemd/system")
_PATIENCE_S = 5


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2); the kernel knows more fields than are read here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock() -> list[Check]:
    """Is the time plausible, and kept right by something?"""
    return judge_clock(time.gmtime().tm_year, synchronised())


def judge_clock(year: int, synchronised: bool | None) -> list[Check]:
    """The result for these readings."""
    name, remedy = "clock", "apt install systemd-timesyncd (or chrony)"
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if not _BUILT_YEAR <= year < _FAR_YEAR:
        return [fail(name, f"the year is {year}: events get wrong times", f"set the clock; {remedy}")]
    if synchronised is None:
        return [ok(name, f"{now}; whether it is synchronised cannot be seen here")]
    if not synchronised:
        return [warn(name, f"{now}, synchronised by nothing: times of several boxes will differ", remedy)]
    return [ok(name, f"{now}, synchronised")]


def synchronised() -> bool | None:
    """What the kernel says of its clock; None where it does not tell."""
    state = _Timex()
    try:
        found = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return None
    if found < 0:
        return None
    return found != _TIME_ERROR and not state.status & _STA_UNSYNC


def memory() -> list[Check]:
    """Free memory and swap."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return judge_memory({words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1})


def judge_memory(found: Mapping[str, int]) -> list[Check]:
    """The result for these readings, in bytes."""
    free, total = found.get("MemAvailable", 0), found.get("MemTotal", 0)
    message = f"{free // _MB} of {total // _MB} MB available"
    if free < _MEMORY_FAIL:
        checks = [fail("memory", f"only {message}: the kernel is about to kill processes", "end what needs it")]
    elif free < _MEMORY_WARN:
        checks = [warn("memory", f"only {message}", "end what needs it, or add memory")]
    else:
        checks = [ok("memory", message)]
    swap, swap_free = found.get("SwapTotal", 0), found.get("SwapFree", 0)
    if swap and swap_free < swap * _SWAP_LEFT:
        message = f"{(swap - swap_free) // _MB} of {swap // _MB} MB used: what is swapped out sends late"
        return [*checks, warn("swap", message, "add memory")]
    return [*checks, ok("swap", f"{swap_free // _MB} of {swap // _MB} MB free" if swap else "none")]


@dataclass(frozen=True, slots=True)
class Limits:
    """What this user may have; None: without limit."""

    files: int | None
    processes: int | None
    control_group: int | None


def limits(subject: Subject) -> Iterator[Check]:
    """Open files and processes, against what the configured routes need."""
    count = sum(2 + len(route.destinations) for route in subject.parsed.routes)
    yield from judge_limits(read_limits(), count)


def read_limits() -> Limits:
    """The limits of this process, which a server started from here would have too."""
    return Limits(
        files=_soft(resource.RLIMIT_NOFILE), processes=_soft(resource.RLIMIT_NPROC), control_group=_control_group()
    )


def judge_limits(found: Limits, processes: int) -> Iterator[Check]:
    """The results for so many processes of routes."""
    files = _FILES_BASE + _FILES_PER_PROCESS * processes
    threads = _THREADS_BASE + _THREADS_PER_PROCESS * processes
    for name, limit, needed, remedy in (
        ("open files", found.files, files, "ulimit -n 65536, or LimitNOFILE= in the unit"),
        ("processes of this user", found.processes, threads, "ulimit -u unlimited, or LimitNPROC= in the unit"),
        ("processes of this control group", found.control_group, threads, "TasksMax=infinity in the unit"),
    ):
        if limit is None:
            yield ok(name, "no limit")
        elif limit < needed:
            yield fail(name, f"the limit is {limit}, the configured routes need {needed}", remedy)
        elif limit < 2 * needed:
            yield warn(name, f"the limit is {limit}, the configured routes need {needed} of it", remedy)
        else:
            yield ok(name, f"the limit is {limit}, the configured routes need {needed}")


def _soft(kind: int) -> int | None:
    found = resource.getrlimit(kind)[0]
    return None if found == resource.RLIM_INFINITY else found


def _control_group() -> int | None:
    """pids.max of our control group (version 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        group = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
        return int((Path("/sys/fs/cgroup") / group.lstrip("/") / "pids.max").read_text())
    except (OSError, StopIteration, ValueError):
        return None


def systemd() -> list[Check]:
    """The unit, where systemd runs this machine and there is one."""
    name = "systemd"
    systemctl = shutil.which("systemctl")
    if not _SYSTEMD.is_dir() or systemctl is None:
        return [ok(name, "not used on this machine")]
    show = [systemctl, "show", _UNIT, "--property=LoadState,ActiveState,SubState,NRestarts,Result"]
    try:
        found = subprocess.run(show, capture_output=True, text=True, timeout=_PATIENCE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return [warn(name, f"does not answer: {error}", "systemctl status")]
    return judge_unit(found.splitlines())


def judge_unit(lines: Sequence[str]) -> list[Check]:
    """The result for what `systemctl show` says."""
    name = "systemd"
    unit = dict(line.split("=", 1) for line in lines if "=" in line)
    if unit.get("LoadState") != "loaded":
        return [ok(name, f"there is no {_UNIT}")]
    state, restarts = unit.get("ActiveState", "?"), unit.get("NRestarts", "0")
    look = f"journalctl -u {_UNIT} -n 50"
    if state == "failed":
        message = f"{_UNIT} has failed ({unit.get('Result', '?')})"
        return [fail(name, message, f"{look}; then systemctl restart {_UNIT}")]
    if state != "active":
        return [warn(name, f"{_UNIT} is {state}", f"systemctl enable --now {_UNIT}")]
    if restarts not in ("", "0"):
        return [warn(name, f"{_UNIT} is active, after {restarts} restart(s) by itself", look)]
    return [ok(name, f"{_UNIT} is active")]
