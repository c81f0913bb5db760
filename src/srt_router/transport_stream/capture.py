"""A piece of one stream, written into a file of RUN_DIR while it passes: whoever reads it joins no bus."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_ROOM = 4
"""So many times what is captured must be free in RUN_DIR: statistics and logs live there too."""


@dataclass(slots=True)
class Capture:
    """A piece of one stream on its way into a file."""

    key: str
    path: Path
    attempt: int
    ends_at: float
    room: int
    descriptor: int
    taken: int = 0
    """Bytes so far."""

    @classmethod
    def begin(cls, key: str, path: Path, attempt: int, ends_at: float, size: int) -> Self:
        """Make the file for `size` bytes at most. Raises OSError (RUN_DIR is full)."""
        found = os.statvfs(path.parent)
        if found.f_bavail * found.f_frsize < _ROOM * size:
            raise OSError("there is not enough room in RUN_DIR")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        return cls(key, path, attempt, ends_at, size, descriptor)

    def take(self, data: bytes) -> None:
        """Write what has passed, as far as there is room. Raises OSError (RUN_DIR is full)."""
        piece = data[: self.room]
        self.room -= len(piece)
        self.taken += os.write(self.descriptor, piece)

    def done(self, now: float) -> bool:
        """It is long enough."""
        return self.room <= 0 or now >= self.ends_at

    def discard(self) -> None:
        """Remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Write no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
