"""The part of libsrt that the test tools need, by ctypes: exact bytes, and no other program in between."""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.media.srt_url import SrtUrl

MAX_MESSAGE_BYTES = 1456

_LIBRARIES = ("libsrt-gnutls.so.1.5", "libsrt-openssl.so.1.5", "libsrt.so.1.5")
_RCVTIMEO, _CONNTIMEO, _LATENCY, _PASSPHRASE, _PBKEYLEN = 14, 36, 23, 26, 27
_SNDDROPDELAY, _RCVLATENCY, _PEERLATENCY, _STREAMID = 32, 43, 44, 46
_CONNECTED = 5
_ERRORS_OF_TIMEOUT = (6002, 6003)
_EPOLL_IN = 1


class SrtError(Exception):
    """A libsrt call failed."""


class _SockaddrIn(ctypes.Structure):
    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_uint8 * 2),
        ("address", ctypes.c_uint8 * 4),
        ("zero", ctypes.c_uint8 * 8),
    )


class _EpollEvent(ctypes.Structure):
    _fields_ = (("socket", ctypes.c_int), ("events", ctypes.c_int))


@dataclass(frozen=True)
class Counters:
    """What libsrt counted on one connection since it was made, in packets."""

    sent: int
    received: int
    lost_sending: int
    lost_receiving: int
    retransmitted: int
    dropped_sending: int
    dropped_receiving: int
    undecrypted: int


def _load() -> ctypes.CDLL:
    found = [ctypes.util.find_library(kind) for kind in ("srt-gnutls", "srt-openssl", "srt")]
    for name in (*filter(None, found), *_LIBRARIES):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.srt_getlasterror_str.restype = ctypes.c_char_p
        library.srt_rejectreason_str.restype = ctypes.c_char_p
        library.srt_epoll_uwait.argtypes = (
            ctypes.c_int,
            ctypes.POINTER(_EpollEvent),
            ctypes.c_int,
            ctypes.c_int64,
        )
        return library
    raise SrtError("libsrt is not installed (Debian: libsrt1.5-gnutls)")


class SrtSocket:
    """One SRT socket, blocking, in live mode."""

    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._library = library
        self._handle = handle
        self._buffer = ctypes.create_string_buffer(MAX_MESSAGE_BYTES)

    def send(self, message: bytes) -> None:
        """Send one message; waits while the send buffer is full."""
        if self._library.srt_sendmsg2(self._handle, message, len(message), None) < 0:
            raise self._error("send")

    def receive(self) -> bytes | None:
        """Return the next message, or None when none came within the time of `limit_receive`."""
        size = self._library.srt_recvmsg(self._handle, self._buffer, MAX_MESSAGE_BYTES)
        if size >= 0:
            return self._buffer.raw[:size]
        if self._library.srt_getlasterror(None) in _ERRORS_OF_TIMEOUT:
            return None
        raise self._error("receive")

    def limit_receive(self, limit_ms: int) -> None:
        """Let `receive` wait no longer than that."""
        self._set_int(_RCVTIMEO, limit_ms)

    def unsent_packets(self) -> int:
        """Packets that the peer did not acknowledge yet."""
        blocks, size = ctypes.c_size_t(), ctypes.c_size_t()
        if self._library.srt_getsndbuffer(self._handle, ctypes.byref(blocks), ctypes.byref(size)) < 0:
            raise self._error("ask for the send buffer")
        return blocks.value

    def is_connected(self) -> bool:
        """True until either side has left."""
        return int(self._library.srt_getsockstate(self._handle)) == _CONNECTED

    def agreed_latency_ms(self) -> int:
        """The latency with which the peer plays out what is sent, or this side what is received."""
        return max(self._get_int(_RCVLATENCY), self._get_int(_PEERLATENCY))

    def counters(self) -> Counters:
        """What libsrt counted on this connection."""
        # Only the head of the structure is read, which is the same in all 1.x releases.
        statistics = ctypes.create_string_buffer(8192)
        if self._library.srt_bistats(self._handle, statistics, 0, 1) < 0:
            raise self._error("count")
        values = struct.unpack_from("@3q7iq3i", statistics)
        return Counters(*values[1:6], *values[11:14])

    def close(self) -> None:
        """Leave the peer; what it has not played out yet is lost."""
        self._library.srt_close(self._handle)

    def configure(self, url: SrtUrl) -> None:
        """Set the options of `url`; only before connecting or listening."""
        self._set_int(_LATENCY, url.latency_ms)
        # Tools must not drop anything themselves: what comes too late is the receiver's to judge.
        self._set_int(_SNDDROPDELAY, -1)
        if url.passphrase:
            self._set_text(_PASSPHRASE, url.passphrase)
        if url.pbkeylen:
            self._set_int(_PBKEYLEN, url.pbkeylen)
        if url.stream_id:
            self._set_text(_STREAMID, url.stream_id)

    def connect(self, host: str, port: int, limit_ms: int) -> None:
        """Call a listener."""
        self._set_int(_CONNTIMEO, limit_ms)
        address = _address(host, port)
        if self._library.srt_connect(self._handle, ctypes.byref(address), ctypes.sizeof(address)) < 0:
            reason = self._library.srt_rejectreason_str(self._library.srt_getrejectreason(self._handle))
            raise SrtError(f"{self._error('connect')} ({reason.decode()})")

    def listen(self, host: str, port: int) -> None:
        """Wait for callers."""
        address = _address(host, port)
        if self._library.srt_bind(self._handle, ctypes.byref(address), ctypes.sizeof(address)) < 0:
            raise self._error("bind")
        if self._library.srt_listen(self._handle, 1) < 0:
            raise self._error("listen")

    def accept(self, limit_ms: int) -> SrtSocket | None:
        """Return the next caller, or None when none came within that time."""
        poll = self._library.srt_epoll_create()
        try:
            events = ctypes.c_int(_EPOLL_IN)
            self._library.srt_epoll_add_usock(poll, self._handle, ctypes.byref(events))
            if self._library.srt_epoll_uwait(poll, ctypes.byref(_EpollEvent()), 1, limit_ms) <= 0:
                return None
        finally:
            self._library.srt_epoll_release(poll)
        handle = self._library.srt_accept(self._handle, None, None)
        if handle < 0:
            raise self._error("accept")
        return SrtSocket(self._library, handle)

    def _set_int(self, option: int, value: int) -> None:
        number = ctypes.c_int(value)
        if self._library.srt_setsockflag(self._handle, option, ctypes.byref(number), 4) < 0:
            raise self._error(f"set option {option}")

    def _set_text(self, option: int, value: str) -> None:
        text = value.encode()
        if self._library.srt_setsockflag(self._handle, option, text, len(text)) < 0:
            raise self._error(f"set option {option}")

    def _get_int(self, option: int) -> int:
        number, size = ctypes.c_int(), ctypes.c_int(4)
        if self._library.srt_getsockflag(self._handle, option, ctypes.byref(number), ctypes.byref(size)) < 0:
            raise self._error(f"get option {option}")
        return number.value

    def _error(self, what: str) -> SrtError:
        return SrtError(f"cannot {what}: {self._library.srt_getlasterror_str().decode()}")


class Srt:
    """libsrt, started."""

    def __init__(self) -> None:
        self._library = _load()
        self._library.srt_startup()
        self._library.srt_setloglevel(2)

    def socket(self) -> SrtSocket:
        """Make a new socket."""
        return SrtSocket(self._library, self._library.srt_create_socket())

    @contextmanager
    def listener(self, url: SrtUrl) -> Iterator[SrtSocket]:
        """Listen as `url` says."""
        listener = self.socket()
        try:
            listener.configure(url)
            listener.listen(url.host, url.port)
            yield listener
        finally:
            listener.close()

    def call(self, url: SrtUrl, limit_ms: int) -> SrtSocket:
        """Call the listener that `url` names."""
        caller = self.socket()
        try:
            caller.configure(url)
            caller.connect(url.host, url.port, limit_ms)
        except SrtError:
            caller.close()
            raise
        return caller


def _address(host: str, port: int) -> _SockaddrIn:
    packed = socket.inet_aton(host)
    return _SockaddrIn(socket.AF_INET, (ctypes.c_uint8 * 2)(*port.to_bytes(2, "big")), (ctypes.c_uint8 * 4)(*packed))
