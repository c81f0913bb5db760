"""What of the machine the operator must know before a stream suffers from it."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger("SrtRouter")

BUS_BUFFER_BYTES = 4_000_000
"""Receive buffer of every reader of a bus. Key frames come in bursts of more than 92 datagrams: with the
stock 212,992 bytes a 6 Mb/s stream lost 380 datagrams per destination in 15 s, with this one none."""

_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


async def warn_about_system() -> None:
    """Say what is wrong, with the remedy."""
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
