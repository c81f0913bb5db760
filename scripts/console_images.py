"""Makes the pictures of the console in docs/images/: each page in dark and light at three widths.

    python scripts/console_images.py [PAGE …]

On a server of its own with real streams, in namespaces of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402 - the path first

from tests.harness.isolate import is_isolated  # noqa: E402
from tests.harness.server import Server, caller, listener, route, udp  # noqa: E402
from tests.harness.wait import until  # noqa: E402

IMAGES = ROOT / "docs" / "images"
PASSWORD = "correct-horse-42"  # noqa: S105 - of a server that lives for a minute
WIDTHS = {390: 844, 1366: 850, 1920: 1080}
PAGES = {
    "wall": ("/", ".wall-row .thumbnail img"),
    "wall-tiles": ("/?wall=1", ".tile .thumbnail img"),
    "route": ("/routes/route_1", ".stream-state"),
    "new-route": ("/routes/new", ".addresses"),
    "edit": ("/routes/route_1/edit", ".addresses"),
    "transfer": ("/routes/transfer", ".form-stack"),
    "events": ("/events", ".event"),
    "alarms": ("/alarms", ".alarm"),
    "processes": ("/processes", "td"),
    "doctor": ("/system/doctor", ".check-item"),
    "users": ("/system/users", "td"),
    "tokens": ("/system/tokens", "td"),
    "backups": ("/system/backups", "td"),
    "settings": ("/system/settings", "td, dd"),
    "about": ("/system/about", "td, dd"),
    "account": ("/account", "td"),
}
LIVE = {"wall", "wall-tiles", "route", "processes"}
WHOLE = {"route", "new-route", "edit", "transfer"}
"""Pages whose lower part is worth a picture too."""
SETTLE_MS = 4000
"""Of a page with pictures, numbers and graphs, which come in their own time."""
STILL_MS = 700
TEST_720 = {"video": {"codec": "h264", "bitrateKbps": 800, "width": 640, "height": 360}, "audio": "copy"}
CITIES = [
    "Athens",
    "Berlin",
    "Bern",
    "Dublin",
    "Helsinki",
    "Kyiv",
    "Lisbon",
    "London",
    "Madrid",
    "Oslo",
    "Prague",
    "Riga",
]
IMPORT = {
    "version": 1,
    "routes": [
        route(6, listener(4006, latency=200), udp(5006), name="Bern", tags=["contribution"]),
        route(20, listener(4020), udp(5020), name="Vienna", tags=["contribution"]),
    ],
}
"""What the page of imports shows the consequences of."""


def main() -> int:
    """Make all of them."""
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, __file__, *sys.argv[1:]]
        return subprocess.run(command, check=False, cwd=ROOT).returncode
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder))
    return 0


def take(folder: Path) -> None:
    """Start the server, sign in, look at every page."""
    with Server(folder, routes(), ADMIN_PASSWORD=PASSWORD) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        base = f"http://{server.api.base_url.host}:{server.api.base_url.port}"
        viewer = subprocess.Popen(  # a decoder at Headend, so that a destination has its peer
            ["ffmpeg", "-v", "quiet", "-i", "srt://127.0.0.1:6001?mode=caller", "-c", "copy", "-f", "null", "-"],
            stdin=subprocess.DEVNULL,
        )
        first = browser.new_context(base_url=base)
        sign_in(first.new_page())
        server.until_status("route_1", "running")
        rule = {"name": "Waits too long", "condition": {"kind": "waitingLongerThan", "seconds": 5}}
        server.api.post("/api/alarms/rules", json=rule)
        server.api.post("/api/users", json={"name": "vera", "role": "viewer", "password": f"{PASSWORD}-vera"})
        server.api.post("/api/users", json={"name": "otto", "role": "operator", "password": f"{PASSWORD}-otto"})
        server.api.post("/api/tokens", json={"name": "grafana", "role": "viewer"})
        server.api.post("/api/backups")
        until(lambda: server.api.get("/api/alarms").json()["items"], 40, "an alarm")
        for colours in ("dark", "light"):
            for width, height in WIDTHS.items():
                context = browser.new_context(
                    base_url=base,
                    color_scheme=colours,
                    viewport={"width": width, "height": height},
                    storage_state=first.storage_state(),
                )
                shoot(context.new_page(), f"{colours}-{width}")
                context.clear_cookies()
                page = context.new_page()
                page.goto("/")
                page.get_by_label("Password").wait_for()
                if not sys.argv[1:]:
                    keep(page, f"sign-in-{colours}-{width}")
                context.close()
        viewer.kill()
        viewer.wait()


def routes() -> list[dict[str, object]]:
    """A small plant."""
    found = [
        route(
            1,
            listener(4001, streamId="live/paris"),
            listener(6001, name="Headend"),
            caller(7001, "192.0.2.7", name="Berlin"),
            udp(5001, name="Multiviewer"),
            name="Paris feed",
            tags=["news", "france"],
            testSource=True,
            transcode=TEST_720,
        ),
        route(2, listener(4002, passphrase=PASSWORD), listener(6002), name="Brussels studio", tags=["news"]),
        route(3, caller(4999, "192.0.2.9"), listener(6003), name="Lyon stadium", tags=["sport"]),
    ]
    for number, city in enumerate(CITIES, 4):
        on_air = number % 4 == 0
        found.append(
            route(
                number,
                listener(4000 + number),
                udp(5000 + number),
                name=city,
                tags=["contribution"],
                testSource=on_air,
                autoStart=number % 4 != 3,
            )
        )
    return found


def sign_in(page: Page) -> None:
    """As the administrator."""
    page.goto("/")
    page.get_by_label("User").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".link-live")


def shoot(page: Page, suffix: str) -> None:
    """Every page, small enough to be kept."""
    for name, (path, ready) in PAGES.items():
        if name not in (sys.argv[1:] or PAGES):
            continue
        page.goto(path)
        page.wait_for_selector(ready)
        if name == "route":
            page.wait_for_selector(".thumbnail img")
        if name == "transfer":
            page.get_by_label("Or paste it").fill(json.dumps(IMPORT, indent=2))
            page.get_by_role("button", name="Show what would change").click()
            page.wait_for_selector(".diff")
        page.wait_for_timeout(SETTLE_MS if name in LIVE else STILL_MS)
        keep(page, f"{name}-{suffix}", whole=name in WHOLE)


def keep(page: Page, stem: str, *, whole: bool = False) -> None:
    """A picture of the page in a few colours."""
    palette = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=dither=none"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", "-", "-vf", palette, "-pred", "mixed", str(IMAGES / f"{stem}.png")],
        input=page.screenshot(full_page=whole),
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
