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

    def __init__(self, url: SrtUrl, file: Path, *, reconnect: bool = False) -> None:
        self.file = file
        super().__init__("srt_receive", str(url), str(file), *(["--reconnect"] if reconnect else []))


class UdpReceiver(Tool):
    """Writes the datagrams of a unicast port or multicast group into a file until it is stopped.

    Made when it listens. Events: `listening`, `progress`, `closed` with `kernel_drops` and `datagrams`.
    """

    def __init__(self, host: str, port: int, file: Path, *, interface: str = "127.0.0.1") -> None:
        self.file = file
        super().__init__("udp_receive", host, str(port), str(file), "--interface", interface)
        self.wait_event("listening")
