"""The console: one page for every address of it, and what that page loads. Built from `web/` when it is packaged.

Files were packed at the build (`.gz`), so the server spends nothing on that. What is in `assets/` has a hash of its
content in its name and never changes; the page names them and is asked for anew each time.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

PAGES = (
    "/",
    "/account",
    "/alarms",
    "/events",
    "/processes",
    "/routes/{page:path}",
    "/system",
    "/system/{page}",
)
"""Addresses of the console. Which page they are, the console itself knows."""
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>SRT Router</title><link rel="icon" href="data:,"></head>
<body>
<h1>The console has not been built</h1>
<p>The server works, and its routes are not concerned; only its pages are missing. In the checkout, run
<code>scripts/setup.sh run</code> (<code>./run</code> does it by itself), then load this page again.</p>
<p>Meanwhile: <a href="/docs">the HTTP API</a>, and the commands <code>srt-router --help</code>.</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """One file, as it is and packed."""

    plain: bytes
    packed: bytes | None
    media_type: str
    etag: str


class _Files:
    """The built console, read from disk once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Part] = {}

    async def find(self, name: str) -> _Part | None:
        """One file; None: there is none. `name` is relative, and may not lead out."""
        known = self._known.get(name)
        if known is None and (found := await asyncio.to_thread(self._read, name)) is not None:
            known = found
            if name != "index.html":  # a new build is seen at once: the page names other files
                self._known[name] = found
        return known

    def _read(self, name: str) -> _Part | None:
        path = self._folder / name
        if path.suffix not in _TYPES or ".." in Path(name).parts or not name.isprintable():
            return None
        try:
            plain = path.read_bytes()
        except OSError:
            return None
        try:
            packed = path.with_name(f"{path.name}.gz").read_bytes()
        except OSError:
            packed = None
        return _Part(plain, packed, _TYPES[path.suffix], f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


def console_api(folder: Path | None = None) -> APIRouter:
    """The pages of the console and `/assets/…`."""
    api = APIRouter(include_in_schema=False)
    files = _Files(folder or Path(str(resources.files("srt_router"))) / "console")

    async def page(request: Request) -> Response:
        found = await files.find("index.html")
        if found is None:
            return Response(_NOT_BUILT, 503, media_type="text/html", headers={"cache-control": "no-store"})
        return _answer(request, found, "no-cache")

    for path in PAGES:
        api.add_api_route(path, page, methods=["GET", "HEAD"])

    @api.api_route("/assets/{file}", methods=["GET", "HEAD"])
    async def asset(file: str, request: Request) -> Response:
        found = await files.find(f"assets/{file}")
        if found is None:
            raise HTTPException(404)
        return _answer(request, found, _FOR_EVER)

    return api


def _answer(request: Request, part: _Part, kept: str) -> Response:
    headers = {"cache-control": kept, "etag": part.etag, "vary": "accept-encoding"}
    if part.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if part.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(part.packed, media_type=part.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(part.plain, media_type=part.media_type, headers=headers)
