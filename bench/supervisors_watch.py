"""Supervised processes as /proc shows them, the same way whoever supervises them."""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("srt-live-transmit", "sleep")
"""What supervised processes execute: the tool, or its stand-in."""
_PORT = re.compile(r"srt://[^:]*:(\d+)")
_PID_MAX = int(Path("/proc/sys/kernel/pid_max").read_text())
_RESERVED_PIDS = 300
"""After PID_MAX the kernel goes on above these."""


@dataclass(frozen=True)
class Media:
    """One supervised process."""

    pid: int
    parent: int
    port: int
    """Of the command's SRT end: each command has its own."""


def media() -> list[Media]:
    """Every live supervised process, and those that nobody supervises any more."""
    seen = ((pid, port_of(pid), parent_of(pid)) for pid in pids())
    return [Media(pid, parent, port) for pid, port, parent in seen if port is not None and parent is not None]


def pids() -> list[int]:
    """Every process of our namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - half the time of iterdir


def port_of(pid: int) -> int | None:
    """The port in the command line of a process that executes one of our programs; None for any other."""
    try:
        if Path(f"/proc/{pid}/exe").readlink().name not in PROGRAMS:
            return None
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except OSError:
        return None
    if words[0].endswith("sleep"):
        return int(words[-1]) if len(words) == 3 else None
    ports = _PORT.findall(" ".join(words[-2:]))
    return int(ports[-1]) if ports else None


def command_of(pid: int) -> list[str]:
    """The command line of a process."""
    return [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")]


def parent_of(pid: int) -> int | None:
    """The parent of a live process; None: it is dead."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else int(words[1])


def offspring(root: int) -> set[int]:
    """A process and every live process below it that is none of the supervised ones: the supervisor as a whole."""
    parents = {pid: parent_of(pid) for pid in pids()}
    found, fresh = {root}, {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found |= fresh
    return {pid for pid in found if port_of(pid) is None}


def bound(ports: Collection[int]) -> int:
    """How many of the UDP ports are bound."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return len({int(line.split()[1].partition(":")[2], 16) for line in lines} & set(ports))


def processor_s(those: Collection[int]) -> float:
    """Processor time that live processes have taken so far, in seconds."""
    ticks = 0
    for pid in those:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(those: Collection[int]) -> float:
    """What they hold in memory, shared pages counted once in all (PSS)."""
    kilobytes = 0
    for pid in those:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1000


class Deaths:
    """Waits until processes are dead, through handles taken while they lived."""

    def __init__(self, pids: Collection[int]) -> None:
        self._poll = select.epoll()
        self._left: set[int] = set()
        for pid in pids:
            handle = os.pidfd_open(pid)
            self._poll.register(handle, select.EPOLLIN)
            self._left.add(handle)

    def wait(self, timeout_s: float) -> int:
        """How many of them live after so many seconds at most."""
        deadline = time.monotonic() + timeout_s
        while self._left and (rest := deadline - time.monotonic()) > 0:
            for handle, _ in self._poll.poll(rest):
                self._poll.unregister(handle)
                self._left.discard(handle)
                os.close(handle)
        return len(self._left)

    def close(self) -> None:
        """Give the handles back."""
        for handle in self._left:
            os.close(handle)
        self._poll.close()


def replacements(kills: int, patience_s: float, whole_s: float) -> list[float]:
    """SIGKILL one process after the other; milliseconds until its successor runs its program.

    One that does not come within `patience_s` is an error; after `whole_s` no more are killed. Who looks stands in
    front of whom he looks at, or he would measure his own wait for a processor.
    """
    took: list[float] = []
    everyone = media()
    until = time.monotonic() + whole_s
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        for victim in random.sample(everyone, min(kills, len(everyone))):
            newcomers = Newcomers()
            began = time.perf_counter()
            os.kill(victim.pid, signal.SIGKILL)
            while not newcomers.has(victim.port):
                time.sleep(0.0002)
                if time.perf_counter() - began > patience_s:
                    raise AssertionError(f"port {victim.port} was not replaced within {patience_s:g} s")
            took.append((time.perf_counter() - began) * 1000)
            if time.monotonic() > until:
                break
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    return took


@dataclass
class Newcomers:
    """Processes that began since this was made: their numbers are given one after the other."""

    _last: int = field(default_factory=lambda: last_pid())
    _young: set[int] = field(default_factory=set)

    def has(self, port: int) -> bool:
        """Whether one of them runs the command of this port."""
        now = last_pid()
        if now < self._last:
            self._young.update(range(self._last + 1, _PID_MAX))
            self._last = _RESERVED_PIDS - 1
        self._young.update(range(self._last + 1, now + 1))
        self._last = now
        for pid in list(self._young):
            if port_of(pid) == port:
                return True
            if not Path(f"/proc/{pid}").exists():
                self._young.discard(pid)
        return False


def last_pid() -> int:
    """The number that was given last in our namespace."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


@dataclass(frozen=True)
class Aftermath:
    """What was seen in the time after a supervisor's restart."""

    old: int
    """Processes of before that live on and are not under the new supervisor."""
    kept: int
    """Processes of before that are under it."""
    doubled_at_most: int
    doubled: int
    """Commands that run twice: at most at any one look, and at the end."""
    served: int
    """Commands with a process that is under the new supervisor and has stayed for a second."""
    whole_after_s: float | None
    """When the last of them began to stay; None: not all commands have one."""


def aftermath(
    before: Collection[int], ports: Collection[int], under: Callable[[], set[int]], for_s: float
) -> Aftermath:
    """Look again and again; `under` says which processes the new supervisor has under it."""
    since: dict[int, float] = {}
    doubled_at_most = 0
    began = time.monotonic()
    while True:
        now = time.monotonic() - began
        seen, theirs = media(), under()
        since = {each.pid: since.get(each.pid, now) for each in seen if each.pid in theirs}
        doubled = len(seen) - len({each.port for each in seen})
        doubled_at_most = max(doubled_at_most, doubled)
        stays = {each.port: since[each.pid] for each in seen if each.pid in since and now - since[each.pid] >= 1}
        whole = len(stays) == len(ports) == len(seen)
        twice = len(stays) == len(ports) == doubled  # nothing will end the second ones
        if now >= for_s or whole or twice:
            break
        time.sleep(0.1)
    return Aftermath(
        old=sum(each.pid in before and each.pid not in theirs for each in seen),
        kept=sum(each.pid in before and each.pid in theirs for each in seen),
        doubled_at_most=doubled_at_most,
        doubled=doubled,
        served=len(stays),
        whole_after_s=max(stays.values()) if whole else None,
    )
