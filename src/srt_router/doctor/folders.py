"""The folders of an installation: are they there, ours, safe, and not full?"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from srt_router.doctor.check import Check, Subject, fail, ok, warn
from srt_router.processes.directories import SafeDirectory
from srt_router.system_checks import RAM_FILE_SYSTEMS, file_system

_MB = 1_000_000
_FREE_FAIL, _FREE_WARN = 20 * _MB, 200 * _MB
_INODES_FAIL, _INODES_WARN = 100, 1000
_MODES = {"DATA_DIR": 0o750, "PID_DIR": 0o755, "RUN_DIR": 0o700, "LOG_DIR": 0o750}


def folders(subject: Subject) -> Iterator[Check]:
    """Kind, owner and mode of each folder."""
    for name, path in subject.folders().items():
        yield _folder(name, path, live=subject.installation.server is not None)
    run_dir = subject.settings.run_dir
    kind = file_system(_existing(run_dir))
    if kind in RAM_FILE_SYSTEMS:
        yield ok("RUN_DIR is in memory", f"{run_dir} is on {kind}")
    else:
        message = f"{run_dir} is on {kind or 'an unknown file system'}: statistics are written to it without pause"
        yield warn("RUN_DIR is in memory", message, "set RUN_DIR to a folder on tmpfs, such as one in /run")


def _folder(name: str, path: Path, *, live: bool) -> Check:
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - does not follow
    except FileNotFoundError:
        return _missing(name, path, live=live)
    except OSError as error:
        message = f"{path} cannot be looked at: {error.strerror}"
        return fail(name, message, f"run this as the user of {path}, or as root")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no directory"
        return fail(name, f"{path} is {what}", f"look at what it is; then remove it, or set another {name}")
    if found.st_uid != os.geteuid():
        message = f"{path} belongs to user {found.st_uid}, not to us (user {os.geteuid()})"
        return fail(name, message, f"run the server and this as that user, or set another {name}")
    if mode & 0o022:
        return fail(name, f"{path} is writable by others (mode {mode:04o})", f"look into it, then chmod go-w {path}")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return fail(name, f"we may not write to {path} (mode {mode:04o})", f"chmod u+rwx {path}, if not read-only")
    if name == "PID_DIR" and mode & 0o055 != 0o055:
        message = f"{path} has mode {mode:04o}: other tools cannot read the PID files"
        return warn(name, message, f"chmod 755 {path}", fix=lambda: _chmod(path, 0o755))
    if name in ("DATA_DIR", "RUN_DIR") and mode & 0o007:
        message = f"{path} has mode {mode:04o}: everybody on this host may look into it, passphrases are in there"
        return warn(name, message, f"chmod o-rwx {path}", fix=lambda: _chmod(path, mode & ~0o007))
    return ok(name, f"{path} (mode {mode:04o})")


def _missing(name: str, path: Path, *, live: bool) -> Check:
    parent = _existing(path)
    if not os.access(parent, os.W_OK | os.X_OK):
        message = f"{path} is missing, and we may not make it in {parent}"
        return fail(name, message, f"make it for the user of the server, or set another {name}")
    if name == "PID_DIR" and live:
        message = f"{path} was removed while a server runs: its new PID files are lost"
        return fail(name, message, "restart the server")
    if name == "PID_DIR":  # its place is emptied at each boot
        remedy = f"mkdir -m 755 {path} (the server does so too)"
        return warn(name, f"{path} is missing", remedy, fix=lambda: _make(name, path))
    return ok(name, f"{path} is made at the first start")


def _make(name: str, path: Path) -> str:
    SafeDirectory(path, mode=_MODES[name], setting=name).close()
    return f"made {path} with mode {_MODES[name]:04o}"


def _chmod(path: Path, mode: int) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    return f"{path} has mode {mode:04o} now"


def disk(subject: Subject) -> Iterator[Check]:
    """Free space and inodes, once for each file system."""
    seen: dict[int, str] = {}
    for name, path in subject.folders().items():
        there = _existing(path)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen[device] = name
        yield _space(f"disk of {name}", there)
        yield _inodes(f"inodes of {name}", there)


def _space(name: str, path: Path) -> Check:
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    message = f"{free // _MB} MB free for {path}"
    if found.f_flag & os.ST_RDONLY:
        return fail(name, f"{path} is on a file system that is mounted read-only", "mount it for writing")
    if free < _FREE_FAIL:
        return fail(name, f"only {message}: routes and events cannot be saved", "make room on it")
    if free < _FREE_WARN:
        return warn(name, f"only {message}", "make room on it")
    return ok(name, message)


def _inodes(name: str, path: Path) -> Check:
    found = os.statvfs(path)
    if found.f_files == 0:
        return ok(name, "this file system has no limit")
    message = f"{found.f_favail} files can still be made for {path}"
    if found.f_favail < _INODES_FAIL:
        return fail(name, f"only {message}", "remove files on it")
    if found.f_favail < _INODES_WARN:
        return warn(name, f"only {message}", "remove files on it")
    return ok(name, message)


def user(subject: Subject) -> Iterator[Check]:
    """Is this the user whose installation it is?"""
    us, owner = os.geteuid(), subject.installation.owner_uid
    if us != owner:
        message = f"this runs as {_name(us)}, the installation belongs to {_name(owner)}"
        yield warn("user", message, f"sudo -u {_name(owner)} srt-router doctor")
    elif us == 0:
        yield ok("user", "root; a user of its own is enough for everything but net.core.rmem_max")
    else:
        yield ok("user", _name(us))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
