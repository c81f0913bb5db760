"""The statistics of one leg as everybody sees them, whatever process carries it: one shape, made on request.

Keys are libsrt's where libsrt has them. Null is what cannot be known; zero is what is known to be nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.monitoring.connections import Connection, ConnectionState
from srt_router.monitoring.leg_meter import LegMeter
from srt_router.monitoring.readings import Counts, in_libsrt_names
from srt_router.monitoring.statistics import Sample
from srt_router.processes.spec import Leg, Peer, ProcessSpec


def json_name(name: str) -> str:
    """`ms_rtt` is `msRTT`, as libsrt has it; all others are camelCase."""
    return "msRTT" if name == "ms_rtt" else to_camel(name)


CAMEL = ConfigDict(alias_generator=json_name)

SRT_SOURCE = Counts(0, 0, 0, 0, 0, 0)
SRT_DESTINATION = Counts(0, 0, 0, 0, 0, None)
UDP = Counts(packets=0, bytes=0, dropped=0)
TRANSCODE = Counts(bytes=0)


@dataclass(frozen=True, slots=True)
class LegIdentity:
    """Which leg this is, and what carries it."""

    leg: str
    """`source`, `transcode`, `destination:0` (by its position in the route)."""
    series: str
    """Its name in the history, which an edit of other legs does not change."""
    latency_wanted: int | None
    """Milliseconds, as configured; None for what has none."""


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What a process uses."""

    cpu_percent: float
    """Of one core."""
    memory_bytes: int
    """Resident memory."""


@dataclass(frozen=True, slots=True)
class LegNumbers:
    """One leg now."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    leg: str
    """`source`, `transcode`, `destination:0`, …"""
    process: str | None = None
    """Type of the process that carries it; None: none does."""
    connection: Connection = Connection.UNKNOWN
    connected_since: int | None = None
    """Milliseconds since the epoch; None while no peer is there."""
    reconnects: int | None = None
    """Connections since the route was started, but the first; None for what has no connections."""
    peer: str | None = None
    """Address and port."""
    reported_at: int | None = None
    """Milliseconds since the epoch at which the newest report was read."""
    bitrate: float | None = None
    """kb/s of the stream, without headers and without what is sent again."""
    packet_rate: float | None = None
    """Packets (UDP: datagrams) per second."""
    packets: int | None = None
    """Since the reset, or since the route was started; the same for all counters here."""
    bytes: int | None = None
    lost: int | None = None
    retransmitted: int | None = None
    dropped: int | None = None
    belated: int | None = None
    bus_drops: int | None = None
    """Datagrams that the kernel threw away because the process did not read the bus fast enough."""
    loss_percent: float | None = None
    """Lost packets of all that should have come in the last 10 s, also those that came when sent again."""
    ms_rtt: float | None = None
    """Round-trip time."""
    mbps_bandwidth: float | None = None
    """Estimated bandwidth of the link, in Mb/s."""
    buffer_ms: float | None = None
    """What waits in the buffer, in milliseconds of the stream."""
    latency: int | None = None
    """Milliseconds, as both ends have agreed."""
    latency_wanted: int | None = None
    """Milliseconds, as configured."""
    fps: float | None = None
    """Frames per second that a transcode makes."""
    speed: float | None = None
    """Seconds of the stream that a transcode makes per second."""
    cpu_percent: float | None = None
    """Of one core, of the process; legs that share a process show the same."""
    memory_bytes: int | None = None
    """Resident memory of the process."""


@dataclass(frozen=True, slots=True)
class CountsView:
    """Counters over one span of time."""

    packets: int | None
    bytes: int | None
    lost: int | None
    retransmitted: int | None
    dropped: int | None
    belated: int | None
    bus_drops: int | None

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL


@dataclass(frozen=True, slots=True)
class LegStatistics(LegNumbers):
    """One leg now, with everything there is to know."""

    __pydantic_config__: ClassVar[ConfigDict] = CAMEL

    connects: int | None = None
    """Connections since the route was started."""
    peer_version: str | None = None
    """SRT version of a peer that called us."""
    last_second: CountsView | None = None
    """What came since the look before, a second ago."""
    since_process_start: CountsView | None = None
    since_route_start: CountsView | None = None
    srt: dict[str, int | float] | None = None
    """libsrt's numbers in libsrt's names, counted since the connection was made."""
    transcode: dict[str, int | float] | None = None
    """What ffmpeg reports of its progress."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Everything that is known about a leg and the process that carries it."""

    identity: LegIdentity
    kind: Leg
    spec: ProcessSpec
    connection: ConnectionState
    meter: LegMeter
    sample: Sample | None
    use: ProcessUse | None

    @property
    def receiving(self) -> bool:
        """It is the source."""
        return self.kind.kind == "source"

    @property
    def connected(self) -> Connection:
        """UDP out has no connection: nobody can say who listens."""
        return self.connection.connection if self.has_connections else Connection.UNKNOWN

    @property
    def has_connections(self) -> bool:
        """Somebody can say whether a peer is there."""
        return self.spec.peer is not Peer.NONE or self.kind.kind != "destination"

    def numbers(self) -> dict[str, object]:
        """The fields of LegNumbers."""
        meter, reading = self.meter, self.meter.reading if self.meter.fresh else None
        connection, here = self.connection, self.connection.connected and self.has_connections
        counted_alone = self.spec.peer is not Peer.NONE or self.receiving
        found: dict[str, object] = {
            "leg": self.identity.leg,
            "process": self.spec.process_type,
            "connection": self.connected,
            "connected_since": connection.since_ms if here else None,
            "reconnects": max(0, connection.connects - 1) if counted_alone else None,
            "peer": connection.peer if here else None,
            "reported_at": self.sample.at_ms if self.sample else None,
            "bitrate": _rounded(meter.bitrate, 1),
            "packet_rate": _rounded(meter.packet_rate, 1),
            **meter.since_reset._asdict(),
            "bus_drops": _since(meter.bus_drops, meter.bus_drops_at_reset),
            "loss_percent": _rounded(meter.loss_percent, 3),
            "latency": self._latency(),
            "latency_wanted": self.identity.latency_wanted,
            "cpu_percent": _rounded(self.use.cpu_percent, 1) if self.use else None,
            "memory_bytes": self.use.memory_bytes if self.use else None,
        }
        if reading is not None:
            found |= {
                "ms_rtt": _rounded(reading.ms_rtt, 3),
                "mbps_bandwidth": _rounded(reading.mbps_bandwidth, 2),
                "buffer_ms": reading.buffer_ms,
                "fps": reading.fps,
                "speed": reading.speed,
            }
        return found

    def _latency(self) -> int | None:
        """As both ends agreed. A receiver reports it; a sender knows it only if the peer called and told."""
        if not self.connection.connected or self.spec.peer is Peer.NONE:
            return None
        if self.receiving:
            reading, sample = self.meter.reading, self.sample
            if reading is None or reading.latency_ms is None or sample is None:
                return None
            return int(reading.latency_ms) if sample.at_ms >= (self.connection.since_ms or 0) else None
        theirs, ours = self.connection.peer_latency_ms, self.identity.latency_wanted
        return None if theirs is None or ours is None else max(theirs, ours)

    def details(self) -> dict[str, object]:
        """The fields that LegStatistics adds."""
        meter, connection = self.meter, self.connection
        counted_alone = self.spec.peer is not Peer.NONE or self.receiving
        values = dict(self.sample.values) if self.sample else None
        srt = self.spec.peer is not Peer.NONE
        return {
            "connects": connection.connects if counted_alone else None,
            "peer_version": connection.peer_version if connection.connected else None,
            "last_second": _view(meter.change, meter.bus_drops_change),
            "since_process_start": _view(
                meter.since_process_start, _since(meter.bus_drops, meter.bus_drops_at_process_start)
            ),
            "since_route_start": _view(meter.total, meter.bus_drops),
            "srt": in_libsrt_names(values, receiving=self.receiving) if srt and values else None,
            "transcode": _numbers(values) if self.kind.kind == "transcode" and values else None,
        }


def _view(counts: Counts, bus_drops: int | None) -> CountsView:
    return CountsView(*counts, bus_drops)


def _since(now: int | None, before: int | None) -> int | None:
    return None if now is None else now - (before or 0)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _numbers(values: dict[str, object]) -> dict[str, float]:
    return {key: value for key, value in values.items() if isinstance(value, int | float)}
