"""Plays a transport stream over UDP, byte for byte and in real time (`python -m tests.media.udp_send`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.media import udp_socket
from tests.media.events import Progress, cpu_s, emit, exit_on_sigterm
from tests.media.pacing import Pacer, bursts


def main() -> int:
    """Send one file to one address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--interface", default="127.0.0.1", help="address of the multicast interface")
    options = parser.parse_args()
    exit_on_sigterm()
    data = options.file.read_bytes()
    schedule = bursts(data)
    progress, pacer, sent_bytes = Progress(), Pacer(), 0
    with udp_socket.sending(options.host, options.interface) as udp:
        try:
            for burst in schedule:
                pacer.wait(burst.at_s)
                for datagram in burst.datagrams(data):
                    sent_bytes += udp.sendto(datagram, (options.host, options.port))
                progress.update(sent_bytes)
            emit("sent", bytes=sent_bytes, worst_delay_ms=round(pacer.worst_delay_s * 1000))
        finally:
            emit("closed", bytes=sent_bytes, cpu_s=cpu_s())
    return 0


if __name__ == "__main__":
    sys.exit(main())
