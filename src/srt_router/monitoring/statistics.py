"""The newest statistics of each process, read from the files in RUN_DIR once a second.

Keys keep the names their tools give them (libsrt's, the duplicator's); those of ffmpeg are in progress.py.
A process reports every N packets, so an old sample means that nothing flows: its age is part of it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field

from srt_router.monitoring import progress
from srt_router.monitoring.output import Tail
from srt_router.monitoring.progress import Progress, ProgressParser

log = logging.getLogger("RouteMonitor")


@dataclass(frozen=True, slots=True)
class Sample:
    """One report of a process."""

    at_ms: int
    """Milliseconds since the epoch at which the server read it."""
    values: dict[str, object]
    """As the tool reports them."""


@dataclass(slots=True)
class _Blocks:
    """The progress of one ffmpeg."""

    parser: ProgressParser = field(default_factory=ProgressParser)
    last: Progress | None = None
    last_ms: int = 0

    def read(self, lines: list[str], written_ms: int) -> dict[str, object] | None:
        """What the newest whole block says; None where there is no new one."""
        block = self.parser.feed(lines)
        if block is None:
            return None
        elapsed_s = (written_ms - self.last_ms) / 1000
        values = progress.values(block, self.last, elapsed_s)
        self.last, self.last_ms = block, written_ms
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

    def read(self, names: set[str], now_ms: int) -> None:
        """Read what is new of the files `names`, and forget all others."""
        for gone in self._tails.keys() - names:
            self.forget(gone)
        for name in names:
            try:
                self._read(name, now_ms)
            except OSError as error:
                if name not in self._said:
                    self._said.add(name)
                    log.warning("Cannot read %s: %s", name, error.strerror)

    def _read(self, name: str, now_ms: int) -> None:
        tail = self._tails.get(name)
        if tail is None:
            tail = self._tails[name] = Tail(name, self._run_dir_fd, from_end=True)
        lines = tail.lines()
        values = parse(lines[-1]) if lines else None
        if values is None and lines:
            values = self._blocks.setdefault(name, _Blocks()).read(lines, tail.written_ms)
        if values is not None:
            self._samples[name] = Sample(now_ms, values)

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
        self.read(set(), 0)


def parse(line: str) -> dict[str, object] | None:
    """One JSON line; None for one that is cut, garbled, or no object."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
