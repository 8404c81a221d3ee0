"""The demo service provider beside the hub: two tabs, a restart, refusals in words of everybody."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.demo.sp import create_sp
from hub.registry import service as registry
from tests.hub_kit import SP_URL, Browser, Hub


@pytest.fixture
def service(hub: Hub) -> FlaskClient:
    """One browser at the service."""
    return start(hub)


def start(hub: Hub) -> FlaskClient:
    return create_sp(SP_URL, hub.settings.instance_dir / "demo").test_client()


def leave_for_the_hub(service: FlaskClient) -> str:
    """Press « Se connecter »; returns the address at the hub, without its origin."""
    return service.get("/login").headers["Location"].removeprefix("http://localhost:8000")


def deliver(service: FlaskClient, hub: Browser) -> TestResponse:
    """Send the answer that the hub's page carries."""
    form = {name: value for name in ("SAMLResponse", "RelayState") if (value := hub.field(name)) is not None}
    return service.post("/acs", data=form, follow_redirects=True)


def text(page: TestResponse) -> str:
    return unescape(page.text)


def signed_in(hub: Hub, role: str = "college_pupil") -> Browser:
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people[role])
    return browser


def test_two_tabs_are_both_answered(hub: Hub, service: FlaskClient):
    """The first tab is not refused because the second began; and each answer serves once."""
    first, second = leave_for_the_hub(service), leave_for_the_hub(service)
    browser = signed_in(hub)
    for address in (first, second):
        browser.get(address)
        assert "Vous êtes connecté" in text(deliver(service, browser))
    assert deliver(service, browser).status_code == 403


def test_an_answer_to_another_browser_is_refused(hub: Hub, service: FlaskClient):
    """In words of everybody; the technical text is folded."""
    browser = signed_in(hub)
    browser.get(leave_for_the_hub(service))
    page = deliver(start(hub), browser)
    assert page.status_code == 403
    assert "La connexion n'a pas marché. Recommencez." in text(page)
    folded = re.search(r"<details>.*?</details>", page.text, re.S)
    assert folded
    assert "answers no request of this browser" in folded[0]
    assert "answers no request" not in page.text.replace(folded[0], "")
    assert "Vous êtes connecté" in text(deliver(service, browser))


def test_a_sign_in_outlives_a_restart_of_the_service(hub: Hub, service: FlaskClient):
    """The cookie is still good: the secret is a file of the demo's folder, readable by its owner only."""
    browser = signed_in(hub)
    browser.get(leave_for_the_hub(service))
    cookie = service.get_cookie("carnet")
    assert cookie
    again = start(hub)
    again.set_cookie("carnet", cookie.value)
    assert "Vous êtes connecté" in text(deliver(again, browser))
    assert (hub.settings.instance_dir / "demo" / "sp.secret").stat().st_mode & 0o77 == 0


def test_a_refused_profile_is_told_as_such(hub: Hub, service: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    """After the hub's RequestDenied, trying again would not help."""
    monkeypatch.setattr(registry, "FRESH_FOR", 0.0)
    with hub.instance.database.transaction() as db:
        row = registry.get(db, f"{SP_URL}/metadata")
        row.profiles, row.version = ["student"], row.version + 1
    browser = signed_in(hub, "primary_guardian")
    browser.get(leave_for_the_hub(service))
    page = deliver(service, browser)
    assert page.status_code == 403
    assert "Ce service n'est pas pour votre profil." in text(page)
    assert "Recommencez" not in text(page)
