"""The console's wall in Chromium: when a route's row shows that something has changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.harness.server import Server
from tests.harness.wait import until

_PATIENCE_S = 15.0
_WATCH = """
id => {
  const row = () => document.querySelector(`[data-route="${id}"]`);
  const shown = () => row()?.querySelector(".c-status")?.textContent + "|" + row()?.className;
  const before = shown();
  window.seen = null;
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(() => {
    if (window.seen === null && shown() !== before) window.seen = [performance.timeOrigin + performance.now(), shown()];
  });
  window.watcher.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
  return before;
}
"""


class Wall:
    """The page, signed in."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.ahead_s = self._measure_clock()
        """How much the browser's clock is ahead of ours."""

    def watch(self, route: str) -> str:
        """Look at the row of a route from now on. Returns what it shows."""
        return str(self._page.evaluate(_WATCH, route))

    def changed_at(self) -> tuple[float, str]:
        """When the status shown in the row changed, in seconds since the epoch by our clock, and into what."""
        at_ms, shown = until(lambda: self._page.evaluate("window.seen"), _PATIENCE_S, "the row to change")
        return at_ms / 1000 - self.ahead_s, str(shown)

    def _measure_clock(self) -> float:
        """The clocks run alike; the browser's begins with the page. What is asked quickest is known best."""
        tries = []
        for _ in range(30):
            asked = time.time()
            theirs = self._page.evaluate("performance.timeOrigin + performance.now()") / 1000
            answered = time.time()
            tries.append((answered - asked, theirs - (asked + answered) / 2))
        return float(min(tries)[1])


@contextmanager
def wall(server: Server, password: str) -> Iterator[Wall]:
    """The wall of a server whose administrator has this password."""
    base = f"http://{server.api.base_url.host}:{server.api.base_url.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(base_url=base, viewport={"width": 1920, "height": 1080})
        page.goto("/")
        page.get_by_label("User").fill("admin")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("[data-route]")
        try:
            yield Wall(page)
        finally:
            browser.close()
