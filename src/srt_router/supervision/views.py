"""What the world is told of routes and processes: plain data, made on request, secrets taken out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.monitoring.connections import Connection
from srt_router.processes.pidfiles import SUFFIX
from srt_router.redaction import redact
from srt_router.routes.model import Route
from srt_router.supervision.process_record import ProcessRecord, pending
from srt_router.supervision.process_state import Phase
from srt_router.supervision.restart import Outcome
from srt_router.supervision.route_owner import RouteOwner
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.route_warnings import RouteWarning
from srt_router.supervision.stream_views import StreamSummary

_CAMEL = ConfigDict(alias_generator=to_camel)


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process of a route as it is now."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    type: str
    pid: int | None
    pid_file: str
    state: Phase
    connection: Connection
    connected_since: int | None
    """Milliseconds since the epoch; None while no peer is there."""
    peer: str | None
    connects: int
    rejection: str | None
    error: str | None
    restarts: int
    crash_looping: bool
    pending_restart: bool
    """An earlier version of the server started it, with another command line: its next start changes that."""
    started_at: int | None
    """Milliseconds since the epoch."""
    last_exit: str | None
    last_exit_at: int | None
    exit_code: int | None
    signal: int | None
    command: str
    """The command line, passphrases hidden."""
    log: list[str]
    """The last lines it wrote, passphrases hidden."""


@dataclass(frozen=True, slots=True)
class LegView:
    """The source or one destination of a route."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    endpoint: dict[str, object]
    """As in routes.json, passphrases hidden."""
    process: str | None
    """Type of the process that carries it; None while the route is stopped or the destination disabled."""
    connection: Connection
    state: Phase


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route as it is now."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    id: str
    name: str
    status: RouteStatus
    auto_start: bool
    tags: list[str]
    reasons: list[str]
    """Why it is not on air, or not wholly, in sentences."""
    started_at: int | None
    source: LegView
    transcode: LegView | None
    """None: the stream passes unchanged. Its `endpoint` is the transcode as configured."""
    destinations: list[LegView]
    processes: list[ProcessView]
    ended: list[ProcessView]
    """Processes that are wanted no more, with how they ended."""
    pending_restarts: list[str]
    """Types of the processes that wait to be restarted after an upgrade, in the order in which that is done."""
    warnings: list[RouteWarning]
    """Numbers beyond their thresholds. They change no status."""
    stream: StreamSummary | None
    """What is inside the stream that comes in; None while nothing is known of it."""


def route_view(
    owner: RouteOwner, warnings: Sequence[RouteWarning] = (), stream: StreamSummary | None = None
) -> RouteView:
    """Everything about one route."""
    route = owner.route
    return RouteView(
        id=route.id,
        name=route.name,
        status=owner.status,
        auto_start=route.auto_start,
        tags=list(route.tags),
        reasons=reasons(owner),
        started_at=owner.started_ms,
        source=_leg(owner, "source", 0, _endpoints(route)[0]),
        transcode=_leg(owner, "transcode", 0, _transcode(route)) if route.transcode else None,
        destinations=[_leg(owner, "destination", i, e) for i, e in enumerate(_endpoints(route)[1:])],
        processes=[process_view(record, route.secrets()) for record in owner.processes.values()],
        ended=[process_view(record, route.secrets()) for record in owner.ended.values()],
        pending_restarts=pending(owner.processes.values()),
        warnings=list(warnings),
        stream=stream,
    )


def holds_until(owner: RouteOwner) -> float:
    """Monotonic seconds at which the view of a route becomes another though nothing happens to the route."""
    now = time.monotonic()
    records = [*owner.processes.values(), *owner.ended.values()]
    return min((at for one in records if (at := one.state.restarts.calm_at()) > now), default=math.inf)


def process_view(record: ProcessRecord, secrets: frozenset[str]) -> ProcessView:
    """One process of a route."""
    connection = record.connection
    last = record.last_exit
    return ProcessView(
        type=record.spec.process_type,
        pid=record.pid,
        pid_file=record.spec.name + SUFFIX,
        state=record.state.phase,
        connection=connection.connection,
        connected_since=connection.since_ms if connection.connected else None,
        peer=connection.peer if connection.connected else None,
        connects=connection.connects,
        rejection=record.rejection,
        error=record.error or connection.error,
        restarts=record.state.restarts.total,
        crash_looping=record.state.restarts.crash_looping(time.monotonic()),
        pending_restart=record.outdated,
        started_at=record.child.started_ms if record.child else None,
        last_exit=str(last) if last else None,
        last_exit_at=record.last_exit_ms,
        exit_code=last.code if last else None,
        signal=last.signal if last else None,
        command=redact(" ".join(record.spec.argv), secrets),
        log=record.log.tail(20),
    )


def reasons(owner: RouteOwner) -> list[str]:
    """What keeps a route from being wholly on air."""
    found = list(owner.refused)
    for record in owner.processes.values():
        found += record.undelivered
        trouble = record.error or record.rejection or record.connection.error
        if trouble:
            found.append(f"{record.spec.process_type}: {trouble}")
        elif record.state.phase is Phase.BACKOFF and record.state.last_outcome is Outcome.UNANSWERED:
            found.append(f"{record.spec.process_type}: its peer does not answer; it calls again")
        elif record.state.phase is Phase.BACKOFF:
            found.append(f"{record.spec.process_type}: {record.last_exit}; it starts again soon")
    return found


def _endpoints(route: Route) -> list[dict[str, object]]:
    document = route.to_json(hide_secrets=True)
    source, destinations = document["source"], document["destinations"]
    assert isinstance(source, dict)  # noqa: S101 - the model's own document
    assert isinstance(destinations, list)  # noqa: S101
    return [source, *destinations]


def _transcode(route: Route) -> dict[str, object]:
    document = route.to_json(hide_secrets=True)["transcode"]
    assert isinstance(document, dict)  # noqa: S101 - the model's own document
    return document


def _leg(owner: RouteOwner, kind: str, index: int, endpoint: dict[str, object]) -> LegView:
    for record in owner.processes.values():
        if any(leg.kind == kind and leg.index == index for leg in record.spec.legs):
            connection = record.connection.connection
            if kind == "destination" and endpoint.get("type") == "udp":
                connection = Connection.UNKNOWN  # UDP has no connection: nobody can say who listens
            return LegView(endpoint, record.spec.process_type, connection, record.state.phase)
    return LegView(endpoint, None, Connection.UNKNOWN, Phase.DOWN)
