"""One route: made by form, fed, changed on air, mended after a death."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import Console
from tests.harness.server import listener, route, udp
from tests.harness.wait import until

Visit = Callable[..., Console]


def test_a_route_is_made_by_form_and_goes_on_air(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(6000), name="Paris feed"))
    console = visit(server)
    console.expected.append("422")
    page = console.page
    page.goto("/")
    console.sign_in()
    page.get_by_role("button", name="New route").click()
    page.get_by_role("button", name="Test pattern").click()
    page.get_by_label("Name", exact=True).first.fill("Vienna feed")
    source = page.locator("section", has=page.get_by_role("heading", name="Source"))
    expect(source.get_by_label("Port", exact=True)).not_to_have_value("6000")  # taken: another one was suggested
    source.get_by_label("Port", exact=True).fill("80")
    expect(source).to_contain_text("must be between 1024 and 65535")  # in the server's own words
    make = page.get_by_role("button", name="Make the route")
    expect(make).to_be_disabled()
    source.get_by_label("Port", exact=True).fill("6000")
    expect(page.get_by_text(re.compile("Paris feed|route_1|6000.*(taken|used)")).first).to_be_visible()
    source.get_by_role("button", name="Free port").click()
    expect(make).to_be_enabled()
    expect(page.get_by_text("Saving interrupts nothing.")).to_be_visible()
    make.click()
    expect(page.get_by_role("heading", name="Vienna feed")).to_be_visible()
    expect(page.locator(".status-large")).to_have_text("On air")
    expect(page.get_by_role("article", name=re.compile("^In, SRT listener")).locator(".end-rate")).to_have_text(
        re.compile(r"[1-9][\d.]* Mb/s")
    )
    made = next(one for one in server.api.get("/api/routes").json()["items"] if one["name"] == "Vienna feed")
    assert made["status"] == "running"


def test_a_destination_comes_and_goes_on_air(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    server = serve(route(1, listener(4001), udp(5001), name="Paris feed", testSource=True))
    console = visit(server)
    page = console.page
    page.goto("/routes/route_1")
    console.sign_in()
    expect(page.locator(".status-large")).to_have_text("On air")
    before = server.processes("route_1")["srt"]["pid"]
    page.get_by_role("button", name="Add a destination").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Headend")
    dialog.get_by_label("Port", exact=True).fill("6050")
    expect(dialog.get_by_text("Saving interrupts nothing.")).to_be_visible()
    dialog.get_by_role("button", name="Add the destination").click()
    card = page.get_by_role("article", name=re.compile("^Headend"))
    expect(card).to_contain_text("Waiting")
    received = receive(tmp_path / "received.ts", "srt://127.0.0.1:6050?mode=caller")
    try:
        expect(card).to_contain_text("Connected")
        until(lambda: received.output.exists() and received.output.stat().st_size > 100_000, what="the stream")
    finally:
        received.end()
    assert server.processes("route_1")["srt"]["pid"] == before
    page.get_by_role("button", name="Actions for destination Headend").click()
    page.get_by_role("menuitem", name="Stop…").click()
    expect(page.get_by_role("dialog")).to_contain_text("srtOut:6050 ends")
    console.confirm("Stop the destination")
    expect(card).to_contain_text("Disabled")
    page.get_by_role("button", name="Actions for destination Headend").click()
    page.get_by_role("menuitem", name="Remove…").click()
    console.confirm("Remove the destination")
    expect(card).to_have_count(0)
    assert server.processes("route_1")["srt"]["pid"] == before


def test_a_killed_process_is_seen_to_come_back(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), listener(6001), name="Paris feed"))
    console = visit(server)
    page = console.page
    page.goto("/routes/route_1")
    console.sign_in()
    row = page.get_by_role("row").filter(has_text="srtOut:6001")
    pid = server.until_all_up("route_1")["srtOut:6001"]["pid"]
    expect(row).to_contain_text(str(pid))
    os.kill(pid, signal.SIGKILL)
    expect(row).not_to_contain_text(str(pid))
    expect(row).to_contain_text("killed by SIGKILL")
    expect(page.get_by_text(re.compile("srtOut:6001 ended"))).to_be_visible()
    until(lambda: server.processes("route_1")["srtOut:6001"]["state"] == "running")
    new = server.processes("route_1")["srtOut:6001"]["pid"]
    expect(row).to_contain_text(str(new))


def test_an_edit_says_what_it_restarts_and_can_be_undone(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), listener(6001), name="Paris feed"))
    server.until_all_up("route_1")
    console = visit(server)
    page = console.page
    page.goto("/routes/route_1/edit")
    console.sign_in()
    source = page.locator("section", has=page.get_by_role("heading", name="Source"))
    source.get_by_label("Latency (ms)", exact=True).fill("400")
    expect(page.get_by_text("Source restarts")).to_be_visible()
    page.get_by_role("button", name="JSON").click()
    expect(page.get_by_label("The route as in routes.json")).to_have_value(re.compile('"latency": 400'))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Paris feed")).to_be_visible()
    assert server.route("route_1")["config"]["source"]["latency"] == 400
    page.get_by_role("button", name="Undo").click()
    until(lambda: server.route("route_1")["config"]["source"]["latency"] == 120)


def test_a_dry_run_leaves_no_trace(serve: Serve, visit: Visit) -> None:
    server = serve()
    console = visit(server)
    console.page.goto("/routes/new")
    console.sign_in()
    console.page.get_by_label("Name", exact=True).first.fill("Vienna feed")
    expect(console.page.get_by_text("Saving interrupts nothing.")).to_be_visible()
    told = server.api.get("/api/events", params={"kind": "operatorAction"}).json()["items"]
    assert [one["data"]["action"] for one in told] == ["auth.signIn"]
    console.page.on("dialog", lambda dialog: dialog.accept())


class receive:  # noqa: N801 - reads as what it does
    """A receiver as anybody has one: ffmpeg, which writes what it gets into a file."""

    def __init__(self, output: Path, url: str) -> None:
        import subprocess

        self.output = output
        command = ["ffmpeg", "-v", "error", "-i", url, "-c", "copy", "-f", "mpegts", "-y", str(output)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(self) -> None:
        """Hang up."""
        self._process.kill()
        self._process.wait()
