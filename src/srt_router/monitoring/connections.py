"""What the log of a process says of its connection: a pure reading of srt-live-transmit's lines.

The lines are text, not contract: what is not understood is kept for people and changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum


class Connection(StrEnum):
    """Is a peer there?"""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """The connection of one process, as its log tells it."""

    connection: Connection = Connection.UNKNOWN
    since_ms: int | None = None
    """Milliseconds since the epoch at which the connection took this state."""
    peer: str | None = None
    """Address and port of the peer."""
    peer_latency_ms: int | None = None
    """The latency with which the peer, as a receiver, asked to be served. Only listeners are told."""
    peer_version: str | None = None
    """The SRT version of a peer that called us."""
    connects: int = 0
    """Connections since the route was started."""
    rejection: str | None = None
    """Why the last attempt was refused, where the log says so: a wrong passphrase, a version."""
    error: str | None = None
    """The last `ERROR:` line."""

    @property
    def connected(self) -> bool:
        """A peer is there."""
        return self.connection is Connection.CONNECTED


_CONNECTED = re.compile(r"^(?:Accepted SRT |SRT (?:source|target) connected$)")
_DISCONNECTED = re.compile(r"^SRT (?:source|target) disconnected$")
_TORN = re.compile(
    r"^(Accepted SRT (?:source|target)?(?: connection)?|SRT (?:source|target) (?:dis)?connected)"
    r"(\d\d:\d\d:\d\d\.\d+/.+)$"
)
"""The tool writes its own lines in pieces (`Accepted SRT `, `source`, ` connection`, the end of the line), and the
threads of libsrt write whole lines in between: seen with strace. The rest of the pieces is a line of its own then."""
_UDP_RECEIVING = "UDP source receiving"
_UDP_SILENT = "UDP source silent"
_TRANSCODES = re.compile(r"^(?:\[info\] )?Output #0, mpegts, to ")
"""ffmpeg knows its input and has begun: until then it waits for a stream."""
_PEER = re.compile(r"(?:PASSING request from|managed the connection request from): ?(\S+?:\d+)")
_ESTABLISHED = re.compile(r"Connection established to: ?(\S+:\d+)")
"""Written by who calls as soon as the peer is there, from a thread of libsrt's: the tool's own line, which comes with
the first data at the latest, may be before it."""
_HANDSHAKE = re.compile(r"HSREQ/rcv: .{0,80}?vers=0x([0-9a-f]{5,6}) .{0,80}?delay=(\d{1,5})$")
_REJECTED = re.compile(
    r"(?:REJECT reported from HS processing|reject(?:ed|ion)[^:]*): *(?P<why>[A-Za-z][^\r\n]{3,120})"
)
_ERROR = re.compile(r"^ERROR: (.+)$")
_ENCRYPTION = re.compile(r"Incorrect passphrase|Password required or unexpected|BADSECRET|NOSECRET")

_ENCRYPTION_TEXT = "passphrase rejected: the two sides do not use the same one, or only one of them uses any"


def read_line(state: ConnectionState, line: str, now_ms: int) -> ConnectionState:
    """The connection after one more line of the log."""
    if torn := _TORN.match(line):
        return read_line(read_line(state, torn[1], now_ms), torn[2], now_ms)
    if found := _ESTABLISHED.search(line):
        return _connected(replace(state, peer=(state.connected and state.peer) or found[1]), now_ms)
    if _CONNECTED.match(line) or line == _UDP_RECEIVING or _TRANSCODES.match(line):
        return _connected(state, now_ms)
    if _DISCONNECTED.match(line) or line == _UDP_SILENT:
        return _gone(state, now_ms)
    if found := _PEER.search(line):
        return state if state.connected else replace(state, peer=found[1])
    if found := _HANDSHAKE.search(line):
        return state if state.connected else _introduced(state, int(found[1], 16), int(found[2]))
    if found := _ENCRYPTION.search(line):
        return replace(state, rejection=_ENCRYPTION_TEXT)
    if found := _REJECTED.search(line):
        return replace(state, rejection=found["why"].strip())
    if found := _ERROR.match(line):
        return replace(state, error=found[1])
    return state


def _introduced(state: ConnectionState, version: int, latency_ms: int) -> ConnectionState:
    words = f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"
    return replace(state, peer_latency_ms=latency_ms, peer_version=words)


def _gone(state: ConnectionState, now_ms: int) -> ConnectionState:
    return replace(
        state,
        connection=Connection.WAITING,
        since_ms=now_ms,
        peer=None,
        peer_latency_ms=None,
        peer_version=None,
    )


def _connected(state: ConnectionState, now_ms: int) -> ConnectionState:
    if state.connected:
        return state
    return replace(
        state,
        connection=Connection.CONNECTED,
        since_ms=now_ms,
        connects=state.connects + 1,
        rejection=None,
        error=None,
    )


def started(state: ConnectionState, now_ms: int) -> ConnectionState:
    """The connection of a process that was just started: nobody is there yet."""
    return _gone(state, now_ms)


def ended(state: ConnectionState, now_ms: int) -> ConnectionState:
    """The connection after the process has ended."""
    return _gone(state, now_ms)
