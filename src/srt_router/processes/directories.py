"""Directories that are used through one descriptor, opened once and checked: nothing in /tmp is trusted."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

from srt_router.errors import AlreadyRunning, UnsafeDirectory

_LOCK_PATIENCE_S = 1.0
"""How long a lock is asked for: a child between fork and exec, or systemd-tmpfiles, may hold it for a moment."""


class SafeDirectory:
    """A directory that is real (no symlink), owned by us and writable by nobody else."""

    def __init__(self, path: Path, *, mode: int, setting: str, held: int | None = None) -> None:
        """Open `path`, made with `mode` if it is missing; `setting` names it in errors.

        `held` is a descriptor of it that the program before us in this process has handed on, with the lock on it.
        Raises UnsafeDirectory with the remedy when it cannot be trusted.
        """
        self.path = path
        self._setting = setting
        self.fd = self._open(mode)
        if held is not None:
            self._take(held)

    def _take(self, held: int) -> None:
        same = os.path.samestat(os.fstat(held), os.fstat(self.fd))
        os.close(self.fd if same else held)
        self.fd = held if same else self.fd

    def _open(self, mode: int) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            made = _made(self.path, mode)
            fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise UnsafeDirectory(self._why_not(error)) from error
        try:
            if made:
                os.fchmod(fd, mode)  # whatever the umask took away
            self._verify(os.fstat(fd))
        except UnsafeDirectory:
            os.close(fd)
            raise
        return fd

    def _verify(self, found: os.stat_result) -> None:
        if found.st_uid != os.geteuid():
            problem = f"belongs to user {found.st_uid}, not to us (user {os.geteuid()})"
            raise UnsafeDirectory(self._says(problem, self._remedy_for(found.st_uid)))
        if stat.S_IMODE(found.st_mode) & 0o022:
            problem = f"is writable by others (mode {stat.S_IMODE(found.st_mode):04o})"
            raise UnsafeDirectory(self._says(problem, f"look at what is in it, then chmod 755 {self.path}"))

    def _remedy_for(self, owner: int) -> str:
        if os.geteuid() != 0:
            return f"remove it, or set {self._setting} to another place"
        return f"run this as that user (sudo -u '#{owner}' …), or set {self._setting} to another place"

    def _why_not(self, error: OSError) -> str:
        if self.path.is_symlink():
            remedy = f"remove it, or set {self._setting} to the directory that is meant"
            return self._says("is a symbolic link, which is not followed", remedy)
        if isinstance(error, FileExistsError | NotADirectoryError):
            return self._says("is no directory", f"remove it, or set {self._setting} to another place")
        return self._says(f"cannot be used ({error.strerror})", f"mend that, or set {self._setting} to another place")

    def _says(self, problem: str, remedy: str) -> str:
        return f"{self._setting} {self.path} {problem}: {remedy}"

    def lock(self, what: str) -> None:
        """Hold this directory against every other server, until this process dies.

        Raises AlreadyRunning, naming the holder, when it is held for longer than a moment.
        """
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = lock_holder(os.fstat(self.fd))
                    who = f"PID {holder}" if holder else "its PID cannot be seen from here"
                    raise AlreadyRunning(
                        f"another SRT Router server ({who}) uses {what} {self.path}: "
                        f"stop it first, or give this one a {what} of its own"
                    ) from None
                time.sleep(0.01)
            else:
                return

    def check_writable(self) -> None:
        """Write a file and remove it. Raises UnsafeDirectory where that cannot be done."""
        name = f".writable-{os.getpid()}.tmp"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, 0o600, dir_fd=self.fd)
            try:
                os.write(fd, b"x" * 64)
            finally:
                os.close(fd)
                os.unlink(name, dir_fd=self.fd)
        except OSError as error:
            remedy = f"mend that, or set {self._setting} to another place"
            raise UnsafeDirectory(self._says(f"cannot be written ({error.strerror})", remedy)) from error

    def close(self) -> None:
        """Give the descriptor back, and the lock with it."""
        os.close(self.fd)


def _made(path: Path, mode: int) -> bool:
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        return False
    return True


def lock_holder(found: os.stat_result) -> int | None:
    """The PID that holds the flock on a file or directory, from /proc/locks; None when there is none to see."""
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    holders: dict[str, int] = {}
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[3] == "WRITE":
            where, _, inode = words[5].rpartition(":")
            if inode == str(found.st_ino):
                holders[where] = int(words[4])
    if device not in holders and len(holders) == 1:  # btrfs names another device there than stat does
        return next(iter(holders.values())) or None
    return holders.get(device) or None


def is_locked(path: Path) -> bool:
    """True while a live server holds the directory `path`; True also when that cannot be found out.

    Looks without taking the lock for longer than a moment, follows no symlink, writes nothing.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)
