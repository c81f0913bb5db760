"""The process itself: the input, the config file, and the loop that serves them."""

import contextlib
import ctypes
import json
import math
import os
import select
import signal
import socket
import stat
import struct
import sys
import time
from typing import NoReturn

from srt_router.duplication.orders import (
    Destination,
    Options,
    Source,
    UsageError,
    is_address,
    is_multicast,
    parse_arguments,
    parse_config,
)
from srt_router.duplication.outputs import Batch, Bus, Output, enlarge, pack_address, pack_interface, say

# The interpreter's own SHA-256: hashlib would load OpenSSL, 14 ms and 4 MB.
_sha256 = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_NAME = 15
SO_RCVBUFFORCE, SO_MEMINFO, MEMINFO_DROPS = 33, 55, 8
IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP, IP_MULTICAST_ALL = 39, 46, 49
IN_CLOSE_WRITE, IN_MOVED_TO, IN_OVERFLOW = 0x8, 0x80, b"\xff\xff\xff\xff"
SILENCE_S = 1.0


class Input:
    """The socket that the stream arrives at."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.datagrams = self.bytes = 0
        self.receiving = False
        self.silent_at = math.inf
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        enlarge(self.socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, source.rcvbuf)
        self.host = socket.gethostbyname(source.host) if source.host else ""
        if is_multicast(self.host):
            # Several may listen to a group. A unicast port has one owner: there a second one is an error.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        self.socket.bind((self.host, source.port))
        self._join()

    def _join(self) -> None:
        if not is_multicast(self.host):
            return
        interface, sender = self.source.interface, self.source.source
        if sender is None:
            option, value = socket.IP_ADD_MEMBERSHIP, pack_interface(self.host, interface)
        elif interface is None or is_address(interface):
            addresses = (self.host, interface or "0.0.0.0", sender)  # noqa: S104 - the kernel chooses
            option, value = IP_ADD_SOURCE_MEMBERSHIP, b"".join(map(socket.inet_aton, addresses))
        else:
            group, allowed = pack_address(self.host, 0), pack_address(sender, 0)
            index = socket.if_nametoindex(interface)
            option, value = MCAST_JOIN_SOURCE_GROUP, struct.pack("@Ixxxx128s128s", index, group, allowed)
        self.socket.setsockopt(socket.IPPROTO_IP, option, value)

    def fall_silent(self, now: float) -> None:
        """Notice that nothing has come for a while."""
        if now >= self.silent_at:
            self.receiving, self.silent_at = False, math.inf
            say("UDP source silent")

    def settle(self) -> None:
        """In silence, join the group again: an interface that went and came anew has forgotten it."""
        if not self.receiving:
            with contextlib.suppress(OSError):  # "in use" where we are a member still
                self._join()

    def report(self) -> dict[str, int]:
        """The input's part of the stats line."""
        memory = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
        return {
            "datagrams": self.datagrams,
            "bytes": self.bytes,
            "drops": struct.unpack("=9I", memory)[MEMINFO_DROPS],
            "rcvbuf": self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2,
        }


class ConfigFile:
    """The file that names the destinations, watched: inotify for speed, a look each second for certainty."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.digest: str | None = None  # of the text in force
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - pathlib doubles the start
        self._name = os.fsencode(name)
        self._looked_at: tuple[int, ...] = ()
        self._read: str | None = None  # digest of the text read last, or why there was none
        self.descriptor: int = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        """-1 where the kernel has none left (fs.inotify.max_user_instances): the look each second remains."""
        if self.descriptor >= 0:
            mask = ctypes.c_uint32(IN_CLOSE_WRITE | IN_MOVED_TO)
            if _libc.inotify_add_watch(self.descriptor, os.fsencode(folder), mask) < 0:
                raise UsageError(f"cannot watch {folder}: {os.strerror(ctypes.get_errno())}")

    def noticed(self) -> bool:
        """Take the events: whether one concerns our file."""
        try:
            events = os.read(self.descriptor, 65536)
        except OSError:
            return False
        return self._name in events or IN_OVERFLOW in events

    def touched(self) -> bool:
        """Whether the file is another one than at the last look."""
        try:
            status = os.stat(self.path)  # noqa: PTH116
        except OSError:
            return self._looked_at != ()
        return self._looked_at != (status.st_ino, status.st_mtime_ns, status.st_size)

    def read(self) -> list[Destination] | None:
        """The destinations, where the file has a new and sound text; else None, and stderr says why."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                text = file.read()
        except OSError as error:
            self._looked_at = ()
            self._complain(str(error), error.strerror or str(error))
            return None
        self._looked_at = (status.st_ino, status.st_mtime_ns, status.st_size)
        digest = _sha256(text).hexdigest()[:16]
        if digest == self.digest:
            self._read = digest
            return None
        try:
            destinations = parse_config(text)
        except (ValueError, RecursionError) as error:
            self._complain(digest, str(error))
            return None
        self.digest = self._read = digest
        return destinations

    def _complain(self, what: str, why: str) -> None:
        if self._read != what:
            self._read = what
            say(f"config {self.path}: {why}; the destinations stay as they are")


class Duplicator:
    """The loop: what arrives goes out, once a second a line, and the config is followed."""

    def __init__(self, options: Options) -> None:
        self.batch = Batch()
        self.config = ConfigFile(options.config) if options.config else None
        self.input = Input(options.source)
        self.outputs: list[Output] = [Bus(options.bus, self.batch)] if options.bus else []
        self._fixed = len(self.outputs)
        self._torn = False
        self.follow()

    def follow(self) -> None:
        """Change the destinations to what the config says; those that stay keep socket and counters."""
        wanted = self.config.read() if self.config else None
        if wanted is None:
            return
        present = {output.destination[:2]: output for output in self.outputs[self._fixed :]}
        outputs = self.outputs[: self._fixed]
        for destination in wanted:
            output = present.pop(destination[:2], None)
            if output is None:
                output = Output(destination, self.batch)
            elif output.destination != destination:
                output.change(destination)
            outputs.append(output)
        for output in present.values():
            output.close()
        self.outputs = outputs

    def forward(self, now: float) -> None:
        """Pass one batch on: first to everybody, then what is left to those that could not take all."""
        source, outputs = self.input, self.outputs
        lengths = self.batch.receive(source.socket.fileno())
        if not lengths:
            return
        total = sum(lengths)
        behind = [output for output in outputs if not output.send(lengths, total)]
        for output in behind:
            output.finish(lengths)
        source.datagrams += len(lengths)
        source.bytes += total
        source.silent_at = now + SILENCE_S
        if not source.receiving:
            source.receiving = True
            say("UDP source receiving")

    def tick(self) -> None:
        """Once a second: state changes, the config's certainty, the stats line."""
        self.input.settle()
        for output in self.outputs:
            output.settle()
        self.batch.waits_left = self.batch.WAITS_PER_SECOND
        if self.config and self.config.touched():
            self.follow()
        self.write_stats()

    def write_stats(self) -> None:
        """Append the stats line; a full disk costs lines, never the stream."""
        line = json.dumps(
            {
                "time": int(time.time() * 1000),
                "monotonic": round(time.monotonic(), 3),
                "config": self.config.digest if self.config else None,
                "input": self.input.report(),
                "outputs": [output.report() for output in self.outputs],
            }
        )
        text = ("\n" * self._torn + line + "\n").encode()
        with contextlib.suppress(OSError):
            self._torn = os.write(1, text) != len(text)

    def run(self) -> NoReturn:
        """Serve for ever; a signal ends the process."""
        names = ", ".join(f"udp://{output.destination.host}:{output.destination.port}" for output in self.outputs)
        say(f"Media path: '{self.input.source.uri}' --> '{names}'")
        epoll = select.epoll()
        config = self.config.descriptor if self.config else -1
        for descriptor in (self.input.socket.fileno(), config):
            if descriptor >= 0:
                epoll.register(descriptor, select.EPOLLIN)
        source, monotonic = self.input, time.monotonic
        next_tick = monotonic() + 1
        while True:
            events = epoll.poll(max(0.0, min(next_tick, source.silent_at) - monotonic()))
            now = monotonic()
            if not events:
                source.fall_silent(now)
            for descriptor, _ in events:
                if descriptor != config:
                    self.forward(now)
                elif self.config and self.config.noticed():
                    self.follow()
            if now >= next_tick:
                self.tick()
                next_tick = max(next_tick + 1, now)


def _prepare() -> None:
    """Name, signals and standard streams of the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    while (spare := os.open("/dev/null", os.O_RDWR)) <= 2:
        pass  # a stream that was closed must not become the number of a socket
    os.close(spare)
    for descriptor in (1, 2):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, False)  # a reader that sleeps must not stop the stream
    _libc.prctl(PR_SET_NAME, b"udpDuplicator", 0, 0, 0)


def main(words: list[str]) -> int:
    """Run the process; returns only when it cannot start."""
    _prepare()
    try:
        options = parse_arguments(words)
        duplicator = Duplicator(options)
    except UsageError as error:
        say(f"ERROR: {error}")
        return 1
    except OSError as error:
        say(f"ERROR: cannot bind {options.source.uri}: {error.strerror or error}")
        return 255
    duplicator.run()
