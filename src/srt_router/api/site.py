"""The pages: sign-in and API documentation. Nothing of them comes from the internet."""

from __future__ import annotations

import asyncio
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

_OURS = ("sign-in.js", "docs.js", "pages.css")
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


def site() -> APIRouter:
    """`/sign-in`, `/docs` and what they load."""
    api = APIRouter(include_in_schema=False)

    @api.get("/sign-in")
    async def sign_in() -> Response:
        return await _page(_ours("sign-in.html"))

    @api.get("/docs")
    async def docs() -> Response:
        return await _page(_ours("docs.html"))

    @api.get("/pages/{file}")
    async def part(file: str) -> Response:
        if file in _OURS:
            return await _page(_ours(file))
        if file in _SWAGGER:
            return await _page(resources.files("fastapi_swagger.resources") / file)
        raise HTTPException(404)

    return api


def _ours(name: str) -> Traversable:
    return resources.files("srt_router.api") / "pages" / name


async def _page(file: Traversable) -> Response:
    content = await asyncio.to_thread(file.read_bytes)
    kind = _TYPES[file.name.rpartition(".")[2]]
    return Response(content, media_type=kind, headers={"cache-control": "no-cache"})
