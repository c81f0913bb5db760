"""An installation seen from outside its server: by commands that must work whether or not one runs.

Looking makes nothing and changes nothing: a folder that is missing stays missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from srt_router.errors import SrtRouterError, UnsafeDirectory
from srt_router.processes.directories import SafeDirectory, is_locked, lock_holder
from srt_router.processes.instance import Instance, read_instance_id
from srt_router.processes.pidfiles import PidDirectory
from srt_router.processes.scan import Scanner
from srt_router.processes.server_file import read_server_file
from srt_router.processes.states import Listed, list_processes, listing
from srt_router.settings import Settings
from srt_router.supervision.inventory import KnownProcess

if TYPE_CHECKING:
    from srt_router.client import Client
    from srt_router.client.answers import RouteView

_NO_INSTALLATION = Instance(id="-", data_dir="-", first_start=True)
"""Matches no tag: while there is no installation, no process is ours."""
LOOK_S = 2.0
"""So long a command waits for a server that only tells something."""


class ServerHidden(SrtRouterError):  # noqa: N818 - said as it is
    """A server runs, and cannot be asked from here."""

    code = "serverHidden"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and how we sign in there."""

    url: str
    token: str | None = field(default=None, repr=False)
    """None where we may not read it."""
    certificate: Path | None = None
    """The file with what it shows of itself where it speaks TLS."""


@dataclass(frozen=True, slots=True)
class LiveServer:
    """The server that holds the locks of this installation."""

    pid: int | None
    """None when it cannot be seen from here (another user or PID namespace)."""
    holds: tuple[str, ...]
    """Which of DATA_DIR and PID_DIR it holds."""
    address: Address | None
    """Where it should answer; None when that is not known."""

    @property
    def url(self) -> str | None:
        """Where it should answer; None when that is not known."""
        return self.address.url if self.address else None

    def client(self, timeout_s: float = LOOK_S) -> Client:
        """To ask it, once each time. Raises ServerHidden."""
        if self.address is None:
            raise ServerHidden(f"where {self} answers is not known from here: run this as the server's user")
        from srt_router.client import Client  # a fifth of a second: only where a server is asked

        found = self.address
        return Client(found.url, token=found.token, verify=found.certificate or True, timeout_s=timeout_s, again=False)

    def __str__(self) -> str:
        """`PID 4711`, or what is known instead."""
        return f"PID {self.pid}" if self.pid else "a process that cannot be seen from here"


@dataclass(slots=True)
class Installation:
    """One installation, opened for looking."""

    settings: Settings
    scanner: Scanner
    pid_dir: SafeDirectory | None
    """None where there is none, or none that can be trusted."""
    server: LiveServer | None
    notes: list[str] = field(default_factory=list)
    """What keeps the look from being complete, in sentences."""
    owner_uid: int = field(default_factory=os.geteuid)
    """Whose installation it is."""

    @property
    def pid_files(self) -> PidDirectory | None:
        """The PID files; None without a PID_DIR that can be trusted."""
        return PidDirectory(self.pid_dir) if self.pid_dir else None

    def close(self) -> None:
        """Give the descriptor of PID_DIR back."""
        if self.pid_dir:
            self.pid_dir.close()
            self.pid_dir = None

    def list_processes(self) -> list[Listed]:
        """Every media process of this host, and every PID file without one."""
        pid_files = self.pid_files
        if pid_files is not None:
            return list_processes(pid_files, self.scanner)
        pids, _unsettled = self.scanner.candidates()
        return listing((), [facts for pid in sorted(pids) if (facts := self.scanner.facts(pid))])

    def known(self) -> list[KnownProcess] | None:
        """What the live server knows of its processes; None when none answers."""
        return known_by(self.server) if self.server else None


def look_at(settings: Settings) -> Installation:
    """Open an installation for looking."""
    notes: list[str] = []
    server = find_server(settings)
    owner = _owner_of(settings.data_dir)
    found = Installation(
        settings=settings,
        scanner=Scanner(_instance(settings.data_dir)),
        pid_dir=_pid_directory(settings.pid_dir, notes),
        server=server,
        notes=notes,
        owner_uid=owner,
    )
    found.scanner.server = server.pid if server else None
    if os.geteuid() == 0:
        found.scanner.uid = owner  # root looks at the installation of a service user: its tags count
    elif owner != os.geteuid():
        notes.append(f"DATA_DIR {settings.data_dir} belongs to user {owner}: run this as that user, or as root")
    return found


def find_server(settings: Settings) -> LiveServer | None:
    """The server that holds the locks, if one does."""
    folders = {"DATA_DIR": settings.data_dir, "PID_DIR": settings.pid_dir}
    held = {name: path for name, path in folders.items() if is_locked(path)}
    if not held:
        return None
    pid = next((holder for path in held.values() if (holder := _holder(path))), None)
    return LiveServer(pid, tuple(held), _address(settings, pid))


def known_by(server: LiveServer) -> list[KnownProcess] | None:
    """What that server knows of its processes; None when it does not answer."""
    try:
        with server.client() as client:
            return _known(client.routes.list())
    except (SrtRouterError, KeyError, TypeError):
        return None


def _known(routes: list[RouteView]) -> list[KnownProcess]:
    return [
        KnownProcess(
            route=str(route["id"]),
            process_type=str(process["type"]),
            pid=process["pid"],
            restarts=int(process["restarts"]),
            command=str(process["command"]),
            pid_file=str(process["pidFile"]),
        )
        for route in routes
        for process in route["processes"]
    ]


def _address(settings: Settings, pid: int | None) -> Address | None:
    file = read_server_file(settings.run_dir)
    if file is not None and pid in (None, file.pid) and file.url.startswith(("http://", "https://")):
        return Address(file.url, file.token, settings.tls_cert)
    if settings.port == 0:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    scheme = "https" if settings.tls_cert else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/"
    return Address(url, certificate=settings.tls_cert)


def _holder(path: Path) -> int | None:
    try:
        return lock_holder(os.stat(path, follow_symlinks=False))  # noqa: PTH116 - does not follow
    except OSError:
        return None


def _owner_of(path: Path) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_uid  # noqa: PTH116 - does not follow
    except OSError:
        return os.geteuid()


def _instance(data_dir: Path) -> Instance:
    known = read_instance_id(data_dir)
    return Instance(known, str(data_dir.resolve()), first_start=False) if known else _NO_INSTALLATION


def _pid_directory(path: Path, notes: list[str]) -> SafeDirectory | None:
    if not os.path.lexists(path):
        return None
    try:
        return SafeDirectory(path, mode=0o755, setting="PID_DIR")
    except UnsafeDirectory as error:
        notes.append(f"PID files are not looked at: {error}")
        return None
