"""What was counted of each route and each stream, kept in RUN_DIR so that the next server counts on from there.

Ten seconds old is young enough: with each total stands what its process had counted by then, and the process itself
goes on counting. What is lost at a crash is what a connection that ended within these seconds had carried since.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from srt_router.monitoring.meter_state import MeterState

NUMBERS_FILE = "counters.state"
KEEP_S = 10.0
"""So often they are written."""


class CarriedStream(BaseModel):
    """What the stream monitor had counted on one bus."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    since_ms: int
    reset_ms: int | None = None
    total: tuple[int, ...] = ()
    """In the order of stream_results.Counters, the kinds of errors last."""
    at_reset: tuple[int, ...] = ()
    pids: dict[int, tuple[int, int, int]] = {}
    """By PID: packets, continuity errors, scrambled packets."""


class CarriedRoute(BaseModel):
    """What was counted of one route since it was started."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    started_ms: int
    reset_at: int | None = None
    legs: dict[str, MeterState] = {}
    """By series."""
    streams: dict[str, CarriedStream] = {}
    """By leg: `source`, `transcode`."""


class CarriedNumbers(BaseModel):
    """All of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = 1
    routes: dict[str, CarriedRoute] = {}
