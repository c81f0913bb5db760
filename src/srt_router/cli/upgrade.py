"""`srt-router upgrade`, `upgrade-stop`, `routes apply`: another version, and every stream stays on air."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Annotated

import typer

from srt_router.cli.options import ConfigOption, read_settings
from srt_router.cli.route_desk import RouteDesk
from srt_router.errors import SrtRouterError
from srt_router.processes.directories import lock_holder
from srt_router.processes.server_file import ServerFile, read_server_file
from srt_router.settings import Settings
from srt_router.supervision.installation import find_server

_PATIENCE_S = 30.0
_UPGRADE_S = 120.0
"""The installed version is tried out, open requests are answered, and the new program loads."""
_APPLY_S = 60.0
"""For each process."""
_LOOK_S = 0.05


class NotStopped(SrtRouterError):  # noqa: N818 - said as it is
    """The server cannot be stopped, or does not stop."""


class NotUpgraded(SrtRouterError):  # noqa: N818 - said as it is
    """The server goes on as it was, or has ended."""


def upgrade(config: ConfigOption = None) -> None:
    """Let the running server go on with the version that is installed now.

    Every stream stays on air, no request is refused, and the PID stays the same. If the installed version cannot run,
    the server goes on as it is, and this says why.
    """
    settings = read_settings(config)
    pidfd = _server(settings)
    try:
        before = read_server_file(settings.run_dir)
        if before is None or before.started_at is None:
            raise NotUpgraded(f"cannot read {settings.run_dir}/server.json: run this as the server's user, or as root")
        _tell(pidfd, signal.SIGHUP)
        after = _after(pidfd, settings, before)
    finally:
        os.close(pidfd)
    typer.echo(
        f"The server (PID {after.pid}) was {before.version} and goes on as {after.version}; its streams are on air."
    )


def _after(pidfd: int, settings: Settings, before: ServerFile) -> ServerFile:
    """What the next program says of itself."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + _UPGRADE_S
    while time.monotonic() < deadline:
        if poller.poll(_LOOK_S * 1000):
            raise NotUpgraded("the server has ended: its log says why; what is on air waits for the next one")
        now = read_server_file(settings.run_dir)
        if now is not None and now.started_at not in (None, before.started_at):
            _answers(settings)
            return now
        if now is not None and now.refusals > before.refusals:
            raise NotUpgraded(f"the server goes on as it is: the installed version cannot take over: {now.refused}")
    raise NotUpgraded(f"nothing has happened in {_UPGRADE_S:g} s: the log of the server says why")


def _answers(settings: Settings) -> None:
    """Return when the next program answers: what calls it before waits."""
    server = find_server(settings)
    if server is None:
        raise NotUpgraded("the server has ended: its log says why; what is on air waits for the next one")
    with server.client(_UPGRADE_S) as client:
        client.machine.health()


def upgrade_stop(config: ConfigOption = None) -> None:
    """End the server and leave every stream on air.

    The next server takes them over where ON_START is adopt, and ends them where it is clean.
    """
    settings = read_settings(config)
    pidfd = _server(settings)
    try:
        _tell(pidfd, signal.SIGUSR2)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(_PATIENCE_S * 1000):
            raise NotStopped(f"the server has not ended in {_PATIENCE_S:g} s: its log says why")
    finally:
        os.close(pidfd)
    typer.echo("The server has ended. Its streams are on air; start the next one with ON_START=adopt.")


def apply_restarts(
    route: Annotated[str, typer.Argument(help="Id or name of a route.", show_default=False)],
    process: Annotated[str | None, typer.Option("--process", help="Only this process, by its type.")] = None,
    config: ConfigOption = None,
) -> None:
    """Do the restarts that wait on a route since an upgrade, one process after another, and wait for them.

    Each process is up again, and connected if it was, before the next one ends.
    """
    desk = RouteDesk(read_settings(config))
    route_id, since_ms = desk.route_id(route), time.time_ns() // 1_000_000
    left = desk.apply(route_id, process)
    if not left:
        typer.echo(f"No process of {route_id} waits for a restart.")
    deadline = time.monotonic() + _APPLY_S * len(left)
    while left:
        if time.monotonic() > deadline:
            raise NotUpgraded(f"still waiting for {', '.join(left)}: srt-router routes show {route_id}")
        time.sleep(_LOOK_S * 4)
        for event in desk.restarts(route_id, since_ms):
            if event["kind"] == "pendingRestartFailed":
                raise NotUpgraded(event["message"])
            if event["processType"] in left:
                left.remove(event["processType"])
                typer.echo(event["message"])


def _tell(pidfd: int, signum: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except PermissionError:
        raise NotStopped("we may not signal the server: run this as its user, or as root") from None


def _server(settings: Settings) -> int:
    """The pidfd of the server: of whoever holds the lock on DATA_DIR, also when looked at again."""
    for _ in range(2):
        try:
            holder = lock_holder(os.stat(settings.data_dir))  # noqa: PTH116 - what the lock is looked up by
        except OSError as error:
            raise NotStopped(f"DATA_DIR {settings.data_dir} cannot be looked at: {error.strerror}") from None
        if holder is None:
            raise NotStopped(f"no server runs on DATA_DIR {settings.data_dir}")
        try:
            pidfd = os.pidfd_open(holder)
        except ProcessLookupError:
            continue
        if lock_holder(os.stat(settings.data_dir)) == holder:  # noqa: PTH116
            return pidfd
        os.close(pidfd)
    raise NotStopped("the server is just ending, or starting: try again")
