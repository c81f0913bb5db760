"""`DATA_DIR/backups`: sets of two compressed files, `gateway_….db.gz` and `routes_….json.gz` of the same moment.

Everything goes through one descriptor of the folder. A name is taken only if it has exactly our shape, a file only
if it is a regular one of ours: links and foreign files are neither followed nor listed nor removed.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from srt_router.errors import SrtRouterError
from srt_router.processes.directories import SafeDirectory

FOLDER = "backups"
KEPT = 30
"""So many sets are kept."""

_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}"
NAME_PATTERN = rf"^gateway_{_STAMP}\.db\.gz$"
FILE_PATTERN = rf"^(gateway_{_STAMP}\.db|routes_{_STAMP}\.json)\.gz$"
_NAME = re.compile(rf"gateway_({_STAMP})\.db\.gz")
_FILE = re.compile(rf"(?:gateway_({_STAMP})\.db|routes_({_STAMP})\.json)\.gz")
_STAMP_FORMAT = "%Y-%m-%dT%H-%M-%S"
_ON_THE_WAY = ".making-"
_ON_THE_WAY_S = 24 * 3600
"""What a crash left half made is removed after so long: by then nobody can still be making it."""
_CHUNK = 1024 * 1024
LONGEST_ROUTES = 16 * 1024 * 1024 + 1
LONGEST_DATABASE = 16 * 1024**3


class BackupNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No backup has this name."""

    code = "backupNotFound"


class BackupInvalid(SrtRouterError):  # noqa: N818 - said as it is
    """A backup is damaged, or of a version that this server does not know."""

    code = "backupInvalid"


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One backup: the database and the routes of one moment."""

    name: str
    """`gateway_YYYY-MM-DDTHH-MM-SS.db.gz`, in UTC: the name of the whole set."""
    routes_name: str
    """The file with routes.json."""
    created_at: int
    """Milliseconds since the epoch."""
    size: int
    """Bytes of both files."""


class BackupFolder:
    """The folder with all backups, made where it is missing. Everything here touches the disk: not on the loop."""

    def __init__(self, data_dir: Path) -> None:
        """Open the folder. Raises UnsafeDirectory for a link or a folder that is not ours alone."""
        self._folder = SafeDirectory(data_dir / FOLDER, mode=0o700, setting="DATA_DIR")
        self.path = self._folder.path
        self._fd = self._folder.fd
        if stat.S_IMODE(os.fstat(self._fd).st_mode) != 0o700:
            with contextlib.suppress(OSError):  # a read-only disk: reading still works
                os.fchmod(self._fd, 0o700)

    def close(self) -> None:
        """Give the descriptor back."""
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is

    def sets(self) -> list[BackupSet]:
        """Every set that has both of its files, newest first."""
        sizes = self._sizes()
        found = []
        for name in sizes:
            match = _NAME.fullmatch(name)
            moment = moment_of(match[1]) if match else None
            if match and moment is not None and (routes := routes_name(match[1])) in sizes:
                found.append(BackupSet(name, routes, int(moment.timestamp() * 1000), sizes[name] + sizes[routes]))
        return sorted(found, key=lambda one: one.name, reverse=True)

    def find(self, name: str) -> BackupSet:
        """One set by its name. Raises BackupNotFound."""
        for one in self.sets():
            if one.name == name:
                return one
        match = _NAME.fullmatch(name)
        if match and name in self._sizes():
            raise BackupNotFound(f"backup {name} is not whole: {routes_name(match[1])} is missing beside it")
        raise BackupNotFound(f"there is no backup {name[:80]} in {self.path}")

    def open(self, file_name: str) -> BinaryIO:
        """One file of a set, for reading. Raises BackupNotFound."""
        if not _FILE.fullmatch(file_name):
            raise BackupNotFound(f"{file_name[:80]!r} is not the name of a backup")
        try:
            descriptor = os.open(file_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except OSError as error:
            raise BackupNotFound(f"there is no backup {file_name} in {self.path}: {error.strerror}") from error
        if not _is_ours(os.fstat(descriptor)):
            os.close(descriptor)
            raise BackupNotFound(f"{self.path / file_name} is no regular file of ours")
        return os.fdopen(descriptor, "rb")

    def unpack(self, wanted: BackupSet, database: Path, routes: Path) -> None:
        """Write both files of a set, unpacked, to new files. Raises BackupInvalid, OSError."""
        for name, target, longest in (
            (wanted.name, database, LONGEST_DATABASE),
            (wanted.routes_name, routes, LONGEST_ROUTES),
        ):
            with self.open(name) as packed, _new_file(target) as plain:
                try:
                    _copy_limited(packed, plain, longest)
                except (OSError, EOFError, zlib.error) as error:
                    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                        raise
                    raise BackupInvalid(f"{name} is damaged: {error}") from error
                except ValueError as error:
                    raise BackupInvalid(f"{name}: {error}") from error

    # What changes

    def publish(self, database: Path, routes: bytes, now: float) -> BackupSet:
        """Pack a set; it is there whole, on disk, or not at all. Raises OSError."""
        stamp = self._free_stamp(now)
        name, beside = f"gateway_{stamp}.db.gz", routes_name(stamp)
        made: list[str] = []
        try:
            with database.open("rb") as plain:
                made.append(self._pack(name, plain))
            made.append(self._pack(beside, [routes]))
            # a set counts once its database is there: that comes last
            self._move(made[1], beside)
            self._move(made[0], name)
            os.fsync(self._fd)
        except BaseException:
            for one in (*made, _ON_THE_WAY + name, _ON_THE_WAY + beside, beside, name):
                with contextlib.suppress(OSError):
                    os.unlink(one, dir_fd=self._fd)
            raise
        return self.find(name)

    def workplace(self, name: str) -> Path:
        """The path for a file on its way, beside the backups; whoever asks removes it."""
        return self.path / f"{_ON_THE_WAY}{name}-{os.getpid()}-{time.monotonic_ns()}"

    def remove(self, wanted: BackupSet) -> None:
        """Remove a set. Raises OSError."""
        for name in (wanted.name, wanted.routes_name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._fd)
        os.fsync(self._fd)

    def prune(self, kept: int = KEPT) -> list[BackupSet]:
        """Remove all but the newest sets, and what crashes have left half made. Raises OSError."""
        sets = self.sets()
        gone = sets[kept:]
        for one in gone:
            self.remove(one)
        whole = {one.routes_name for one in sets[:kept]}
        for name, found in self._own_files():
            half = name.startswith(_ON_THE_WAY) and time.time() - found.st_mtime > _ON_THE_WAY_S
            alone = name.startswith("routes_") and _FILE.fullmatch(name) and name not in whole
            if half or (alone and time.time() - found.st_mtime > _ON_THE_WAY_S):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._fd)
        return gone

    # Files

    def _own_files(self) -> Iterator[tuple[str, os.stat_result]]:
        for name in self._names():
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
                if _is_ours(found):
                    yield name, found

    def _names(self) -> list[str]:
        return os.listdir(self._fd)  # noqa: PTH208 - of the folder that was opened, whatever is at its path now

    def _sizes(self) -> dict[str, int]:
        return {name: found.st_size for name, found in self._own_files() if _FILE.fullmatch(name)}

    def _free_stamp(self, now: float) -> str:
        """The moment as it stands in names; a second later for each one that is taken."""
        taken = set(self._names())
        while True:
            stamp = datetime.fromtimestamp(now, UTC).strftime(_STAMP_FORMAT)
            if not {f"gateway_{stamp}.db.gz", routes_name(stamp)} & taken:
                return stamp
            now += 1

    def _pack(self, name: str, content: BinaryIO | list[bytes]) -> str:
        temporary = _ON_THE_WAY + name
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=self._fd)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self._fd)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                chunks = content if isinstance(content, list) else iter(lambda: content.read(_CHUNK), b"")
                for chunk in chunks:
                    packed.write(chunk)
            file.flush()
            os.fsync(descriptor)
        return temporary

    def _move(self, temporary: str, name: str) -> None:
        os.rename(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)


def stamp_of(name: str) -> str | None:
    """The moment in the name of a set; None for another name."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def set_name(text: str) -> str | None:
    """The name of a set from what a person writes: the name itself, its moment, or its other file."""
    if re.fullmatch(_STAMP, text):
        return f"gateway_{text}.db.gz"
    match = _FILE.fullmatch(text)
    return f"gateway_{match[1] or match[2]}.db.gz" if match else None


def routes_name(stamp: str) -> str:
    """The file with the routes of that moment."""
    return f"routes_{stamp}.json.gz"


def moment_of(stamp: str) -> datetime | None:
    """The moment that a name tells; None where there is no such day or hour."""
    try:
        return datetime.strptime(stamp, _STAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_ours(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid())


def _new_file(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _copy_limited(packed: BinaryIO, plain: BinaryIO, longest: int) -> None:
    """Unpack to the very end, where the checksum is. Raises ValueError for what is too long to be true."""
    size = 0
    with gzip.GzipFile(fileobj=packed, mode="rb") as unpacked:
        while chunk := unpacked.read(_CHUNK):
            size += len(chunk)
            if size > longest:
                raise ValueError(f"is larger than {longest} bytes when unpacked")
            plain.write(chunk)
    plain.flush()
    os.fsync(plain.fileno())
