"""PID files: a hint that other tools read, never a reason to signal anything.

`{PID_DIR}/{routeId}_{processType}.pid`, two lines: the PID, and milliseconds since the epoch at which
the file was written.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.directories import SafeDirectory

SUFFIX = ".pid"
_MAX_SIZE = 4096
_NAME = re.compile(r"(?P<route>[A-Za-z0-9_-]{1,64}?)_(?P<process>[A-Za-z]+(?::[0-9]{1,5})?(?:\.[0-9]{1,3})?)\.pid")


@dataclass(frozen=True, slots=True)
class PidFile:
    """One file of PID_DIR as it was found."""

    name: str
    pid: int | None
    """None when the file says nothing that can be used."""
    written_ms: int | None
    """Milliseconds since the epoch on line 2; None when it is missing or garbage."""
    problem: str | None = None
    """Why it cannot be used: empty, no number, too large, no regular file …"""
    directory: bool = False
    """It is a directory: somebody put it there, and it stays."""

    @property
    def route(self) -> str | None:
        """The route id in the name."""
        match = _NAME.fullmatch(self.name)
        return match["route"] if match else None

    @property
    def process_type(self) -> str | None:
        """The process type in the name."""
        match = _NAME.fullmatch(self.name)
        return match["process"] if match else None


class PidDirectory:
    """PID_DIR, opened once; every file in it is reached through that descriptor."""

    def __init__(self, directory: SafeDirectory) -> None:
        self._fd = self.fd = directory.fd
        self.path = directory.path

    def write(self, name: str, pid: int) -> None:
        """Write `{name}.pid` atomically. Raises OSError (no space left): the ownership tag still suffices."""
        temp = f".{name}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(temp, flags, 0o644, dir_fd=self._fd)
        except FileExistsError:  # of a server that died right here
            os.unlink(temp, dir_fd=self._fd)
            fd = os.open(temp, flags, 0o644, dir_fd=self._fd)
        try:
            os.write(fd, f"{pid}\n{time.time_ns() // 1_000_000}\n".encode())
        finally:
            os.close(fd)
        crashpoint("after_pid_file_temp")
        os.rename(temp, name + SUFFIX, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        crashpoint("after_pid_file")

    def remove(self, file_name: str) -> None:
        """Remove a PID file; one that is gone already is no error. A directory of that name stays."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(file_name, dir_fd=self._fd)

    def remove_if(self, name: str, pid: int) -> None:
        """Remove `{name}.pid` if it still names `pid`."""
        if self.read(name + SUFFIX).pid == pid:
            self.remove(name + SUFFIX)

    def read(self, file_name: str) -> PidFile:
        """Read one file without following links, waiting on a FIFO or reading more than a page."""
        try:
            fd = os.open(file_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError as error:
            return PidFile(file_name, None, None, f"cannot be opened ({error.strerror})")
        try:
            return _parse(file_name, os.fstat(fd), lambda: os.read(fd, _MAX_SIZE))
        except OSError as error:
            return PidFile(file_name, None, None, f"cannot be read ({error.strerror})")
        finally:
            os.close(fd)

    def files(self) -> Iterator[PidFile]:
        """All PID files, by name."""
        for name in sorted(os.listdir(self._fd)):  # noqa: PTH208 - through the descriptor
            if name.endswith(SUFFIX) and not name.startswith("."):
                yield self.read(name)

    def named(self) -> dict[str, int]:
        """All that can be used: the PID by process name (`{routeId}_{processType}`)."""
        return {one.name.removesuffix(SUFFIX): one.pid for one in self.files() if one.pid is not None}

    def remove_left_overs(self) -> None:
        """Remove the temporary files of a server that died while it wrote a PID file."""
        for name in os.listdir(self._fd):  # noqa: PTH208 - through the descriptor
            if name.startswith(".") and name.endswith(".tmp"):
                self.remove(name)


def _parse(name: str, found: os.stat_result, content: Callable[[], bytes]) -> PidFile:
    problem = _why_not(found)
    if problem:
        return PidFile(name, None, None, problem, directory=stat.S_ISDIR(found.st_mode))
    lines = content().decode("ascii", "replace").split("\n")
    pid = _number(lines[0])
    if pid is None:
        return PidFile(name, None, None, "holds no PID")
    return PidFile(name, pid, _number(lines[1]) if len(lines) > 1 else None)


def _why_not(found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}"
    if found.st_nlink != 1:
        return "has another name elsewhere (hard link)"
    if found.st_size > _MAX_SIZE:
        return f"is too large ({found.st_size} bytes)"
    return None


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
