"""Follows the log of every process: each line reaches its listener within milliseconds of being written.

The kernel's inotify instances and watches are shared with everybody of our user. A log for which none is
left is read every half second instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from srt_router.monitoring.inotify import Inotify
from srt_router.monitoring.output import Tail

log = logging.getLogger("RouteMonitor")

_PAUSE_S = 0.05
"""A log that is written without pause is read so often at most."""
_POLL_S = 0.5
"""A log that cannot be watched is read so often."""


@dataclass(slots=True)
class _Watched:
    name: str
    number: int | None
    """Of its inotify watch; None: it is polled."""
    tail: Tail
    listener: Callable[[list[str]], None]
    resting: bool = False
    missed: bool = False


class LogWatcher:
    """One inotify instance for all logs of this server."""

    def __init__(self, run_dir_fd: int) -> None:
        self._run_dir_fd = run_dir_fd
        self._told = False
        self._inotify: Inotify | None = None
        self._by_number: dict[int, _Watched] = {}
        self._by_name: dict[str, _Watched] = {}
        self._expected: dict[str, int] = {}
        """From where those will be followed that are not yet."""
        self._loop = asyncio.get_running_loop()
        try:
            self._inotify = Inotify()
        except OSError as error:
            self._say_that_it_polls(error)
        else:
            self._loop.add_reader(self._inotify.fd, self._readable, self._inotify)

    def expect(self, name: str, at: int) -> None:
        """The file `name` will be followed soon, from there."""
        self._expected[name] = at

    def follow(self, name: str, listener: Callable[[list[str]], None], at: int | None = None) -> None:
        """Call `listener` with each new line of the file `name` in RUN_DIR, made if it is not there yet.

        `at`: where to begin, in bytes, in a file that an earlier server has read so far.
        """
        self._expected.pop(name, None)
        if name in self._by_name:
            return
        tail = Tail(name, self._run_dir_fd, from_end=at is None, at=at or 0)
        watched = self._by_name[name] = _Watched(name, self._watch(name), tail, listener)
        if watched.number is None:
            self._poll(watched)
        else:
            self._by_number[watched.number] = watched

    def _watch(self, name: str) -> int | None:
        if self._inotify is None:
            return None
        try:
            return self._inotify.watch(f"/proc/self/fd/{self._run_dir_fd}/{name}")
        except OSError as error:
            self._say_that_it_polls(error)
            return None

    def _say_that_it_polls(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "No more logs can be watched (%s): connections are seen half a second late. "
                "Remedy: raise fs.inotify.max_user_instances and fs.inotify.max_user_watches, and restart",
                error.strerror,
            )

    def _poll(self, watched: _Watched) -> None:
        if self._by_name.get(watched.name) is watched:
            self._read(watched)
            self._loop.call_later(_POLL_S, self._poll, watched)

    def unfollow(self, name: str) -> None:
        """Follow that file no more."""
        self._expected.pop(name, None)
        watched = self._by_name.pop(name, None)
        if watched is None:
            return
        if watched.number is not None and self._inotify:
            del self._by_number[watched.number]
            self._inotify.unwatch(watched.number)
        watched.tail.close()

    def position(self, name: str) -> int:
        """Up to where that file has been read, in bytes."""
        watched = self._by_name.get(name)
        return watched.tail.at if watched else self._expected.get(name, 0)

    def drain(self, name: str) -> None:
        """Read that file now: its process has ended, and its last words decide what happens next."""
        watched = self._by_name.get(name)
        if watched:
            self._read(watched)

    def close(self) -> None:
        """Stop following everything."""
        for name in list(self._by_name):
            self.unfollow(name)
        if self._inotify:
            self._loop.remove_reader(self._inotify.fd)
            self._inotify.close()
            self._inotify = None

    def _readable(self, inotify: Inotify) -> None:
        for number in inotify.read():
            watched = self._by_number.get(number)
            if watched is None:
                continue
            if watched.resting:
                watched.missed = True
            else:
                self._read(watched)
                watched.resting = True
                self._loop.call_later(_PAUSE_S, self._rested, watched)

    def _rested(self, watched: _Watched) -> None:
        watched.resting = False
        if watched.missed and self._by_name.get(watched.name) is watched:
            watched.missed = False
            self._read(watched)

    def _read(self, watched: _Watched) -> None:
        try:
            lines = watched.tail.lines()
        except OSError as error:
            log.warning("Cannot read %s: %s", watched.name, error.strerror)
            return
        if lines:
            watched.listener(lines)
