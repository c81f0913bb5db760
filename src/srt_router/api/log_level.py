"""What is logged, changed while the server runs: whoever looks for a fault needs more, and no restart."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from srt_router.api.audit import audit
from srt_router.log_setup import LogLevel, log_level, set_log_level


class LogLevelBody(BaseModel):
    """The least important lines that are logged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: LogLevel


def log_level_api() -> APIRouter:
    """The paths of the log level."""
    api = APIRouter(prefix="/api", tags=["host"])

    @api.get("/log-level", summary="What is logged")
    async def read_log_level() -> LogLevelBody:
        """The least important lines that are logged at present."""
        return LogLevelBody(level=log_level())

    @api.put("/log-level", summary="Log more, or less")
    async def change_log_level(request: Request, body: LogLevelBody) -> LogLevelBody:
        """Counts at once, until the end of the server; LOG_LEVEL says what counts from the start."""
        before = log_level()
        set_log_level(body.level)
        audit(request, "log.level", before={"level": before}, after={"level": body.level})
        return body

    return api
