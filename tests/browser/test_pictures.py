"""Pictures of what is on air, and what one does with several routes at once."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import Console
from tests.harness.server import listener, route, udp
from tests.harness.wait import until

Visit = Callable[..., Console]

PICTURE_MS = 40_000
"""A machine with two processors that is busy otherwise makes pictures last."""
BRIGHTNESS = """image => {
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const values = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, Math.max(...values.filter((_, at) => at % 4 === 1))];
}"""


def test_a_picture_of_what_is_on_air(serve: Serve, visit: Visit) -> None:
    server = serve(
        route(1, listener(4001), udp(5001), name="Paris feed", testSource=True),
        route(2, listener(4002), name="London feed", autoStart=False),
        route(3, listener(4003), name="Oslo feed"),
    )
    server.until_status("route_1", "running")
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    picture = console.row("Paris feed").get_by_role("img", name="Picture of Paris feed")
    expect(picture).to_be_visible(timeout=PICTURE_MS)
    expect(console.row("Paris feed").locator(".thumbnail-age")).to_have_text(re.compile(r"^\d+ (s|min) old$"))
    expect(console.row("London feed")).to_contain_text("Off air")
    expect(console.row("Oslo feed")).to_contain_text("Nothing comes in")
    first = picture.get_attribute("src")
    expect(picture).not_to_have_attribute("src", first or "", timeout=PICTURE_MS)
    assert console.faults() == []
    page.get_by_role("button", name="Show tiles").click()
    expect(page.get_by_role("article", name="Paris feed").get_by_role("img")).to_be_visible()
    assert console.faults() == []
    page.goto("/routes/route_1")
    large = page.get_by_role("img", name="Picture of Paris feed")
    expect(large).to_be_visible(timeout=PICTURE_MS)
    until(lambda: large.evaluate("image => image.complete && image.naturalWidth > 0"), what="the picture")
    width, height, brightest = large.evaluate(BRIGHTNESS)
    assert (width, height) == (320, 180)
    assert brightest > 128, "a test pattern is not black"


def test_nothing_is_asked_while_nobody_sees_it(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", testSource=True))
    server.until_status("route_1", "running")
    console = visit(server)
    page = console.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "thumbnail" in request.url else None)
    page.goto("/")
    console.sign_in()
    expect(page.get_by_role("img", name="Picture of Paris feed")).to_be_visible(timeout=PICTURE_MS)
    assert asked
    page.get_by_role("link", name="Events").click()
    page.wait_for_timeout(2000)  # what was under way
    asked.clear()
    page.wait_for_timeout(6000)
    assert asked == []


def test_without_pictures_there_is_no_place_for_them(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", testSource=True), THUMBNAILS="false")
    server.until_status("route_1", "running")
    console = visit(server)
    page = console.page
    with page.expect_response(re.compile("/api/thumbnails")):
        page.goto("/")
        console.sign_in()
    expect(page.locator(".thumbnail")).to_have_count(0)


def test_several_routes_at_once(serve: Serve, visit: Visit) -> None:
    several = [route(n, listener(4000 + n), name=f"Feed {n}", autoStart=n < 3) for n in range(1, 5)]
    server = serve(*several)
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    page.get_by_role("button", name="Choose", exact=True).click()
    bar = page.get_by_role("group", name="Several routes")
    for name in ("Feed 1", "Feed 2", "Feed 3"):
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    expect(bar).to_contain_text("3 routes chosen")
    assert console.faults() == []
    bar.get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog", name="Stop 2 routes?")
    expect(dialog.get_by_role("listitem")).to_have_text(["Feed 1", "Feed 2"])
    expect(dialog).to_contain_text("1 chosen route is left as it is")
    assert console.faults() == []
    console.confirm("Cancel")
    assert server.route("route_1")["status"] == "waiting"
    bar.get_by_role("button", name="Stop").click()
    console.confirm("Stop all 2")
    expect(console.row("Feed 1")).to_contain_text("Stopped")
    expect(console.row("Feed 2")).to_contain_text("Stopped")
    bar.get_by_role("button", name="Choose all 4 shown").click()
    bar.get_by_role("button", name="Start", exact=True).click()
    console.confirm("Start all 4")
    for number in range(1, 5):
        expect(console.row(f"Feed {number}")).to_contain_text("Waiting")
    told = server.api.get("/api/events", params={"kind": "operatorAction"}).json()["items"]
    assert [one["data"]["action"] for one in told].count("route.salvo") == 2


def test_a_viewer_chooses_nothing(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed"))
    person = {"name": "eve", "role": "viewer", "password": "correct-horse-42"}
    assert server.api.post("/api/users", json=person).status_code == 201
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in("eve")
    expect(console.row("Paris feed")).to_be_visible()
    expect(page.get_by_role("button", name="Choose", exact=True)).to_have_count(0)
