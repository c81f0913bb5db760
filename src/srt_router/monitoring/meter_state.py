"""What is kept of a leg's meter, so that a next server counts on from there."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from srt_router.monitoring.readings import Counts


class MeterState(BaseModel):
    """One meter as it was. Its process goes on counting, so nothing is missed of what passes until the next look."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pid: int | None = None
    life: tuple[object, ...] | None = None
    """Of the newest reading; None: there was none."""
    at_s: float = 0.0
    counts: Counts = Counts()
    interval_s: float = 0.0
    total: Counts = Counts()
    at_process_start: Counts = Counts()
    at_reset: Counts = Counts()
    bus_drops: int | None = None
    bus_drops_at_process_start: int | None = None
    bus_drops_at_reset: int | None = None
    socket_drops: dict[int, int] = {}
    """By inode."""
