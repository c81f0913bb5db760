"""The programs that carry a route, as found on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"SRT Library version: *(\d+)\.(\d+)\.(\d+)")

PERCENT_DECODING_SINCE = (1, 5, 4)
"""From this version on srt-live-transmit decodes %XX in the values of a URI."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What `plan` must know about the programs."""

    srt_version: tuple[int, int, int]
    """Version of the libsrt that srt-live-transmit runs with."""
    python: str
    """The Python that runs the duplicator."""
    duplicator: str
    """Path of duplicator.py."""
    clock: bool = True
    """Whether ffmpeg can draw text (it needs a font): the clock in the test pattern."""
    encoders: frozenset[str] = frozenset()
    """The hardware encoders that were seen to work here, by ffmpeg's names: `h264_nvenc`."""
    ffmpeg_version: str | None = None
    """As ffmpeg prints it; None: it is not installed."""

    @property
    def decodes_percent(self) -> bool:
        """Whether values in a URI must be percent-encoded."""
        return self.srt_version >= PERCENT_DECODING_SINCE


def parse_srt_version(text: str) -> tuple[int, int, int]:
    """Read the output (on stderr) of `srt-live-transmit -version`; raises ValueError.

    It names two versions, "Built with" and the one in use, which comes last and counts.
    """
    found = _VERSION.findall(text)
    if not found:
        raise ValueError("srt-live-transmit -version did not name a version of the SRT library")
    major, minor, patch = found[-1]
    return int(major), int(minor), int(patch)
