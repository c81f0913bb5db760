"""Reading what processes write into RUN_DIR, and keeping those files from growing without end."""

from __future__ import annotations

import os
from collections import deque

MAX_BYTES = 1 << 20
"""A file is emptied once it is read to its end and larger than this; O_APPEND writers go on at its start."""

_READ = 1 << 18
"""Bytes read at once at most: a log that storms must not hold the loop."""


class Tail:
    """Follows one file that another process appends to and that may be emptied at any time."""

    def __init__(
        self, name: str, dir_fd: int, *, from_end: bool = False, at: int = 0, max_bytes: int = MAX_BYTES
    ) -> None:
        """Open (or make) the file `name`; `from_end` leaves out what stands in it already, `at` what is before it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(name, flags, 0o600, dir_fd=dir_fd)
        self._at = os.fstat(self._fd).st_size if from_end else at
        self._rest = b""
        self._max_bytes = max_bytes

    def lines(self) -> list[str]:
        """The whole lines written since the last call, as text that is safe to show."""
        return [printable(line) for line in self.raw_lines()]

    def raw_lines(self) -> list[bytes]:
        """The whole lines written since the last call, as they are; a last line without its end waits for it."""
        size = os.fstat(self._fd).st_size
        if size == self._at <= self._max_bytes:
            return []  # as most files are, most of the time
        if size < self._at:  # emptied by somebody else
            self._at, self._rest = 0, b""
        if size - self._at > _READ:  # too far behind: the newest lines are worth more than all of them
            self._at, self._rest = size - _READ, b""
        data = os.pread(self._fd, _READ, self._at)
        self._at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-65536:]
        if self._at > self._max_bytes and self._at >= os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, 0)
            self._at = 0
        return [line for line in whole if line.strip(b"\0 \r")]

    @property
    def at(self) -> int:
        """Where the next whole line begins, in bytes."""
        return self._at - len(self._rest)

    @property
    def written_ms(self) -> int:
        """Milliseconds since the epoch at which somebody wrote to the file the last time."""
        return os.fstat(self._fd).st_mtime_ns // 1_000_000

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


def printable(line: bytes) -> str:
    """A line as text that no terminal or log file takes for anything but text."""
    text = line.replace(b"\0", b"").rstrip(b"\r").decode("utf-8", "replace")
    text = text[:4096]
    return text if text.isprintable() else "".join(char if char.isprintable() else "�" for char in text)


class LastLines:
    """The last lines of a log, for people."""

    def __init__(self, count: int = 200) -> None:
        self._lines: deque[str] = deque(maxlen=count)
        self.total = 0
        """Lines so far: while it is the same, they are."""

    def add(self, line: str) -> None:
        """Remember one more line."""
        self._lines.append(line)
        self.total += 1

    def tail(self, count: int) -> list[str]:
        """The newest `count` lines, oldest first."""
        return list(self._lines)[-count:]
