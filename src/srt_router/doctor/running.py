"""What runs: the server and its address, orphans, stale PID files, processes that are stuck."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from srt_router.doctor.check import Check, Subject, fail, ok, warn
from srt_router.errors import SrtRouterError
from srt_router.processes import proc, sockets
from srt_router.processes.ownership import Rules
from srt_router.processes.states import Listed, ProcessState
from srt_router.settings import Settings
from srt_router.supervision.installation import LiveServer
from srt_router.supervision.inventory import Action, Case, kind, verdict

_TCP_LISTEN = "0A"
_CLEANUP = "srt-router cleanup"


def server(subject: Subject) -> Iterator[Check]:
    """Who holds the locks, and does it answer?"""
    name, found = "server", subject.installation.server
    if found is None:
        yield ok(name, "none is running")
        return
    if len(found.holds) == 1:
        message = f"{found.holds[0]} is held by {found}, the other folder is not: it is a server with other settings"
        yield fail("lock", message, "give each server a DATA_DIR and a PID_DIR of its own")
    else:
        yield ok("lock", f"{' and '.join(found.holds)} are held by {found}")
    yield from _health(name, found)


def _health(name: str, found: LiveServer) -> Iterator[Check]:
    if found.url is None:
        yield warn(name, f"{found} runs; where it answers is not known from here", "run this as the server's user")
        return
    try:
        with found.client() as client:
            health = client.machine.health()
    except SrtRouterError as error:
        yield fail(name, f"{found} runs, but {error}", "look at its log; if it hangs, restart it")
        return
    problems = health["problems"]
    if health["status"] != "ok":
        yield fail(name, f"{found} answers at {found.url}: {'; '.join(problems) or health['status']}", "mend that")
    elif problems:
        yield warn(name, f"{found} answers at {found.url}: {'; '.join(problems)}", "mend that")
    else:
        yield ok(name, f"{found} answers at {found.url}")


def address(subject: Subject) -> Iterator[Check]:
    """Can the server listen where it should?"""
    settings, name = subject.settings, "HOST and PORT"
    place = f"{settings.host}:{settings.port}"
    running = subject.installation.server
    if settings.port == 0:
        yield ok(name, f"{place}: any free port")
        return
    try:
        _try_to_bind(settings)
    except PermissionError:
        yield fail(name, f"{place}: ports below 1024 need root or CAP_NET_BIND_SERVICE", "set another PORT")
    except OSError as error:
        holders = _listening(settings.port)
        if running and running.pid and any(one.pid == running.pid for one in holders):
            yield ok(name, f"{place} is held by the server")
        elif error.errno == errno.EADDRINUSE:
            who = " and ".join(map(str, holders)) or "a process that cannot be seen from here"
            yield fail(name, f"{place} is taken by {who}", "stop that, or set another PORT")
        else:
            yield fail(name, f"{place}: {error.strerror}", "set another HOST")
    else:
        if running and running.url and running.url.endswith(f":{settings.port}/"):
            yield warn(name, f"{place} is free though a server runs", "look at its log")
        else:
            yield ok(name, f"{place} is free")


def _try_to_bind(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((settings.host, settings.port))
        probe.listen(1)


def _listening(port: int) -> list[sockets.Holder]:
    """Who listens on a TCP port."""
    lines = (Path(path).read_text().splitlines()[1:] for path in ("/proc/net/tcp", "/proc/net/tcp6"))
    words = [line.split() for table in lines for line in table]
    suffix = f":{port:04X}"
    inodes = [int(one[9]) for one in words if one[1].endswith(suffix) and one[3] == _TCP_LISTEN]
    return [holder for found in sockets.holders(inodes).values() for holder in found]


def orphans(subject: Subject) -> Iterator[Check]:
    """Processes that nobody supervises."""
    name, live = "orphans", subject.installation.server is not None
    found = [one for one in subject.listed if one.state is ProcessState.ORPHANED or _of_the_dead(subject, one)]
    found = [one for one in found if not _supervised(subject, one)]
    if not found:
        yield ok(name, "none")
    for one in found:
        what = f"{kind(one)} PID {one.pid}{f' of {one.route}' if one.route else ''} has no live server"
        decision = verdict(one, _case(subject))
        if decision.action is Action.KILL:
            when = "" if live else "; the next start of the server ends it"
            yield warn(name, f"{what}{when}", _CLEANUP)
        else:
            yield warn(name, f"{what}, and a cleanup leaves it alone: {decision.reason}", f"look at PID {one.pid}")


def _supervised(subject: Subject, one: Listed) -> bool:
    facts = subject.installation.scanner.facts(one.pid) if one.pid else None
    return facts is None or facts.supervised


def _of_the_dead(subject: Subject, one: Listed) -> bool:
    """A process with its PID file, while no server runs."""
    if subject.installation.server is not None or one.state is not ProcessState.RUNNING:
        return False
    return verdict(one, _case(subject)).action is Action.KILL


def _case(subject: Subject) -> Case:
    installation = subject.installation
    return Case(installation.scanner, installation.pid_files, Rules(subject.settings.cleanup_scope, first_start=False))


def pid_files(subject: Subject) -> Iterator[Check]:
    """PID files whose process is gone."""
    name = "PID files"
    stale = [one for one in subject.listed if one.state is ProcessState.ZOMBIE]
    nameless = [one for one in subject.listed if one.state is ProcessState.ORPHANED and _supervised(subject, one)]
    if nameless:
        pids = ", ".join(str(one.pid) for one in nameless)
        message = f"processes on air have none (PID {pids}): other tools take them for orphans"
        yield warn(name, message, "restart their routes")
    elif not stale:
        count = sum(one.pid_file is not None for one in subject.listed)
        yield ok(name, f"{count}, none stale")
    if not stale:
        return
    files = ", ".join(sorted(str(one.pid_file) for one in stale))
    message = f"{len(stale)} name a process that is dead or somebody else's: {files}"
    yield warn(name, message, _CLEANUP, fix=lambda: _remove(subject, stale))


def _remove(subject: Subject, stale: list[Listed]) -> str:
    directory = subject.installation.pid_files
    removed = 0
    for one in stale:
        if directory and one.pid_file and directory.read(one.pid_file).pid == one.pid:
            directory.remove(one.pid_file)
            removed += 1
    return f"removed {removed} stale PID file(s)"


def stuck(_subject: Subject) -> Iterator[Check]:
    """Media processes that are defunct, stopped, or in uninterruptible sleep."""
    name, good = "stuck processes", True
    for pid in proc.pids():
        stat = proc.stat(pid)
        if stat is None or stat.comm not in (proc.SRT_LIVE_TRANSMIT[:15], "ffmpeg") or pid == os.getpid():
            continue
        if stat.state in _STUCK:
            good = False
            what, remedy = _STUCK[stat.state]
            yield warn(name, f"{stat.comm} PID {pid} {what}", remedy.format(pid=pid, parent=stat.ppid))
    if good:
        yield ok(name, "none")


_STUCK = {
    "Z": ("has ended, and its parent does not take notice", "restart its parent, PID {parent}"),
    "T": ("is stopped (SIGSTOP): it carries nothing", "kill -CONT {pid}"),
    "D": ("is in uninterruptible sleep: no signal reaches it", "look at the disk or network file system it waits for"),
}
