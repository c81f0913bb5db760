"""Editing further: the audio matrix, what an undo brings back, more destinations than a graph has lines."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import PASSWORD, Console
from tests.harness.server import Json, Server, listener, route, udp
from tests.harness.wait import until

Visit = Callable[..., Console]

STEREO = {"video": "copy", "audio": {"codec": "aac", "bitrateKbps": 128, "channels": 2}}


def config(server: Server) -> Json:
    found: Json = server.route("route_1")["config"]
    return found


def test_the_audio_matrix(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", transcode=STEREO, autoStart=False))
    console = visit(server)
    console.expected.append("422")
    page = console.page
    page.goto("/routes/route_1/edit")
    console.sign_in()
    page.get_by_role("button", name="Set an audio matrix").click()
    matrix = page.get_by_role("region", name="Audio matrix")
    expect(matrix.get_by_role("checkbox", name="In 1 to out 1")).to_be_checked()
    expect(matrix.get_by_role("checkbox", name="In 2 to out 1")).not_to_be_checked()
    page.get_by_role("button", name="Input channel").click()
    matrix.get_by_role("checkbox", name="In 3 to out 1").check()
    gain = matrix.get_by_label("In 3 to out 1, gain in dB")
    gain.fill("-70")
    expect(page.get_by_text("must be a number between -60 and 20 dB").first).to_be_visible()
    gain.fill("")
    gain.press_sequentially("-6.5")
    expect(gain).to_have_value("-6.5")
    assert console.faults() == []
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Paris feed", exact=True)).to_be_visible()
    cells = config(server)["transcode"]["audio"]["matrix"]
    assert [(one["output"], one["input"], one.get("gainDb", 0)) for one in cells] == [
        (1, 1, 0),
        (1, 3, -6.5),
        (2, 2, 0),
    ]


def passphrase(server: Server) -> str | None:
    """Of the source, as operators may read it."""
    items = server.api.get("/api/routes/route_1/secrets").json()["items"]
    found: str | None = next(one["passphrase"] for one in items if one["index"] is None)
    return found


def edit_passphrase(console: Console, change: Callable[[Console], None]) -> None:
    console.page.goto("/routes/route_1/edit")
    change(console)
    console.page.get_by_role("button", name="Save").click()
    expect(console.page.get_by_role("heading", name="Paris feed", exact=True)).to_be_visible()


def test_an_undo_brings_the_passphrase_back(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001, passphrase=PASSWORD), name="Paris feed", autoStart=False))
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    field = page.get_by_label("Passphrase", exact=True)
    edit_passphrase(console, lambda _: field.first.fill("another-horse-43"))
    assert passphrase(server) == "another-horse-43"
    page.get_by_role("button", name="Undo").click()
    until(lambda: passphrase(server) == PASSWORD, what="the passphrase of before")
    edit_passphrase(console, lambda _: page.get_by_role("button", name="Remove").first.click())
    assert passphrase(server) is None
    page.get_by_role("button", name="Undo").click()
    until(lambda: passphrase(server) == PASSWORD, what="the passphrase of before")


def test_an_undo_takes_a_new_passphrase_away(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", autoStart=False))
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in()
    edit_passphrase(console, lambda _: page.get_by_label("Passphrase", exact=True).first.fill(PASSWORD))
    assert passphrase(server) == PASSWORD
    page.get_by_role("button", name="Undo").click()
    until(lambda: passphrase(server) is None, what="no passphrase, as before")


def test_an_undo_does_not_undo_what_others_did_later(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", autoStart=False))
    console = visit(server)
    console.expected.append("412")
    page = console.page
    page.goto("/")
    console.sign_in()
    edit_passphrase(console, lambda _: page.get_by_label("Latency (ms)", exact=True).first.fill("400"))
    assert server.api.patch("/api/routes/route_1", json={"name": "Vienna feed"}).status_code == 200
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(re.compile("changed"))).to_be_visible()
    assert (config(server)["name"], config(server)["source"]["latency"]) == ("Vienna feed", 400)


def test_which_destinations_are_drawn(serve: Serve, visit: Visit) -> None:
    many = [udp(5000 + number, name=f"Out to {number}") for number in range(1, 9)]
    server = serve(route(1, listener(4001), *many, name="Paris feed", autoStart=False))
    console = visit(server)
    page = console.page
    page.goto("/routes/route_1")
    console.sign_in()
    legend = page.locator(".legend")
    expect(legend).to_contain_text("Out to 5")
    expect(legend).not_to_contain_text("Out to 6")
    page.get_by_text("Destinations: 5 of 8 drawn").click()
    choice = page.get_by_role("group", name="Destinations that are drawn")
    expect(choice.get_by_role("button", name="Out to 8")).to_be_disabled()
    choice.get_by_role("button", name="Out to 2").click()
    choice.get_by_role("button", name="Out to 8").click()
    expect(legend).to_contain_text("Out to 8")
    expect(legend).not_to_contain_text("Out to 2")
    assert console.faults() == []


def test_a_preset_of_ones_own(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", transcode=STEREO, autoStart=False))
    console = visit(server)
    console.expected.append("409")
    page = console.page
    page.goto("/routes/route_1/edit")
    console.sign_in()
    chosen = page.get_by_label("What becomes of the stream")
    expect(chosen).to_have_value("audio-to-aac")
    expect(page.get_by_role("button", name="Save as preset")).to_have_count(0)
    page.get_by_label("Bitrate (kb/s)").fill("96")
    expect(chosen).to_have_value("own")
    page.get_by_role("button", name="Save as preset").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the preset").fill("remux")
    dialog.get_by_label("Name of the preset").press("Enter")
    expect(dialog.get_by_text("choose another name")).to_be_visible()
    dialog.get_by_label("Name of the preset").fill("House sound")
    dialog.get_by_label("What it is for").fill("our radio")
    assert console.faults() == []
    dialog.get_by_role("button", name="Save the preset").click()
    expect(dialog).to_have_count(0)
    (own,) = [one for one in server.api.get("/api/presets").json()["items"] if not one["builtIn"]]
    assert (own["name"], own["description"]) == ("House sound", "our radio")
    assert own["transcode"]["audio"]["bitrateKbps"] == 96
    expect(chosen).to_have_value(own["id"])
    chosen.select_option("remux")
    expect(page.get_by_role("button", name="Delete preset")).to_have_count(0)
    chosen.select_option(label="House sound: our radio")
    assert console.faults() == []
    page.get_by_role("button", name="Delete preset").click()
    console.confirm("Delete the preset")
    expect(chosen).to_have_value("own")
    assert all(one["builtIn"] for one in server.api.get("/api/presets").json()["items"])
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Paris feed", exact=True)).to_be_visible()
    assert config(server)["transcode"]["audio"]["bitrateKbps"] == 96


def test_a_preset_gets_another_name(serve: Serve, visit: Visit) -> None:
    server = serve(route(1, listener(4001), name="Paris feed", transcode=STEREO, autoStart=False))
    transcode = {"video": "copy", "audio": {"codec": "mp2", "bitrateKbps": 192}}
    own = server.api.post("/api/presets", json={"name": "House sound", "transcode": transcode}).json()
    console = visit(server)
    console.expected.append("409")
    page = console.page
    page.goto("/routes/route_1/edit")
    console.sign_in()
    chosen = page.get_by_label("What becomes of the stream")
    chosen.select_option("remux")
    expect(page.get_by_role("button", name="Edit preset")).to_have_count(0)
    chosen.select_option(label="House sound")
    page.get_by_role("button", name="Edit preset").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the preset")).to_have_value("House sound")
    dialog.get_by_label("Name of the preset").fill("remux")
    dialog.get_by_role("button", name="Save the preset").click()
    expect(dialog.get_by_text("choose another name")).to_be_visible()
    dialog.get_by_label("Name of the preset").fill("Night sound")
    dialog.get_by_label("What it is for").fill("our radio, at night")
    assert console.faults() == []
    dialog.get_by_label("What it is for").press("Enter")
    expect(dialog).to_have_count(0)
    expect(chosen).to_have_value(own["id"])
    expect(chosen.locator("option:checked")).to_have_text("Night sound: our radio, at night")
    renamed = {**own, "name": "Night sound", "description": "our radio, at night"}
    assert renamed in server.api.get("/api/presets").json()["items"]
    assert config(server)["transcode"] != transcode, "only the preset was saved"
    assert console.faults() == []
