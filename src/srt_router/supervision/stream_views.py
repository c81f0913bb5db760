"""What the world is told of the stream on a bus: plain data, made on request."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.supervision.stream_results import KINDS, BusResult, Counters, Json, PidCounters, PidRow, pid_rows

_CAMEL = ConfigDict(alias_generator=to_camel)


class StreamState(StrEnum):
    """How the stream on a bus is, in a word."""

    OK = "ok"
    ERRORS = "errors"
    """An error of the first priority of TR 101 290 within the last ten seconds."""
    NO_SYNC = "noSync"
    """Something comes, and it is no transport stream."""
    SILENT = "silent"
    UNKNOWN = "unknown"
    """Nobody has looked: the stream monitor is off, starts, or has not had its turn."""


class StreamLeg(StrEnum):
    """Where in its route a stream is."""

    SOURCE = "source"
    TRANSCODE = "transcode"
    """Behind the transcode."""


@dataclass(frozen=True, slots=True)
class IndicatorView:
    """One kind of error."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    count: int
    last_at: int | None
    """Milliseconds since the epoch."""
    active: bool
    """It was there within the last ten seconds."""


@dataclass(frozen=True, slots=True)
class Tr101290View:
    """The first priority of TR 101 290."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    sync_loss: IndicatorView
    sync_byte_error: IndicatorView
    pat_error: IndicatorView
    continuity_count_error: IndicatorView
    pmt_error: IndicatorView
    pid_error: IndicatorView


@dataclass(frozen=True, slots=True)
class PcrView:
    """The clock on one PID, in the last second."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    interval_ms: float
    """The longest time between two references."""
    jitter_ms: float
    """The spread of arrival against clock."""


@dataclass(frozen=True, slots=True)
class PidView:
    """One PID."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    pid: int
    packets: int
    bitrate: int
    """Bits per second."""
    codec: str | None
    """As the program map says; `pat`, `pmt`, `sdt`, `null` for those; None: nobody says."""
    language: str | None
    continuity_errors: int
    scrambled: int
    """Scrambled packets."""
    pcr: PcrView | None


@dataclass(frozen=True, slots=True)
class ElementaryView:
    """One elementary stream of a service."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    pid: int
    kind: str
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One program of the PAT."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    number: int
    name: str | None
    provider: str | None
    pmt_pid: int
    pcr_pid: int | None
    streams: list[ElementaryView]


@dataclass(frozen=True, slots=True)
class ProbedStream:
    """One elementary stream as ffprobe sees it; None: it does not know, or there is no such thing."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    pid: int | None
    kind: str
    """`video`, `audio`, `subtitle`, `data`."""
    codec: str | None
    profile: str | None
    language: str | None
    width: int | None
    height: int | None
    frame_rate: float | None
    scan: str | None
    """`progressive` or `interlaced`."""
    aspect: str | None
    """Of the picture as it is shown: `16:9`."""
    pixel_format: str | None
    channels: int | None
    layout: str | None
    """Of the channels: `stereo`, `5.1(side)`."""
    sample_rate: int | None
    """Hertz."""


@dataclass(frozen=True, slots=True)
class ProbeView:
    """What ffprobe made of a piece of the stream."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    at: int
    """Milliseconds since the epoch."""
    error: str | None
    streams: list[ProbedStream]


@dataclass(frozen=True, slots=True)
class CountersView:
    """What was counted since the last reset, or since the start."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    at: int
    """Milliseconds since the epoch."""
    packets: int
    continuity_errors: int
    transport_errors: int
    crc_errors: int
    missed: int
    tr101290: dict[str, int]


@dataclass(frozen=True, slots=True)
class StreamItem:
    """The stream on one bus of a route."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    leg: StreamLeg
    at: int | None
    """When it was looked at last, in milliseconds since the epoch."""
    since: int | None
    """Since when the counters count."""
    state: StreamState
    format: str
    """`ts188`, `ts204`, `rtp`, `unknown`."""
    bitrate: int | None
    """Bits per second; None: unknown."""
    null_ratio: float | None
    packets: int
    continuity_errors: int
    transport_errors: int
    crc_errors: int
    sampled: bool
    """Not everything was looked at."""
    coverage: float | None
    """How much of it was."""
    missed: int
    """Datagrams that the monitor itself lost: no error of the stream."""
    transport_stream_id: int | None
    services: list[ServiceView]
    pids: list[PidView]
    pids_omitted: int
    tr101290: Tr101290View
    since_reset: CountersView
    probe: ProbeView | None
    """None: ffprobe has not answered yet."""


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """The stream of a route in short."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    state: StreamState
    continuity_errors: int
    """Since the last reset, or since the start."""
    errors: list[str]
    """The indicators of TR 101 290 that are active."""
    service: str | None
    """Name of the first service that has one."""
    codecs: list[str]


def state_of(result: BusResult | None, errors: Collection[str], *, fresh: bool) -> StreamState:
    """The state of a stream; `errors` are the kinds that are active."""
    if result is None or not fresh:
        return StreamState.UNKNOWN
    state = StreamState(str(result.line.get("state", "unknown")))
    if state in (StreamState.OK, StreamState.ERRORS):
        return StreamState.ERRORS if errors else StreamState.OK
    return state


def summary(result: BusResult, errors: Collection[str], *, fresh: bool) -> StreamSummary:
    """A stream in short."""
    return StreamSummary(
        state=state_of(result, errors, fresh=fresh),
        continuity_errors=result.since_reset.continuity_errors,
        errors=[kind for kind in KINDS if kind in errors],
        service=result.service,
        codecs=result.codecs,
    )


def item(leg: StreamLeg, result: BusResult | None, errors: Collection[str], *, fresh: bool) -> StreamItem:
    """Everything about a stream."""
    known = result or BusResult({}, 0)
    line, total = known.line, known.total
    services = [_service(one) for one in known.services]
    return StreamItem(
        leg=leg,
        at=_whole(line.get("at")),
        since=known.since_ms or None,
        state=state_of(result, errors, fresh=fresh),
        format=str(line.get("format", "unknown")),
        bitrate=_whole(line.get("bitrate")) if fresh else None,
        null_ratio=_number(line.get("nullRatio")) if fresh else None,
        packets=total.packets,
        continuity_errors=total.continuity_errors,
        transport_errors=total.transport_errors,
        crc_errors=total.crc_errors,
        sampled=line.get("sampled") is True,
        coverage=_number(line.get("coverage")),
        missed=total.missed,
        transport_stream_id=known.transport_stream_id,
        services=services,
        pids=_pids(known, services),
        pids_omitted=_whole(line.get("pidsOmitted")) or 0,
        tr101290=Tr101290View(
            *(
                IndicatorView(count, known.last_at(kind), kind in errors)
                for kind, count in zip(KINDS, total.kinds, strict=True)
            )
        ),
        since_reset=_counters(known.since_reset, known.reset_ms or known.since_ms),
        probe=_probe(known.probe) if known.probe is not None else None,
    )


def _counters(found: Counters, at: int) -> CountersView:
    return CountersView(
        at=at,
        packets=found.packets,
        continuity_errors=found.continuity_errors,
        transport_errors=found.transport_errors,
        crc_errors=found.crc_errors,
        missed=found.missed,
        tr101290=dict(zip(KINDS, found.kinds, strict=True)),
    )


def _probe(found: Json) -> ProbeView:
    streams = found.get("streams")
    return ProbeView(
        at=_whole(found.get("at")) or 0,
        error=_text(found.get("error")),
        streams=[_probed(one) for one in streams] if isinstance(streams, list) else [],
    )


def _probed(found: Json) -> ProbedStream:
    return ProbedStream(
        pid=_whole(found.get("pid")),
        kind=str(found.get("kind")),
        codec=_text(found.get("codec")),
        profile=_text(found.get("profile")),
        language=_text(found.get("language")),
        width=_whole(found.get("width")),
        height=_whole(found.get("height")),
        frame_rate=_number(found.get("frameRate")),
        scan=_text(found.get("scan")),
        aspect=_text(found.get("aspect")),
        pixel_format=_text(found.get("pixelFormat")),
        channels=_whole(found.get("channels")),
        layout=_text(found.get("layout")),
        sample_rate=_whole(found.get("sampleRate")),
    )


def _service(found: Json) -> ServiceView:
    streams = found.get("streams")
    return ServiceView(
        number=_whole(found.get("number")) or 0,
        name=_text(found.get("name")),
        provider=_text(found.get("provider")),
        pmt_pid=_whole(found.get("pmtPid")) or 0,
        pcr_pid=_whole(found.get("pcrPid")),
        streams=[ElementaryView(*one) for one in streams] if isinstance(streams, list) else [],
    )


def _pids(result: BusResult, services: list[ServiceView]) -> list[PidView]:
    named: dict[int, tuple[str, str | None]] = {0x0000: ("pat", None), 0x0011: ("sdt", None), 0x1FFF: ("null", None)}
    named |= {service.pmt_pid: ("pmt", None) for service in services}
    named |= {one.pid: (one.codec, one.language) for service in services for one in service.streams}
    counters = result.pids()
    return [_pid(row, counters[row[0]], *named.get(row[0], (None, None))) for row in pid_rows(result.line)]


def _pid(row: PidRow, counters: PidCounters, codec: str | None, language: str | None) -> PidView:
    pid, _, bitrate, _, _, interval, jitter = row
    return PidView(
        pid=pid,
        packets=counters.packets,
        bitrate=bitrate,
        codec=codec,
        language=language,
        continuity_errors=counters.continuity_errors,
        scrambled=counters.scrambled,
        pcr=PcrView(interval, jitter) if interval is not None and jitter is not None else None,
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
