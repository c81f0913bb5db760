"""`{RUN_DIR}/server.json`: how commands of this installation find the server that runs (PORT may be 0) and sign in."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path

from srt_router.processes.directories import SafeDirectory

log = logging.getLogger("SrtRouter")

FILE_NAME = "server.json"
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ServerFile:
    """What a server says of itself."""

    pid: int
    url: str
    token: str | None = field(default=None, repr=False)
    """Signs commands on this machine in, as administrator; new at each start. Only the server's user and root can
    read it."""
    version: str | None = None
    started_at: int | None = None
    """Milliseconds since the epoch at which this program took over or was started."""
    refused: str | None = None
    """Why the server was not replaced by the installed program when that was asked for the last time."""
    refusals: int = 0
    """How often that was so."""


def write_server_file(run_dir: SafeDirectory, server: ServerFile) -> None:
    """Say where this server is reached, and how commands sign in; where that cannot be written, it runs without."""
    try:
        _write(run_dir, json.dumps(asdict(server)) + "\n")
    except OSError as error:
        log.warning("Cannot write %s/%s: %s", run_dir.path, FILE_NAME, error.strerror)


def _write(run_dir: SafeDirectory, text: str) -> None:
    temp = f".{FILE_NAME}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp, dir_fd=run_dir.fd)
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=run_dir.fd)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
    os.rename(temp, FILE_NAME, src_dir_fd=run_dir.fd, dst_dir_fd=run_dir.fd)


def remove_server_file(run_dir: SafeDirectory) -> None:
    """The server does not answer any more."""
    with contextlib.suppress(OSError):
        os.unlink(FILE_NAME, dir_fd=run_dir.fd)


def read_server_file(run_dir: Path) -> ServerFile | None:
    """What the file says; None where there is none that can be trusted. It may be of a server that has died.

    Trusted is a small regular file of ours or of root; for root also of the user whose RUN_DIR it is in. Not for
    others: anybody can make a folder in /tmp, and would be told a new password.
    """
    us = os.geteuid()
    try:
        folder = os.stat(run_dir, follow_symlinks=False)  # noqa: PTH116 - does not follow
        fd = os.open(run_dir / FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, us, folder.st_uid if us == 0 else us):
            return None
        data = json.loads(os.read(fd, _MAX_BYTES))
        token = data.get("token")
        return ServerFile(
            int(data["pid"]),
            str(data["url"]),
            token if isinstance(token, str) else None,
            data.get("version"),
            data.get("started_at"),
            data.get("refused"),
            int(data.get("refusals", 0)),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    finally:
        os.close(fd)
