"""A sign-in that is interrupted finds its way: forgotten pages, lost cookies, two tabs, pages beside the way."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from sqlalchemy import select

from backends import Unavailable
from hub.audit import AuditEvent
from hub.ops import logs
from hub.registry import service as registry
from hub.registry.models import ServiceState
from tests.hub_kit import Browser, Hub
from tests.saml_kit import MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}
AGAIN = "Recommencez : tapez de nouveau votre identifiant et votre mot de passe."
BACK = '<a class="btn btn-primary btn-lg w-100" href="https://ent.example.fr/"><span>Revenir à'


@pytest.fixture
def ent(hub: Hub) -> MockSP:
    """A registered service that signs nothing."""
    return hub.register(MockSP(**ENT))


def text(browser: Browser) -> str:
    return unescape(browser.page.text).replace("\N{NO-BREAK SPACE}", " ")


def at_the_password(hub: Hub, ent: MockSP) -> tuple[Browser, str, str]:
    """A pupil's browser at the password form, with the address of that page and the token of its form."""
    browser = hub.browser()
    browser.start(ent)
    browser.get(f"/login/student?s={browser.page.request.args['s']}")
    return browser, browser.page.request.full_path, browser.field("csrf_token") or ""


def forget_cookies(browser: Browser) -> None:
    browser.client.delete_cookie("preau")


@pytest.mark.covers("RQ-74")
def test_lost_cookies_cost_one_more_try_and_lead_back_to_the_service(hub: Hub, ent: MockSP):
    """The form says to try again; the sign-on of an unknown browser is not taken over (RQ-74), but its service is one link away."""
    browser, _, _ = at_the_password(hub, ent)
    forget_cookies(browser)
    browser.sign_in(hub.people["college_pupil"])
    assert AGAIN in text(browser)
    assert browser.page.status_code == 200
    assert "Pour continuer vers" in text(browser)
    browser.sign_in(hub.people["college_pupil"])
    assert "Connexion interrompue" in text(browser)
    assert browser.posts_to is None
    assert BACK in browser.page.text
    browser.start(ent)
    assert browser.posts_to == ent.acs[0], "back at the service, no password is asked again"


def test_a_browser_that_keeps_no_cookie_is_told_so(hub: Hub, ent: MockSP):
    """The second failure in a row does not go round in circles."""
    browser, address, _ = at_the_password(hub, ent)
    for _ in range(2):
        forget_cookies(browser)
        browser.submit(username="x.y", password="z")
    assert browser.page.status_code == 400
    assert "autorisez les cookies" in text(browser)
    assert f'href="{address}"' in browser.page.text


def test_the_second_tab_goes_on_where_the_first_signed_in(hub: Hub, ent: MockSP):
    """Its form is from before, but the person is there: the second service gets its answer, without a word about old pages."""
    library = hub.register(MockSP("https://library.example.fr/saml", acs=("https://library.example.fr/acs",)))
    browser, _, _ = at_the_password(hub, ent)
    first = browser.page
    browser.start(library, request_id="_tab2")
    second_address = f"/login/student?s={browser.page.request.args['s']}"
    browser.get(second_address)
    stale = {"csrf_token": browser.field("csrf_token") or "", "username": "x.y", "password": "z"}
    browser.page = first
    browser.sign_in(hub.people["college_pupil"])
    assert browser.posts_to == ent.acs[0]
    browser.post(second_address, stale)
    assert browser.posts_to == library.acs[0]
    assert hub.read(browser, library).in_response_to == "_tab2"


def test_a_stale_form_elsewhere_leads_to_its_own_page(hub: Hub):
    """Never back in the history, where a browser asks whether to send the form again; without cookie nothing is signed out."""
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people["college_pupil"])
    browser.post("/logout?next=https://evil.example/", {"csrf_token": "x"})
    assert browser.page.status_code == 400
    assert '<a class="btn btn-primary btn-lg w-100" href="/logout">Recommencer</a>' in browser.page.text
    assert "evil" not in browser.page.text
    assert "Revenez en arrière" not in text(browser)


@pytest.mark.parametrize("path", ["/help", "/legal"])
def test_help_leads_back_to_the_sign_in(hub: Hub, ent: MockSP, path: str):
    """The service is not lost on the way; without a sign-on there is nothing to come back to."""
    browser, _, _ = at_the_password(hub, ent)
    link = re.search(rf'href="({path}\?s=[0-9a-f]{{32}})"', browser.page.text)
    assert link
    browser.get(link[1])
    back = re.search(r'href="([^"]+)">Revenir à la connexion<', browser.page.text)
    assert back
    browser.get(unescape(back[1]))
    browser.sign_in(hub.people["college_pupil"])
    assert browser.posts_to == ent.acs[0]
    assert "Revenir à la connexion" not in hub.browser().get(path).text
    assert "Revenir à la connexion" not in hub.browser().get(f"{path}?s={'0' * 32}").text


@pytest.mark.parametrize("kept", [False, True])
def test_an_error_on_the_way_offers_the_service(hub: Hub, ent: MockSP, kept: bool, monkeypatch: pytest.MonkeyPatch):
    """Where the directory does not answer: a signed-in person comes by Redirect (nothing kept) or by POST (kept)."""
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people["college_pupil"])

    def sick(*_args: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(hub.instance.directory, "students_by_ine", sick)
    (browser.start_by_post if kept else browser.start)(ent)
    assert browser.page.status_code == 503
    assert BACK in browser.page.text


@pytest.mark.covers("AC-33")
def test_a_closed_service_is_not_offered(hub: Hub, ent: MockSP, monkeypatch: pytest.MonkeyPatch):
    """Nor one that nobody knows: the way back leads to approved services only."""
    monkeypatch.setattr(registry, "FRESH_FOR", 0.0)
    browser, address, _ = at_the_password(hub, ent)
    with hub.instance.database.transaction() as db:
        registry.set_state(db, registry.get(db, ent.entity_id), ServiceState.DISABLED, actor="test")
    for path in (address.replace("/login/student", "/saml/sso/continue"), "/saml/sso/continue?s=%00", "/saml/sso/continue?s=x'--"):
        browser.get(path)
        assert 400 <= browser.page.status_code < 500
        assert "Revenir à" not in text(browser)
        assert "https://ent.example.fr/" not in browser.page.text


def test_a_service_for_one_profile_offers_no_other(hub: Hub, ent: MockSP):
    """« Changer de profil » would lead to a refusal; a service for both offers the choice."""
    library = hub.register(MockSP("https://library.example.fr/saml", acs=("https://library.example.fr/acs",)), profiles=("student",))
    browser = hub.browser()
    browser.start(library)
    assert browser.page.request.path == "/login/student"
    assert "Changer de profil" not in browser.page.text
    browser, _, _ = at_the_password(hub, ent)
    assert "Changer de profil" in browser.page.text


def test_whoever_is_not_signed_in_cannot_sign_out(hub: Hub):
    """The page says so, and claims nothing."""
    browser = hub.browser()
    browser.get("/logout")
    assert "Vous n'êtes pas connecté" in text(browser)
    browser.get("/login/student")
    browser.post("/logout", {"csrf_token": browser.field("csrf_token") or ""})
    assert "Vous n'êtes pas connecté" in text(browser)
    assert "Vous avez quitté" not in text(browser)


def test_every_number_on_a_page_is_in_the_log(hub: Hub, ent: MockSP, capfd: pytest.CaptureFixture[str]):
    """Lost sign-on, old link, missing page: code and reference, and no secret of the address."""
    logs.configure("info")
    browser = hub.browser()
    for path, code in (("/saml/sso/continue?s=x", "signon_lost"), ("/activation/mail/s3cr3t-t0k3n", "link_expired"), ("/x", "not_found")):
        browser.get(path)
        log = capfd.readouterr().err
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert [line["code"] for line in lines if line.get("reference") == browser.reference] == [code]
        assert "s3cr3t" not in log


def test_an_activation_on_the_way_has_the_reference_of_its_sign_on(hub: Hub, ent: MockSP, capfd: pytest.CaptureFixture[str]):
    """From the request to the answer, the audit of the activation included: one number."""
    logs.configure("info")
    person = hub.people["not_activated_pupil"]
    assert person.birth_date
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(person)
    browser.submit(new_password="tartine au miel 9", confirmation="tartine au miel 9", mail="")
    browser.submit(day=str(person.birth_date.day), month=str(person.birth_date.month), year=str(person.birth_date.year))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["step"] for line in lines if line["event"] == "signon.waiting"] == ["profile", "activation.student_password"]
    with hub.instance.database.session() as db:
        rows = db.scalars(select(AuditEvent).order_by(AuditEvent.at.desc()).limit(3)).all()
    assert {row.action for row in rows} == {"account.activation_begun", "account.password_chosen", "account.activated"}
    assert {row.reference for row in rows} == {line["reference"] for line in lines if line["event"].startswith("signon.")}
