"""What ffprobe makes of a piece of a stream: picture size, frame rate, channels. One at a time, and never for long.

The piece is written into a file while it passes, and ffprobe reads that: it joins no bus, and a stream that
upsets it upsets nobody else.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srt_router.transport_stream.capture import Capture

CAPTURES_AT_ONCE = 4
PATIENCE_S = 20.0
_TRIES = ((4.0, 8_000_000), (12.0, 16_000_000))
"""Seconds and bytes that are captured at most, each time more: a picture is known from a key frame on."""
_MOST_OUTPUT = 1 << 20
_MOST_STREAMS = 64

Probe = dict[str, object]


@dataclass(slots=True)
class _Running:
    capture: Capture
    process: subprocess.Popen[bytes]
    ends_at: float


@dataclass(slots=True)
class Prober:
    """Captures and probes what it is asked to, in order."""

    stem: str
    """Path before the names of the files that it makes."""
    tell: Callable[[str, Probe], None]
    """Called with the answer about one stream."""
    command: tuple[str, ...] = ("ffprobe",)
    _wanted: deque[tuple[str, int]] = field(default_factory=deque)
    _captures: dict[str, Capture] = field(default_factory=dict)
    _ready: deque[Capture] = field(default_factory=deque)
    _running: _Running | None = None
    _number: int = 0

    def ask(self, key: str) -> None:
        """Probe the stream with this key; what was captured of it before is out of date."""
        self.forget(key)
        self._wanted.append((key, 0))

    def forget(self, key: str) -> None:
        """The stream is gone, or another one."""
        self._wanted = deque(one for one in self._wanted if one[0] != key)
        if capture := self._captures.pop(key, None):
            capture.discard()
        for capture in [one for one in self._ready if one.key == key]:
            self._ready.remove(capture)
            capture.discard()
        if self._running and self._running.capture.key == key:
            self._end(self._running)

    def wants(self, key: str) -> bool:
        """Is what passes of this stream to be handed to `take`?"""
        return key in self._captures

    def take(self, key: str, data: bytes) -> None:
        """A piece of a stream."""
        try:
            self._captures[key].take(data)
        except OSError:
            self._captures.pop(key).discard()

    def look(self, now: float) -> None:
        """Begin and end what is due."""
        for key in [key for key, capture in self._captures.items() if capture.done(now)]:
            capture = self._captures.pop(key)
            capture.close()
            self._ready.append(capture)
        while self._wanted and len(self._captures) + len(self._ready) < CAPTURES_AT_ONCE:
            self._capture(*self._wanted.popleft(), now)
        if self._running is not None:
            self._watch(self._running, now)
        if self._running is None and self._ready:
            self._start(self._ready.popleft(), now)

    def close(self) -> None:
        """End and remove everything."""
        for key in {*self._captures, *(one.key for one in self._ready), *(key for key, _ in self._wanted)}:
            self.forget(key)
        if self._running:
            self._end(self._running)

    def _capture(self, key: str, attempt: int, now: float) -> None:
        self._number += 1
        path = Path(f"{self.stem}.{self._number}.ts.tmp")
        seconds, size = _TRIES[attempt]
        try:
            self._captures[key] = Capture.begin(key, path, attempt, now + seconds, size)
        except OSError as error:
            self.tell(key, {"error": f"no piece of the stream can be kept: {error.strerror or error}"})

    def _start(self, capture: Capture, now: float) -> None:
        argv = [
            *self.command, "-v", "error", "-print_format", "json", "-show_streams",
            "-analyzeduration", "20000000", "-probesize", "50000000", "-f", "mpegts", str(capture.path),
        ]  # fmt: skip
        try:
            with _output_path(capture).open("xb") as output:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, close_fds=True
                )
        except OSError as error:
            capture.discard()
            self.tell(capture.key, {"error": f"{self.command[0]} cannot be started: {error.strerror}"})
            return
        self._running = _Running(capture, process, now + PATIENCE_S)

    def _watch(self, running: _Running, now: float) -> None:
        capture = running.capture
        if running.process.poll() is None:
            if now >= running.ends_at:
                self._end(running)
                self.tell(capture.key, {"error": f"ffprobe did not answer within {PATIENCE_S:g} s"})
            return
        found = read_answer(_output_path(capture))
        self._end(running)
        if not is_complete(found) and capture.attempt + 1 < len(_TRIES):
            self._wanted.append((capture.key, capture.attempt + 1))
        self.tell(capture.key, found)

    def _end(self, running: _Running) -> None:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
        running.capture.discard()
        _output_path(running.capture).unlink(missing_ok=True)
        self._running = None


def _output_path(capture: Capture) -> Path:
    return capture.path.with_suffix(".out.tmp")


def read_answer(path: Path) -> Probe:
    """What ffprobe wrote, as it is told; never raises."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_OUTPUT))
        streams = [_stream(one) for one in document["streams"][:_MOST_STREAMS]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"error": "ffprobe cannot read this stream"}
    return {"streams": [one for one in streams if one["kind"] in ("video", "audio", "subtitle", "data")]}


def is_complete(probe: Probe) -> bool:
    """Every picture has a size and every sound a sample rate."""
    streams = probe.get("streams")
    if not isinstance(streams, list) or not streams:
        return False
    needed = {"video": "width", "audio": "sampleRate"}
    return all(one.get(needed.get(one["kind"], "kind")) for one in streams)


def _stream(found: dict[str, object]) -> Probe:
    kind = found.get("codec_type")
    tags = found.get("tags")
    stream: Probe = {
        "pid": _whole(found.get("id")),
        "kind": kind,
        "codec": _text(found.get("codec_name")),
        "profile": _text(found.get("profile")),
        "language": _text(tags.get("language")) if isinstance(tags, dict) else None,
    }
    if kind == "video":
        order = _text(found.get("field_order"))
        stream |= {
            "width": _whole(found.get("width")),
            "height": _whole(found.get("height")),
            "frameRate": _frame_rate(found),
            "scan": None if order in (None, "unknown") else "progressive" if order == "progressive" else "interlaced",
            "aspect": _text(found.get("display_aspect_ratio")),
            "pixelFormat": _text(found.get("pix_fmt")),
        }
    elif kind == "audio":
        stream |= {
            "channels": _whole(found.get("channels")),
            "layout": _text(found.get("channel_layout")),
            "sampleRate": _whole(found.get("sample_rate")),
        }
    return stream


def _text(value: object) -> str | None:
    return value[:64] if isinstance(value, str) and value.isprintable() and value else None


def _whole(value: object) -> int | None:
    """A whole number, as such or in text (`0x100`, `48000`); 0 is what ffprobe says when it does not know."""
    if isinstance(value, int):
        return value or None
    with contextlib.suppress(ValueError):
        return int(value, 0) or None if isinstance(value, str) else None
    return None


def _frame_rate(found: dict[str, object]) -> float | None:
    for name in ("avg_frame_rate", "r_frame_rate"):
        frames, _, seconds = str(found.get(name)).partition("/")
        with contextlib.suppress(ValueError, ZeroDivisionError):
            if rate := int(frames) / int(seconds or 1):
                return round(rate, 3)
    return None
