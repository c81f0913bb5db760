"""The newest statistics of each process, read from the files in RUN_DIR once a second.

Keys keep the names their tools give them (libsrt's, the duplicator's). A process reports every N
packets, so an old sample means that nothing flows: its age is part of it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from srt_router.monitoring.output import Tail

log = logging.getLogger("RouteMonitor")


@dataclass(frozen=True, slots=True)
class Sample:
    """One report of a process."""

    at_ms: int
    """Milliseconds since the epoch at which the server read it."""
    values: dict[str, object]
    """As the tool reports them."""


class StatisticsReader:
    """Follows the statistics files of the processes it is told of; keeps them from growing."""

    def __init__(self, run_dir_fd: int) -> None:
        self._run_dir_fd = run_dir_fd
        self._tails: dict[str, Tail] = {}
        self._samples: dict[str, Sample] = {}

    def read(self, names: set[str], now_ms: int) -> None:
        """Read what is new of the files `names`, and forget all others."""
        for gone in self._tails.keys() - names:
            self._tails.pop(gone).close()
            self._samples.pop(gone, None)
        for name in names:
            try:
                self._read(name, now_ms)
            except OSError as error:
                log.warning("Cannot read %s: %s", name, error.strerror)

    def _read(self, name: str, now_ms: int) -> None:
        tail = self._tails.get(name)
        if tail is None:
            tail = self._tails[name] = Tail(name, self._run_dir_fd, from_end=True)
        line = tail.last_line()
        values = parse(line) if line else None
        if values is not None:
            self._samples[name] = Sample(now_ms, values)

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
