"""Plays a transport stream into SRT, byte for byte and in real time (`python -m tests.media.srt_send`)."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.media.events import Progress, cpu_s, emit, exit_on_sigterm
from tests.media.libsrt import Srt, SrtError, SrtSocket
from tests.media.pacing import Burst, Pacer, bursts
from tests.media.srt_meeting import meet
from tests.media.srt_url import SrtUrl
from tests.media.stamps import Stamps

_FLUSH_LIMIT_S = 10.0
_FLUSH_LOOK_S = 0.01
_PLAYOUT_MARGIN_S = 0.5


class Player:
    """Sends the bursts of one stream; after a loss of its peer it goes on where the stream is by then."""

    def __init__(self, data: bytes, stamps: Stamps) -> None:
        self._data = data
        self._stamps = stamps
        self._waiting = bursts(data)[::-1]
        self._pacer: Pacer | None = None
        self._progress = Progress()
        self.sent_bytes = 0

    @property
    def finished(self) -> bool:
        """True when the last burst is out."""
        return not self._waiting

    def play(self, peer: SrtSocket) -> None:
        """Send to the end of the stream."""
        pacer = self._pacer = self._pacer or Pacer()
        missed_bytes = self._skip_what_is_over(pacer)
        if missed_bytes:
            emit("skipped", missed_bytes=missed_bytes)
        while self._waiting:
            burst = self._waiting.pop()
            pacer.wait(burst.at_s)
            self._send(peer, burst)
        emit("sent", bytes=self.sent_bytes, worst_delay_ms=round(pacer.worst_delay_s * 1000))

    def _send(self, peer: SrtSocket, burst: Burst) -> None:
        for datagram in burst.datagrams(self._data):
            peer.send(datagram)
            self.sent_bytes += len(datagram)
            self._stamps.note(self.sent_bytes)
        self._progress.update(self.sent_bytes)

    def _skip_what_is_over(self, pacer: Pacer) -> int:
        missed_bytes, elapsed_s = 0, pacer.elapsed_s()
        while self.sent_bytes and self._waiting and self._waiting[-1].at_s < elapsed_s:
            burst = self._waiting.pop()
            missed_bytes += burst.end - burst.start
        return missed_bytes


def _leave(peer: SrtSocket) -> None:
    """Leave only when the peer has acknowledged and played out everything: it drops the rest."""
    deadline_s = time.monotonic() + _FLUSH_LIMIT_S
    while peer.unsent_packets():
        if time.monotonic() > deadline_s:
            raise SrtError(f"{peer.unsent_packets()} packets were not acknowledged")
        time.sleep(_FLUSH_LOOK_S)
    time.sleep(peer.agreed_latency_ms() / 1000 + _PLAYOUT_MARGIN_S)
    emit("flushed", counters=asdict(peer.counters()))


def _run(player: Player, url: SrtUrl, reconnect: bool) -> int:
    srt = Srt()
    for peer in meet(srt, url, reconnect=reconnect):
        try:
            player.play(peer)
            _leave(peer)
        except SrtError as error:
            emit("disconnected", reason=str(error), bytes=player.sent_bytes)
        else:
            return 0
        finally:
            peer.close()
        if player.finished:
            break
    return 1


def main() -> int:
    """Send one file to one peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("url", type=SrtUrl.parse)
    parser.add_argument("--reconnect", action="store_true")
    parser.add_argument("--stamps", type=Path, help="note there when each message was sent")
    options = parser.parse_args()
    exit_on_sigterm()
    stamps = Stamps(options.stamps)
    player = Player(options.file.read_bytes(), stamps)
    try:
        return _run(player, options.url, options.reconnect)
    finally:
        stamps.write()
        emit("closed", bytes=player.sent_bytes, cpu_s=cpu_s())


if __name__ == "__main__":
    sys.exit(main())
