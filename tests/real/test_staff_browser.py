"""An agent's day in Chromium: password, authenticator, a passkey by a virtual authenticator; accessible and narrow."""

from __future__ import annotations

import re

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from hub.demo.agents import load_agents
from tests.real.browser_kit import axe, overflow, visit
from tests.real.demo_kit import Demo

pytestmark = pytest.mark.real


def check(page: Page) -> None:
    """Accessible, and no wider than a telephone."""
    assert axe(page) == []
    assert overflow(page) == 0


@pytest.mark.covers("F131", "AD-08")
def test_a_head_signs_in_by_authenticator_then_by_passkey(browser: Browser, demo: Demo):
    """The passkey is added under the authenticator, then replaces it at the next sign-in."""
    head, base = next(agent for agent in load_agents(demo.folder / "demo") if agent.role == "head"), demo.hub
    assert head.totp_secret
    with visit(browser, width=360) as visitor:
        page = visitor.page
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasUserVerification": True,
            "isUserVerified": True,
            "hasResidentKey": True,
        }
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})

        def password() -> None:
            page.goto(f"{base}/staff/login")
            check(page)
            page.get_by_label("Identifiant").fill(head.login)
            page.get_by_label("Mot de passe", exact=False).first.fill(head.password)
            page.get_by_role("button", name="Se connecter").click()
            page.wait_for_url(re.compile("/staff/second-factor"))

        password()
        check(page)
        page.get_by_label("Code").fill(pyotp.TOTP(head.totp_secret).now())
        page.get_by_role("button", name="Continuer").click()
        page.wait_for_url("**/school")
        check(page)
        page.goto(f"{base}/school/{head.uai}/")
        check(page)
        page.goto(f"{base}/school/{head.uai}/journal")
        check(page)
        page.goto(f"{base}/staff/security")
        check(page)
        page.get_by_label("Nom de la clé").fill("Téléphone")
        page.get_by_role("button", name="Ajouter une clé").click()
        page.get_by_role("button", name="Retirer").wait_for()
        check(page)
        page.goto(f"{base}/school")
        page.get_by_role("button", name="Se déconnecter").click()
        page.wait_for_url("**/staff/login")
        password()
        page.get_by_role("button", name="Utiliser ma clé").click()
        page.wait_for_url("**/school")
