"""Errors as RFC 9457 problem details: what happened, to which route or field, and what to do next."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from srt_router.errors import RouteNotFound, SrtRouterError, StartRefused, StopFailed

log = logging.getLogger("Api")

MEDIA_TYPE = "application/problem+json"


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
}
_CODES = {404: "notFound", 405: "methodNotAllowed", 403: "forbidden"}


def problem(status: int, code: str, title: str, detail: str, errors: list[FieldProblem] | None = None) -> JSONResponse:
    """The response for one problem."""
    body = Problem(title=title, status=status, detail=detail, code=code, errors=errors or [])
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turn every error of the application into problem details."""

    @app.exception_handler(SrtRouterError)
    async def known(_request: Request, error: SrtRouterError) -> JSONResponse:
        status, title = _STATUS.get(type(error), (500, "The server could not do that"))
        return problem(status, error.code, title, str(error))

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "httpError")
        answer = problem(error.status_code, code, str(error.detail), str(error.detail))
        answer.headers.update(error.headers or {})  # Allow, where the method is the mistake
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [FieldProblem(field=".".join(map(str, item["loc"])), message=item["msg"]) for item in error.errors()]
        return problem(422, "requestInvalid", "The request is not valid", "See errors, field by field", fields)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "internalError", "Internal error", "The server's log tells more")
