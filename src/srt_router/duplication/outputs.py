"""Receiving and sending datagrams in batches, without any Python per datagram."""

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import time
from _thread import start_new_thread

from srt_router.duplication.orders import SOCKET_BUFFER, Destination, is_address, is_multicast

BATCH = 64  # datagrams per system call
CELL = 65536  # room for one datagram: the largest has 65,507 bytes, so none is ever cut
BUS_LARGEST = 1456  # srt-live-transmit reads no more than this at once and cuts the rest off
TS_PACKET, TS_PIECE = 188, 7 * 188
WAIT_MS = 2  # for room in a send buffer
SO_SNDBUFFORCE, IP_RECVERR = 32, 11


class Vector(ctypes.Structure):
    """The kernel's ``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """The kernel's ``struct mmsghdr``, flat: eight words, padding included (little-endian machines)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_size_t),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_ssize_t),
        ("length", ctypes.c_size_t),
    )


VECTOR, MESSAGE = ctypes.sizeof(Vector), ctypes.sizeof(Message)
_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg, _sendmmsg = _libc.recvmmsg, _libc.sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
_recvmmsg.argtypes = (*_sendmmsg.argtypes, ctypes.c_void_p)


def say(text: str) -> None:
    """Write one line to stderr; nobody's full disk or dead pipe stops the stream."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def pieces(length: int) -> list[tuple[int, int]]:
    """Offset and length of each piece in which a datagram of this length goes onto the bus."""
    if length <= BUS_LARGEST:
        return [(0, length)]
    largest = BUS_LARGEST if length % TS_PACKET else TS_PIECE
    return [(offset, min(largest, length - offset)) for offset in range(0, length, largest)]


def pack_interface(group: str, interface: str | None) -> bytes:
    """The kernel's ``struct ip_mreqn`` for an interface given by address, by name or not at all."""
    if interface is None or is_address(interface):
        return struct.pack("4s4si", socket.inet_aton(group), socket.inet_aton(interface or "0.0.0.0"), 0)  # noqa: S104
    return struct.pack("4s4si", socket.inet_aton(group), bytes(4), socket.if_nametoindex(interface))


def pack_address(host: str, port: int) -> bytes:
    """The kernel's ``struct sockaddr_in``."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))


def enlarge(sock: socket.socket, force: int, ask: int, size: int) -> None:
    """Set a buffer size, beyond the system's limit where we may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, ask, size)


class Batch:
    """The datagrams of one system call, in memory that all outputs share."""

    WAITS_PER_SECOND = 10  # of all outputs together: a stuck network card must not stop the others

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, BATCH * CELL)  # untouched pages cost nothing
        self._anchor = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)
        self.base = ctypes.addressof(self._anchor)
        cells = [Vector(self.base + CELL * index, CELL) for index in range(BATCH)]
        self._into, self.vectors = (Vector * BATCH)(*cells), (Vector * BATCH)(*cells)
        self._received = messages_for(self._into)
        self._received_at = ctypes.addressof(self._received)
        # Two strided views, so that one assignment copies all lengths received to the vectors that are sent.
        self._lengths = memoryview(self._received).cast("B").cast("L")[7::8]
        self._send_lengths = memoryview(self.vectors).cast("B").cast("L")[1::2]
        self.waits_left = self.WAITS_PER_SECOND

    def receive(self, descriptor: int) -> list[int]:
        """Take what has arrived: the lengths of the datagrams, [] when there are none."""
        count: int = _recvmmsg(descriptor, self._received_at, BATCH, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return []
        self._send_lengths[:count] = self._lengths[:count]
        return self._lengths[:count].tolist()


def messages_for(vectors: "ctypes.Array[Vector]", address: int = 0) -> "ctypes.Array[Message]":
    """One message per vector, all to the same socket address."""
    start, size = ctypes.addressof(vectors), 16 if address else 0
    cells = [Message(address, size, start + VECTOR * index, 1) for index in range(len(vectors))]
    return (Message * len(vectors))(*cells)


class Output:
    """One destination: its socket, its counters, its state.

    The socket is not connected: so no ICMP refusal takes the place of a datagram, and a changed route or
    address needs no care; connected ones save a tenth of the CPU. A datagram that cannot be sent is tried
    once more and then counted as lost.
    """

    def __init__(self, destination: Destination, batch: Batch) -> None:
        self.destination, self.batch = destination, batch
        self.datagrams = self.bytes = self.lost = 0
        self.error: str | None = None  # as reported: of the second that ended
        self._failure: str | None = None  # since then
        self._mended = False  # a socket where there was none, since the last second
        self._sent = 0
        self._seen = (0, 0)
        self._socket: socket.socket | None = None
        self._descriptor = -1
        self._address = ctypes.create_string_buffer(16)
        self._messages = messages_for(batch.vectors, ctypes.addressof(self._address))
        self._messages_at = ctypes.addressof(self._messages)
        self._resolved = destination.host if is_address(destination.host) else None
        self._resolving = False
        self.open()

    def open(self) -> None:
        """Make the socket anew; where that fails, ``settle`` tries again every second."""
        closed = self._socket is None
        self.close()
        if self._resolved is None:
            self._failure = "cannot resolve the host name"
            if not self._resolving:
                self._resolving = True
                start_new_thread(self._resolve, ())
            return
        self._address.raw = pack_address(self._resolved, self.destination.port)
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._configure(self._socket, self._resolved)
        except OSError as error:
            self.close()
            self._failure = error.strerror or str(error)
        else:
            self._descriptor = self._socket.fileno()
            if closed:
                self._failure, self._mended = None, True

    def change(self, destination: Destination) -> None:
        """Send to the same host and port in another way from the next datagram on."""
        self.destination = destination
        self.open()

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._descriptor = None, -1

    def _resolve(self) -> None:
        """Look the name up, in a thread of its own: DNS may take seconds, the stream may not."""
        with contextlib.suppress(OSError, UnicodeError):
            self._resolved = socket.gethostbyname(self.destination.host)
        self._resolving = False

    def _configure(self, sock: socket.socket, host: str) -> None:
        _, _, ttl, tos, interface = self.destination
        sock.setblocking(False)
        enlarge(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF, SOCKET_BUFFER)
        if tos is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        if is_multicast(host):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8 if ttl is None else ttl)
            # Without it a full queue of the network card throws away in silence. For multicast only: nobody
            # answers a group with ICMP errors, which this would turn into errors of ours.
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if interface:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, pack_interface(host, interface))
            return
        if ttl is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        if interface and is_address(interface):
            sock.bind((interface, 0))
        elif interface:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())

    def send(self, lengths: list[int], total: int) -> bool:
        """Send the whole batch at once; False when something is left for ``finish``."""
        count = len(lengths)
        self._sent = _sendmmsg(self._descriptor, self._messages_at, count, socket.MSG_DONTWAIT)
        if self._sent != count:
            return False
        self.datagrams += count
        self.bytes += total
        return True

    def finish(self, lengths: list[int]) -> None:
        """Send the rest of the batch; what does not go now either is lost."""
        sent, done = self._sent, 0
        while True:
            if sent > 0:
                self.datagrams += sent
                self.bytes += sum(lengths[done : done + sent])
                done += sent
            if done == len(lengths):
                return
            sent = _sendmmsg(
                self._descriptor, self._messages_at + done * MESSAGE, len(lengths) - done, socket.MSG_DONTWAIT
            )
            if sent <= 0 and not self._may_retry(code := ctypes.get_errno()):
                if self._socket is not None:
                    self._failure = os.strerror(code)
                skipped = len(lengths) - done if code in (errno.EAGAIN, errno.ENOBUFS, errno.EBADF) else 1
                self.lost += skipped
                done += skipped

    def _may_retry(self, code: int) -> bool:
        """Wait a little for a full send buffer, as long as the second's patience lasts."""
        if code not in (errno.EAGAIN, errno.ENOBUFS) or self.batch.waits_left == 0:
            return False
        self.batch.waits_left -= 1
        if code == errno.ENOBUFS:  # the card's queue: nothing tells when it has room
            time.sleep(WAIT_MS / 1000)
        else:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(WAIT_MS)
        return True

    def settle(self) -> None:
        """Once a second: say what has changed, and open anew where everything was lost."""
        sent, lost = self.datagrams - self._seen[0], self.lost - self._seen[1]
        self._seen = (self.datagrams, self.lost)
        failure, self._failure = self._failure, None
        if failure is None and sent == 0 and not self._mended:
            failure = self.error  # nothing was tried: no news
        if failure != self.error:
            name = f"UDP output {self.destination.host}:{self.destination.port}"
            say(f"{name}: {failure}" if failure else f"{name}: sending")
        self.error = failure
        self._mended = False
        if self._socket is None or (lost and not sent):
            self.open()

    def report(self) -> dict[str, object]:
        """The output's part of the stats line."""
        host, port = self.destination[:2]
        counters = {"datagrams": self.datagrams, "bytes": self.bytes, "lost": self.lost}
        return {"host": host, "port": port, **counters, "error": self.error}


class Bus(Output):
    """The output that srt-live-transmit and ffmpeg read: what they would cut goes out in pieces, in order."""

    def __init__(self, destination: Destination, batch: Batch) -> None:
        super().__init__(destination, batch)
        self._piece_vectors = (Vector * BATCH)()
        self._piece_messages = messages_for(self._piece_vectors, ctypes.addressof(self._address))

    def send(self, lengths: list[int], total: int) -> bool:
        """As every output does, unless a datagram is too large."""
        if max(lengths) <= BUS_LARGEST:
            return super().send(lengths, total)
        whole, self._messages_at = self._messages_at, ctypes.addressof(self._piece_messages)
        cut = [
            (self.batch.base + CELL * index + offset, size)
            for index, length in enumerate(lengths)
            for offset, size in pieces(length)
        ]
        for start in range(0, len(cut), BATCH):
            some = cut[start : start + BATCH]
            self._piece_vectors[: len(some)] = [Vector(*piece) for piece in some]
            sizes = [size for _, size in some]
            if not super().send(sizes, sum(sizes)):
                self.finish(sizes)
        self._messages_at = whole
        return True
