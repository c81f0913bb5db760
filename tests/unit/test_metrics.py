"""Metrics: what is written is what was measured, and what is documented, charted and alarmed about exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from srt_router.api import metric_tables as table
from srt_router.api.metric_families import ProcessReading, Reading, RouteReading, ServerReading
from srt_router.monitoring import readings
from srt_router.monitoring.connections import Connection
from srt_router.monitoring.leg_statistics import CountsView, LegStatistics
from srt_router.processes.usage import Sample
from srt_router.supervision.event_bus import Announced
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.tally import LAG_BOUNDS_S, Tally

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging" / "prometheus" / "srt-router.rules.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "srt-router.json"
PAGE = (ROOT / "docs" / "metrics.md").read_text()

SOURCE = LegStatistics(
    "source",
    process="srt",
    connection=Connection.CONNECTED,
    connects=2,
    bitrate=6000.0,
    loss_percent=1.5,
    ms_rtt=20.25,
    mbps_bandwidth=100.0,
    buffer_ms=118.0,
    latency=120,
    latency_wanted=120,
    since_route_start=CountsView(1000, 1316000, 15, 14, 1, 2, None),
    srt={name: 1000 for name in table.SRT if not re.search("S(nd|ent)", name)} | {"msRTT": 20.25},
)
DESTINATION = LegStatistics(
    "destination:0",
    process="udpDuplicator",
    connection=Connection.UNKNOWN,
    since_route_start=CountsView(999, 1314684, None, None, 0, None, 3),
)
IDLE = LegStatistics("destination:1", latency_wanted=500)


def reading(*routes: RouteReading, **usage: Sample) -> Reading:
    server = ServerReading(
        version="1.2.3",
        values={metric.name: 1.0 for metric in table.SERVER},
        by_label={metric.name: {"some": 2.0} for metric in table.SERVER},
        lags=[5, *[0] * (len(LAG_BOUNDS_S) - 1), 1],
        lag_sum_s=1.25,
    )
    return Reading(server, list(routes), {int(pid[1:]): used for pid, used in usage.items()})


def route(name: str = "Paris feed", *legs: LegStatistics) -> RouteReading:
    return RouteReading(
        id="route_1",
        name=name,
        status=RouteStatus.RUNNING,
        wanted=True,
        started_at=1795398794528,
        continuity_errors=7,
        warnings=1,
        unhealthy=2,
        gave_up=0,
        legs=legs,
        processes=[ProcessReading("srt", 4711, 3, crash_looping=False), ProcessReading("ffmpeg", None, 9, True)],
    )


Labels = tuple[tuple[str, str], ...]


def parsed(text: str) -> dict[tuple[str, Labels], float]:
    """Every sample, as the client library reads it; none twice."""
    found: dict[tuple[str, Labels], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def test_what_is_written_is_what_was_measured() -> None:
    used = Sample(4711, 0, 0, 0, cpu_total_s=12.34, memory_bytes=7_400_000, age_s=100.0)
    found = parsed(reading(route("Paris feed", SOURCE, DESTINATION, IDLE), p4711=used).text())

    def value(name: str, **labels: str) -> float | None:
        labels = {"route": "route_1", "name": "Paris feed", **labels}
        return found.get((f"srt_router_{name}", tuple(sorted(labels.items()))))

    assert value("leg_received_bytes_total", leg="source") == 1316000
    assert value("leg_sent_bytes_total", leg="source") is None
    assert value("leg_sent_bytes_total", leg="destination:0") == 1314684
    assert value("leg_packets_lost_total", leg="source") == 15
    assert value("leg_packets_lost_total", leg="destination:0") is None  # nobody can know
    assert value("leg_packets_dropped_total", leg="destination:0") == 0  # that is known
    assert value("leg_bus_drops_total", leg="destination:0") == 3
    assert value("leg_throughput_bytes_per_second", leg="source") == 750_000
    assert value("leg_rtt_seconds", leg="source") == pytest.approx(0.02025)
    assert value("leg_loss_ratio", leg="source") == pytest.approx(0.015)
    assert value("leg_bandwidth_bytes_per_second", leg="source") == 12.5e6
    assert value("leg_buffer_seconds", leg="source") == pytest.approx(0.118)
    assert value("leg_latency_seconds", leg="source") == pytest.approx(0.12)
    assert value("leg_connected", leg="source") == 1
    assert value("leg_connected", leg="destination:0") is None
    assert value("leg_latency_wanted_seconds", leg="destination:1") == pytest.approx(0.5)
    assert value("leg_srt_receive_lost_bytes_total", leg="source") == 1000
    assert value("route_status", status="running") == 1
    assert sum(value("route_status", status=one) or 0 for one in RouteStatus) == 1
    assert value("route_continuity_errors_total") == 7
    assert value("process_restarts_total", process="srt") == 3
    assert value("process_cpu_seconds_total", process="srt") == 12.34
    assert value("process_resident_memory_bytes", process="srt") == 7_400_000
    assert (value("process_up", process="srt"), value("process_up", process="ffmpeg")) == (1, 0)
    assert value("process_cpu_seconds_total", process="ffmpeg") is None
    assert found["srt_router_build_info", (("version", "1.2.3"),)] == 1
    assert found["srt_router_event_loop_lag_seconds_bucket", (("le", "0.001"),)] == 5
    assert found["srt_router_event_loop_lag_seconds_bucket", (("le", "+Inf"),)] == 6
    assert found["srt_router_event_loop_lag_seconds_sum", ()] == 1.25


@given(st.text(max_size=40))
def test_no_name_breaks_the_format(name: str) -> None:
    names = {dict(labels).get("name") for _, labels in parsed(reading(route(name, SOURCE)).text())}
    assert names == {None, name}


def test_every_number_of_libsrt_is_there() -> None:
    known = {*readings._WINDOW.values(), *readings._LINK.values(), *readings._SEND.values(), *readings._RECV.values()}
    assert known | {"msTimeStamp"} == set(table.SRT) | table.SAID_ABOVE
    assert set(table.SRT) & table.SAID_ABOVE == set()


def test_names_follow_prometheus() -> None:
    names = [metric.name for metric in table.METRICS]
    assert len(names) == len(set(names))
    for metric in table.METRICS:
        assert re.fullmatch(r"srt_router_[a-z0-9_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not re.search(r"milli|_ms$|_bits|_kb|_percent", metric.name)
        assert metric.help


def test_routes_and_legs_bound_how_many_there_are() -> None:
    def lines(*routes: RouteReading) -> int:
        return len(parsed(reading(*routes).text()))

    empty = lines()
    one = lines(route("A", SOURCE)) - empty
    assert one < 8 + 15 + 2 * 5 + len(table.LEG) + len(table.SRT)


# What is written about them


def test_the_page_has_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `(srt_router_\w+)` \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [(metric.name, metric.kind) for metric in table.METRICS]


def expressions() -> Iterator[str]:
    """Every query in the alert rules and the dashboard."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_query_asks_for_what_there_is(expression: str) -> None:
    known = {metric.name for metric in table.METRICS} | {f"{table.LOOP_LAG.name}_bucket"}
    asked = set(re.findall(r"\bsrt_router_\w+", expression))
    assert asked <= known
    assert asked or re.search(r"\bup\b|\bprocess_\w+", expression)
    statuses = re.findall(r'status=~?"([^"]+)"', expression)
    assert {status for found in statuses for status in found.split("|")} <= set(RouteStatus)


def test_rules_are_as_they_should_be() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names)) > 10
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"`{rule['alert']}`" in PAGE


def test_promtool_agrees_where_it_is_installed(tmp_path: Path) -> None:
    """Debian has it in the package prometheus, 100 MB with a service that starts: too much to install for this."""
    text = reading(route("Paris feed", SOURCE, DESTINATION, IDLE)).text()
    assert parsed(text)
    promtool = shutil.which("promtool")
    if promtool:
        subprocess.run([promtool, "check", "rules", str(RULES)], check=True, capture_output=True)
        checked = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=True)
        assert not checked.stderr


# What the server counts about itself


def told(kind: str, route_id: str | None = None, repeated: int = 0, **data: object) -> Announced:
    return Announced(kind, 0, route_id, None, "", data, repeated)


def test_events_are_counted_also_those_that_are_told_as_a_sum() -> None:
    tally = Tally()
    for one in (told("processEnded"), told("processEnded", repeated=41), told("orphansCleanedUp", killed=[1, 2])):
        tally.count(one)
    assert tally.events == {"processEnded": 42, "orphansCleanedUp": 1}
    assert tally.orphans_killed == 2


def test_what_health_decided_of_a_route_goes_with_it() -> None:
    tally = Tally()
    for _ in range(2):
        tally.count(told("routeUnhealthy", "route_1"))
    tally.count(told("routeGaveUp", "route_1"))
    assert tally.of_routes["route_1"] == {"routeUnhealthy": 2, "routeGaveUp": 1}
    tally.count(told("routeRemoved", "route_1"))
    assert tally.of_routes == {}


def test_lags_fall_into_their_buckets() -> None:
    tally = Tally()
    for late_s in (-1.0, 0.0, 0.001, 0.0011, 0.3, 7.0):
        tally.late(late_s)
    assert [sum(tally.lags[: index + 1]) for index in (0, 1, 7, 8, 10)] == [3, 4, 4, 5, 6]
    assert tally.lag_sum_s == pytest.approx(7.3021)
