"""The demo as a newcomer meets it, in a real browser: four people from the service to the hub and back."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from backends import Ref, Student
from backends.sql import SqlDirectory, create_directory_engine
from tests.real.browser_kit import axe, overflow, shot, small_targets, tab_to, visit, weigh
from tests.real.demo_kit import Demo

pytestmark = pytest.mark.real

PROFILES = {"guardian": "Responsable d'élève", "student": "Élève"}
NEW_PASSWORD = "tortue-jaune-sous-le-grand-chêne"
MAX_WEIGHT = 150_000


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def check(page: Page) -> None:
    """What every page must be: free of axe findings, light, no wider than the window."""
    assert axe(page) == []
    assert weigh(page) < MAX_WEIGHT
    assert overflow(page) == 0


def go_to_password(page: Page, demo: Demo, person: dict[str, Any]) -> None:
    page.goto(demo.sp)
    page.get_by_role("link", name="Se connecter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Je sélectionne mon profil")
    page.get_by_role("link", name=re.compile(f"^{PROFILES[person['profile']]}")).click()


def give_password(page: Page, person: dict[str, Any], password: str = "") -> None:
    page.get_by_label(re.compile("^Identifiant")).fill(person["identifier"])
    page.get_by_label(re.compile("^Mot de passe")).fill(password or person["password"])
    page.get_by_role("button", name="Se connecter").click()


def received(page: Page, demo: Demo) -> dict[str, str]:
    """The attributes that the demo service shows once the browser is back there."""
    page.wait_for_url(f"{demo.sp}/**")
    table = page.get_by_role("table")
    expect(table).to_be_visible()
    return {row.get_by_role("rowheader").inner_text(): row.get_by_role("cell").inner_text() for row in table.get_by_role("row").all()}


def test_pupil_signs_in_and_the_service_sees_the_pupil(browser: Browser, demo: Demo, pictures: Path) -> None:
    """Profile, password, back: every page on the way is accessible, light and asks nothing of another site."""
    person = demo.people["college_pupil"]
    with visit(browser) as visitor:
        page = visitor.page
        page.goto(demo.sp)
        check(page)
        go_to_password(page, demo, person)
        page.go_back()
        check(page)
        page.go_forward()
        check(page)
        expect(page).to_have_title(re.compile(" – Préau$"))
        page.set_viewport_size({"width": 400, "height": 900})
        check(page)
        shot(page, "sign-in", pictures)
        page.set_viewport_size({"width": 1280, "height": 800})
        give_password(page, person)
        attributes = received(page, demo)
        assert attributes["FrEduCtPersonAffiliation"] == "eleve2d"
        assert attributes["givenName"] and attributes["sn"]
        check(page)
        shot(page, "demo-sp", pictures)


def test_wrong_password_is_one_alert_that_has_the_focus(browser: Browser, demo: Demo) -> None:
    """The failure is said once, read first, and the same person gets in afterwards; the password can be shown."""
    person = demo.people["college_pupil"]
    with visit(browser) as visitor:
        page = visitor.page
        go_to_password(page, demo, person)
        give_password(page, person, "ce n'est pas le bon")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("L'identifiant ou le mot de passe n'est pas bon.")
        expect(alert).to_be_focused()
        check(page)
        field = page.get_by_label(re.compile("^Mot de passe"))
        page.get_by_label(re.compile("^Afficher")).check()
        assert field.get_attribute("type") == "text"
        page.get_by_label(re.compile("^Afficher")).uncheck()
        assert field.get_attribute("type") == "password"
        give_password(page, person)
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "eleve2d"


def test_form_is_sent_once_however_often_the_button_is_pressed(browser: Browser, demo: Demo) -> None:
    """A second press while the first is on its way goes nowhere; a page that is shown again may send again."""
    with visit(browser) as visitor:
        page = visitor.page
        page.goto(f"{demo.hub}/login/student")
        sent = page.evaluate(
            """() => {
              const form = document.forms[0], sent = [];
              for (const name of ["username", "password"]) form.elements[name].value = "x";
              addEventListener("submit", (event) => { if (!event.defaultPrevented) sent.push(1); event.preventDefault(); });
              form.requestSubmit(); form.requestSubmit();
              dispatchEvent(new PageTransitionEvent("pageshow"));
              form.requestSubmit();
              return sent.length;
            }"""
        )
        assert sent == 2


def test_primary_guardian_signs_in_with_the_keyboard_alone(browser: Browser, demo: Demo) -> None:
    """Every stop on the way is reached with Tab, shows its focus, and answers to Enter."""
    person = demo.people["primary_guardian"]
    with visit(browser) as visitor:
        page = visitor.page
        page.goto(demo.sp)
        tab_to(page, "Se connecter")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{demo.hub}/**")
        tab_to(page, "Aller au contenu")
        page.keyboard.press("Enter")
        tab_to(page, "Responsable d'élève")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{demo.hub}/login/guardian**")
        tab_to(page, "Identifiant")
        page.keyboard.type(person["identifier"])
        tab_to(page, "Mot de passe")
        page.keyboard.type(person["password"])
        page.keyboard.press("Enter")
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "resp1d"


@pytest.mark.covers("RQ-79")
def test_guardian_of_two_academies_signs_in_without_scripts(browser: Browser, demo: Demo) -> None:
    """With scripts off the answer waits behind a visible button, and no box promises what only a script can do."""
    person = demo.people["multi_guardian"]
    with visit(browser, scripts=False) as visitor:
        page = visitor.page
        go_to_password(page, demo, person)
        expect(page.get_by_text("Afficher", exact=False)).to_be_hidden()
        give_password(page, person)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Retour vers")
        page.get_by_role("button", name="Continuer").click()
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "resp2d"


@pytest.mark.covers("RQ-79")
def test_answer_page_is_accessible_and_narrow(browser: Browser, demo: Demo) -> None:
    """Kept on the screen, the answer page passes the same checks at 320 pixels, and still leaves by its button."""
    person = demo.people["college_pupil"]
    acs = f"{demo.sp}/acs"
    with visit(browser, width=320, height=640) as visitor:
        page = visitor.page
        page.route(acs, lambda route: route.fulfill(status=204))  # the browser stays where it is
        go_to_password(page, demo, person)
        give_password(page, person)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Retour vers")
        check(page)
        assert small_targets(page) == []
        page.unroute(acs)
        page.get_by_role("button", name="Continuer").click()
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "eleve2d"


def test_new_pupil_activates_the_account_on_a_phone(browser: Browser, demo: Demo) -> None:
    """At 320 pixels: provisional password, then each page of the activation, then the service."""
    person = demo.people["not_activated_pupil"]
    year, month, day = person["birth_date"].split("-")
    with visit(browser, width=320, height=640) as visitor:
        page = visitor.page
        go_to_password(page, demo, person)
        check(page)
        assert small_targets(page) == []
        give_password(page, person)
        pages = 0
        while "/activation" in page.url:
            pages += 1
            assert pages <= 5, f"the activation does not end: {page.url}"
            check(page)
            assert small_targets(page) == []
            for name, value in (("Jour", day), ("Mois", month), ("Année", year)):
                for box in page.get_by_label(name, exact=True).all():
                    box.fill(str(int(value)))
            for box in page.locator("input[type=password]").all():
                box.fill(NEW_PASSWORD)
            before = page.url
            page.get_by_role("main").locator("button[type=submit], a.btn-primary").first.click()
            page.wait_for_url(lambda url, before=before: url != before)
        assert pages >= 1
        assert received(page, demo)["FrEduCtPersonAffiliation"].startswith("eleve")
        page.get_by_role("link", name="Se déconnecter").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion réussie")
        check(page)
        go_to_password(page, demo, person)
        give_password(page, person, NEW_PASSWORD)
        assert received(page, demo)["FrEduCtPersonAffiliation"].startswith("eleve")


@pytest.mark.covers("F060", "F061", "F045", "F046")
def test_new_guardian_activates_the_account_on_a_phone(browser: Browser, demo: Demo) -> None:
    """A notice, then each page at 320 pixels: a wrong date, the right one, mail and password, the link of the mail."""
    pupil, guardian = _pupil_and_guardian(demo)
    notice = json.loads(demo.preau("account", "notice", str(guardian), "--json"))
    with visit(browser, width=320, height=640) as visitor:
        page = visitor.page
        go_to_password(page, demo, {"profile": "guardian"})
        give_password(page, {"identifier": notice["identifier"], "password": notice["secret"]})
        for year, wrong in ((1999, True), (pupil.birth_date.year, False)):
            expect(page.get_by_role("heading", level=1)).to_contain_text("Je confirme mes enfants")
            check(page)
            for name, value in (("Jour", pupil.birth_date.day), ("Mois", pupil.birth_date.month), ("Année", year)):
                page.get_by_label(name, exact=True).fill(str(value))
            page.get_by_role("button", name="Confirmer").click()
            if wrong:
                expect(page.get_by_text("Cette date de naissance n'est pas la bonne.")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Mon adresse mail et mon mot de passe")
        check(page)
        page.get_by_label(re.compile("^Adresse mail")).fill("nouveau.parent@famille.example")
        for box in page.locator("input[type=password]").all():
            box.fill(NEW_PASSWORD)
        page.get_by_role("button", name="Activer mon compte").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Confirmez votre adresse mail")
        check(page)
        page.goto(f"{demo.hub}/demo/mailbox")
        check(page)
        page.get_by_role("article").filter(has_text="nouveau.parent@famille.example").first.get_by_role("link").first.click()
        check(page)
        page.get_by_role("main").locator("button[type=submit]").click()
        expect(page.get_by_text("Votre compte est prêt")).to_be_visible()
        check(page)
        page.get_by_role("main").get_by_role("link").first.click()
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "resp2d"


def _pupil_and_guardian(demo: Demo) -> tuple[Student, Ref]:
    """The demo's collège pupil and a legal guardian who has no account yet."""
    directory = SqlDirectory(create_directory_engine(f"sqlite:///{demo.folder / 'directory.sqlite'}"))
    pupil = directory.person(Ref.parse(demo.people["college_pupil"]["ref"]))
    assert isinstance(pupil, Student)
    guardian = directory.guardians_of(pupil.ref)[0].guardian
    directory.close()
    return pupil, guardian


def test_pages_around_the_sign_in(browser: Browser, demo: Demo) -> None:
    """Home, help, legal notice, account, sign-out and a missing page pass the same checks, wide and narrow."""
    person = demo.people["multi_guardian"]
    for width in (1280, 320):
        with visit(browser, width=width) as visitor:
            page = visitor.page
            page.goto(f"{demo.hub}/login")
            page.get_by_role("link", name=re.compile("^Responsable")).click()
            give_password(page, person)
            page.wait_for_url(f"{demo.hub}/account")
            expect(page.get_by_text(person["identifier"], exact=True)).to_be_visible()
            for path in ("/account", "/", "/help", "/legal", "/demo/mailbox", "/logout"):
                page.goto(demo.hub + path)
                check(page)
                assert small_targets(page) == []
            page.get_by_role("button", name="Se déconnecter").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Déconnexion réussie")
            check(page)
            missing = page.goto(f"{demo.hub}/nowhere")
            assert missing is not None and missing.status == 404
            check(page)


def test_interrupted_sign_ins_on_a_phone(browser: Browser, demo: Demo) -> None:
    """Lost cookies: the form again, then the way back to the service; the service's own refusal is plain and narrow."""
    person = demo.people["college_pupil"]
    with visit(browser, width=320, height=640) as visitor:
        page = visitor.page
        go_to_password(page, demo, person)
        second = page.context.new_page()
        go_to_password(second, demo, person)
        page.context.clear_cookies(name="preau")
        give_password(page, person)
        expect(page.get_by_role("alert")).to_contain_text("Recommencez")
        check(page)
        give_password(page, person)
        expect(page.get_by_role("heading", level=1)).to_have_text("Connexion interrompue")
        check(page)
        assert small_targets(page) == []
        give_password(second, person)
        expect(second.get_by_role("heading", level=1)).to_have_text("Connexion interrompue")
        page.get_by_role("link", name="Revenir à").click()
        page.get_by_role("link", name="Se connecter").click()
        assert received(page, demo)["FrEduCtPersonAffiliation"] == "eleve2d"
        page.goto(f"{demo.hub}/account")
        check(page)
        assert page.locator(".facts dd").first.evaluate("e => e.offsetLeft === e.previousElementSibling.offsetLeft")
        page.goto("about:blank")
        answer = base64.b64encode(b"<x/>").decode()
        page.set_content(f'<form method="post" action="{demo.sp}/acs"><input name="SAMLResponse" value="{answer}"></form>')
        page.evaluate("document.forms[0].submit()")
        expect(page.get_by_role("alert")).to_contain_text("La connexion n'a pas marché. Recommencez.")
        page.get_by_text("Pour l'assistance").click()
        check(page)


@pytest.mark.covers("AC-49", "AC-51")
@pytest.mark.parametrize("path", ["/", "/login", "/login/guardian", "/help", "/legal", "/logout", "/nowhere"])
def test_every_page_carries_the_security_headers(browser: Browser, demo: Demo, path: str) -> None:
    """Nothing is stored, framed, guessed or loaded from elsewhere, on error pages too."""
    with visit(browser) as visitor:
        answer = visitor.page.goto(demo.hub + path)
        assert answer is not None
        headers = answer.headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


@contextmanager
def framing_site(address: str) -> Iterator[str]:
    """Another site on loopback that shows ``address`` inside one of its pages, next to a frame of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<p>own</p>" if self.path == "/own" else f'<iframe src="/own"></iframe><iframe src="{address}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.covers("RQ-78")
@pytest.mark.parametrize("path", ["/login", "/login/student", "/logout"])
def test_another_site_cannot_frame_the_hub(browser: Browser, demo: Demo, path: str) -> None:
    """The frame of the other site's own page shows; the hub's stays empty."""
    with framing_site(demo.hub + path) as site, visit(browser) as visitor:
        page = visitor.page
        page.goto(site, wait_until="networkidle")
        own, hub = page.main_frame.child_frames
        assert own.locator("body").inner_text() == "own"
        assert hub.url.startswith("chrome-error://") and hub.locator("input, button, a").count() == 0
        assert any("frame-ancestors" in complaint for complaint in visitor.complaints)
        visitor.complaints.clear()
