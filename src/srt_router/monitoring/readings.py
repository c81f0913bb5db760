"""What a report says of one leg: a pure reading of what the tools write, in the same words for all of them.

Whatever is missing, garbled or impossible is unknown (None), never a guessed zero. Bytes are those of the
stream: libsrt counts 44 bytes of headers with every packet, and these are taken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

SRT_HEADER_BYTES = 44
"""IP, UDP and SRT header, which libsrt counts with each packet."""
_LARGEST = 2**62

Values: TypeAlias = Mapping[str, object]


class Counts(NamedTuple):
    """What was counted; None: nobody can know."""

    packets: int | None = None
    """Packets of the stream that passed, each once. UDP: datagrams."""
    bytes: int | None = None
    """Of the stream itself, without any headers."""
    lost: int | None = None
    """Packets that did not arrive at first. Most of them are sent again and arrive in time."""
    retransmitted: int | None = None
    """Packets that were sent again."""
    dropped: int | None = None
    """Packets that are lost for good."""
    belated: int | None = None
    """Packets that came too late to be of use."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One report, of one leg."""

    life: tuple[object, ...]
    """What was counted in one life goes on; another life counts from zero."""
    at_s: float
    """By the clock of whoever reports; only comparable within one life."""
    counts: Counts
    ms_rtt: float | None = None
    """Round-trip time."""
    mbps_bandwidth: float | None = None
    """Estimated bandwidth of the link, in Mb/s."""
    buffer_ms: float | None = None
    """What waits in the buffer, in milliseconds of the stream."""
    latency_ms: float | None = None
    """The latency that both ends agreed on, where it stands in the report."""
    fps: float | None = None
    """Frames per second since the report before."""
    speed: float | None = None
    """Seconds of the stream per second, since the report before."""


def read_srt(values: Values, *, receiving: bool) -> Reading | None:
    """A report of srt-live-transmit about the side of it that is an SRT connection."""
    side, link = values.get("recv" if receiving else "send"), values.get("link")
    time_ms = number(values.get("time"))
    if not isinstance(side, dict) or time_ms is None:
        return None
    link = link if isinstance(link, dict) else {}
    packets, size = count(side.get("packetsUnique")), count(side.get("bytesUnique"))
    counts = Counts(
        packets,
        None if packets is None or size is None else max(0, size - SRT_HEADER_BYTES * packets),
        count(side.get("packetsLost")),
        count(side.get("packetsRetransmitted")),
        count(side.get("packetsDropped")),
        count(side.get("packetsBelated")) if receiving else None,
    )
    return Reading(
        (values.get("sid"),),
        time_ms / 1000,
        counts,
        number(link.get("rtt")),
        number(link.get("bandwidth")),
        number(side.get("msBuf")),
        number(side.get("msTsbPdDelay")) if receiving else None,
    )


def read_udp_input(values: Values, pid: int, read_s: float) -> Reading | None:
    """What the duplicator says of its input. Datagrams that were lost on their way here nobody has counted."""
    entry = values.get("input")
    if not isinstance(entry, dict):
        return None
    counts = Counts(count(entry.get("datagrams")), count(entry.get("bytes")), dropped=count(entry.get("drops")))
    return Reading((pid,), _clock(values, read_s), counts)


def read_udp_output(values: Values, pid: int, read_s: float, target: tuple[str, int]) -> Reading | None:
    """What the duplicator says of one output; None where it does not serve that host and port (yet)."""
    outputs = values.get("outputs")
    for entry in outputs if isinstance(outputs, list) else ():
        if isinstance(entry, dict) and (entry.get("host"), entry.get("port")) == target:
            counts = Counts(count(entry.get("datagrams")), count(entry.get("bytes")), dropped=count(entry.get("lost")))
            return Reading((pid,), _clock(values, read_s), counts)
    return None


def read_transcode(values: Values, pid: int, written_s: float) -> Reading:
    """The progress of ffmpeg: it counts bytes, and knows nothing of packets."""
    counts = Counts(bytes=count(values.get("totalSize")))
    return Reading((pid,), written_s, counts, fps=number(values.get("fps")), speed=number(values.get("speed")))


def count(value: object) -> int | None:
    """A count, or None for what is none."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST else None
    return int(value) if type(value) is float and value.is_integer() and 0 <= value <= _LARGEST else None


def number(value: object) -> float | None:
    """A number that is not negative, or None for what is none."""
    if type(value) is int:
        return float(value) if 0 <= value <= _LARGEST else None
    return value if type(value) is float and math.isfinite(value) and 0 <= value <= _LARGEST else None


def _clock(values: Values, read_s: float) -> float:
    """The duplicator's own monotonic clock, which is the server's: both count from the boot of the machine."""
    found = number(values.get("monotonic"))
    return read_s if found is None else found


_WINDOW = {"flow": "pktFlowWindow", "congestion": "pktCongestionWindow", "flight": "pktFlightSize"}
_LINK = {"rtt": "msRTT", "bandwidth": "mbpsBandwidth", "maxBandwidth": "mbpsMaxBW"}
_SEND = {
    "packets": "pktSent",
    "packetsUnique": "pktSentUnique",
    "packetsLost": "pktSndLoss",
    "packetsDropped": "pktSndDrop",
    "packetsRetransmitted": "pktRetrans",
    "packetsFilterExtra": "pktSndFilterExtra",
    "bytes": "byteSent",
    "bytesUnique": "byteSentUnique",
    "bytesDropped": "byteSndDrop",
    "byteAvailBuf": "byteAvailSndBuf",
    "msBuf": "msSndBuf",
    "sendPeriod": "usPktSndPeriod",
}
_RECV = {
    "packets": "pktRecv",
    "packetsUnique": "pktRecvUnique",
    "packetsLost": "pktRcvLoss",
    "packetsDropped": "pktRcvDrop",
    "packetsRetransmitted": "pktRcvRetrans",
    "packetsBelated": "pktRcvBelated",
    "packetsFilterExtra": "pktRcvFilterExtra",
    "packetsFilterSupply": "pktRcvFilterSupply",
    "packetsFilterLoss": "pktRcvFilterLoss",
    "bytes": "byteRecv",
    "bytesUnique": "byteRecvUnique",
    "bytesLost": "byteRcvLoss",
    "bytesDropped": "byteRcvDrop",
    "byteAvailBuf": "byteAvailRcvBuf",
    "msBuf": "msRcvBuf",
    "msTsbPdDelay": "msRcvTsbPdDelay",
}


def in_libsrt_names(values: Values, *, receiving: bool) -> dict[str, int | float]:
    """The whole report of an SRT connection under libsrt's own names, counted since the connection was made."""
    parts = (("window", _WINDOW), ("link", _LINK), ("recv" if receiving else "send", _RECV if receiving else _SEND))
    found = {"msTimeStamp": number(values.get("time"))}
    for key, names in parts:
        part = values.get(key)
        if isinstance(part, dict):
            found |= {name: number(part.get(raw)) for raw, name in names.items()}
    return {name: int(value) if value.is_integer() else value for name, value in found.items() if value is not None}
