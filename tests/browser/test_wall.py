"""The wall: live, honest about its age, and smooth."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import Console
from tests.harness.server import listener, route, udp

Visit = Callable[..., Console]

OTHER_COMMAND_LINES = """
from srt_router.processes import spec
from srt_router.cli.app import main

spec.FORMAT, spec._hash = 0, lambda argv: "0" * 16
main()
"""
"""An earlier version, which made other command lines of the same routes."""


def test_live_status_and_numbers(serve: Serve, visit: Visit) -> None:
    server = serve(
        route(1, listener(4001), udp(5001), name="Paris feed", testSource=True, tags=["news"]),
        route(2, listener(4002), listener(6002), name="London feed", autoStart=False),
    )
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    paris = console.row("Paris feed")
    expect(paris).to_contain_text("On air")
    expect(paris.locator(".c-rate")).to_have_text(re.compile(r"\d Mb/s"))
    expect(paris.locator(".c-rtt")).to_have_text(re.compile(r"\d ms"))
    expect(paris).to_contain_text("1 of 1 destination up")
    expect(console.row("London feed")).to_contain_text("Stopped")
    server.post("/api/routes/route_2/start")
    expect(console.row("London feed")).to_contain_text("Waiting")


def test_start_and_stop_ask_and_name_the_route(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed"))
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    page.get_by_role("button", name="Stop Paris feed").click()
    expect(page.get_by_role("dialog", name="Stop Paris feed?")).to_be_visible()
    console.confirm("Cancel")
    assert server.route("route_1")["status"] == "waiting"
    page.get_by_role("button", name="Stop Paris feed").click()
    console.confirm("Stop the route")
    expect(console.row("Paris feed")).to_contain_text("Stopped")
    page.get_by_role("button", name="Start again").click()
    expect(console.row("Paris feed")).to_contain_text("Waiting")


def test_search_filter_and_keyboard(serve: Serve, visit: Visit) -> None:
    several = [
        route(n, listener(4000 + n), autoStart=False, name=f"Feed {n}", tags=["news"] if n % 2 else ["sport"])
        for n in range(1, 9)
    ]
    console = visit(serve(*several))
    page = console.page
    page.goto("/")
    console.sign_in()
    rows = page.locator(".wall-row[data-route]")
    expect(rows).to_have_count(8)
    page.keyboard.press("/")
    page.keyboard.type("4003")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Feed 3")
    page.get_by_label("Search routes").fill("")
    page.get_by_label("Tag").select_option("sport")
    expect(rows).to_have_count(4)
    page.get_by_label("Tag").select_option("")
    page.get_by_role("button", name="On air").click()
    expect(page.get_by_text("No route fits.")).to_be_visible()
    page.get_by_role("button", name="Show all 8 routes").click()
    page.locator("body").click(position={"x": 5, "y": 5})
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Feed 2")).to_be_visible()


def test_a_dead_server_is_told_and_forgiven(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed"))
    port = server.api.base_url.port
    console = visit(server)
    console.expected.append("ERR_CONNECTION_(REFUSED|RESET)")
    page = console.page
    page.goto("/")
    console.sign_in()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)  # silence without a closed connection is the harder case
    expect(page.get_by_role("alert").filter(has_text="Connection lost")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("old")
    os.kill(server.process.pid, signal.SIGCONT)
    expect(page.locator(".link-sign")).to_have_text("Live")
    expect(page.get_by_text("Connection lost")).to_have_count(0)
    server.kill()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    server.start(environment={"SRT_ROUTER_PORT": str(port)})
    expect(page.locator(".link-sign")).to_have_text("Live")
    expect(console.row("Paris feed")).to_be_visible()


def test_five_hundred_routes_draw_few_rows(serve: Serve, visit: Visit) -> None:
    many = [route(n, listener(10_000 + n), udp(30_000 + n), autoStart=False, name=f"Feed {n:03}") for n in range(500)]
    console = visit(serve(*many))
    page = console.page
    page.goto("/")
    console.sign_in()
    expect(page.get_by_text("All 500")).to_be_visible()
    rows = page.locator(".wall-row[data-route]")
    expect(rows.first).to_be_visible()
    assert rows.count() < 60
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_role("link", name="Feed 499")).to_be_visible()
    assert rows.count() < 60


def test_a_server_that_takes_over_says_that_streams_were_not_touched(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), udp(5001), name="Paris feed"), ON_START="adopt")
    port = server.api.base_url.port
    before = server.until_all_up("route_1")
    console = visit(server)
    console.expected.append("ERR_CONNECTION_(REFUSED|RESET)")
    page = console.page
    page.goto("/")
    console.sign_in()
    server.kill()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    expect(page.get_by_text("The server was restarted")).to_have_count(0)
    server.start(environment={"SRT_ROUTER_PORT": str(port)})
    told = page.get_by_role("status").filter(has_text="The server was restarted")
    expect(told).to_contain_text("Streams were not touched: all 2 processes go on.")
    assert server.until_all_up("route_1")["srt"]["pid"] == before["srt"]["pid"]
    assert console.faults() == []
    page.get_by_role("button", name="Understood").click()
    expect(told).to_have_count(0)


def test_a_server_that_starts_anew_says_that_streams_were_interrupted(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed"))
    port = server.api.base_url.port
    server.until_all_up("route_1")
    console = visit(server)
    console.expected.append("ERR_CONNECTION_(REFUSED|RESET)")
    console.page.goto("/")
    console.sign_in()
    server.kill()
    server.start(environment={"SRT_ROUTER_PORT": str(port)})
    told = console.page.get_by_role("status").filter(has_text="The server was restarted")
    expect(told).to_contain_text("every stream was interrupted")


def test_a_restart_that_waits_since_an_upgrade_is_shown_and_done(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), listener(6001), name="Paris feed"), ON_START="adopt")
    server.post("/api/routes/route_1/stop")
    server.kill()
    now, server.module = server.module, ["-c", OTHER_COMMAND_LINES, "serve"]
    server.start()
    server.post("/api/routes/route_1/start")
    before = server.until_all_up("route_1")
    server.kill()
    server.module = now
    server.start()
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    expect(console.row("Paris feed")).to_contain_text("restart pending")
    page.get_by_role("link", name="Paris feed").click()
    expect(page.get_by_text("The stream goes on as it is")).to_be_visible()
    assert console.faults() == []
    page.get_by_role("button", name="Restart destination 6001 now").click()
    dialog = page.get_by_role("dialog", name="Restart destination 6001 of Paris feed?")
    expect(dialog).to_contain_text("The other processes go on.")
    console.confirm("Restart the process")
    expect(page.get_by_role("button", name="Restart destination 6001 now")).to_have_count(0)
    page.get_by_role("button", name="Restart it now").click()
    console.confirm("Restart the process")
    expect(page.get_by_text("restart pending")).to_have_count(0)
    after = server.until_all_up("route_1")
    assert {one["pid"] for one in after.values()}.isdisjoint(one["pid"] for one in before.values())
