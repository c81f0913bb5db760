"""An end of a route out of a URI as srt-live-transmit and its relatives write it: libsrt's names, values as they are.

`routes/end_uri.py` reads URIs in the names of routes.json; here the foreign names become those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlencode

from srt_router.migration.findings import Finding, Place, refusal
from srt_router.routes.addresses import is_multicast
from srt_router.routes.end_uri import end_from_uri
from srt_router.routes.errors import RouteInvalid
from srt_router.routes.merging import Json

_SRT_SAME = frozenset(
    {
        *("latency", "rcvlatency", "peerlatency", "passphrase", "pbkeylen", "kmrefreshrate", "kmpreannounce"),
        *("enforcedencryption", "maxbw", "inputbw", "mininputbw", "oheadbw", "mss", "fc", "sndbuf", "rcvbuf"),
        *("payloadsize", "bindtodevice", "ipv6only", "conntimeo", "peeridletimeo", "linger", "lossmaxttl"),
        *("tlpktdrop", "snddropdelay", "nakreport", "drifttracer", "retransmitalgo", "packetfilter", "congestion"),
        *("messageapi", "minversion", "adapter", "ttl", "tos", "streamId", "localPort"),
    }
)
_SRT_OTHERWISE = {
    "streamid": "streamId",
    "ipttl": "ttl",
    "iptos": "tos",
    "port": "localPort",
    "localport": "localPort",
    "pkt_size": "payloadsize",
}
_INTERFACE = {"interface": "interface", "adapter": "interface", "localaddr": "interface"}
_UDP_SOURCE = _INTERFACE | {"source": "sourceAddress", "sourceAddress": "sourceAddress", "rcvbuf": "rcvbuf"}
_UDP_DESTINATION = _INTERFACE | {"ttl": "ttl", "iptos": "tos", "tos": "tos"}
_BOOLEANS = frozenset({"enforcedencryption", "tlpktdrop", "nakreport", "drifttracer", "messageapi"})
_TRUTH = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}
_MODES = {"client": "caller", "server": "listener"}
_AS_IT_IS = {"transtype": "live", "tsbpd": "1", "tsbpdmode": "1", "blocking": "0"}
"""Parameters that say what the router does anyway."""
_HEX_VERSION = re.compile(r"0[xX][0-9a-fA-F]{1,6}")
_SCHEMES = {"udp+mpegts": "udp"}


def end_of(uri: str, place: Place, remarks: list[Finding], *, receiving: bool) -> Json:
    """The JSON of an end; its fields are not judged here. What cannot be taken over is added to `remarks`.

    Raises FileRefused where it is no URI of an end. Neither shows a value.
    """
    head, _, query = uri.partition("?")
    scheme, separator, authority = head.partition("://")
    scheme = _SCHEMES.get(scheme.lower(), scheme.lower())
    user, _, address = authority.rpartition("@")
    if user:
        raise refusal(place, "names a user before '@': SRT and UDP have none")
    if not separator or scheme not in ("srt", "udp") or re.search(r"[\s#\\]", address):
        raise refusal(place, "is not a URI like srt://host:4082?mode=caller or udp://239.10.0.1:5000")
    given = _parameters(query, place)
    if scheme == "srt":
        address, found = _srt(address.rstrip("/"), given, place, remarks)
    else:
        names = _UDP_SOURCE if receiving else _UDP_DESTINATION
        found = dict(_renamed(given, names, place, remarks))
        address = address.rstrip("/")
    try:
        # a value may look like a number, or hold what a URI must not: the query is written anew
        end = end_from_uri(f"{scheme}://{address}?{urlencode(found)}")
    except RouteInvalid:
        message = f"is not a URI like {scheme}://192.0.2.7:5000: the port is missing or wrong"
        raise refusal(place, message) from None
    if scheme == "udp" and receiving and end.get("host") == "0.0.0.0":  # noqa: S104
        del end["host"]
    if "sourceAddress" in end and not is_multicast(end.get("host")):
        del end["sourceAddress"]
        message = "is not taken over: only a multicast group can be limited to one sender"
        remarks.append(Finding(place.under("source"), message))
    if "mode" in end and end["mode"] == "listener" and "streamId" in end:
        remarks.append(Finding(place.under("streamid"), "is kept as a note: a listener here lets every caller in"))
    return end


def _parameters(query: str, place: Place) -> dict[str, str]:
    """Of a raw query: `#` and `+` are what they are, `%23` is `#`."""
    given: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_]{1,40}", name):
            raise refusal(place, "has a parameter that is not name=value")
        if name in given:
            raise refusal(place.under(name), "stands twice")
        given[name] = unquote(value)
    return given


def _srt(address: str, given: dict[str, str], place: Place, remarks: list[Finding]) -> tuple[str, dict[str, str]]:
    mode = given.pop("mode", "default")
    host, _, port = address.rpartition(":")
    if mode == "default":  # as srt-live-transmit guesses it
        mode = "rendezvous" if host and "adapter" in given else "caller" if host else "listener"
    bound = given.pop("bind", None)
    names = {name: name for name in _SRT_SAME} | _SRT_OTHERWISE
    found = {name: _value(name, value) for name, value in _renamed(given, names, place, remarks)}
    found["mode"] = _MODES.get(mode, mode)
    if bound is not None:
        adapter, _, local = bound.rpartition(":") if re.search(r":[0-9]+$", bound) else (bound, "", "")
        found |= {name: text for name, text in (("adapter", adapter.strip("[]")), ("localPort", local)) if text}
    if found["mode"] == "listener" and host:  # its host is what it binds
        if host not in ("0.0.0.0", "@"):  # noqa: S104 - read, not bound
            found.setdefault("adapter", host.strip("[]"))
        address = f":{port}"
    if found.get("localPort") == port and found["mode"] == "rendezvous":
        del found["localPort"]
    return address, found


def _renamed(
    given: dict[str, str], names: dict[str, str], place: Place, remarks: list[Finding]
) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if name in names:
            yield names[name], value
        elif _AS_IT_IS.get(name) != value:
            remarks.append(Finding(place.under(name), "is not taken over: the router has no such parameter"))


def _value(name: str, value: str) -> str:
    if name in _BOOLEANS:
        return _TRUTH.get(value.lower(), value)
    if name == "minversion" and _HEX_VERSION.fullmatch(value):
        number = int(value, 16)
        return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return value
