"""Every page: nothing is wrong with it for anybody, in either colours, on any screen."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import Console
from tests.harness.server import caller, listener, route, udp

Visit = Callable[..., Console]

PAGES = {
    "/": "Wall",
    "/?wall=1": "Wall",
    "/routes/route_1": "Paris feed",
    "/routes/route_1/edit": "Edit Paris feed",
    "/routes/new": "New route",
    "/routes/transfer": "Import and export",
    "/events": "Events",
    "/alarms": "Alarms",
    "/alarms?view=rules": "Alarms",
    "/alarms?view=receivers": "Alarms",
    "/processes": "Processes",
    "/system/doctor": "Doctor",
    "/system/users": "Users",
    "/system/tokens": "API tokens",
    "/system/backups": "Backups",
    "/system/settings": "Settings",
    "/system/about": "About",
    "/account": "Sessions",
}


@pytest.mark.parametrize(
    ("colours", "width"), [("dark", 1920), ("light", 1366), ("light", 390)], ids=["dark wall", "light", "phone"]
)
def test_no_page_shuts_anybody_out(serve: Serve, visit: Visit, colours: str, width: int) -> None:
    server = serve(
        route(1, listener(4001, passphrase="correct-horse-42"), listener(6001), udp(5001), name="Paris feed"),
        route(2, caller(4999), listener(6002), name="Madrid feed", tags=["news"]),
        route(3, listener(4003), name="London feed", autoStart=False),
    )
    console = visit(server, color_scheme=colours, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = console.page
    page.goto("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    faults = {"sign-in": console.faults()}
    console.sign_in()
    for path, heading in PAGES.items():
        page.goto(path)
        expect(page.get_by_role("heading", name=heading).first).to_be_attached()
        page.wait_for_load_state("networkidle") if "wall" not in path else None
        faults[path] = console.faults()
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{path} is {wider} px wider than the screen"
    assert not {path: found for path, found in faults.items() if found}


def test_dialogs_shut_nobody_out(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), listener(6001, name="Headend"), name="Paris feed"))
    console = visit(server)
    page = console.page
    page.goto("/routes/route_1")
    console.sign_in()
    page.get_by_role("button", name="Address for the other side").first.click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    expect(page.get_by_text("srt://127.0.0.1:4001?mode=caller&latency=120")).to_be_visible()
    found = console.faults()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a destination").click()
    expect(page.get_by_text("Saving interrupts nothing.")).to_be_visible()
    found += console.faults()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More actions").click()
    found += console.faults()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    found += console.faults()
    assert not found


def test_what_is_served_is_packed_and_kept(serve: Serve) -> None:
    server = serve()
    page = server.api.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert server.api.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    script = page.text.partition('src="')[2].partition('"')[0]
    asset = server.api.get(script)
    assert asset.headers["content-encoding"] == "gzip"
    assert "immutable" in asset.headers["cache-control"]
    assert server.api.get(script, headers={"accept-encoding": "identity"}).text == asset.text
    assert server.api.get("/assets/..%2Findex.html").status_code == 404
    assert server.api.get("/routes/anything/at/all").text == page.text


def test_events_are_filtered_by_every_group(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed"))
    server.until_all_up("route_1")
    console = visit(server)
    page = console.page
    page.goto("/events?route=route_1")
    console.sign_in()
    events = page.locator(".event")
    expect(events.filter(has_text="processStarted")).to_have_count(1)
    kinds = page.get_by_role("group", name="Kinds")
    for group in kinds.get_by_role("button").all_inner_texts():
        kinds.get_by_role("button", name=group).click()
        expect(kinds.get_by_role("button", name=group)).to_have_attribute("aria-pressed", "true")
    kinds.get_by_role("button", name="Processes").click()
    expect(events).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert "processStarted" in download.value.path().read_text()
    server.post("/api/routes/route_1/stop")
    kinds.get_by_role("button", name="Routes").click()
    expect(events.filter(has_text="routeStopped")).to_have_count(1)  # it comes while one looks
    expect(page.get_by_text("is not a kind")).to_have_count(0)


def test_users_tokens_and_backups(serve: Serve, visit: Visit) -> None:
    console = visit(serve(route(1, listener(4001), autoStart=False, name="Paris feed")))
    page = console.page
    page.goto("/system/users")
    console.sign_in()
    page.get_by_role("button", name="Add a user").click()
    page.get_by_label("Name").fill("carla")
    page.get_by_label("Role").last.select_option("operator")
    page.get_by_label("First password").fill("battery-staple-77")
    page.get_by_role("dialog").get_by_role("button", name="Add the user").click()
    expect(page.get_by_role("rowheader", name="carla")).to_be_visible()
    page.get_by_role("link", name="API tokens").click()
    page.get_by_role("button", name="Make a token").click()
    page.get_by_label("Name").fill("grafana")
    page.get_by_role("dialog").get_by_role("button", name="Make the token").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    page.get_by_role("link", name="Backups").click()
    page.get_by_role("button", name="Make a backup now").click()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("It is good: 1 route")).to_be_visible()


def test_an_import_shows_first_what_differs(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), autoStart=False, name="Paris feed"))
    console = visit(server)
    page = console.page
    page.goto("/routes/transfer")
    console.sign_in()
    document = server.api.get("/api/routes/export").json()
    document["routes"][0]["name"] = "Paris, renamed"
    document["routes"].append({"name": "Vienna", "source": listener(4005), "destinations": [], "autoStart": True})
    page.get_by_label("Or paste it").fill(json.dumps(document))
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("+ Vienna")).to_be_visible()
    expect(page.locator("ins")).to_have_text('"Paris, renamed"')
    expect(page.get_by_text("Vienna: source starts.")).to_be_visible()  # of which route, where there are several
    assert server.route("route_1")["name"] == "Paris feed"
    page.get_by_role("button", name="Import: 1 new, 1 changed, 0 removed").click()
    expect(console.row("Paris, renamed")).to_be_visible()
    expect(console.row("Vienna")).to_be_visible()
