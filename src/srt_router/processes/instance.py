"""Which installation this is, and whether another one lives: one server per DATA_DIR, by its lock."""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.directories import SafeDirectory, is_locked

INSTANCE_FILE = "instance-id"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Instance:
    """One installation of the router."""

    id: str
    """A UUID, made at the first start and kept in DATA_DIR."""
    data_dir: str
    first_start: bool
    """True when the UUID was made just now: this installation cannot have left orphans yet."""


def open_instance(data_dir: SafeDirectory) -> Instance:
    """Read the installation's UUID, or make one up. The lock on `data_dir` must be held."""
    path = str(data_dir.path.resolve())
    known = read_instance_id(Path(path))
    if known:
        return Instance(known, path, first_start=False)
    return Instance(str(uuid.uuid4()), path, first_start=True)


def keep_instance(data_dir: SafeDirectory, instance: Instance) -> None:
    """Write a new installation's UUID down, before it starts its first process.

    Only after its first cleanup, so that a start that failed before has not been the first one.
    """
    if not instance.first_start:
        return
    temp = f".{INSTANCE_FILE}.tmp"
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644, dir_fd=data_dir.fd)
    with os.fdopen(fd, "w") as file:
        file.write(instance.id + "\n")
        file.flush()
        os.fsync(file.fileno())
    crashpoint("after_instance_temp")
    os.rename(temp, INSTANCE_FILE, src_dir_fd=data_dir.fd, dst_dir_fd=data_dir.fd)
    os.fsync(data_dir.fd)


def read_instance_id(data_dir: Path) -> str | None:
    """The UUID kept in a DATA_DIR; None if there is none, or it is no UUID."""
    try:
        fd = os.open(data_dir / INSTANCE_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, 64).decode("ascii", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(fd)
    return text if _UUID.fullmatch(text) else None


def is_live(instance: str, data_dir: str) -> bool:
    """True when the server of that installation lives: it holds the lock on its DATA_DIR."""
    if not data_dir.startswith("/"):
        return False
    path = Path(data_dir)
    return read_instance_id(path) in (instance, None) and is_locked(path)
