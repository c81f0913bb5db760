"""The server with a watch on its event loop:  python -m bench.watched_server REPORT [serve arguments]

Writes into REPORT how long anything on the loop had to wait for its turn at most (`lag`), and how much
processor time the loop's thread used in one go at most (`held`): the first also grows when the processors
are busy elsewhere, the second is the server's own doing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from srt_router import main as server
from srt_router.settings import load_settings
from srt_router.signals import Stop
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_owner import RouteOwner
from srt_router.upgrading import Life

_PERIOD_S = 0.005


async def _watch(report: Path) -> None:
    """From the moment at which routes are started; what comes before is in nobody's way."""
    lag_s = held_s = 0.0
    await _started.wait()
    try:
        while True:
            wall, used = time.monotonic(), time.thread_time()
            await asyncio.sleep(_PERIOD_S)
            late, busy = time.monotonic() - wall - _PERIOD_S, time.thread_time() - used
            if late > lag_s or busy > held_s:
                lag_s, held_s = max(late, lag_s), max(busy, held_s)
                report.write_text(json.dumps({"lag_ms": lag_s * 1000, "held_ms": held_s * 1000}))  # noqa: ASYNC240
    finally:
        report.write_text(json.dumps({"lag_ms": lag_s * 1000, "held_ms": held_s * 1000}))  # noqa: ASYNC240


_started = asyncio.Event()


def main() -> None:
    """Run the server with its loop watched."""
    report = Path(sys.argv[1])
    serve = server._serve

    async def watched(life: Life) -> Stop:
        watch = asyncio.create_task(_watch(report))
        try:
            return await serve(life)
        finally:
            watch.cancel()

    auto_start = RouteManager.auto_start

    async def noticed(manager: RouteManager, owners: Iterable[RouteOwner] | None = None) -> None:
        _started.set()
        await auto_start(manager, owners)

    RouteManager.auto_start = noticed  # type: ignore[assignment,method-assign]
    server._serve = watched
    server.serve(load_settings(None, os.environ))


if __name__ == "__main__":
    main()
