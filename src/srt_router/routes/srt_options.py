"""The options of an SRT endpoint in libsrt's own names, with its ranges.

Source of ranges and defaults: libsrt 1.5.1, docs/API/API-socket-options.md and srtcore/socketconfig.cpp.
None means: not given, libsrt decides. srt-live-transmit ignores an option it does not know and ends with
exit code 255 for a value it does not like, so both are refused here, before anything is started.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, StrictBool

from srt_router.routes.addresses import device, refuse, text
from srt_router.routes.fields import INT32, Passphrase, Whole

BYTES_PER_SECOND = 2**40
"""Upper limit for bandwidths: far above any network, far below int64."""
DEFAULT_MSS = 1500
DEFAULT_FC = 25600
UDP_HEADER = 28
"""Bytes of IPv4 and UDP header, which libsrt takes off the MSS to count buffers in packets."""
DEFAULT_KM_REFRESH_RATE = 2**24

_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_FEC_VALUES = {
    "cols": re.compile(r"[1-9][0-9]{0,3}"),
    "rows": re.compile(r"-?[1-9][0-9]{0,3}"),
    "layout": re.compile(r"even|staircase"),
    "arq": re.compile(r"never|onreq|always"),
}


def to_camel(name: str) -> str:
    """Return the JSON name of a Python name: `stream_id` is `streamId`, `ipv6only` stays."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class Model(BaseModel):
    """The base of all parts of a route: frozen, strict, no unknown fields, camelCase in JSON."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


def _version(value: object) -> str:
    version = text(value)
    if not _VERSION.fullmatch(version) or any(int(part) > 255 for part in version.split(".")):
        refuse('must be a version such as "1.3.0"')
    return version


def _packet_filter(value: object) -> str:
    """Check `fec,cols:10,rows:5,layout:staircase,arq:onreq`, the only filter that libsrt has built in."""
    config = text(value)
    kind, *parameters = config.split(",")
    keys = [parameter.partition(":")[0] for parameter in parameters]
    if kind != "fec" or len(config) > 512 or len(set(keys)) != len(keys):
        refuse('must be "fec" with parameters, such as "fec,cols:10,rows:5,layout:staircase,arq:onreq"')
    for parameter in parameters:
        key, _, setting = parameter.partition(":")
        if key not in _FEC_VALUES:
            refuse("has an unknown parameter; fec knows cols, rows, layout and arq")
        if not _FEC_VALUES[key].fullmatch(setting) or (key, setting) in {("cols", "1"), ("rows", "-1")}:
            refuse(f"has a wrong value for {key}")
    return config


def _congestion(value: object) -> str:
    if value != "live":
        refuse('must be "live": the controller for files does not keep the timing of a live stream')
    return "live"


def _message_api(value: bool) -> bool:
    if not value:
        refuse("must be true: live streams are sent as messages, and libsrt refuses the other way for them")
    return value


def _key_length(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in {0, 16, 24, 32}:
        refuse("must be 0 (as the peer says), 16, 24 or 32 bytes")
    return value


class SrtOptions(Model):
    """What an SRT endpoint may set beside its address; all of it stands in srt-live-transmit's URI."""

    latency: Annotated[int, Whole(0, 60000, "ms")] = 120
    """Milliseconds; the larger value of both ends counts."""
    rcvlatency: Annotated[int, Whole(0, 60000, "ms")] | None = None
    """Milliseconds, as receiver; `latency` sets both directions."""
    peerlatency: Annotated[int, Whole(0, 60000, "ms")] | None = None
    """Milliseconds that are asked of the peer as receiver."""

    passphrase: Passphrase | None = None
    pbkeylen: Annotated[int, BeforeValidator(_key_length)] = 0
    """Key length in bytes: 16, 24, 32; 0 leaves it to the peer, or AES-128."""
    kmrefreshrate: Annotated[int, Whole(0, INT32, "packets")] | None = None
    """Packets after which the key changes; 0 is 2^24."""
    kmpreannounce: Annotated[int, Whole(0, INT32, "packets")] | None = None
    """Packets before the change at which the new key is sent; 0 is 4096."""
    enforcedencryption: StrictBool | None = None
    """Refuse peers with a wrong passphrase. Off, they connect and get noise."""

    maxbw: Annotated[int, Whole(-1, BYTES_PER_SECOND, "bytes per second")] | None = None
    """Bytes per second; -1 no limit, 0 from inputbw and oheadbw."""
    inputbw: Annotated[int, Whole(0, BYTES_PER_SECOND, "bytes per second")] | None = None
    mininputbw: Annotated[int, Whole(0, BYTES_PER_SECOND, "bytes per second")] | None = None
    oheadbw: Annotated[int, Whole(5, 100, "percent")] | None = None
    """Percent above the input rate for retransmissions; counts with maxbw 0."""

    mss: Annotated[int, Whole(76, DEFAULT_MSS, "bytes")] | None = None
    """Bytes of the largest IP packet."""
    fc: Annotated[int, Whole(32, 4_000_000, "packets")] | None = None
    """Flow window in packets (default 25600)."""
    sndbuf: Annotated[int, Whole(1472, INT32, "bytes")] | None = None
    """Send buffer of libsrt in bytes (default 8192 packets)."""
    rcvbuf: Annotated[int, Whole(1472, INT32, "bytes")] | None = None
    """Receive buffer of libsrt in bytes (default 8192 packets); never more than fc packets."""
    payloadsize: Annotated[int, Whole(1316, 1456, "bytes")] | None = None
    """Bytes of the largest payload. Less than seven TS packets (1316) would cut datagrams."""

    ttl: Annotated[int, Whole(1, 255)] | None = None
    """Hops (SRTO_IPTTL)."""
    tos: Annotated[int, Whole(0, 255)] | None = None
    """Type of service byte (SRTO_IPTOS); DSCP times 4."""
    bindtodevice: Annotated[str, BeforeValidator(device)] | None = None
    """Network interface; needs CAP_NET_RAW."""
    ipv6only: Annotated[int, Whole(0, 1)] | None = None
    """1: a listener on :: takes no IPv4 peers."""

    conntimeo: Annotated[int, Whole(0, INT32, "ms")] | None = None
    """Milliseconds a connection attempt may take (default 3000)."""
    peeridletimeo: Annotated[int, Whole(0, INT32, "ms")] | None = None
    """Milliseconds of silence after which a peer is gone (default 5000)."""
    linger: Annotated[int, Whole(0, 180, "s")] | None = None
    """Seconds to wait at the end for what was not sent yet (default 0)."""

    lossmaxttl: Annotated[int, Whole(0, INT32, "packets")] | None = None
    """How far packets may be out of order before a loss is reported."""
    tlpktdrop: StrictBool | None = None
    """Drop packets that come too late (default on)."""
    snddropdelay: Annotated[int, Whole(-1, INT32, "ms")] | None = None
    """Extra milliseconds before the sender drops; -1 never."""
    nakreport: StrictBool | None = None
    drifttracer: StrictBool | None = None
    retransmitalgo: Annotated[int, Whole(0, 1)] | None = None
    packetfilter: Annotated[str, BeforeValidator(_packet_filter)] | None = None
    """Forward error correction, such as `fec,cols:10,rows:5`."""
    congestion: Annotated[str, BeforeValidator(_congestion)] | None = None
    messageapi: Annotated[StrictBool, AfterValidator(_message_api)] | None = None
    minversion: Annotated[str, BeforeValidator(_version)] | None = None
    """Oldest SRT version of the peer that is let in, such as `1.3.0`."""

    def option_problems(self) -> list[tuple[str, str]]:
        """Return (JSON name, message) for options that contradict each other."""
        return [*self._key_problems(), *self._buffer_problems()]

    def _key_problems(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self.passphrase is None:
            given = {"pbkeylen": self.pbkeylen, "kmrefreshrate": self.kmrefreshrate}
            given["kmpreannounce"] = self.kmpreannounce
            message = "needs a passphrase: without one nothing is encrypted"
            found += [(name, message) for name, value in given.items() if value]
        limit = ((self.kmrefreshrate or DEFAULT_KM_REFRESH_RATE) - 1) // 2
        if self.kmpreannounce and self.kmpreannounce > limit:
            found.append(("kmpreannounce", f"must be at most (kmrefreshrate - 1) / 2, here {limit}"))
        return found

    def _buffer_problems(self) -> list[tuple[str, str]]:
        if self.rcvbuf is None or self.fc is None:
            return []
        limit = self.fc * ((self.mss or DEFAULT_MSS) - UDP_HEADER)
        if self.rcvbuf <= limit:
            return []
        return [("rcvbuf", f"must be at most fc packets, here {limit} bytes: libsrt would cut it silently")]


def passphrase_of(options: SrtOptions) -> str | None:
    """Return the passphrase in the clear, for the command line only."""
    secret: SecretStr | None = options.passphrase
    return secret.get_secret_value() if secret else None
