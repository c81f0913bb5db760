"""Backups."""

from __future__ import annotations

from builtins import list as List  # noqa: N812 - `list` is what the method is called
from pathlib import Path
from urllib.parse import quote

from srt_router.client import answers
from srt_router.client.connection import Connection


class Backups:
    """`/api/backups`, for administrators. Every method raises ApiProblem and NoAnswer, and waits up to ten minutes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> List[answers.BackupView]:
        """Every backup, newest first."""
        found: answers.BackupList = self._connection.get("/api/backups")
        return found["items"]

    def create(self) -> answers.BackupView:
        """Make one now."""
        done: answers.BackupView = self._connection.change("POST", "/api/backups", patient=True)
        return done

    def download(self, name: str, target: Path) -> None:
        """Write one of the two files of a backup, its `name` or its `routesName`, into a new file.

        It holds every secret: only we can read it. Raises FileExistsError where `target` is there already.
        """
        self._connection.download(_path(name), target)

    def verify(self, name: str) -> answers.Verification:
        """Read it to the last byte."""
        done: answers.Verification = self._connection.change("POST", f"{_path(name)}/verify", patient=True)
        return done

    def restore(self, name: str) -> answers.Restored:
        """Make gateway.db and routes.json what they were; what is there is backed up first."""
        done: answers.Restored = self._connection.change("POST", f"{_path(name)}/restore", patient=True)
        return done

    def remove(self, name: str) -> None:
        """Remove it."""
        self._connection.change("DELETE", _path(name))


def _path(name: str) -> str:
    return f"/api/backups/{quote(name, safe='')}"
