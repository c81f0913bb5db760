"""A browser for the console, and a server with streams behind it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.console import PASSWORD, Console
from tests.harness.server import Json, Server

Serve = Callable[..., Server]
PATIENCE_MS = 20_000
"""A busy machine is no fault of the page."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, once for all tests."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: ./test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these routes, whose administrator has a known password."""
    running: list[Server] = []

    def start(*routes: Json, **settings: str) -> Server:
        server = Server(tmp_path / f"server{len(running)}", routes, ADMIN_PASSWORD=PASSWORD, **settings)
        running.append(server)
        return server.start()

    yield start
    for server in running:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Console]]:
    """Opens the console of a server. After the test, no page may have complained or asked somebody else."""
    opened: list[Console] = []

    def open_console(server: Server, **options: Any) -> Console:
        base = f"http://{server.api.base_url.host}:{server.api.base_url.port}"
        console = Console(browser.new_context(base_url=base, **options), base)
        opened.append(console)
        return console

    yield open_console
    for console in opened:
        console.context.close()
    for console in opened:
        console.complain_of_errors()
