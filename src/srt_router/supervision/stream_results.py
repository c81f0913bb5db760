"""What the stream monitor reports, as the server keeps it: the newest of each bus, and counters that outlive it.

The monitor counts from its own start. Its successor counts from zero; the sums here go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from srt_router.supervision.carried_numbers import CarriedStream

Json = Mapping[str, object]

KINDS = ("syncLoss", "syncByteError", "patError", "continuityCountError", "pmtError", "pidError")
"""The first priority of TR 101 290, in its order."""
_MAX_BYTES = 4 << 20
"""The file is emptied when it is read and larger than this."""
_READ = 16 << 20


class ResultsFile:
    """Reads what was appended to the monitor's file. For a worker thread."""

    def __init__(self, name: str, dir_fd: int) -> None:
        self._name, self._dir_fd = name, dir_fd
        self._at = 0
        self._rest = b""

    def read(self) -> list[Json]:
        """The objects that were written since the last call. Raises OSError where there is no file."""
        fd = os.open(self._name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._dir_fd)
        try:
            size = os.fstat(fd).st_size
            if size < self._at:
                self._at, self._rest = 0, b""
            data = os.pread(fd, min(size - self._at, _READ), self._at)
            self._at += len(data)
            if self._at > _MAX_BYTES and self._at >= os.fstat(fd).st_size:
                os.ftruncate(fd, 0)
                self._at = 0
        finally:
            os.close(fd)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MAX_BYTES:]
        return [found for line in lines if (found := _parse(line)) is not None]


def _parse(line: bytes) -> Json | None:
    if not line:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Counters:
    """What is counted on one bus."""

    packets: int = 0
    continuity_errors: int = 0
    transport_errors: int = 0
    crc_errors: int = 0
    missed: int = 0
    """Datagrams that the monitor did not get: no error of the stream."""
    kinds: tuple[int, ...] = (0,) * len(KINDS)

    def plus(self, other: Counters, sign: int = 1) -> Counters:
        """The sum, or with -1 the difference."""
        return Counters(
            packets=self.packets + sign * other.packets,
            continuity_errors=self.continuity_errors + sign * other.continuity_errors,
            transport_errors=self.transport_errors + sign * other.transport_errors,
            crc_errors=self.crc_errors + sign * other.crc_errors,
            missed=self.missed + sign * other.missed,
            kinds=tuple(a + sign * b for a, b in zip(self.kinds, other.kinds, strict=True)),
        )

    def as_row(self) -> tuple[int, ...]:
        """To be written down."""
        first = (self.packets, self.continuity_errors, self.transport_errors, self.crc_errors, self.missed)
        return (*first, *self.kinds)

    @classmethod
    def from_row(cls, row: Sequence[int]) -> Counters:
        """As it was written down; nothing where that is of another version."""
        if len(row) != 5 + len(KINDS):
            return cls()
        packets, continuity, transport, crc, missed, *kinds = row
        return cls(packets, continuity, transport, crc, missed, tuple(kinds))


@dataclass(frozen=True, slots=True)
class PidCounters:
    """What is counted of one PID."""

    packets: int = 0
    continuity_errors: int = 0
    scrambled: int = 0


@dataclass(slots=True)
class BusResult:
    """One bus: the newest line, and the sums."""

    line: Json
    since_ms: int
    """Of the sums."""
    services: list[Json] = field(default_factory=list)
    transport_stream_id: int | None = None
    service: str | None = None
    """Name of the first service that has one."""
    codecs: list[str] = field(default_factory=list)
    """Of pictures and sounds."""
    probe: Json | None = None
    reset_ms: int | None = None
    """When the counters were set to zero; None: never."""
    _life: object = None
    """Which life of the monitor counts now."""
    _before: Counters = Counters()
    """Of the lives before this one."""
    _now: Counters = Counters()
    _at_reset: Counters = Counters()
    _pids_before: dict[int, PidCounters] = field(default_factory=dict)

    @property
    def total(self) -> Counters:
        """Since the bus was first watched."""
        return self._before.plus(self._now)

    @property
    def since_reset(self) -> Counters:
        """Since the last reset, or since the start."""
        return self.total.plus(self._at_reset, -1)

    def pids(self) -> dict[int, PidCounters]:
        """Each PID, since the bus was first watched."""
        now = {row[0]: PidCounters(row[1], row[3], row[4]) for row in pid_rows(self.line)}
        before = self._pids_before
        return {pid: _sum(now.get(pid), before.get(pid)) for pid in now.keys() | before.keys()}

    def keep(self) -> CarriedStream:
        """What the next server counts on from."""
        pids = {pid: (one.packets, one.continuity_errors, one.scrambled) for pid, one in self.pids().items()}
        total, at_reset = self.total.as_row(), self._at_reset.as_row()
        return CarriedStream.model_construct(
            since_ms=self.since_ms, reset_ms=self.reset_ms, total=total, at_reset=at_reset, pids=pids
        )

    def resume(self, kept: CarriedStream) -> None:
        """Count on from what an earlier server had counted; its monitor has ended with it."""
        self._life = 0  # of a monitor that counts no more
        self.since_ms, self.reset_ms = kept.since_ms, kept.reset_ms
        self._before, self._at_reset = Counters.from_row(kept.total), Counters.from_row(kept.at_reset)
        self._pids_before = {pid: PidCounters(*row) for pid, row in kept.pids.items()}

    def reset(self, now_ms: int) -> None:
        """Count anew from here."""
        self._at_reset, self.reset_ms = self.total, now_ms

    def take(self, line: Json) -> None:
        """A newer line about this bus."""
        if line.get("since") != self._life:
            if self._life is None:
                self.since_ms = _whole(line.get("since")) or self.since_ms
            self._pids_before = self.pids()
            self._before, self._now = self.total, Counters()
            self._life = line.get("since")
        self.line = line
        self._now = counters_of(line)

    @property
    def active(self) -> dict[str, bool]:
        """Which errors were there in the last second that was looked at."""
        return {kind: active for kind, (_, _, active) in indicators_of(self.line).items()}

    def last_at(self, kind: str) -> int | None:
        """When an error of this kind was counted last, in milliseconds since the epoch."""
        return indicators_of(self.line)[kind][1]

    def describe(self, services: list[Json], transport_stream_id: object) -> None:
        """What is on the stream is told anew."""
        self.services = services
        self.transport_stream_id = transport_stream_id if isinstance(transport_stream_id, int) else None
        names = (one.get("name") for one in services)
        self.service = next((name for name in names if isinstance(name, str) and name), None)
        streams = (stream for one in services for stream in _list(one.get("streams")))
        self.codecs = list(dict.fromkeys(str(one[2]) for one in streams if one[1] != "data"))


def counters_of(line: Json) -> Counters:
    """The counters in a line; what is missing or no number is 0."""
    indicators = indicators_of(line)
    return Counters(
        packets=_whole(line.get("packets")),
        continuity_errors=_whole(line.get("continuityErrors")),
        transport_errors=_whole(line.get("transportErrors")),
        crc_errors=_whole(line.get("crcErrors")),
        missed=_whole(line.get("missed")),
        kinds=tuple(indicators[kind][0] for kind in KINDS),
    )


def indicators_of(line: Json) -> dict[str, tuple[int, int | None, bool]]:
    """Count, time of the last one and presence of each kind of error."""
    found = line.get("tr101290")
    given = found if isinstance(found, dict) else {}
    answer: dict[str, tuple[int, int | None, bool]] = {}
    for kind in KINDS:
        match given.get(kind):
            case [int(total), int() | None as last_at, bool(active)]:
                answer[kind] = (total, last_at, active)
            case _:
                answer[kind] = (0, None, False)
    return answer


PidRow = tuple[int, int, int, int, int, float | None, float | None]


def pid_rows(line: Json) -> list[PidRow]:
    """PID, packets, bit rate, continuity errors, scrambled packets, PCR interval and jitter in ms."""
    rows = line.get("pids")
    return [(a, b, c, d, e, f, g) for a, b, c, d, e, f, g in rows] if isinstance(rows, list) else []


def _list(value: object) -> list[list[object]]:
    return value if isinstance(value, list) else []


def _sum(one: PidCounters | None, other: PidCounters | None) -> PidCounters:
    if one is None or other is None:
        return one or other or PidCounters()
    return PidCounters(
        one.packets + other.packets,
        one.continuity_errors + other.continuity_errors,
        one.scrambled + other.scrambled,
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


@dataclass(slots=True)
class StreamResults:
    """The results of all buses, by `group:port`."""

    buses: dict[str, BusResult] = field(default_factory=dict)
    before: dict[str, CarriedStream] = field(default_factory=dict)
    """What an earlier server had counted, of buses of which there was no news yet."""
    alive: bool = False
    """A sign of life came with the last `take`."""
    every: int = 1
    """Each bus is looked at in one of so many seconds."""

    def take(self, lines: Iterable[Json], wanted: Mapping[str, object], now_ms: int) -> set[str]:
        """Take new lines about the buses that are wanted; the answer is of which there was news."""
        news: set[str] = set()
        self.alive = False
        for gone in self.buses.keys() - wanted.keys():
            del self.buses[gone]
        for line in lines:
            bus = line.get("bus")
            if isinstance(every := line.get("every"), int):
                self.alive, self.every = True, every
            if isinstance(bus, str) and bus in wanted and "thumbnail" not in line:
                self._take(bus, line, now_ms)
                news.add(bus)
        return news

    def expect(self, bus: str) -> None:
        """It is watched from now on: what an earlier server had counted is told, and kept, also without any news."""
        if kept := self.before.pop(bus, None):
            result = self.buses[bus] = BusResult({}, kept.since_ms)
            result.resume(kept)

    def forget(self, bus: str) -> None:
        """It is watched no more."""
        self.buses.pop(bus, None)
        self.before.pop(bus, None)

    def _take(self, bus: str, line: Json, now_ms: int) -> None:
        self.expect(bus)
        result = self.buses.get(bus)
        if result is None:
            result = self.buses[bus] = BusResult({}, now_ms)
        services, probe = line.get("services"), line.get("probe")
        if isinstance(services, list):
            result.describe(services, line.get("transportStreamId"))
        elif isinstance(probe, dict):
            result.probe = probe
        elif "state" in line:
            result.take(line)
