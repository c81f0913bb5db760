"""How the built console is served: packed, kept where it never changes, and honest where it is missing."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from srt_router.api.console import PAGES, console_api
from srt_router.api.rules import RULES

SCRIPT = b"console.log('SRT')"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(console_api(tmp_path))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://router") as found:
        yield found


def build(folder: Path, page: str = "<p>first</p>") -> None:
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "index.html").write_text(page)
    (folder / "assets" / "main-1.js").write_bytes(SCRIPT)
    (folder / "assets" / "main-1.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "secret.txt").write_text("not to be served")


async def test_a_console_that_was_not_built_says_what_to_do(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "scripts/setup.sh run" in answer.text
    assert "<script" not in answer.text
    assert (await client.get("/assets/main-1.js")).status_code == 404


async def test_a_new_build_is_seen_at_once(client: httpx.AsyncClient, tmp_path: Path) -> None:
    build(tmp_path)
    assert (await client.get("/routes/route_1/edit")).text == "<p>first</p>"
    build(tmp_path, "<p>second</p>")
    answer = await client.get("/")
    assert answer.text == "<p>second</p>"
    assert answer.headers["cache-control"] == "no-cache"


async def test_assets_are_packed_and_kept_for_ever(client: httpx.AsyncClient, tmp_path: Path) -> None:
    build(tmp_path)
    packed = await client.get("/assets/main-1.js", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"
    assert "immutable" in packed.headers["cache-control"]
    assert packed.content == SCRIPT
    plain = await client.get("/assets/main-1.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT
    again = await client.get("/assets/main-1.js", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["..%2Fsecret.txt", "..%2Findex.html", "%2e%2e/secret.txt", "none.js", "main-1.js.gz"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    build(tmp_path)
    assert (await client.get(f"/assets/{name}")).status_code == 404


def test_every_page_is_open_and_nothing_more() -> None:
    assert {f"GET {page}" for page in PAGES} <= set(RULES)
    assert all(RULES[f"GET {page}"].least is None for page in PAGES)
