"""What is counted on one route while it is on air: a meter for each leg, fed from what its processes report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from srt_router.monitoring import leg_statistics, readings
from srt_router.monitoring.leg_meter import LegMeter
from srt_router.monitoring.leg_statistics import Carried, LegIdentity, ProcessUse
from srt_router.monitoring.meter_state import MeterState
from srt_router.monitoring.readings import Counts, Reading, count
from srt_router.monitoring.statistics import Sample
from srt_router.monitoring.thresholds import Metric
from srt_router.processes.child import Adopted
from srt_router.processes.spec import Leg, Peer, ProcessSpec
from srt_router.routes.model import Route
from srt_router.storage.ring import Values
from srt_router.supervision import route_legs
from srt_router.supervision.carried_numbers import CarriedRoute
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.route_warnings import Observation, RecentSum, RouteWarnings
from srt_router.supervision.taps import BusTaps

_SHOWN = ("source", "transcode", "destination")


@dataclass(slots=True)
class MeteredLeg:
    """One leg and its numbers."""

    leg: Leg
    identity: LegIdentity
    target: tuple[str, int] | None
    """Host and port of a UDP destination."""
    meter: LegMeter
    drops: RecentSum = field(default_factory=RecentSum)


@dataclass(slots=True)
class Carrier:
    """One process of the route and the legs that it carries."""

    spec: ProcessSpec
    legs: list[MeteredLeg]
    seen: Sample | None = None
    """The newest report that was taken in."""
    use: ProcessUse | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What the looks at the kernel have found, for all routes."""

    now_s: float
    """Monotonic seconds."""
    taps: BusTaps
    drops: Mapping[int, dict[int, int]]
    """By PID: drops by socket."""
    uses: Mapping[int, ProcessUse]


@dataclass(slots=True)
class RouteNumbers:
    """One route, from its start until it is taken off air."""

    route_id: str
    started_ms: int
    reset_at: int | None = None
    """Milliseconds since the epoch at which the counters were reset."""
    warnings: RouteWarnings = field(init=False)
    carriers: dict[str, Carrier] = field(default_factory=dict)
    """By process type."""
    _meters: dict[str, LegMeter] = field(default_factory=dict)
    """By series."""
    _kept: dict[str, MeterState] = field(default_factory=dict)
    """What a server before had counted, of legs that were not looked at yet."""
    _route: Route | None = None
    _errors: RecentSum = field(default_factory=RecentSum)
    _errors_total: int | None = None

    def __post_init__(self) -> None:
        self.warnings = RouteWarnings(self.route_id)

    def reset(self, now_ms: int) -> None:
        """Count anew what is shown as counted since the reset."""
        self.reset_at = now_ms
        for meter in self._meters.values():
            meter.reset()

    # Beyond the life of a server

    def keep(self) -> CarriedRoute:
        """What the next server begins with."""
        legs = {series: meter.keep() for series, meter in self._meters.items()}
        return CarriedRoute.model_construct(started_ms=self.started_ms, reset_at=self.reset_at, legs=legs)

    def resume(self, kept: CarriedRoute | None) -> None:
        """Count on from there, if it is of the same life of the route."""
        if kept is not None and kept.started_ms == self.started_ms:
            self.reset_at, self._kept = kept.reset_at, dict(kept.legs)

    # Looking

    def follow(self, route: Route, records: Mapping[str, ProcessRecord]) -> None:
        """The processes that the route has now."""
        same = route is self._route and len(records) == len(self.carriers)
        if same and all((c := self.carriers.get(name)) and c.spec is r.spec for name, r in records.items()):
            return
        if route is not self._route:  # legs may have other names
            self._route = route
            self.carriers = {
                name: self._carrier(route, carrier.spec, carrier) for name, carrier in self.carriers.items()
            }
        for gone in self.carriers.keys() - records.keys():
            del self.carriers[gone]
        for process_type, record in records.items():
            known = self.carriers.get(process_type)
            if known is None or known.spec is not record.spec:
                self.carriers[process_type] = self._carrier(route, record.spec, known)
        if len(self._meters) > 2 * sum(len(carrier.legs) for carrier in self.carriers.values()):
            in_use = {leg.identity.series for carrier in self.carriers.values() for leg in carrier.legs}
            self._meters = {series: meter for series, meter in self._meters.items() if series in in_use}

    def _carrier(self, route: Route, spec: ProcessSpec, before: Carrier | None) -> Carrier:
        legs = []
        for leg in spec.legs:
            if leg.kind in _SHOWN:
                identity = route_legs.identity(route, leg, spec)
                meter = self._meter(identity.series, _countable(leg, spec))
                legs.append(MeteredLeg(leg, identity, route_legs.udp_target(route, leg), meter))
        return Carrier(spec, legs, before.seen if before else None, before.use if before else None)

    def _meter(self, series: str, countable: Counts) -> LegMeter:
        meter = self._meters.get(series)
        if meter is None:
            meter = self._meters[series] = LegMeter(countable=countable)
            if kept := self._kept.pop(series, None):
                meter.resume(kept)
        return meter

    def look(self, record: ProcessRecord, sample: Sample | None, look: Look) -> None:
        """Once a second: what one process has reported and done."""
        carrier = self.carriers[record.spec.process_type]
        new = sample if sample is not carrier.seen else None
        carrier.seen = sample
        pid = record.pid
        carrier.use = look.uses.get(pid, carrier.use) if pid else None
        for metered in carrier.legs:
            meter = metered.meter
            if pid:
                meter.carried_by(pid, taken_over=isinstance(record.child, Adopted))
            if new is not None:
                for reading in _readings(metered, record, new):
                    meter.read(reading, look.now_s)
            self._drops(meter, record, new, look)
            meter.look(look.now_s, nothing_flows=_nothing_flows(metered.leg, record, look.taps))
        if new is not None and record.spec.peer is not Peer.NONE:
            new.fold()

    def _drops(self, meter: LegMeter, record: ProcessRecord, new: Sample | None, look: Look) -> None:
        if record.spec.joins is None:
            return
        if reports_drops(record.spec):
            by_socket = _reported_drops(new) if new else None
        else:
            by_socket = look.drops.get(record.pid or 0)
        if by_socket is not None:
            meter.dropped(by_socket)

    # What was seen

    def observations(self, errors: int | None, now_s: float) -> Iterator[Observation]:
        """The numbers that have thresholds; `errors`: continuity errors so far, if anybody counts them."""
        for carrier in self.carriers.values():
            for metered in carrier.legs:
                series, leg, meter = metered.identity.series, metered.identity.leg, metered.meter
                reading = meter.reading if meter.fresh else None
                yield Observation(series, leg, Metric.LOSS_PERCENT, meter.loss_percent)
                yield Observation(series, leg, Metric.MS_RTT, reading.ms_rtt if reading else None)
                yield Observation(series, leg, Metric.BUS_DROPS, metered.drops.add(meter.bus_drops_change, now_s))
        before, self._errors_total = self._errors_total, errors
        new = None if errors is None else max(0, errors - (before or 0)) if before is not None else 0
        yield Observation("", None, Metric.CONTINUITY_ERRORS, self._errors.add(new, now_s))

    def carried(self, leg: Leg, records: Mapping[str, ProcessRecord]) -> Carried | None:
        """All about one leg; None where no process carries it."""
        for process_type, carrier in self.carriers.items():
            for metered in carrier.legs:
                if metered.leg == leg and process_type in records:
                    connection = records[process_type].connection
                    return Carried(
                        metered.identity, leg, carrier.spec, connection, metered.meter, carrier.seen, carrier.use
                    )
        return None


def history_values(metered: MeteredLeg, record: ProcessRecord, use: ProcessUse | None) -> Values:
    """One second of a leg for its history, in the order of storage.ring.METRICS."""
    meter = metered.meter
    change = meter.change
    reading = meter.reading if meter.fresh else None
    known = record.spec.peer is not Peer.NONE or metered.leg.kind != "destination"
    return (
        meter.bitrate,
        change.packets,
        change.lost,
        change.retransmitted,
        change.dropped,
        change.belated,
        meter.bus_drops_change,
        reading.ms_rtt if reading else None,
        reading.mbps_bandwidth if reading else None,
        reading.buffer_ms if reading else None,
        reading.fps if reading else None,
        float(record.connection.connected) if known else None,
        use.cpu_percent if use else None,
        use.memory_bytes if use else None,
    )


def _countable(leg: Leg, spec: ProcessSpec) -> Counts:
    if leg.kind == "transcode":
        return leg_statistics.TRANSCODE
    if spec.peer is Peer.NONE:
        return leg_statistics.UDP
    return leg_statistics.SRT_SOURCE if leg.kind == "source" else leg_statistics.SRT_DESTINATION


def _readings(metered: MeteredLeg, record: ProcessRecord, sample: Sample) -> Iterator[Reading]:
    """What a report says of a leg. What is not SRT has no name for its life: there the process is it."""
    if record.spec.peer is not Peer.NONE:
        for values in (*sample.earlier, sample.values):
            if reading := readings.read_srt(values, receiving=metered.leg.kind == "source"):
                yield reading
        return
    since, pid = record.state.up_since, record.pid
    if pid is None or since is None:
        return
    reading = _of_process(metered, pid, sample)
    if reading is not None and reading.at_s >= since:  # older: the last words of the process before
        yield reading


def _of_process(metered: MeteredLeg, pid: int, sample: Sample) -> Reading | None:
    if metered.leg.kind == "transcode":
        return readings.read_transcode(sample.values, pid, sample.at_s)
    if metered.leg.kind == "source":
        return readings.read_udp_input(sample.values, pid, sample.at_s)
    if metered.target is None:
        return None
    return readings.read_udp_output(sample.values, pid, sample.at_s, metered.target)


def _nothing_flows(leg: Leg, record: ProcessRecord, taps: BusTaps) -> bool:
    """It is known that nothing does: no process, no peer, or a bus on which nothing passed."""
    if record.pid is None:
        return True
    spec = record.spec
    if spec.peer is Peer.NONE and leg.kind != "transcode":
        return False  # it reports every second, whatever flows
    if not record.connection.connected:
        return True
    bus = spec.joins if leg.kind == "destination" else spec.feeds
    return bus is not None and taps.flow(bus) is False


def reports_drops(spec: ProcessSpec) -> bool:
    """The process is a duplicator: it says itself what its socket had no room for."""
    return spec.config is not None


def _reported_drops(sample: Sample) -> dict[int, int] | None:
    entry = sample.values.get("input")
    drops = count(entry.get("drops")) if isinstance(entry, dict) else None
    return None if drops is None else {0: drops}
