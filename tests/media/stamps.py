"""When each piece of a stream was sent or received, by the clock that all processes of a machine share."""

from __future__ import annotations

import time
from array import array
from pathlib import Path


class Stamps:
    """One pair per piece: bytes of the stream so far, this piece included, and monotonic nanoseconds."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._pairs = array("Q")

    def note(self, total_bytes: int) -> None:
        """A piece has passed, now."""
        if self._file is not None:
            self._pairs.extend((total_bytes, time.monotonic_ns()))

    def write(self) -> None:
        """Put them into the file, if there is one: pairs of 64-bit numbers."""
        if self._file is not None:
            self._file.write_bytes(self._pairs.tobytes())
