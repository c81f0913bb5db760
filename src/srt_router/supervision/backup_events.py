"""What happens to backups, as facts for subscribers (docs/reference/events.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from srt_router.supervision.event import ServerEvent


@dataclass(frozen=True, slots=True)
class BackupCreated(ServerEvent):
    """A backup was made."""

    kind: ClassVar[str] = "backupCreated"
    name: str
    size: int
    """Bytes."""
    reason: str
    """`daily`, `order`, `beforeRestore`."""
    removed: list[str]
    """Older backups that made room."""

    def _say(self) -> str:
        return f"Backup {self.name} was made ({self.reason})"


@dataclass(frozen=True, slots=True)
class DailyBackupFailed(ServerEvent):
    """The daily backup could not be made; it is tried again every hour."""

    kind: ClassVar[str] = "backupFailed"
    often: ClassVar[int | None] = 1
    reason: str

    def _say(self) -> str:
        return f"The daily backup failed: {self.reason}"

    def _same(self) -> tuple[object, ...]:
        return (self.reason,)


@dataclass(frozen=True, slots=True)
class BackupRestored(ServerEvent):
    """gateway.db and routes.json are those of a backup."""

    kind: ClassVar[str] = "backupRestored"
    name: str
    safety: str | None
    """The backup of what was there before."""
    set_aside: list[str]
    """Files that could not be used, under their new names."""
    by: str
    """Who ordered it."""

    @property
    def actor(self) -> str | None:
        """Who ordered it."""
        return self.by

    def _say(self) -> str:
        return f"Backup {self.name} was restored by {self.by}"


BACKUP_KINDS: tuple[type[ServerEvent], ...] = (BackupCreated, DailyBackupFailed, BackupRestored)
