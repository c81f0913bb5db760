"""Errors as RFC 9457 problem details: what happened, to which route or field, and what to do next."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from srt_router.accounts.errors import (
    LastAdministrator,
    PasswordRefused,
    SessionNotFound,
    SignInRefused,
    SignInThrottled,
    TokenNotFound,
    TokenRefused,
    UserNameRefused,
    UserNotFound,
)
from srt_router.alarms.errors import AlarmNotFound, ReceiverInUse, ReceiverNotFound, RuleNotFound, TooMany
from srt_router.errors import (
    DestinationNotFound,
    PreconditionFailed,
    RouteNotFound,
    SrtRouterError,
    StartRefused,
    StopFailed,
)
from srt_router.routes.copies import NoPortLeft
from srt_router.routes.errors import MOST_ERRORS, FieldError, RouteInvalid, RoutesFileChanged, RoutesFileInvalid
from srt_router.routes.transcode_presets import PresetInvalid
from srt_router.storage.backup_folder import BackupInvalid, BackupNotFound
from srt_router.storage.database import Unavailable
from srt_router.supervision.applying import ProcessNotFound
from srt_router.supervision.backup_sets import BackupFailed, RestoreFailed
from srt_router.supervision.backups import BackupBusy
from srt_router.supervision.editing import ChangeRefused, RoutesFileUnwritable
from srt_router.supervision.presets import PresetBuiltIn, PresetLimit, PresetNameTaken, PresetNotFound
from srt_router.supervision.salvo import SalvoRefused
from srt_router.supervision.thumbnails import NoPicture, NothingOnAir, ThumbnailPending, ThumbnailsOff

log = logging.getLogger("Api")

MEDIA_TYPE = "application/problem+json"

Responses = dict[int | str, dict[str, Any]]
"""What FastAPI takes as `responses`."""


class FieldProblem(BaseModel):
    """One field that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem as clients read it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    """Stable: made for programs."""
    errors: list[FieldProblem] = []


_STATUS: dict[type[SrtRouterError], tuple[int, str]] = {
    RouteNotFound: (404, "No such route"),
    StartRefused: (409, "The route cannot start"),
    StopFailed: (500, "The route could not be taken off air"),
    SignInRefused: (401, "The sign-in failed"),
    SignInThrottled: (429, "Too many sign-ins"),
    PasswordRefused: (422, "The password is too easily guessed"),
    UserNotFound: (404, "No such user"),
    UserNameRefused: (409, "The user cannot be called that"),
    LastAdministrator: (409, "It is the last administrator"),
    SessionNotFound: (404, "No such session"),
    TokenNotFound: (404, "No such API token"),
    TokenRefused: (409, "The API token cannot be made"),
    Unavailable: (503, "gateway.db cannot be used"),
    ProcessNotFound: (404, "No such process"),
    DestinationNotFound: (404, "No such destination"),
    PreconditionFailed: (412, "It was changed meanwhile"),
    ChangeRefused: (409, "What is on air could not follow"),
    SalvoRefused: (409, "The salvo was taken back"),
    ThumbnailsOff: (404, "No thumbnails are made"),
    NothingOnAir: (404, "Nothing is on air"),
    ThumbnailPending: (404, "The thumbnail is being made"),
    NoPicture: (404, "The stream shows no picture"),
    NoPortLeft: (409, "No port is left"),
    RoutesFileUnwritable: (503, "routes.json cannot be written"),
    PresetNotFound: (404, "No such preset"),
    PresetInvalid: (422, "Nothing was changed"),
    PresetBuiltIn: (409, "The preset is built in"),
    PresetNameTaken: (409, "Another preset is called so"),
    PresetLimit: (409, "There are as many as there may be"),
    BackupNotFound: (404, "No such backup"),
    BackupInvalid: (409, "The backup cannot be used"),
    BackupBusy: (409, "Another backup is worked on"),
    BackupFailed: (503, "No backup could be made"),
    RestoreFailed: (503, "The backup could not be restored"),
    AlarmNotFound: (404, "No such alarm"),
    RuleNotFound: (404, "No such alarm rule"),
    ReceiverNotFound: (404, "No such alarm receiver"),
    ReceiverInUse: (409, "Rules name the receiver"),
    TooMany: (409, "There are as many as there may be"),
}
_LONGEST = 8000
"""Characters of one text in a problem."""
_CODES = {404: "notFound", 405: "methodNotAllowed", 403: "forbidden"}


def _fields(errors: Iterable[FieldError]) -> list[FieldProblem]:
    return [FieldProblem(field=one.field, message=one.message) for one in errors]


def problem(status: int, code: str, title: str, detail: str, errors: list[FieldProblem] | None = None) -> JSONResponse:
    """The response for one problem."""
    told = [FieldProblem(field=_sayable(one.field), message=_sayable(one.message)) for one in errors or ()]
    body = Problem(title=title, status=status, detail=_sayable(detail), code=code, errors=told)
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA_TYPE)


def _sayable(text: str) -> str:
    """As UTF-8 can carry it, and not endless: JSON may name a field by half a character, or by a megabyte."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return short.encode("utf-8", "replace").decode()


def install(app: FastAPI) -> None:
    """Turn every error of the application into problem details."""

    @app.exception_handler(SrtRouterError)
    async def known(_request: Request, error: SrtRouterError) -> JSONResponse:
        other = (500, "The server could not do that")
        status, title = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), other)
        answer = problem(status, error.code, title, str(error), _fields(getattr(error, "errors", ())))
        if isinstance(error, SignInThrottled | ThumbnailPending):
            answer.headers["retry-after"] = str(error.wait_s)
        if status == 401:
            answer.headers["www-authenticate"] = 'Bearer realm="SRT Router"'
        return answer

    @app.exception_handler(RouteInvalid)
    async def route_invalid(_request: Request, error: RouteInvalid) -> JSONResponse:
        words = "; ".join(map(str, error.errors[:5]))
        return problem(422, "routeInvalid", "Nothing was changed", words, _fields(error.errors))

    @app.exception_handler(RoutesFileInvalid)
    async def file_invalid(_request: Request, error: RoutesFileInvalid) -> JSONResponse:
        words = f"Nothing was changed: routes.json has errors, and is not written over. Mend it first: {error}"
        return problem(409, "routesFileInvalid", "routes.json has errors", words, _fields(error.errors))

    @app.exception_handler(RoutesFileChanged)
    async def file_changed(_request: Request, error: RoutesFileChanged) -> JSONResponse:
        return problem(409, "routesFileChanged", "routes.json is being edited", str(error))

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "httpError")
        answer = problem(error.status_code, code, str(error.detail), str(error.detail))
        answer.headers.update(error.headers or {})  # Allow, where the method is the mistake
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()[:MOST_ERRORS]
        fields = [FieldProblem(field=".".join(map(str, item["loc"])), message=item["msg"]) for item in found]
        return problem(422, "requestInvalid", "The request is not valid", "See errors, field by field", fields)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "internalError", "Internal error", "The server's log tells more")
