"""Receivers of real streams: what comes is written to a file as it comes."""

from __future__ import annotations

from pathlib import Path

from tests.media.srt_url import SrtUrl
from tests.media.tool import Tool


class SrtReceiver(Tool):
    """Writes one SRT connection into a file and ends when the peer leaves, or never with `reconnect`.

    Events: `listening`, `connected`, `refused`, `progress`, `disconnected`, `closed`
    with libsrt's `counters`.
    """

    def __init__(self, url: SrtUrl, file: Path, *, reconnect: bool = False, stamps: Path | None = None) -> None:
        self.file = file
        options = [*(["--reconnect"] if reconnect else []), *(["--stamps", str(stamps)] if stamps else [])]
        super().__init__("srt_receive", str(url), str(file), *options)


class UdpReceiver(Tool):
    """Writes the datagrams of a unicast port or multicast group into a file until it is stopped.

    Made when it listens. Events: `listening`, `progress`, `closed` with `kernel_drops` and `datagrams`.
    """

    def __init__(
        self, host: str, port: int, file: Path, *, interface: str = "127.0.0.1", stamps: Path | None = None
    ) -> None:
        self.file = file
        options = ["--interface", interface, *(["--stamps", str(stamps)] if stamps else [])]
        super().__init__("udp_receive", host, str(port), str(file), *options)
        self.wait_event("listening")
