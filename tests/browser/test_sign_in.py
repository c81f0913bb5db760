"""Who is let in, and what each role is offered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Serve
from tests.browser.console import PASSWORD, Console
from tests.harness.server import Server, listener, route

Visit = Callable[..., Console]


def add_user(server: Server, name: str, role: str, **more: object) -> None:
    answer = server.api.post("/api/users", json={"name": name, "role": role, "password": PASSWORD, **more})
    assert answer.status_code == 201, answer.text


def test_in_and_out(serve: Serve, visit: Visit) -> None:
    console = visit(serve())
    page = console.page
    page.goto("/events")
    page.get_by_label("User").fill("admin")
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    console.sign_in()
    expect(page.get_by_role("heading", name="Events")).to_be_visible()
    page.get_by_role("button", name="Account of admin").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_session_that_is_ended_elsewhere_leads_to_the_sign_in(serve: Serve, visit: Visit) -> None:
    server = serve()
    console = visit(server)
    console.page.goto("/")
    console.sign_in()
    for session in server.api.get("/api/auth/sessions").json()["items"]:
        assert server.api.delete(f"/api/auth/sessions/{session['id']}").status_code == 204
    expect(console.page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=20_000)


def test_a_given_password_is_changed_first(serve: Serve, visit: Visit) -> None:
    server = serve()
    add_user(server, "carla", "operator", mustChangePassword=True)
    console = visit(server)
    page = console.page
    page.goto("/")
    page.get_by_label("User").fill("carla")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("battery-staple-77")
    page.get_by_label("New password, again").fill("battery-staple-77")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator(".link-sign")).to_have_text("Live")


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator"])
def test_a_role_is_offered_what_it_may(serve: Serve, visit: Visit, role: str) -> None:
    server = serve(route(1, listener(4000), autoStart=False, name="Paris feed"))
    add_user(server, "somebody", role)
    console = visit(server)
    page = console.page
    page.goto("/")
    console.sign_in("somebody")
    changes = role != "viewer"
    expect(console.row("Paris feed")).to_be_visible()
    expect(page.get_by_role("button", name="Start Paris feed")).to_have_count(int(changes))
    expect(page.get_by_role("button", name="New route")).to_have_count(int(changes))
    page.get_by_role("link", name="Paris feed").click()
    expect(page.get_by_role("heading", name="Paris feed")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(int(changes))
    expect(page.get_by_role("button", name="Add a destination")).to_have_count(int(changes))
    page.get_by_role("link", name="System").click()
    parts = page.get_by_role("navigation", name="System")
    expect(parts.get_by_role("link", name="About")).to_be_visible()
    expect(parts.get_by_role("link", name="Users")).to_have_count(int(role == "administrator"))
    expect(parts.get_by_role("link", name="Doctor")).to_have_count(int(changes))
