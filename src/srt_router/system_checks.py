"""What of the machine the operator must know before a stream suffers from it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

log = logging.getLogger("SrtRouter")

BUS_BUFFER_BYTES = 4_000_000
"""Receive buffer of every reader of a bus. Key frames come in bursts of more than 92 datagrams: with the
stock 212,992 bytes a 6 Mb/s stream lost 380 datagrams per destination in 15 s, with this one none."""

RAM_FILE_SYSTEMS = ("tmpfs", "ramfs")

_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


async def warn_about_system(run_dir: Path) -> None:
    """Say what is wrong, with the remedy."""
    kind = await asyncio.to_thread(file_system, run_dir)
    if kind not in RAM_FILE_SYSTEMS:
        log.warning(
            "RUN_DIR %s is on %s, not in memory: every process writes its statistics there without pause. "
            "Remedy: set RUN_DIR to a folder on tmpfs, such as one in /run or /dev/shm",
            run_dir,
            kind or "an unknown file system",
        )
    allowed = receive_buffer_limit()
    if allowed is not None and allowed < BUS_BUFFER_BYTES:
        log.warning(
            "net.core.rmem_max is %d, but %d is needed: bursts will be lost between the processes of a route, "
            "seen as continuity errors at every destination. Remedy: sysctl -w net.core.rmem_max=8388608",
            allowed,
            BUS_BUFFER_BYTES,
        )


def receive_buffer_limit() -> int | None:
    """The largest receive buffer a program may ask for, in bytes; None where it cannot be read."""
    try:
        return int(_RMEM_MAX.read_text())
    except (OSError, ValueError):
        return None


def file_system(path: Path) -> str | None:
    """The kind of file system that a path is on; None where that cannot be told."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace")
    except OSError:
        return None
    return kind_of_mount(str(path.resolve()), mounts)


def kind_of_mount(path: str, mounts: str) -> str | None:
    """The kind of the longest mount point above an absolute path, the last of equals; `mounts` as in /proc."""
    best, kind = -1, None
    for words in (line.split() for line in mounts.splitlines()):
        if len(words) < 3:
            continue
        point, name = words[1].replace("\\040", " "), words[2]
        if (point in ("/", path) or path.startswith(f"{point}/")) and len(point) >= best:
            best, kind = len(point), name
    return kind
