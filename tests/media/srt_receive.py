"""Writes what comes over SRT into a file, byte for byte (`python -m tests.media.srt_receive`)."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from io import FileIO
from pathlib import Path

from tests.media.events import Progress, cpu_s, emit, exit_on_sigterm
from tests.media.libsrt import Counters, Srt, SrtError, SrtSocket
from tests.media.srt_meeting import meet
from tests.media.srt_url import SrtUrl
from tests.media.stamps import Stamps

_LOOK_MS = 100


class Recorder:
    """Writes the messages of one connection after the other into one file."""

    def __init__(self, file: FileIO, stamps: Stamps) -> None:
        self._file = file
        self._stamps = stamps
        self._progress = Progress()
        self.received_bytes = 0
        self.counters: Counters | None = None
        """Of the last connection: libsrt forgets them when the peer leaves."""

    def record(self, peer: SrtSocket) -> None:
        """Write until the peer leaves, which raises SrtError."""
        peer.limit_receive(_LOOK_MS)
        while True:
            message = peer.receive()
            if message is not None:
                self.received_bytes += self._file.write(message)
                self._stamps.note(self.received_bytes)
            if self._progress.update(self.received_bytes):
                self.counters = peer.counters()


def _run(recorder: Recorder, url: SrtUrl, reconnect: bool) -> int:
    result = 1
    for peer in meet(Srt(), url, reconnect=reconnect):
        result = 0
        try:
            recorder.record(peer)
        except SrtError as error:
            emit("disconnected", reason=str(error), bytes=recorder.received_bytes)
        finally:
            peer.close()
    return result


def main() -> int:
    """Record into one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", type=SrtUrl.parse)
    parser.add_argument("file", type=Path)
    parser.add_argument("--reconnect", action="store_true", help="go on with the next connection")
    parser.add_argument("--stamps", type=Path, help="note there when each message came")
    options = parser.parse_args()
    exit_on_sigterm()
    stamps = Stamps(options.stamps)
    with FileIO(options.file, "w") as file:
        recorder = Recorder(file, stamps)
        try:
            return _run(recorder, options.url, options.reconnect)
        finally:
            stamps.write()
            counters = recorder.counters and asdict(recorder.counters)
            emit("closed", bytes=recorder.received_bytes, cpu_s=cpu_s(), counters=counters)


if __name__ == "__main__":
    sys.exit(main())
