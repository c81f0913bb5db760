"""The status of a route, read from its processes."""

from __future__ import annotations

import pytest

from srt_router.monitoring.connections import Connection
from srt_router.supervision.process_state import Phase
from srt_router.supervision.restart import Outcome
from srt_router.supervision.route_state import ProcessView, RouteStatus, route_status

UP, OFF, STARTING, ENDING, PAUSE = Phase.UP, Phase.DOWN, Phase.STARTING, Phase.ENDING, Phase.BACKOFF
ON, WAITS, UNKNOWN = Connection.CONNECTED, Connection.WAITING, Connection.UNKNOWN


def source(
    phase: Phase = UP, connection: Connection = ON, why: Outcome | None = None, *, up: bool = True
) -> ProcessView:
    return ProcessView(True, phase, connection, why, up)


def destination(phase: Phase = UP, why: Outcome | None = None) -> ProcessView:
    return ProcessView(False, phase, WAITS, why, True)


@pytest.mark.parametrize(
    ("wanted", "refused", "processes", "status"),
    [
        (False, False, [], RouteStatus.STOPPED),
        (False, False, [source(ENDING)], RouteStatus.STOPPING),
        (True, True, [], RouteStatus.FAILED),
        (True, False, [], RouteStatus.STARTING),
        (True, False, [source(STARTING, WAITS, up=False)], RouteStatus.STARTING),
        (True, False, [source(UP, WAITS)], RouteStatus.WAITING),
        (True, False, [source(PAUSE, WAITS, Outcome.UNANSWERED)], RouteStatus.WAITING),
        (True, False, [source(PAUSE, WAITS, Outcome.REJECTED)], RouteStatus.WAITING),
        (True, False, [source(PAUSE, WAITS, Outcome.FAILED)], RouteStatus.RESTARTING),
        (True, False, [source(PAUSE, WAITS, Outcome.FAILED, up=False)], RouteStatus.RESTARTING),
        (True, False, [source(STARTING, WAITS, Outcome.FAILED)], RouteStatus.RESTARTING),
        (True, False, [source(), destination()], RouteStatus.RUNNING),
        (True, False, [source(UP, UNKNOWN), destination()], RouteStatus.RUNNING),
        (True, False, [source(), destination(PAUSE, Outcome.UNANSWERED)], RouteStatus.RUNNING),
        (True, False, [source(), destination(PAUSE, Outcome.FAILED)], RouteStatus.DEGRADED),
        (True, False, [source(), destination(STARTING, Outcome.FAILED)], RouteStatus.DEGRADED),
        (True, False, [source(UP, WAITS), destination(PAUSE, Outcome.FAILED)], RouteStatus.WAITING),
    ],
)
def test_status(wanted: bool, refused: bool, processes: list[ProcessView], status: RouteStatus) -> None:
    assert route_status(wanted=wanted, refused=refused, processes=processes) is status
