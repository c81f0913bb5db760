"""Every metric of a route: its name, what it is, and where its value comes from. docs/metrics.md has the same list.

Names follow Prometheus: base units (seconds, bytes), counters end in `_total`. What nobody can know
has no sample, which is not zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from srt_router.monitoring.leg_statistics import CountsView, LegStatistics

PREFIX = "srt_router_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of metrics."""

    name: str
    """In full."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str


LegValue = Callable[[LegStatistics], float | None]


def _counter(name: str, text: str) -> Metric:
    return Metric(f"{PREFIX}leg_{name}_total", "counter", text)


def _gauge(name: str, text: str) -> Metric:
    return Metric(f"{PREFIX}leg_{name}", "gauge", text)


def _received(leg: LegStatistics) -> CountsView | None:
    return leg.since_route_start if leg.leg == "source" else None


def _sent(leg: LegStatistics) -> CountsView | None:
    return leg.since_route_start if leg.leg != "source" else None


def _count(name: str, of: Callable[[LegStatistics], CountsView | None] = lambda leg: leg.since_route_start) -> LegValue:
    def value(leg: LegStatistics) -> float | None:
        counts = of(leg)
        return None if counts is None else getattr(counts, name)

    return value


def _field(name: str, factor: float = 1.0) -> LegValue:
    def value(leg: LegStatistics) -> float | None:
        found = getattr(leg, name)
        return None if found is None else found * factor

    return value


def _connected(leg: LegStatistics) -> float | None:
    return None if leg.process is None or leg.connection == "unknown" else float(leg.connection == "connected")


LEG: tuple[tuple[Metric, LegValue], ...] = (
    (_counter("received_bytes", "Bytes of the stream that came in, without headers"), _count("bytes", _received)),
    (_counter("sent_bytes", "Bytes of the stream that went out, without headers"), _count("bytes", _sent)),
    (_counter("received_packets", "Packets (UDP: datagrams) that came in, each once"), _count("packets", _received)),
    (_counter("sent_packets", "Packets (UDP: datagrams) that went out, each once"), _count("packets", _sent)),
    (_counter("packets_lost", "Packets that did not arrive at first; most are sent again in time"), _count("lost")),
    (_counter("packets_retransmitted", "Packets that were sent again"), _count("retransmitted")),
    (_counter("packets_dropped", "Packets that are lost for good"), _count("dropped")),
    (_counter("packets_belated", "Packets that came too late to be of use"), _count("belated")),
    (_counter("bus_drops", "Datagrams of the bus that the kernel threw away"), _count("bus_drops")),
    (_counter("connections", "Connections since the route was started"), _field("connects")),
    (_gauge("connected", "1 while a peer is connected, 0 while none is"), _connected),
    (_gauge("throughput_bytes_per_second", "Rate of the stream, without headers"), _field("bitrate", 125)),
    (_gauge("packets_per_second", "Packets (UDP: datagrams) per second"), _field("packet_rate")),
    (_gauge("loss_ratio", "Lost packets of those that should have come in 10 s, 0 to 1"), _field("loss_percent", 0.01)),
    (_gauge("rtt_seconds", "Round-trip time"), _field("ms_rtt", 0.001)),
    (_gauge("bandwidth_bytes_per_second", "Estimated bandwidth of the link"), _field("mbps_bandwidth", 125e3)),
    (_gauge("buffer_seconds", "What waits in the buffer, in time of the stream"), _field("buffer_ms", 0.001)),
    (_gauge("latency_seconds", "Latency that both ends agreed on"), _field("latency", 0.001)),
    (_gauge("latency_wanted_seconds", "Latency as configured"), _field("latency_wanted", 0.001)),
    (_gauge("frames_per_second", "Frames per second that a transcode makes"), _field("fps")),
    (_gauge("speed_ratio", "Seconds of the stream that a transcode makes per second"), _field("speed")),
)
"""What is counted here starts at zero when the route is started."""

SRT: dict[str, tuple[Metric, float]] = {
    "pktFlowWindow": (_gauge("srt_flow_window_packets", "Flow window"), 1),
    "pktCongestionWindow": (_gauge("srt_congestion_window_packets", "Congestion window"), 1),
    "pktFlightSize": (_gauge("srt_flight_size_packets", "Packets on their way, not acknowledged yet"), 1),
    "mbpsMaxBW": (_gauge("srt_max_bandwidth_bytes_per_second", "Limit of the sending rate"), 125e3),
    "usPktSndPeriod": (_gauge("srt_send_period_seconds", "Shortest time between two packets"), 1e-6),
    "byteAvailSndBuf": (_gauge("srt_send_buffer_available_bytes", "Room left in the send buffer"), 1),
    "byteAvailRcvBuf": (_gauge("srt_receive_buffer_available_bytes", "Room left in the receive buffer"), 1),
    "pktSent": (_counter("srt_sent_packets", "Packets sent, also again"), 1),
    "byteSent": (_counter("srt_sent_bytes", "Bytes sent, also again, with headers"), 1),
    "byteSentUnique": (_counter("srt_sent_unique_bytes", "Bytes sent, each once, with headers"), 1),
    "byteSndDrop": (_counter("srt_send_dropped_bytes", "Bytes that were too late to be sent"), 1),
    "pktSndFilterExtra": (_counter("srt_sent_filter_extra_packets", "Packets of forward error correction sent"), 1),
    "pktRecv": (_counter("srt_received_packets", "Packets received, also again"), 1),
    "byteRecv": (_counter("srt_received_bytes", "Bytes received, also again, with headers"), 1),
    "byteRecvUnique": (_counter("srt_received_unique_bytes", "Bytes received, each once, with headers"), 1),
    "byteRcvLoss": (_counter("srt_receive_lost_bytes", "Bytes that did not arrive at first"), 1),
    "byteRcvDrop": (_counter("srt_receive_dropped_bytes", "Bytes that are lost for good"), 1),
    "pktRcvFilterExtra": (
        _counter("srt_received_filter_extra_packets", "Packets of forward error correction received"),
        1,
    ),
    "pktRcvFilterSupply": (_counter("srt_filter_supplied_packets", "Packets that forward error correction made up"), 1),
    "pktRcvFilterLoss": (_counter("srt_filter_lost_packets", "Packets that it could not make up"), 1),
}
"""libsrt's other numbers, by its names. What is counted here starts at zero with each connection."""

SAID_ABOVE = {
    "msTimeStamp",
    "msRTT",
    "mbpsBandwidth",
    "pktSentUnique",
    "pktSndLoss",
    "pktSndDrop",
    "pktRetrans",
    "msSndBuf",
    "pktRecvUnique",
    "pktRcvLoss",
    "pktRcvDrop",
    "pktRcvRetrans",
    "pktRcvBelated",
    "msRcvBuf",
    "msRcvTsbPdDelay",
}
"""libsrt's numbers that are in LEG, under names of their own."""

ROUTE_STATUS = Metric(f"{PREFIX}route_status", "gauge", "1 for the status that the route has, 0 for all others")
ROUTE_ON_AIR = Metric(f"{PREFIX}route_wanted", "gauge", "1 for a route that should be on air")
ROUTE_STARTED = Metric(f"{PREFIX}route_start_time_seconds", "gauge", "When the route was started, since the epoch")
ROUTE_CC = Metric(f"{PREFIX}route_continuity_errors_total", "counter", "Continuity errors in the stream that comes in")
ROUTE_WARNINGS = Metric(f"{PREFIX}route_warnings", "gauge", "Numbers that are beyond their threshold")
ROUTE_UNHEALTHY = Metric(f"{PREFIX}route_unhealthy_total", "counter", "How often no progress was found")
ROUTE_GAVE_UP = Metric(f"{PREFIX}route_gave_up_total", "counter", "How often the attempts were used up")
PROCESS_UP = Metric(f"{PREFIX}process_up", "gauge", "1 while the process runs")
PROCESS_RESTARTS = Metric(f"{PREFIX}process_restarts_total", "counter", "Restarts since the route was started")
PROCESS_LOOPING = Metric(f"{PREFIX}process_crash_looping", "gauge", "1 after ten failures within a minute")
PROCESS_CPU = Metric(f"{PREFIX}process_cpu_seconds_total", "counter", "Processor time of the process")
PROCESS_MEMORY = Metric(f"{PREFIX}process_resident_memory_bytes", "gauge", "Resident memory of the process")
ROUTE: tuple[Metric, ...] = (
    ROUTE_STATUS,
    ROUTE_ON_AIR,
    ROUTE_STARTED,
    ROUTE_CC,
    ROUTE_WARNINGS,
    ROUTE_UNHEALTHY,
    ROUTE_GAVE_UP,
)
PROCESS: tuple[Metric, ...] = (PROCESS_UP, PROCESS_RESTARTS, PROCESS_LOOPING, PROCESS_CPU, PROCESS_MEMORY)

BUILD = Metric(f"{PREFIX}build_info", "gauge", "1, with the version")
ROUTES = Metric(f"{PREFIX}routes", "gauge", "Routes by status")
ABLE = Metric(f"{PREFIX}able", "gauge", "1 while the server can do its work, as /api/health says")
FILE_ERRORS = Metric(f"{PREFIX}routes_file_errors", "gauge", "Errors in routes.json")
STORAGE = Metric(f"{PREFIX}storage_up", "gauge", "1 while gateway.db can be used")
EVENTS = Metric(f"{PREFIX}events_total", "counter", "Events by kind, also those that are counted and not told")
EVENTS_WAITING = Metric(f"{PREFIX}events_waiting", "gauge", "Events that are not in gateway.db yet")
EVENTS_LOST = Metric(f"{PREFIX}events_lost_total", "counter", "Events lost while gateway.db could not be used")
LOG_WAITING = Metric(f"{PREFIX}log_lines_waiting", "gauge", "Log lines that are not written yet")
ORPHANS_KILLED = Metric(f"{PREFIX}orphans_killed_total", "counter", "Processes without an owner that were killed")
LIVE_CLIENTS = Metric(f"{PREFIX}live_clients", "gauge", "Clients of the WebSocket /api/live")
ALARMS = Metric(f"{PREFIX}alarms", "gauge", "Active alarms by severity")
LAST_BACKUP = Metric(f"{PREFIX}backup_last_time_seconds", "gauge", "When the newest backup was made, since the epoch")
BACKUP_FAILED = Metric(f"{PREFIX}backup_failed", "gauge", "1 while the daily backup fails")
SERVER: tuple[Metric, ...] = (
    BUILD,
    ROUTES,
    ABLE,
    FILE_ERRORS,
    STORAGE,
    EVENTS,
    EVENTS_WAITING,
    EVENTS_LOST,
    LOG_WAITING,
    ORPHANS_KILLED,
    LIVE_CLIENTS,
    ALARMS,
    LAST_BACKUP,
    BACKUP_FAILED,
)
LOOP_LAG = Metric(f"{PREFIX}event_loop_lag_seconds", "histogram", "How late the event loop comes to what is due")

METRICS: tuple[Metric, ...] = (
    *SERVER,
    LOOP_LAG,
    *ROUTE,
    *PROCESS,
    *(metric for metric, _ in LEG),
    *(metric for metric, _ in SRT.values()),
)
"""Everything there is, in the order in which it is written."""
