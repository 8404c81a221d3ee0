"""The round of a logout in a real browser: services that answer, one that accepts the connection and never says a word."""

from __future__ import annotations

import base64
import re
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.logout_kit import REDIRECT, LogoutSP
from tests.real.browser_kit import axe, overflow, visit, weigh
from tests.real.demo_kit import Demo
from tests.saml_kit import POST, MockSP

pytestmark = pytest.mark.real

BINDINGS = {"alive": REDIRECT, "dead": REDIRECT, "form": POST}


class Town:
    """Three services on one port of loopback: ``alive`` and ``form`` answer, ``dead`` holds the line until the test ends."""

    def __init__(self, demo: Demo) -> None:
        self.over = Event()
        town = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.split("/")[1]
                if name == "dead":
                    town.over.wait(40)
                    return
                self._answer(name, parse_qs(urlsplit(self.path).query)["SAMLRequest"][0])

            def do_POST(self) -> None:
                body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if self.path.endswith("/acs"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html; charset=utf-8")
                    self.end_headers()
                    self.wfile.write(b"<!doctype html><title>Service</title><link rel=icon href=data:,>arrived")
                else:
                    self._answer(self.path.split("/")[1], body["SAMLRequest"][0])

            def _answer(self, name: str, message: str) -> None:
                data = base64.b64decode(message)
                xml = data.decode() if data.startswith(b"<") else zlib.decompress(data, -15).decode()
                asked = re.search(r' ID="([^"]+)"', xml)
                assert asked
                sp, slo = town.services[name], f"{demo.hub}/saml/slo"
                self.send_response(302)
                query = sp.logout_query(sp.logout_response(slo, asked[1]), parameter="SAMLResponse")
                self.send_header("Location", f"{slo}?{query}")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        base = f"http://localhost:{self.server.server_port}"
        self.services: dict[str, LogoutSP] = {}
        for name, binding in BINDINGS.items():
            sp = LogoutSP(name)
            MockSP.__init__(sp, f"{base}/{name}", acs=(f"{base}/{name}/acs",), slo=[(binding, f"{base}/{name}/slo")])
            demo.preau("sp", "add", "-", "--approve", stdin=sp.metadata(display_name=f"Service {name}"))
            self.services[name] = sp


@pytest.fixture(scope="module")
def town(demo: Demo) -> Iterator[Town]:
    found = Town(demo)
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.over.set()
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def reach(page: Page, demo: Demo, town: Town, *names: str, scripts: bool = True) -> None:
    """Sign in at the first service, go to the others."""
    for n, name in enumerate(names):
        page.goto(f"{demo.hub}/saml/sso?{town.services[name].redirect_query(f'{demo.hub}/saml/sso')}")
        if not n:
            person = demo.people["college_pupil"]
            page.get_by_role("link", name=re.compile("^Élève")).click()
            page.get_by_label(re.compile("^Identifiant")).fill(person["identifier"])
            page.get_by_label(re.compile("^Mot de passe")).fill(person["password"])
            page.get_by_role("button", name="Se connecter").click()
        if not scripts:
            page.get_by_role("button", name="Continuer").click()
        page.wait_for_url("**/acs")


def sign_out(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.hub}/logout")
    page.get_by_role("button", name="Se déconnecter").click(no_wait_after=True)


def press_link(page: Page, position: int) -> None:
    """Press the link at that position of the page on the screen by the keyboard, while the browser waits for a service.

    Chromium answers no tool that looks into a page which it is about to leave, but keys still reach it.
    """
    time.sleep(2)
    for _ in range(position):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")


GO_ON = 4
"""After «Aller au contenu», the name of the site, «Fermer ce service»: «Continuer sans ce service»."""


def results(page: Page) -> dict[str, str]:
    """What the page says of each service."""
    rows: list[str] = page.evaluate("[...document.querySelectorAll('main li')].map(row => row.textContent)")
    return dict(row.replace("\xa0", " ").split(" : ") for row in rows)  # type: ignore[misc]


def check(page: Page) -> None:
    assert axe(page) == []
    assert weigh(page) < 150_000
    assert overflow(page) == 0


@pytest.mark.covers("LO-07", "LO-08")
def test_a_silent_service_holds_nobody_up(browser: Browser, demo: Demo, town: Town) -> None:
    """The page stays while the browser waits for the dead service; after ten seconds the round goes on by itself to its end."""
    with visit(browser) as visitor:
        page = visitor.page
        reach(page, demo, town, "dead", "alive", "form")
        begin = time.monotonic()
        sign_out(page, demo)
        expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion réussie", timeout=25_000)
        assert 9 < time.monotonic() - begin < 25
        assert results(page) == {"Service dead": "n'a pas répondu", "Service alive": "déconnecté", "Service form": "déconnecté"}
        check(page)
        page.goto(f"{demo.hub}/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("Je sélectionne mon profil")


@pytest.mark.covers("LO-08")
def test_whoever_comes_back_is_not_sent_to_the_dead_service_again(browser: Browser, demo: Demo, town: Town) -> None:
    """The page says what it waits for, passes the checks at 320 pixels, and its link goes on."""
    with visit(browser, width=320) as visitor:
        page = visitor.page
        reach(page, demo, town, "dead", "alive")
        sign_out(page, demo)
        time.sleep(1)
        page.goto(f"{demo.hub}/logout/progress")
        expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion en cours")
        assert results(page) == {"Service dead": "en cours", "Service alive": "en attente"}
        check(page)
        page.get_by_role("link", name="Continuer sans ce service").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion réussie")
        assert results(page) == {"Service dead": "n'a pas répondu", "Service alive": "déconnecté"}
        check(page)


@pytest.mark.covers("LO-07", "LO-08")
def test_the_round_works_without_scripts(browser: Browser, demo: Demo, town: Town) -> None:
    """Redirect by itself; the silent one is left by the link of the page that stays; POST by its button."""
    with visit(browser, scripts=False) as visitor:
        page = visitor.page
        reach(page, demo, town, "dead", "alive", "form", scripts=False)
        sign_out(page, demo)
        press_link(page, GO_ON)
        page.get_by_role("button", name="Fermer ce service").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion réussie")
        assert results(page) == {"Service dead": "n'a pas répondu", "Service alive": "déconnecté", "Service form": "déconnecté"}
