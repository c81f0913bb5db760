"""The addresses that are handed to srt-live-transmit and to the duplicator."""

from __future__ import annotations

from urllib.parse import quote

from srt_router.routes.addresses import bracketed, ip
from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.model import SrtEndpoint, UdpSource
from srt_router.routes.srt_options import DEFAULT_FC, DEFAULT_MSS, UDP_HEADER, passphrase_of

BUS_RCVBUF = 4_000_000
"""Bytes: a key frame's burst overflows the default 212992; with 4 MB nothing was lost."""

LOOPBACK = "127.0.0.1"

_PAYLOAD = 1316
"""Bytes of a datagram of seven TS packets."""
_DEFAULT_BUFFER = 8192
"""Packets in libsrt's default send and receive buffers."""
_PEAK_BPS = 100_000_000
"""Bits per second that the buffers are made for: the fastest contribution feeds."""
_ACK_MS = 20
"""Two of libsrt's 10 ms ACK periods, which it adds to each deadline."""

# fmt: off
_BY_NAME = (
    "rcvlatency", "peerlatency", "kmrefreshrate", "kmpreannounce", "enforcedencryption",
    "maxbw", "inputbw", "mininputbw", "oheadbw", "mss",
    "payloadsize", "bindtodevice", "conntimeo", "peeridletimeo", "linger",
    "lossmaxttl", "tlpktdrop", "snddropdelay", "nakreport", "drifttracer",
    "retransmitalgo", "packetfilter", "congestion", "messageapi",
)
# fmt: on
"""The options that the model and srt-live-transmit call by the same name."""


def bus_out(bus: Bus) -> str:
    """Return the URI by which srt-live-transmit writes to a bus: it never leaves the machine (TTL 0)."""
    return f"udp://{bus}?adapter={LOOPBACK}&ttl=0&mcloop=1"


def bus_in(bus: Bus) -> str:
    """Return the URI by which srt-live-transmit reads from a bus."""
    return f"udp://{bus}?adapter={LOOPBACK}&rcvbuf={BUS_RCVBUF}"


def duplicator_bus_in(bus: Bus) -> str:
    """Return the URI by which the duplicator reads from a bus."""
    return f"udp://{bus}?interface={LOOPBACK}&rcvbuf={BUS_RCVBUF}"


def duplicator_source(source: UdpSource) -> str:
    """Return the URI by which the duplicator reads a UDP source."""
    values = {
        "interface": source.interface,
        "source": source.source_address,
        "rcvbuf": str(source.rcvbuf or BUS_RCVBUF),
    }
    query = "&".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f"udp://{source.host or '0.0.0.0'}:{source.port}?{query}"  # noqa: S104


def srt_uri(end: SrtEndpoint, engine: Engine, *, receiving: bool) -> str:
    """Return the URI of an SRT endpoint for srt-live-transmit.

    `mode` is always named, since the tool guesses it otherwise (host and adapter: rendezvous). The
    passphrase stands in it in the clear: there is no other way to hand it over.
    """
    parameters = {"mode": end.mode, "latency": str(end.latency), **_address(end), **_key(end)}
    for name in _BY_NAME:
        value = getattr(end, name)
        if value is not None:
            parameters[name] = str(int(value)) if isinstance(value, bool) else str(value)
    parameters |= {name: str(value) for name, value in buffers(end, receiving=receiving).items()}
    for name, option in (("ipttl", end.ttl), ("iptos", end.tos)):
        if option is not None:
            parameters[name] = str(option)
    if end.minversion is not None:
        major, minor, patch = map(int, end.minversion.split("."))
        parameters["minversion"] = f"0x{major:02x}{minor:02x}{patch:02x}"
    if end.stream_id is not None and end.mode == "caller":
        parameters["streamid"] = end.stream_id
    host = bracketed(end.host) if end.host else ""
    return f"srt://{host}:{end.port}?{_query(parameters, engine)}"


def _query(parameters: dict[str, str], engine: Engine) -> str:
    def carried(value: str) -> str:
        return quote(value, safe=":,") if engine.decodes_percent else value

    return "&".join(f"{name}={carried(value)}" for name, value in parameters.items())


def _key(end: SrtEndpoint) -> dict[str, str]:
    passphrase = passphrase_of(end)
    if passphrase is None:
        return {}
    length = {"pbkeylen": str(end.pbkeylen)} if end.pbkeylen else {}
    return {"passphrase": passphrase, **length}


def _address(end: SrtEndpoint) -> dict[str, str]:
    """Return adapter, port and ipv6only; libsrt binds :: only where ipv6only was said."""
    found: dict[str, str] = {}
    peer = ip(end.host) if end.host else None
    adapter = end.adapter
    binds_itself = end.mode == "rendezvous" or end.local_port is not None
    if adapter is None and binds_itself and peer is not None and peer.version == 6:
        adapter = "::"
    if adapter is not None:
        found["adapter"] = adapter
    if end.local_port is not None:
        found["port"] = str(end.local_port)
    if end.ipv6only is not None:
        found["ipv6only"] = str(end.ipv6only)
    elif adapter == "::":
        found["ipv6only"] = "0" if end.mode == "listener" else "1"
    return found


def buffers(end: SrtEndpoint, *, receiving: bool) -> dict[str, int]:
    """Return fc (packets), rcvbuf and sndbuf (bytes): what was given, or more where latency needs more.

    libsrt holds what it waits for: latency and a round trip (taken as a quarter of the latency, as the
    usual latency is four round trips) and two ACK periods, in packets of 1316 bytes. Its 8192 packets
    last for 0.86 s of 100 Mb/s: up to a latency of 673 ms. Beyond that packets would be lost, so the
    buffers are made larger; the receiver's may not exceed the flow window fc, which grows with it.
    """
    payload = (end.mss or DEFAULT_MSS) - UDP_HEADER
    latency = max(end.latency, end.rcvlatency or 0, end.peerlatency or 0)
    held_ms = latency * 5 // 4 + _ACK_MS
    packets = -(-_PEAK_BPS * held_ms // (8 * _PAYLOAD * 1000))
    name, given = ("rcvbuf", end.rcvbuf) if receiving else ("sndbuf", end.sndbuf)
    other, kept = ("sndbuf", end.sndbuf) if receiving else ("rcvbuf", end.rcvbuf)
    found = {other: kept} if kept is not None else {}
    if given is not None:
        found[name] = given
    elif packets > _DEFAULT_BUFFER:
        found[name] = min(packets, end.fc or packets) * payload
    window = max([packets, *(-(-size // payload) for size in found.values())])
    if end.fc is not None:
        found["fc"] = end.fc
    elif window > DEFAULT_FC:
        found["fc"] = window
    return {key: found[key] for key in ("fc", "sndbuf", "rcvbuf") if key in found}
