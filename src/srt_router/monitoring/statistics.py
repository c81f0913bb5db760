"""The newest statistics of each process, read from the files in RUN_DIR once a second.

Keys keep the names their tools give them (libsrt's, the duplicator's); those of ffmpeg are in progress.py.
Counters count since a connection or a process began, so the newest report says all that the ones before it
said. A process reports every N packets: an old report means that nothing flows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from srt_router.monitoring import progress
from srt_router.monitoring.output import Tail, printable
from srt_router.monitoring.progress import Progress, ProgressParser

log = logging.getLogger("RouteMonitor")

_FILE_BYTES = 128 * 1024
"""A statistics file is emptied beyond that size: hundreds of them lie in memory."""
_TRIES = 4
"""Lines that are looked at, from the newest backwards, for one that is whole."""
_LIVES = 64
"""Lines that are looked at for the last words of a connection that was followed by another one."""
_WRITTEN_BEFORE_S = 1.5
"""A file that is read every second was written no longer ago than that, whatever the wall clock says."""


@dataclass(slots=True)
class Sample:
    """One report of a process."""

    at_ms: int
    """Milliseconds since the epoch at which the server read it."""
    values: Mapping[str, object]
    """As the tool reports them."""
    at_s: float = 0.0
    """Monotonic seconds at which the server read it; of ffmpeg, at which it was written."""
    earlier: tuple[dict[str, object], ...] = ()
    """The last reports of connections that ended since the report before."""

    connection: object = None
    """Which SRT connection it is about."""
    line: bytes = b""
    """As it stood in the file; empty for ffmpeg."""

    def fold(self) -> None:
        """Its numbers were taken: keep it as the line it was until somebody asks again."""
        self.earlier = ()
        if self.line and not isinstance(self.values, Folded):
            self.values = Folded(self.line)


class Folded(Mapping[str, object]):
    """A report as text: hundreds of nested ones, new each second, would keep the garbage collector busy."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    def _unfolded(self) -> dict[str, object]:
        return _parsed(self._text) or {}

    def __getitem__(self, key: str) -> object:
        return self._unfolded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unfolded())

    def __len__(self) -> int:
        return len(self._unfolded())


@dataclass(slots=True)
class _Blocks:
    """The progress of one ffmpeg."""

    parser: ProgressParser = field(default_factory=ProgressParser)
    last: Progress | None = None
    last_s: float = 0.0

    def read(self, lines: list[str], written_s: float) -> dict[str, object] | None:
        """What the newest whole block says; None where there is no new one."""
        block = self.parser.feed(lines)
        if block is None:
            return None
        values = progress.values(block, self.last, written_s - self.last_s)
        self.last, self.last_s = block, written_s
        return values


class StatisticsReader:
    """Follows the statistics files of the processes it is told of; keeps them from growing."""

    def __init__(self, run_dir_fd: int) -> None:
        self._run_dir_fd = run_dir_fd
        self._tails: dict[str, Tail] = {}
        self._samples: dict[str, Sample] = {}
        self._blocks: dict[str, _Blocks] = {}
        self._said: set[str] = set()
        """Files that cannot be read: told once, not every second."""

    def read(self, names: set[str], now_ms: int, now_s: float = 0.0) -> None:
        """Read what is new of the files `names`, and forget all others."""
        self.keep(names)
        for name in names:
            self.read_one(name, now_ms, now_s)

    def keep(self, names: set[str]) -> None:
        """Forget all files but these."""
        for gone in self._tails.keys() - names:
            self.forget(gone)

    def read_one(self, name: str, now_ms: int, now_s: float) -> None:
        """Read what is new of one file; `now_s` is in monotonic seconds."""
        try:
            self._read(name, now_ms, now_s)
        except OSError as error:
            if name not in self._said:
                self._said.add(name)
                log.warning("Cannot read %s: %s", name, error.strerror)

    def _read(self, name: str, now_ms: int, now_s: float) -> None:
        tail = self._tails.get(name)
        if tail is None:
            tail = self._tails[name] = Tail(name, self._run_dir_fd, from_end=True, max_bytes=_FILE_BYTES)
        lines = tail.raw_lines()
        if not lines:
            return
        if lines[-1].lstrip(b"\0 ").startswith(b"{") or name not in self._blocks:
            for line in lines[: -_TRIES - 1 : -1]:
                newest = _parsed(line)
                if newest is not None:
                    ended, connection = self._ended(name, newest, lines), newest.get("sid")
                    self._samples[name] = Sample(now_ms, newest, now_s, ended, connection, line)
                    return
        written_s = now_s - min(max((now_ms - tail.written_ms) / 1000, 0.0), _WRITTEN_BEFORE_S)
        block = self._blocks.setdefault(name, _Blocks()).read([printable(line) for line in lines], written_s)
        if block is not None:
            self._samples[name] = Sample(now_ms, block, written_s)

    def _ended(self, name: str, newest: dict[str, object], lines: list[bytes]) -> tuple[dict[str, object], ...]:
        """The last reports among `lines` of connections that the newest one is not of."""
        before = self._samples.get(name)
        if before is None or before.connection == newest.get("sid"):
            return ()
        reports = (found for line in lines[-_LIVES:] if (found := _parsed(line)) is not None)
        last = {str(report.get("sid")): report for report in reports}
        last.pop(str(newest.get("sid")), None)
        return tuple(last.values())

    def forget(self, name: str) -> None:
        """The file `name` is removed; one of that name that comes later is another."""
        self._samples.pop(name, None)
        self._blocks.pop(name, None)
        self._said.discard(name)
        if tail := self._tails.pop(name, None):
            tail.close()

    def sample(self, name: str) -> Sample | None:
        """The newest report in the file `name`; None when there was none."""
        return self._samples.get(name)

    def close(self) -> None:
        """Give all descriptors back."""
        self.keep(set())


def _parsed(line: bytes) -> dict[str, object] | None:
    if b"\0" in line:  # a hole: the file was emptied under its writer
        line = line.replace(b"\0", b"")
    return parse(line.decode("utf-8", "replace"))


def parse(line: str) -> dict[str, object] | None:
    """One JSON line; None for one that is cut, garbled, or no object."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
