"""What ffmpeg's -progress says: a pure parser of its blocks.

A block is lines `key=value`, from `frame=` to `progress=continue` or `progress=end`. What ffmpeg does not
know it leaves out or calls `N/A`, and so is what is garbled: unknown, never a guessed zero. Its `fps`,
`bitrate` and `speed` are averages since its start: after an hour of silence they would still say that it
runs. So what is reported as such is what happened between two blocks; the averages have names of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE = re.compile(r"([a-z][a-z0-9_]{0,40})=\s*(\S{1,40})")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?(?:e[+-]?\d{1,2})?")
_MAX_KEYS = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """One whole block."""

    frame: int | None = None
    """Frames out since the start of the process."""
    fps: float | None = None
    """Average since the start."""
    bitrate_kbps: float | None = None
    """Average since the start."""
    speed: float | None = None
    """Seconds of the stream per second, average since the start."""
    out_time_s: float | None = None
    total_size: int | None = None
    """Bytes out since the start."""
    drop_frames: int | None = None
    dup_frames: int | None = None

    @property
    def empty(self) -> bool:
        """Nothing in the block was understood."""
        return self == Progress()


@dataclass(slots=True)
class ProgressParser:
    """Takes lines as they come, and gives the newest whole block."""

    _open: dict[str, str] = field(default_factory=dict)

    def feed(self, lines: Iterable[str]) -> Progress | None:
        """Take new lines; the answer is the newest block that was completed by them."""
        newest = None
        for line in lines:
            found = _LINE.fullmatch(line.strip())
            if found is None:
                continue
            key, value = found.groups()
            if key == "progress":
                block, self._open = _block(self._open), {}
                newest = newest if block.empty else block
            elif key in self._open and key == "frame":
                self._open = {key: value}  # the end of the block before it was lost
            elif len(self._open) < _MAX_KEYS:
                self._open[key] = value
        return newest


def values(now: Progress, before: Progress | None, elapsed_s: float | None) -> dict[str, object]:
    """What is reported of a block. `before` is the block that came `elapsed_s` earlier, if there was one.

    Only what is known has a key. `fps`, `bitrate` (kb/s) and `speed` are those of the time between the blocks.
    """
    then = before or Progress()
    found: dict[str, object] = {
        "frame": now.frame,
        "fps": _rate(now.frame, then.frame, elapsed_s),
        "bitrate": _rate(_kbit(now.total_size), _kbit(then.total_size), elapsed_s),
        "speed": _rate(now.out_time_s, then.out_time_s, elapsed_s),
        "outTime": now.out_time_s,
        "totalSize": now.total_size,
        "dropFrames": now.drop_frames,
        "dupFrames": now.dup_frames,
        "averageFps": now.fps,
        "averageBitrate": now.bitrate_kbps,
        "averageSpeed": now.speed,
    }
    return {key: value for key, value in found.items() if value is not None}


def _rate(now: float | None, before: float | None, elapsed_s: float | None) -> float | None:
    if now is None or before is None or not elapsed_s or elapsed_s <= 0 or now < before:
        return None  # a smaller count is that of a new process
    return round((now - before) / elapsed_s, 3)


def _kbit(size: int | None) -> float | None:
    return None if size is None else size * 8 / 1000


def _block(raw: dict[str, str]) -> Progress:
    microseconds = _whole(raw.get("out_time_us")) or _whole(raw.get("out_time_ms"))  # both are microseconds
    return Progress(
        frame=_whole(raw.get("frame")),
        fps=_number(raw.get("fps")),
        bitrate_kbps=_number(raw.get("bitrate", "").removesuffix("kbits/s")),
        speed=_number(raw.get("speed", "").removesuffix("x")),
        out_time_s=None if microseconds is None else microseconds / 1_000_000,
        total_size=_whole(raw.get("total_size")),
        drop_frames=_whole(raw.get("drop_frames")),
        dup_frames=_whole(raw.get("dup_frames")),
    )


def _number(text: str | None) -> float | None:
    if text is None or not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) and number >= 0 else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and re.fullmatch(r"\d{1,18}", text) else None
