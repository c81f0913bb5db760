"""What is configured: is routes.json valid, can its routes run with these programs, are their ports free?"""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator

from srt_router.doctor.check import Check, Subject, fail, ok, warn
from srt_router.doctor.programs import RENDEZVOUS_WORKS_SINCE, srt_version
from srt_router.processes import sockets
from srt_router.processes.ownership import Owner
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.processes.sockets import Holder, UdpSocket
from srt_router.routes.conflicts import ListeningPort
from srt_router.routes.errors import field_path
from srt_router.routes.model import Route, UdpDestination, UdpSource
from srt_router.routes.store import FILE_NAME
from srt_router.supervision.checks import PortTable, taken_ports


def routes_file(subject: Subject) -> Iterator[Check]:
    """Every error of routes.json, with line and field."""
    path = subject.settings.data_dir / FILE_NAME
    try:
        parsed = subject.parsed
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        yield fail(FILE_NAME, message, "run this as the user of the server, or as root")
        return
    for wrong in parsed.errors:
        yield fail(FILE_NAME, str(wrong), f"mend {path}; a running server goes on with the routes it had")
    if mode is None:
        yield ok(FILE_NAME, f"no routes yet ({path})")
    elif not parsed.errors:
        yield ok(FILE_NAME, f"{len(parsed.routes)} valid route(s) ({path})")
    if mode is not None and mode & 0o004 and path.parent.stat().st_mode & 0o001:
        message = f"everybody on this host may read it (mode {mode:04o}), passphrases are in it"
        yield warn(f"{FILE_NAME} is private", message, f"chmod o-rwx {path}")


def engine(subject: Subject) -> Iterator[Check]:
    """Is there a route that this version of srt-live-transmit is known to fail with?"""
    name = "rendezvous"
    meeting = [route for route in subject.parsed.routes if "rendezvous" in _modes(route)]
    if not meeting:
        yield ok(name, "no route uses it")
        return
    path = shutil.which(SRT_LIVE_TRANSMIT)
    try:
        version = srt_version(path) if path else None
    except (OSError, ValueError, subprocess.SubprocessError):
        version = None
    ids = ", ".join(route.id for route in meeting)
    if version is None:
        yield warn(name, f"used by {ids}; the version of {SRT_LIVE_TRANSMIT} is not known", "apt install srt-tools")
    elif version < RENDEZVOUS_WORKS_SINCE:
        message = f"used by {ids}; {SRT_LIVE_TRANSMIT} {'.'.join(map(str, version))} can hang in it"
        yield warn(name, message, "use caller and listener, or install SRT 1.5.3 or newer")
    else:
        yield ok(name, f"used by {ids}")


def _modes(route: Route) -> set[str]:
    ends = [route.source, *route.destinations]
    return {end.mode for end in ends if not isinstance(end, UdpSource | UdpDestination)}


def ports(subject: Subject) -> Iterator[Check]:
    """The ports that configured routes need for themselves; one that our own process of that route holds is fine."""
    name = "ports"
    table = PortTable.look()
    taken = [(route, port, held) for route in subject.parsed.routes for port, held in taken_ports(route, table)]
    ours = {one.pid for one in subject.listed if one.owner is Owner.OURS}
    conflicts = 0
    for route, port, held in taken:
        check = _conflict(route, port, held, ours, live=subject.installation.server is not None)
        if check:
            conflicts += 1
            yield check
    if not conflicts:
        yield ok(name, f"no conflict; {len(taken)} in use by our own routes")


def _conflict(route: Route, port: ListeningPort, held: UdpSocket, ours: set[int | None], *, live: bool) -> Check | None:
    name = f"port {port.port}"
    place = f"route {route.id}, {field_path(port.location)}"
    holders = sockets.holders([held.inode])[held.inode]
    strangers = [one for one in holders if one.pid not in ours or one.route != route.id]
    if not holders:
        message = f"{place}: taken by a process that cannot be seen from here"
        return fail(name, message, "run this as root; look into other containers")
    if strangers:
        return fail(name, f"{place}: taken by {_names(strangers)}", "stop that, or give the route another port")
    if not live:
        message = f"{place}: held by {_names(holders)}, left over from a server that has died"
        return warn(name, message, "start the server, which cleans up, or: srt-router cleanup")
    return None


def _names(holders: list[Holder]) -> str:
    return " and ".join(map(str, holders))
