"""`/api/backups`: gateway.db and routes.json of earlier moments: made, fetched, verified, put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from srt_router.api.access import caller_of
from srt_router.api.audit import audit
from srt_router.api.bodies import CONFLICT, json_answer
from srt_router.api.problems import Problem, Responses
from srt_router.storage.backup_folder import FILE_PATTERN, NAME_PATTERN, BackupSet
from srt_router.supervision.backup_sets import Restored, Verification
from srt_router.supervision.backups import Backups

_CHUNK = 256 * 1024


class BackupView(BaseModel):
    """One backup: the database and the routes of one moment, in two files."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    routes_name: str = Field(alias="routesName")
    created_at: int = Field(alias="createdAt")
    """Milliseconds since the epoch."""
    size: int
    """Bytes of both files."""

    @classmethod
    def of(cls, found: BackupSet) -> BackupView:
        """As clients see it."""
        return cls(name=found.name, routes_name=found.routes_name, created_at=found.created_at, size=found.size)


class BackupList(BaseModel):
    """Every backup, newest first."""

    items: list[BackupView]


_ONE = TypeAdapter(BackupView)
_LIST = TypeAdapter(BackupList)
_VERIFICATION = TypeAdapter(Verification)
_RESTORED = TypeAdapter(Restored)

BackupName = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of a backup")]
FileName = Annotated[str, Path(pattern=FILE_PATTERN, description="`name` or `routesName` of a backup")]
_NOT_FOUND: Responses = {404: {"model": Problem, "description": "There is no such backup"}}
_BUSY: Responses = {409: {"model": Problem, "description": "Another backup is being worked on"}}
_DISK: Responses = {503: {"model": Problem, "description": "The disk is full, read-only, or the database is damaged"}}
_RESTORE: Responses = {
    **_NOT_FOUND,
    **CONFLICT,
    409: {"model": Problem, "description": "The backup is damaged, a port is taken, or another one is worked on"},
}


def backups_api(backups: Backups) -> APIRouter:
    """The paths under `/api/backups`, for administrators: whoever has a backup has every passphrase."""
    api = APIRouter(prefix="/api/backups", tags=["backups"])

    @api.get("", response_model=BackupList, responses=_DISK, summary="Every backup, newest first")
    async def list_backups() -> Response:
        return json_answer(_LIST, BackupList(items=[BackupView.of(one) for one in await backups.sets()]))

    @api.post("", status_code=201, response_model=BackupView, responses={**_BUSY, **_DISK}, summary="Make a backup now")
    async def create_backup(request: Request) -> Response:
        """Answers when it is on disk. The last 30 are kept."""
        made = BackupView.of(await backups.create("order"))
        audit(request, "backup.create", after=made)
        answer = json_answer(_ONE, made, 201)
        answer.headers["Location"] = f"/api/backups/{made.name}"
        return answer

    @api.get("/{name}", response_class=StreamingResponse, responses=_NOT_FOUND, summary="Fetch one of its two files")
    async def read_backup(name: FileName, request: Request) -> Response:
        """The file as it is, gzip. It holds every passphrase and the hashes of passwords: keep it safe."""
        file = await backups.open(name)
        audit(request, "backup.download", after={"name": name})
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(os.fstat(file.fileno()).st_size),
        }
        return StreamingResponse(_chunks(file), media_type="application/gzip", headers=headers)

    @api.post("/{name}/verify", response_model=Verification, responses={**_NOT_FOUND, **_BUSY, **_DISK})
    async def verify_backup(name: BackupName) -> Response:
        """Reads it to the last byte: checksums, the database's integrity and version, every route."""
        return json_answer(_VERIFICATION, await backups.verify(name))

    @api.post("/{name}/restore", response_model=Restored, responses=_RESTORE)
    async def restore_backup(name: BackupName, request: Request) -> Response:
        """Verifies it, backs up what is there, then puts it in place: only routes that differ leave the air."""
        caller = caller_of(request)
        done = await backups.restore(name, caller.actor if caller else "nobody")
        audit(request, "backup.restore", after=done)
        return json_answer(_RESTORED, done)

    @api.delete("/{name}", status_code=204, responses={**_NOT_FOUND, **_BUSY, **_DISK}, summary="Remove a backup")
    async def delete_backup(name: BackupName, request: Request) -> Response:
        gone = await backups.remove(name)
        audit(request, "backup.remove", before=BackupView.of(gone))
        return Response(status_code=204)

    return api


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
