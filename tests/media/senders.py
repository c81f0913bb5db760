"""Senders of real streams: what they send is exactly the file, paced as its PCRs say."""

from __future__ import annotations

from pathlib import Path

from tests.media.srt_url import SrtUrl
from tests.media.tool import Tool


class SrtSender(Tool):
    """Plays a file over SRT and ends (0) when the peer has taken all of it.

    Events: `listening`, `connected`, `refused`, `progress`, `sent`, `flushed`, `disconnected`, `skipped`
    (after a reconnect: what passed meanwhile), `closed`.
    """

    def __init__(self, file: Path, url: SrtUrl, *, reconnect: bool = False, stamps: Path | None = None) -> None:
        self.file = file
        options = [*(["--reconnect"] if reconnect else []), *(["--stamps", str(stamps)] if stamps else [])]
        super().__init__("srt_send", str(file), str(url), *options)


class UdpSender(Tool):
    """Plays a file over UDP, unicast or multicast on loopback. Events: `progress`, `sent`, `closed`."""

    def __init__(self, file: Path, host: str, port: int, *, interface: str = "127.0.0.1") -> None:
        self.file = file
        super().__init__("udp_send", str(file), host, str(port), "--interface", interface)
