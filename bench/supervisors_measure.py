"""One life of a supervisor: started, watched, its processes killed, it itself stopped or killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.supervisors import GRACE_S, Job, Supervisor
from bench.supervisors_watch import (
    Aftermath,
    Deaths,
    aftermath,
    bound,
    command_of,
    media,
    memory_mb,
    processor_s,
    replacements,
)
from tests.harness.wait import until

START_PATIENCE_S = 60
STOP_PATIENCE_S = 30
_LOST_S = 15
"""A successor that has not come by then never comes."""
_PROBED = 20
_PROBE_S = 5


@dataclass(frozen=True)
class Effort:
    """How much is done."""

    kills: int
    kills_s: float
    """No more are killed after so many seconds."""
    idle_s: float
    look_s: float
    """How long a supervisor that was started again is looked at."""


@dataclass
class After:
    """What became of everything after SIGKILL of a supervisor, and with its next start."""

    survived: int
    then: Aftermath
    probed: int = 0
    """Processes of before that still lived, and were now killed."""
    replaced: int = 0
    """Commands of those that run under the new supervisor some seconds later."""
    left: int | None = None
    """Processes that live after the order to stop everything; None: no such order."""


@dataclass
class Figures:
    """All that was found of one supervisor."""

    start_s: list[float] = field(default_factory=list)
    replaced_ms: list[float] = field(default_factory=list)
    stop_s: list[float] = field(default_factory=list)
    deaf_stop_s: list[float] = field(default_factory=list)
    cpu_percent: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    processes: int = 0
    """Of the supervisor itself."""
    after: After | None = None
    after_without_ports: After | None = None
    failed: list[str] = field(default_factory=list)
    """What it could not do, in its own words."""


@contextlib.contextmanager
def one(kind: type[Supervisor], count: int, commands: list[list[str]], programs: Path | None) -> Iterator[Supervisor]:
    """A supervisor in a folder of its own; nothing is left of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        supervisor = kind(Job(Path(folder), count, commands, programs))
        try:
            yield supervisor
        except AssertionError:
            print(supervisor.said(), file=sys.stderr, flush=True)
            raise
        finally:
            supervisor.close()


def start(supervisor: Supervisor) -> float:
    """Seconds from the order until every command runs and, unless it is a stand-in, has bound its port."""
    job = supervisor.job
    began = time.monotonic()
    supervisor.start()
    if job.programs:
        until(lambda: len(media()) >= job.count, START_PATIENCE_S, "all stand-ins to run")
    else:
        until(lambda: bound(job.ports) == job.count, START_PATIENCE_S, "all ports to be bound")
    took = time.monotonic() - began
    supervisor.settled()
    assert sorted(each.port for each in media()) == sorted(job.ports)
    return took


def stop(supervisor: Supervisor) -> float:
    """Seconds from the order until the last process is dead."""
    deaths = Deaths([each.pid for each in media()])
    began = time.monotonic()
    supervisor.stop()
    left = deaths.wait(STOP_PATIENCE_S)
    took = time.monotonic() - began
    deaths.close()
    assert not left, f"{left} processes live {STOP_PATIENCE_S} s after the order to stop"
    assert not media(), "stopped processes were started again"
    return took


def life(supervisor: Supervisor, effort: Effort, figures: Figures) -> list[list[str]]:
    """Start, idle, kill, stop. Returns the command lines that ran."""
    figures.start_s.append(start(supervisor))
    commands = [command_of(each.pid) for each in sorted(media(), key=lambda each: each.port)]
    time.sleep(2)  # services are started once a second at most by some: that is not what is measured
    parts = supervisor.everybody()
    figures.processes = len(parts)
    before, began = processor_s(parts), time.monotonic()
    time.sleep(effort.idle_s)
    figures.cpu_percent.append((processor_s(parts) - before) / (time.monotonic() - began) * 100)
    figures.memory_mb.append(memory_mb(parts))
    figures.replaced_ms += replacements(effort.kills, _LOST_S, effort.kills_s)
    until(lambda: sorted(each.port for each in media()) == sorted(supervisor.job.ports), 20, "all to run again")
    figures.stop_s.append(stop(supervisor))
    return commands


def crash(supervisor: Supervisor, effort: Effort, figures: Figures) -> After:
    """Start, SIGKILL the supervisor, start it again, and look at what it makes of what it finds."""
    took = start(supervisor)
    if not supervisor.job.programs:
        figures.start_s.append(took)
    time.sleep(2)
    before = {each.pid for each in media()}
    supervisor.crash()
    time.sleep(1)
    survivors = {each.pid for each in media()} & before
    supervisor.again()
    then = aftermath(before, supervisor.job.ports, supervisor.under, effort.look_s)
    if supervisor.job.programs:
        return After(len(survivors), then)
    probed, replaced = probe(supervisor, before)
    return After(len(survivors), then, probed, replaced, left_by_stop(supervisor))


def probe(supervisor: Supervisor, before: set[int]) -> tuple[int, int]:
    """Kill some that live since before the crash: how many, and how many of their commands it runs thereafter."""
    victims = [each for each in media() if each.pid in before][:_PROBED]
    for each in victims:
        os.kill(each.pid, signal.SIGKILL)
    ports = {each.port for each in victims}

    def replaced() -> int:
        under = supervisor.under()
        return len(ports & {each.port for each in media() if each.pid in under and each.pid not in before})

    deadline = time.monotonic() + _PROBE_S
    while replaced() < len(ports) and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(victims), replaced() if victims else 0


def left_by_stop(supervisor: Supervisor) -> int | None:
    """How many processes outlive the order to stop everything."""
    if not supervisor.stops:
        return None
    supervisor.stop()
    deadline = time.monotonic() + GRACE_S + 2
    while media() and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(media())


def tried(figures: Figures, supervisor_name: str, what: str) -> contextlib.AbstractContextManager[None]:
    """What fails is a finding about a peer, kept in its own words; the measurement goes on."""

    @contextlib.contextmanager
    def trying() -> Iterator[None]:
        print(f"{supervisor_name}: {what}", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            yield
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            figures.failed.append(f"{what}: {str(error).partition(chr(10))[0]}")
            print(f"  failed: {error}", file=sys.stderr, flush=True)
        print(f"  took {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)

    return trying()
