"""Two real Shibboleth SPs in one session: each signs the person out of the hub and of the other, and so does the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from attribute_maps import dialect
from hub.saml.names import BINDING_POST, BINDING_REDIRECT
from tests.real.demo_kit import Demo
from tests.real.shibboleth_kit import FormBrowser, ShibbolethSP, shibboleth_sp

pytestmark = pytest.mark.real

NAMES = {attribute.friendly_name: attribute.name for attribute in dialect("educonnect").attributes}
VARIANTS = {
    "redirect": {"outgoing": BINDING_REDIRECT, "encryption": "false"},
    "post": {"outgoing": BINDING_POST, "encryption": "false"},
    "encrypted identifier": {"outgoing": BINDING_REDIRECT, "encryption": "true"},
}


@pytest.fixture(scope="module", params=VARIANTS)
def pair(demo: Demo, request: pytest.FixtureRequest) -> Iterator[tuple[ShibbolethSP, ShibbolethSP]]:
    """Two Shibboleth SPs that await an answer to their LogoutRequests, registered with the metadata that they generate."""
    metadata = demo.preau("metadata").encode()
    certificate = (demo.folder / "keys" / "signing.crt").read_bytes()
    variant = VARIANTS[request.param]
    with ExitStack() as stack:
        found = []
        for _ in range(2):
            sp = stack.enter_context(
                shibboleth_sp(
                    idp=f"{demo.hub}/saml/metadata",
                    idp_metadata=metadata,
                    idp_certificate=certificate,
                    names=NAMES,
                    binding=BINDING_REDIRECT,
                    logout="SAML2 Local",
                    logout_options=f' asynchronous="false" outgoingBindings="{variant["outgoing"]}"',
                    encryption=variant["encryption"],
                )
            )
            demo.preau("sp", "add", "-", "--approve", stdin=sp.metadata())
            found.append(sp)
        yield found[0], found[1]


def follow(browser: FormBrowser, demo: Demo, *, stop: str) -> list[str]:
    """Do what a browser does by itself (refresh, auto-post) until the page says ``stop``; returns the pages met."""
    met = []
    for _ in range(20):
        met.append(browser.page)
        if stop in browser.page:
            return met
        refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', browser.page)
        if refresh:
            browser.follow(r'http-equiv="refresh" content="0; url=([^"]+)"')
        elif 'name="SAML' in browser.page:
            browser.send()
        else:
            break
    raise AssertionError(f"stuck at {browser.url}:\n{browser.page}")


def sign_in_to_both(pair: tuple[ShibbolethSP, ShibbolethSP], demo: Demo) -> FormBrowser:
    """A pupil signs in at the first, and reaches the second without a password."""
    person = demo.people["college_pupil"]
    browser = FormBrowser()
    browser.open(pair[0].protected_url)
    browser.follow(rf'href="(/login/{person["profile"]}[^"]*)"')
    browser.send(username=person["identifier"], password=person["password"])
    follow(browser, demo, stop="Shib_Session_ID=")
    browser.open(pair[1].protected_url)
    follow(browser, demo, stop="Shib_Session_ID=")
    return browser


def has_session(browser: FormBrowser, sp: ShibbolethSP) -> bool:
    """Whether the SP still knows the browser."""
    browser.open(sp.protected_url)
    return "Shib_Session_ID=" in browser.page


def is_known_to_the_hub(browser: FormBrowser, demo: Demo) -> bool:
    browser.open(f"{demo.hub}/account")
    return browser.url == f"{demo.hub}/account"


@pytest.mark.covers("LO-01", "LO-07", "LO-15")
def test_one_service_signs_out_of_the_other(pair: tuple[ShibbolethSP, ShibbolethSP], demo: Demo):
    """Logout at the first: the second is told by its own protocol stack, and the first reads Success."""
    browser = sign_in_to_both(pair, demo)
    assert has_session(browser, pair[0]) and has_session(browser, pair[1]) and is_known_to_the_hub(browser, demo)
    browser.open(f"{pair[0].base}/Shibboleth.sso/Logout")
    follow(browser, demo, stop="Logout completed successfully")
    assert browser.url.startswith(pair[0].base), browser.url
    assert "Partial" not in browser.page
    assert not is_known_to_the_hub(browser, demo)
    assert not has_session(browser, pair[0]) and not has_session(browser, pair[1]), pair[1].log()


@pytest.mark.covers("LO-01", "LO-07")
def test_the_hub_signs_out_of_both(pair: tuple[ShibbolethSP, ShibbolethSP], demo: Demo):
    """The button of the hub: both are told, the page says so of each."""
    browser = sign_in_to_both(pair, demo)
    browser.open(f"{demo.hub}/logout")
    browser.send()
    follow(browser, demo, stop="Déconnexion réussie")
    assert browser.page.count("déconnecté</li>") == 2, browser.page
    assert "encore ouverts" not in browser.page
    assert not is_known_to_the_hub(browser, demo)
    assert not has_session(browser, pair[0]) and not has_session(browser, pair[1])


@pytest.mark.covers("LO-07")
def test_services_whose_cookies_are_gone_do_not_stop_the_round(pair: tuple[ShibbolethSP, ShibbolethSP], demo: Demo):
    """Both have lost the browser's cookies: they find the session by what the hub names, and the browser comes to the end."""
    browser = sign_in_to_both(pair, demo)
    for name in [cookie.name for cookie in browser.jar if cookie.name.startswith("_shibsession_")]:
        browser.forget(name)
    browser.open(f"{demo.hub}/logout")
    browser.send()
    follow(browser, demo, stop="Déconnexion réussie")
    assert browser.page.count("déconnecté</li>") == 2, browser.page
    assert not is_known_to_the_hub(browser, demo)
