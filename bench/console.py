"""The console's wall with many routes at 1 Hz in Chromium: first paint, long tasks, memory.

    python -m bench.console [--routes 500] [--seconds 60] [--tiles] [--json]

The pages, the sign-in and the WebSocket are those of a real server with as many routes, which are off air: what
`/api/live` says of them is replaced on its way to the browser by what it would say if all of them were on air,
once a second, with other numbers each time; and each has a picture, another one whenever the page asks. Runs in
namespaces of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import CDPSession, Page, Route, WebSocketRoute, sync_playwright

from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route, udp

LONGEST_TASK_MS = 100.0
FIRST_PAINT_MS = 1000.0
WARM_UP_S = 10
PASSWORD = "correct-horse-42"  # noqa: S105 - of a server that lives for a minute
WATCH = """
window.longTasks = [];
new PerformanceObserver(list => list.getEntries().forEach(one => window.longTasks.push(one.duration)))
  .observe({type: "longtask", buffered: true});
"""

Json = dict[str, Any]


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--routes", type=int, default=500)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--tiles", action="store_true")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.console", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.routes, chosen.seconds, tiles=chosen.tiles)
    if chosen.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:24} {value}")
    return 0 if found["longestTaskMs"] <= LONGEST_TASK_MS and found["firstPaintMs"] <= FIRST_PAINT_MS else 1


def measure(folder: Path, count: int, seconds: int, *, tiles: bool) -> Json:
    """One run."""
    routes = [route(n, listener(10_000 + n), udp(30_000 + n), autoStart=False) for n in range(1, count + 1)]
    with Server(folder, routes, ADMIN_PASSWORD=PASSWORD) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        base = f"http://{server.api.base_url.host}:{server.api.base_url.port}"
        page = browser.new_page(base_url=base, viewport={"width": 1920, "height": 1080})
        page.add_init_script(WATCH)
        if tiles:
            page.add_init_script("localStorage.setItem('srt-router.wall.view', 'tiles')")
        page.goto("/")
        page.get_by_label("User").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("[data-route]")
        show_pictures(page)
        page.route_web_socket("**/api/live", all_on_air)
        page.goto("/")
        page.wait_for_selector(".status-running")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return {"routes": count, "seconds": seconds, "firstPaintMs": round(paint), **watched(page, seconds)}


def watched(page: Page, seconds: int) -> Json:
    """What the page costs while it is looked at, scrolled, and left alone."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(WARM_UP_S * 1000)
    page.evaluate("window.longTasks.length = 0")
    heaps, busy, began = [heap(session)], busy_s(session), time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if passed >= 60 * len(heaps):
            heaps.append(heap(session))
        page.mouse.wheel(0, 2000 if int(passed / 5) % 2 else -2000)
        page.wait_for_timeout(500)
    tasks = page.evaluate("window.longTasks")
    return {
        "longTasks": len(tasks),
        "longestTaskMs": round(max(tasks, default=0)),
        "busyPercent": round(100 * (busy_s(session) - busy) / (time.monotonic() - began), 1),
        "heapMB": [*heaps, heap(session)],
        "pictures": page.locator(".thumbnail img").count(),
    }


def heap(session: CDPSession) -> float:
    """Memory of the page's own objects, after what is not needed was thrown away."""
    session.send("HeapProfiler.collectGarbage")
    return round(metric(session, "JSHeapUsedSize") / 1e6, 1)


def busy_s(session: CDPSession) -> float:
    """Seconds for which the page's thread has worked."""
    return metric(session, "TaskDuration")


def metric(session: CDPSession, name: str) -> float:
    """One of Chromium's own counters."""
    found = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in found if one["name"] == name))


def all_on_air(socket: WebSocketRoute) -> None:
    """Stand between the server and the page."""
    server = socket.connect_to_server()

    def pass_on(message: str | bytes) -> None:
        told: Json = json.loads(message)
        match told["type"]:
            case "snapshot":
                told["routes"] = [on_air(one, told["at"]) for one in told["routes"]]
            case "stats":
                told["routes"] = {key: numbers(told["at"]) for key in told["routes"]}
        socket.send(json.dumps(told))

    server.on_message(pass_on)


def show_pictures(page: Page) -> None:
    """Each route has a picture of its own, and another one at each question."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180", "-frames:v", "1"]
    picture = subprocess.run([*command, "-f", "mjpeg", "-"], stdout=subprocess.PIPE, check=True).stdout

    def which(asked: Route) -> None:
        ids = parse_qs(urlsplit(asked.request.url).query)["route"]
        at = time.time_ns() // 1_000_000
        items = [{"routeId": one, "at": at, "version": f"{one}-{at}", "code": None} for one in ids]
        asked.fulfill(json={"items": items})

    page.route(re.compile(r"/api/thumbnails\?"), which)
    page.route(
        re.compile(r"/thumbnail\?"), lambda asked: asked.fulfill(body=picture, headers={"content-type": "image/jpeg"})
    )


def on_air(one: Json, at: int) -> Json:
    """A route as if a stream came in."""
    one |= {"status": "running", "startedAt": at - 60_000}
    for leg in (one["source"], *one["destinations"]):
        leg |= {"state": "running", "connection": "connected"}
    return one


def numbers(at: int) -> list[Json]:
    """What is told of a route with one destination, another one each second."""
    rate = random.uniform(5_000, 7_000)  # noqa: S311 - nothing secret
    common = {"connection": "connected", "connectedSince": at - 60_000, "reportedAt": at, "bitrate": round(rate, 1)}
    counts = {"packets": at % 10**7, "bytes": at % 10**9, "lost": 0, "retransmitted": 0, "dropped": 0}
    srt = {"lossPercent": 0.01, "msRTT": round(rate / 300, 2), "bufferMs": 110, "latency": 120, "latencyWanted": 120}
    return [
        {"leg": "source", "process": "srt", "peer": "192.0.2.1:40000", **common, **counts, **srt, "cpuPercent": 0.8},
        {"leg": "destination:0", "process": "udpDuplicator", **common, **counts, "cpuPercent": 0.5},
    ]


if __name__ == "__main__":
    sys.exit(main())
