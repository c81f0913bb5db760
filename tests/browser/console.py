"""The console as its user meets it: what can be seen and done, and what must never happen meanwhile."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct-horse-42"
"""Of every user in these tests."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Console:
    """One browser window with the console."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.expected: list[str] = [r"401 \(Unauthorized\)"]
        """What a browser may complain of: it tells of every refused request, also where that is the answer."""
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.strangers.append(request.url)

    def complain_of_errors(self) -> None:
        """Fail for what the browser complained of, or whom it asked beside the server."""
        found = [one for one in self.errors if not any(re.search(pattern, one) for pattern in self.expected)]
        assert not found, found
        assert not self.strangers, self.strangers

    # What a user does

    def sign_in(self, name: str = "admin") -> None:
        """Sign in on whichever page is open, or on the wall."""
        if not self.page.url.startswith(self.base):
            self.page.goto("/")
        self.page.get_by_label("User").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator(".link-sign")).to_have_text("Live")

    def row(self, name: str) -> Locator:
        """A route on the wall."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def confirm(self, button: str) -> None:
        """Answer the question that is asked."""
        self.page.get_by_role("dialog").get_by_role("button", name=button).click()

    # What an inspector finds

    def faults(self) -> list[str]:
        """What axe-core finds against WCAG AA, in one line each."""
        # As the browser's own tool would: not through the page, whose policy lets no foreign script in.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(
            "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}}).then(result => result.violations)",
            RULES,
        )
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: "
            + "; ".join(json.dumps(node["target"]) + " " + node["failureSummary"][:200] for node in one["nodes"][:4])
            for one in found
        ]
