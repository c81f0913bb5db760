"""Writes what comes over UDP into a file, until SIGTERM (`python -m tests.media.udp_receive`)."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from io import FileIO
from pathlib import Path

from tests.media import udp_socket
from tests.media.events import PROGRESS_INTERVAL_S, Progress, cpu_s, emit, exit_on_sigterm
from tests.media.stamps import Stamps

_LARGEST_DATAGRAM_BYTES = 65536


class Recorder:
    """Writes the datagrams of one socket into one file."""

    def __init__(self, udp: socket.socket, file: FileIO, stamps: Stamps) -> None:
        self._udp = udp
        self._file = file
        self._stamps = stamps
        self.datagrams = 0
        self.received_bytes = 0

    def record(self) -> None:
        """Write until SIGTERM."""
        progress = Progress()
        self._udp.settimeout(PROGRESS_INTERVAL_S)
        while True:
            with contextlib.suppress(TimeoutError):
                self._write(self._udp.recv(_LARGEST_DATAGRAM_BYTES))
            progress.update(self.received_bytes)

    def drain(self) -> None:
        """Write what the kernel still holds."""
        self._udp.setblocking(False)
        while True:
            try:
                self._write(self._udp.recv(_LARGEST_DATAGRAM_BYTES))
            except BlockingIOError:
                return

    def _write(self, datagram: bytes) -> None:
        self.datagrams += 1
        self.received_bytes += self._file.write(datagram)
        self._stamps.note(self.received_bytes)


def main() -> int:
    """Record into one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--interface", default="127.0.0.1", help="address of the multicast interface")
    parser.add_argument("--stamps", type=Path, help="note there when each datagram came")
    options = parser.parse_args()
    exit_on_sigterm()
    udp = udp_socket.receiving(options.host, options.port, options.interface)
    stamps = Stamps(options.stamps)
    with udp, FileIO(options.file, "w") as file:
        recorder = Recorder(udp, file, stamps)
        emit("listening", port=options.port)
        try:
            recorder.record()
        finally:
            recorder.drain()
            stamps.write()
            drops = udp_socket.kernel_drops(udp)
            emit(
                "closed",
                bytes=recorder.received_bytes,
                datagrams=recorder.datagrams,
                kernel_drops=drops,
                cpu_s=cpu_s(),
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
