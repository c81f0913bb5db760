"""Thumbnails: a small picture of what is on air. A piece of the stream is captured in passing, and ffmpeg makes it.

ffmpeg joins no bus and reads a file, so nothing of what is on air waits for it, and it cannot wait for a silent
stream. One at a time, on one thread, key frames only, with the processor time that nobody else wants.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from srt_router.transport_stream.capture import Capture
from srt_router.transport_stream.turns import Turns

WIDTH = 320
PATIENCE_S = 20.0
"""As long as ffmpeg may take: it may be held up by everything that is on air."""
_MOST_CPU_S = 10
"""The kernel ends one that has used so much, whoever has died meanwhile."""
_AT_ONCE = 3
"""Streams that are being worked on: two are captured while ffmpeg looks at a third."""
_TRIES = ((2.5, 6_000_000), (6.0, 12_000_000), (12.0, 16_000_000))
"""Seconds and bytes that are captured at most; more where that held no key frame, and from then on."""
_HEIGHT = "max(16,min(640,2*trunc(160/dar)))"
"""For pixels that are not square, too."""

Thumbnail = dict[str, object]


@dataclass(slots=True)
class _Running:
    capture: Capture
    began_ms: int
    process: subprocess.Popen[bytes]
    started: float


@dataclass(slots=True)
class ThumbnailMaker:
    """Makes pictures of the streams that it is told to follow."""

    stem: str
    """Path before the names of the files that it makes."""
    tell: Callable[[str, Thumbnail], None]
    """Called with the key of a stream, and `at` and `file`, or `at` and `error`."""
    turns: Turns
    command: tuple[str, ...] = ("ffmpeg",)
    _captures: dict[str, tuple[Capture, int]] = field(default_factory=dict)
    """With the moment of each, in milliseconds since the epoch."""
    _ready: deque[tuple[Capture, int]] = field(default_factory=deque)
    _running: _Running | None = None
    _attempts: dict[str, int] = field(default_factory=dict)
    _pictures: dict[str, Path] = field(default_factory=dict)
    """The newest of each stream: it stays until there is a newer one."""
    _number: int = 0

    def follow(self, keys: Collection[str], share: float) -> None:
        """Make thumbnails of these streams, and of no others."""
        self.turns.share = share
        self.turns.follow(keys)
        for gone in {*self._captures, *self._attempts, *self._pictures} - set(keys):
            self.forget(gone)

    def forget(self, key: str) -> None:
        """The stream is gone, or another one: nothing of it may be seen any more."""
        self._attempts.pop(key, None)
        if found := self._captures.pop(key, None):
            found[0].discard()
        for one in [one for one in self._ready if one[0].key == key]:
            self._ready.remove(one)
            one[0].discard()
        if self._running and self._running.capture.key == key:
            self._end(self._running, time.monotonic())
        if picture := self._pictures.pop(key, None):
            picture.unlink(missing_ok=True)

    def wants(self, key: str) -> bool:
        """Is what passes of this stream to be handed to `take`?"""
        return key in self._captures

    def take(self, key: str, data: bytes) -> None:
        """A piece of a stream."""
        try:
            self._captures[key][0].take(data)
        except OSError:
            self._captures.pop(key)[0].discard()

    def look(self, now: float) -> None:
        """Begin and end what is due."""
        for key in [key for key, (one, _) in self._captures.items() if one.done(now)]:
            capture, began_ms = self._captures.pop(key)
            capture.close()
            if capture.taken:
                self._ready.append((capture, began_ms))
            else:
                self._fail(capture, began_ms, "nothing came", now)
        if self._running is not None:
            self._watch(self._running, now)
        if self._running is None and self._ready and self.turns.may_run(now):
            self._start(*self._ready.popleft(), now)
        if self._busy < _AT_ONCE and (turn := self._next(now)) is not None:
            self._capture(turn, now)

    def close(self) -> None:
        """End and remove everything."""
        keys = {*self._captures, *self._pictures, *(one.key for one, _ in self._ready)}
        for key in keys:
            self.forget(key)
        if self._running:
            self._end(self._running, time.monotonic())

    @property
    def _busy(self) -> int:
        return len(self._captures) + len(self._ready) + (self._running is not None)

    def _next(self, now: float) -> str | None:
        running = [self._running.capture.key] if self._running else []
        return self.turns.next(now, {*self._captures, *(one.key for one, _ in self._ready), *running})

    def _capture(self, key: str, now: float) -> None:
        self._number += 1
        attempt = self._attempts.get(key, 0)
        seconds, size = _TRIES[attempt]
        path, began_ms = Path(f"{self.stem}.{self._number}.ts.tmp"), _now_ms()
        try:
            capture = Capture.begin(key, path, attempt, now + seconds, size)
        except OSError as error:
            self.turns.failed(key, now)
            self.tell(key, {"at": began_ms, "error": f"no piece of the stream can be kept: {error.strerror or error}"})
            return
        self._captures[key] = capture, began_ms

    def _start(self, capture: Capture, began_ms: int, now: float) -> None:
        argv = [
            *self.command, "-v", "quiet", "-nostdin", "-protocol_whitelist", "file", "-threads", "1",
            "-skip_frame", "nokey", "-max_pixels", "36000000", "-probesize", "1000000", "-analyzeduration", "1000000",
            "-f", "mpegts", "-i", f"file:{capture.path}", "-map", "0:v:0", "-frames:v", "1",
            "-vf", f"scale=w={WIDTH}:h='{_HEIGHT}':flags=area,setsar=1", "-filter_threads", "1", "-threads", "1",
            "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "5", "-f", "image2", "-update", "1", "-y",
            f"file:{_picture_path(capture)}",
        ]  # fmt: skip
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=True
            )
        except OSError as error:
            self._fail(capture, began_ms, f"{self.command[0]} cannot be started: {error.strerror}", now)
            return
        _stand_back(process.pid)
        self._running = _Running(capture, began_ms, process, now)

    def _watch(self, running: _Running, now: float) -> None:
        capture = running.capture
        if not self._has_ended(running):
            if now >= running.started + PATIENCE_S:
                self._end(running, now)
                self._fail(capture, running.began_ms, f"ffmpeg made no picture within {PATIENCE_S:g} s", now)
            return
        self._running = None
        picture = _picture_path(capture)
        if running.process.returncode != 0 or not picture.exists():
            self._fail(capture, running.began_ms, "it shows no picture that ffmpeg can read", now)
            return
        capture.discard()
        if old := self._pictures.pop(capture.key, None):
            old.unlink(missing_ok=True)
        self._pictures[capture.key] = picture
        self.turns.made(capture.key, now)
        self.tell(capture.key, {"at": running.began_ms, "file": picture.name})

    def _has_ended(self, running: _Running) -> bool:
        """Reap it, and book what it has used."""
        if running.process.returncode is None:
            pid, status, used = os.wait4(running.process.pid, os.WNOHANG)
            if pid == 0:
                return False
            running.process.returncode = os.waitstatus_to_exitcode(status)
            self.turns.ran(running.started, used.ru_utime + used.ru_stime)
        return True

    def _fail(self, capture: Capture, began_ms: int, why: str, now: float) -> None:
        self._attempts[capture.key] = min(capture.attempt + 1, len(_TRIES) - 1)
        capture.discard()
        _picture_path(capture).unlink(missing_ok=True)
        self.turns.failed(capture.key, now)
        self.tell(capture.key, {"at": began_ms, "error": why})

    def _end(self, running: _Running, now: float) -> None:
        """End ffmpeg, and remove what it has made."""
        if not self._has_ended(running):
            running.process.kill()
            _, _, used = os.wait4(running.process.pid, 0)
            running.process.returncode = -9
            self.turns.ran(now, used.ru_utime + used.ru_stime)
        running.capture.discard()
        _picture_path(running.capture).unlink(missing_ok=True)
        self._running = None


def _picture_path(capture: Capture) -> Path:
    return capture.path.with_name(capture.path.name.replace(".ts.tmp", ".jpg.tmp"))


def _stand_back(pid: int) -> None:
    """Let it run when nobody else wants to, and end by itself when it uses too much."""
    with contextlib.suppress(OSError):  # it may have ended by now
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
