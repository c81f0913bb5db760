"""`srt-router upgrade-stop`: the server ends, its streams stay on air for the next one."""

from __future__ import annotations

import os
import select
import signal

import typer

from srt_router.cli.options import ConfigOption, read_settings
from srt_router.errors import SrtRouterError
from srt_router.processes.directories import lock_holder
from srt_router.settings import Settings

_PATIENCE_S = 30.0


class NotStopped(SrtRouterError):  # noqa: N818 - said as it is
    """The server cannot be stopped, or does not stop."""


def upgrade_stop(config: ConfigOption = None) -> None:
    """End the server and leave every stream on air.

    The next server takes them over where ON_START is adopt, and ends them where it is clean.
    """
    settings = read_settings(config)
    pidfd = _server(settings)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGUSR2)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(_PATIENCE_S * 1000):
            raise NotStopped(f"the server has not ended in {_PATIENCE_S:g} s: its log says why")
    except PermissionError:
        raise NotStopped("we may not signal the server: run this as its user, or as root") from None
    finally:
        os.close(pidfd)
    typer.echo("The server has ended. Its streams are on air; start the next one with ON_START=adopt.")


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
