"""From what there is to the text that Prometheus reads: pure, made at each scrape, so that nothing is counted twice.

Five hundred routes make some 80,000 lines, and whatever writes them holds up the event loop. So the labels of a leg are
put into words once, not once for each of its metrics as the client library would: that is eight times faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from srt_router.api import metric_tables as table
from srt_router.api.metric_tables import Metric
from srt_router.monitoring.leg_statistics import LegStatistics
from srt_router.processes.usage import Sample
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.tally import LAG_BOUNDS_S

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One process of a route."""

    type: str
    pid: int | None
    restarts: int
    crash_looping: bool


@dataclass(frozen=True, slots=True)
class RouteReading:
    """One route."""

    id: str
    name: str
    status: RouteStatus
    wanted: bool
    started_at: int | None
    """Milliseconds since the epoch."""
    continuity_errors: int | None
    warnings: int
    unhealthy: int
    gave_up: int
    legs: Sequence[LegStatistics]
    processes: Sequence[ProcessReading]


@dataclass(frozen=True, slots=True)
class ServerReading:
    """The server itself."""

    version: str
    values: Mapping[str, float | None]
    """By name of the metric; what is None has no sample."""
    by_label: Mapping[str, Mapping[str, float]]
    """The same for metrics with a label of their own."""
    lags: Sequence[int]
    lag_sum_s: float


@dataclass(slots=True)
class Reading:
    """Everything, as it was at one moment."""

    server: ServerReading
    routes: list[RouteReading] = field(default_factory=list)
    usage: Mapping[int, Sample] = field(default_factory=dict)
    """What processes use, by PID."""

    def text(self) -> str:
        """All metrics in Prometheus' text format."""
        parts = [
            *_server(self.server),
            *_routes(self.routes),
            *_processes(self.routes, self.usage),
            *_legs(self.routes),
        ]
        return "".join(parts)


Samples = Iterable[tuple[str, float]]
"""Labels, in words, and value."""

_LABELS = {table.ROUTES.name: "status", table.EVENTS.name: "kind", table.ALARMS.name: "severity"}


def _server(server: ServerReading) -> Iterator[str]:
    yield _family(table.BUILD, [(_labels(version=server.version), 1)])
    for metric in table.SERVER[1:]:
        label = _LABELS.get(metric.name)
        if label is not None:
            values = server.by_label[metric.name]
            yield _family(metric, [(_labels(**{label: name}), value) for name, value in values.items()])
        elif (value_ := server.values[metric.name]) is not None:
            yield _family(metric, [("", value_)])
    yield _lag(server)


def _lag(server: ServerReading) -> str:
    name, total, lines = table.LOOP_LAG.name, 0, []
    for bound, number in zip([*map(str, LAG_BOUNDS_S), "+Inf"], server.lags, strict=True):
        total += number
        lines.append(f'{name}_bucket{{le="{bound}"}} {total}\n')
    return f"{_head(table.LOOP_LAG)}{''.join(lines)}{name}_sum {server.lag_sum_s!r}\n{name}_count {total}\n"


def _routes(routes: Iterable[RouteReading]) -> Iterator[str]:
    found: dict[Metric, list[tuple[str, float]]] = {metric: [] for metric in table.ROUTE}
    for route in routes:
        labels = _labels(route=route.id, name=route.name)
        found[table.ROUTE_STATUS] += [(f'{labels},status="{one}"', one is route.status) for one in RouteStatus]
        values = {
            table.ROUTE_ON_AIR: float(route.wanted),
            table.ROUTE_STARTED: None if route.started_at is None else route.started_at / 1000,
            table.ROUTE_CC: route.continuity_errors,
            table.ROUTE_WARNINGS: route.warnings,
            table.ROUTE_UNHEALTHY: route.unhealthy,
            table.ROUTE_GAVE_UP: route.gave_up,
        }
        for metric, value in values.items():
            if value is not None:
                found[metric].append((labels, value))
    for metric, samples in found.items():
        yield _family(metric, samples)


def _processes(routes: Iterable[RouteReading], usage: Mapping[int, Sample]) -> Iterator[str]:
    found: dict[Metric, list[tuple[str, float]]] = {metric: [] for metric in table.PROCESS}
    for route in routes:
        for process in route.processes:
            labels = _labels(route=route.id, name=route.name, process=process.type)
            used = usage.get(process.pid) if process.pid else None
            found[table.PROCESS_UP].append((labels, process.pid is not None))
            found[table.PROCESS_RESTARTS].append((labels, process.restarts))
            found[table.PROCESS_LOOPING].append((labels, process.crash_looping))
            if used is not None:
                found[table.PROCESS_CPU].append((labels, used.cpu_total_s))
                found[table.PROCESS_MEMORY].append((labels, used.memory_bytes))
    for metric, samples in found.items():
        yield _family(metric, samples)


def _legs(routes: Iterable[RouteReading]) -> Iterator[str]:
    legs = [(_labels(route=route.id, name=route.name, leg=leg.leg), leg) for route in routes for leg in route.legs]
    for metric, value_of in table.LEG:
        yield _family(metric, [(labels, value) for labels, leg in legs if (value := value_of(leg)) is not None])
    srt = [(labels, leg.srt) for labels, leg in legs if leg.srt]
    for name, (metric, factor) in table.SRT.items():
        yield _family(metric, [(labels, numbers[name] * factor) for labels, numbers in srt if name in numbers])


def _family(metric: Metric, samples: Samples) -> str:
    name = metric.name
    lines = [
        f"{name}{{{labels}}} {float(value)!r}\n" if labels else f"{name} {float(value)!r}\n"
        for labels, value in samples
    ]
    return _head(metric) + "".join(lines) if lines else ""


def _head(metric: Metric) -> str:
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
