"""A restore as two files that are put in place one after the other: after a crash in between the rest is done.

`DATA_DIR/restoring` holds both files, unpacked and verified. Once its journal is on disk the restore is decided:
whoever opens DATA_DIR next completes it. Without a journal it has not happened, and the folder is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from srt_router.storage.backup_database import Contents, inspect, modernise, sync
from srt_router.storage.backup_folder import BackupFolder, BackupSet
from srt_router.storage.database import FILE_NAME as DATABASE

FOLDER = "restoring"
_JOURNAL = "journal.json"
_ROUTES = "routes.json"
_LONGEST_JOURNAL = 4096


@dataclass(frozen=True, slots=True)
class Staged:
    """The two files of a restore, on their way."""

    folder: Path
    backup: str
    """The name of the set they come from."""
    by: str
    """Who ordered it, as events name people."""

    @property
    def database(self) -> Path:
        """What is to become gateway.db."""
        return self.folder / DATABASE

    @property
    def routes(self) -> Path:
        """What is to become routes.json."""
        return self.folder / _ROUTES

    def decide(self) -> None:
        """From here on the restore happens, whatever ends us. Raises OSError."""
        temporary = self.folder / f"{_JOURNAL}.tmp"
        temporary.write_text(json.dumps({"backup": self.backup, "by": self.by}), "utf-8")
        sync(self.database)
        sync(temporary)
        temporary.rename(self.folder / _JOURNAL)
        sync(self.folder)
        sync(self.folder.parent)

    def forget(self) -> None:
        """It is done, or is not to happen any more."""
        with contextlib.suppress(OSError):
            (self.folder / _JOURNAL).unlink(missing_ok=True)
            sync(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def stage(data_dir: Path, backups: BackupFolder, wanted: BackupSet, by: str) -> tuple[Staged, Contents]:
    """Unpack and verify a set, and bring its database to the newest layout.

    Raises BackupInvalid, Refused for a bad database, Unavailable and OSError for the disk.
    """
    folder = data_dir / FOLDER
    _clear(folder)
    folder.mkdir(mode=0o700)
    staged = Staged(folder, wanted.name, by)
    try:
        backups.unpack(wanted, staged.database, staged.routes)
        contents = inspect(staged.database)
        modernise(staged.database)
    except BaseException:
        staged.forget()
        raise
    return staged, contents


def unfinished(data_dir: Path) -> Staged | None:
    """A restore that was decided and not completed; what was not decided is removed."""
    folder = data_dir / FOLDER
    try:
        found = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        return None
    try:
        with (folder / _JOURNAL).open("rb") as file:
            journal = json.loads(file.read(_LONGEST_JOURNAL))
        staged = Staged(folder, str(journal["backup"]), str(journal["by"]))
    except (OSError, ValueError, TypeError, KeyError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return staged


def _clear(folder: Path) -> None:
    if folder.is_symlink() or (os.path.lexists(folder) and not folder.is_dir()):
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
