"""Attacks on sessions and on what a browser does by itself: twice, late, in two tabs, from another site, without a database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.exc import OperationalError

from hub.accounts.models import Account
from hub.login.sessions import ServerSessions
from hub.web.csrf import is_foreign
from tests.hub_kit import Browser, Hub, open_hub
from tests.saml_kit import MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}
LIBRARY = {"entity_id": "https://library.example.fr/saml", "acs": ("https://library.example.fr/acs",)}
PRODUCTION = {
    "profile": "production",
    "base_url": "https://hub.example",
    "smtp_host": "localhost",
    "technical_contact": "a@b.fr",
    "mail_from": "a@b.fr",
    "argon2_memory_kib": 19456,
}


@pytest.fixture
def ent(hub: Hub) -> MockSP:
    """A registered service."""
    return hub.register(MockSP(**ENT))


def signed_in(hub: Hub, role: str = "college_pupil") -> Browser:
    """A browser with a living session."""
    browser = hub.browser()
    browser.get("/login")
    browser.sign_in(hub.people[role])
    assert browser.page.request.path == "/account"
    return browser


@pytest.mark.covers("LO-13")
def test_the_token_of_another_session_does_not_end_mine(hub: Hub, ent: MockSP):
    """A link with the attacker's own living token, opened in the victim's browser, ends the attacker's session only."""
    attacker, victim = signed_in(hub, "primary_guardian"), signed_in(hub)
    attacker.start(ent)
    link = hub.read(attacker, ent).attributes["FrEduUrlRetour"][0].removeprefix(hub.settings.base_url)
    victim.get(link)
    victim.get("/account")
    assert victim.page.request.path == "/account"
    attacker.get("/account")
    assert attacker.page.request.path == "/login"


@pytest.mark.covers("LO-13")
def test_the_way_out_that_a_service_holds_outlives_a_new_sign_in_of_the_same_person(hub: Hub, ent: MockSP):
    """Signed in again under ForceAuthn, the first service's link still signs out."""
    browser = signed_in(hub)
    browser.start(ent)
    link = hub.read(browser, ent).attributes["FrEduUrlRetour"][0].removeprefix(hub.settings.base_url)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=True):
        browser.start(ent, force_authn=True)
        browser.sign_in(hub.people["college_pupil"])
        browser.get(link)
        browser.get("/account")
    assert browser.page.request.path == "/login"


def test_a_sign_in_form_sent_twice_signs_in(hub: Hub):
    """A double click: the second answer is a page of the same person, never an error."""
    person = hub.people["college_pupil"]
    browser = hub.browser()
    browser.get("/login/student")
    token, cookie = browser.field("csrf_token") or "", browser.client.get_cookie("preau")
    assert cookie
    form = {"username": person.identifier, "password": person.password, "csrf_token": token}
    sessions = hub.app.extensions["family_sessions"]
    assert isinstance(sessions, ServerSessions)
    with hub.app.test_request_context(headers={"Cookie": f"preau={cookie.value}"}) as context:
        stale = sessions.open_session(hub.app, context.request)
        browser.post("/login/student", form)
        with hub.instance.database.session() as db:
            account = db.query(Account).filter_by(identifier=person.identifier).one()
        row = sessions.rotate(stale, account.id, authn_instant=datetime.now(UTC), authn_context="x")
    assert row.account_id == account.id
    browser.get("/account")
    assert browser.page.request.path == "/account"


@pytest.mark.covers("RQ-76")
def test_half_an_hour_on_the_sign_in_page_is_no_crime(hub: Hub, ent: MockSP):
    """The session of somebody who has not signed in yet lives as long as the sign-on that waits in it."""
    browser = hub.browser()
    browser.start(ent)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=50), tick=True):
        browser.sign_in(hub.people["primary_guardian"])
        assert hub.read(browser, ent).status.endswith(":Success")


def test_a_session_unused_for_half_an_hour_ends(hub: Hub):
    """The twin: once signed in, the idle limit holds."""
    browser = signed_in(hub)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=31), tick=True):
        browser.get("/account")
    assert browser.page.request.path == "/login"


@pytest.mark.covers("RQ-75")
def test_two_services_that_wait_for_one_activation_are_both_answered(hub: Hub, ent: MockSP):
    """Two tabs in the middle of an activation: each service gets its answer, the right one."""
    library = hub.register(MockSP(**LIBRARY))
    person = hub.people["not_activated_pupil"]
    assert person.birth_date
    browser = hub.browser()
    browser.start(ent, request_id="_first")
    browser.sign_in(person)
    browser.start(library, request_id="_second")
    browser.submit(new_password="tartine au miel 9", confirmation="tartine au miel 9", mail="")
    browser.submit(day=str(person.birth_date.day), month=str(person.birth_date.month), year=str(person.birth_date.year))
    browser.get("/saml/sso/resume")
    assert browser.posts_to == library.acs[0]
    assert hub.read(browser, library).in_response_to == "_second"
    browser.get("/saml/sso/resume")
    assert browser.posts_to == ent.acs[0]
    assert hub.read(browser, ent).in_response_to == "_first"


@pytest.mark.covers("RQ-54")
def test_what_waited_for_one_person_does_not_wait_for_the_next(hub: Hub, ent: MockSP):
    """Another person who signs in in the same browser goes to his own account."""
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["not_activated_pupil"])
    assert browser.page.request.path.startswith("/activation/")
    browser.get("/login/guardian")
    browser.sign_in(hub.people["primary_guardian"])
    assert browser.page.request.path == "/account"


@pytest.mark.covers("LO-18")
@pytest.mark.parametrize("path", ["/account", "sso"])
def test_a_suspended_account_shows_and_tells_nothing(hub: Hub, ent: MockSP, path: str):
    """Suspended while signed in: no page of the account, no assertion; a passive request is answered NoPassive."""
    browser = signed_in(hub, "primary_guardian")
    with hub.instance.database.transaction() as db:
        db.query(Account).filter_by(identifier=hub.people["primary_guardian"].identifier).one().suspended = True
    if path == "sso":
        browser.start(ent)
        assert browser.posts_to is None
        browser.start(ent, is_passive=True)
        assert hub.read(browser, ent).second_status == "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
    else:
        browser.get(path)
    if path == "/account":
        assert browser.page.status_code == 403
        assert hub.people["primary_guardian"].name.split()[-1] not in browser.page.text


@pytest.mark.covers("RQ-29")
@pytest.mark.parametrize("options", [{"name_id_format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"}, {"is_passive": True}])
def test_a_refused_request_serves_once_too(hub: Hub, ent: MockSP, options: dict[str, object]):
    """Refused by a status once; sent again, it is a replay, by either binding."""
    browser = hub.browser()
    browser.start_by_post(ent, request_id="_refused", **options)
    assert hub.read(browser, ent).assertion_id is None
    browser.start(ent, request_id="_refused", **options)
    assert browser.posts_to is None
    assert "Demande déjà utilisée" in browser.page.text


@pytest.mark.covers("FT-01", "FT-02")
def test_a_database_that_does_not_answer_gives_a_page_and_comes_back_by_itself(hub: Hub, ent: MockSP, monkeypatch: pytest.MonkeyPatch):
    """With a session cookie too: "try later" with a reference, no assertion; afterwards the same session goes on."""
    browser = signed_in(hub)

    def down(*_: object, **__: object) -> None:
        raise OperationalError("select", {"token": "secret"}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(hub.instance.database, "session", down)
        for path in ("/account", "/login/student", "/saml/sso?" + ent.redirect_query(Hub.sso_url)):
            browser.get(path)
            assert browser.page.status_code == 503
            assert browser.reference
            assert browser.page.headers["Cache-Control"] == "no-store"
        assert browser.get("/healthz").status_code == 200
        assert browser.get("/saml/metadata").status_code == 200
    browser.start(ent)
    assert hub.read(browser, ent).status.endswith(":Success")


@pytest.mark.covers("AC-48")
def test_a_failing_statement_does_not_log_its_values(hub: Hub):
    """Engines hide parameters: an error text holds no token and no name."""
    assert hub.instance.database.engine.hide_parameters


@pytest.mark.covers("AC-32")
def test_a_form_of_another_site_is_refused_even_with_a_token(hub: Hub):
    """By Origin or by Sec-Fetch-Site; the hub's own forms pass, also those whose page withholds its address."""
    person = hub.people["college_pupil"]
    for headers, status in (
        ({"Origin": "https://evil.example"}, 400),
        ({"Sec-Fetch-Site": "cross-site"}, 400),
        ({"Sec-Fetch-Site": "same-site"}, 400),
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "null"}, 303),
    ):
        browser = hub.browser()
        browser.get("/login/student")
        form = {"username": person.identifier, "password": person.password, "csrf_token": browser.field("csrf_token") or ""}
        assert browser.client.post("/login/student", data=form, headers=headers).status_code == status, headers


def test_saying_nothing_about_its_origin_leaves_the_token_to_decide():
    """Old browsers and privacy settings send neither header."""
    assert not is_foreign(None, None, "https://hub.example")
    assert is_foreign("https://hub.example.evil", None, "https://hub.example")
    assert is_foreign("http://hub.example", None, "https://hub.example")


@pytest.mark.covers("AC-32")
def test_signing_in_works_over_https_behind_a_proxy(hub_template: Path, tmp_path: Path):
    """As the how-to says: TLS at a proxy. Browsers send no Referer from pages that ask it, and the forms work."""
    hub = open_hub(hub_template, tmp_path / "https", **PRODUCTION, trusted_proxies=1)
    client = hub.app.test_client()
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "Host": "hub.example"}
    page = client.get("/login/student", base_url="http://hub.example", headers=forwarded)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    cookie = re.search(r"__Host-preau=([^;]+)", page.headers["Set-Cookie"])
    assert token
    assert cookie
    person = hub.people["college_pupil"]
    form = {"username": person.identifier, "password": person.password, "csrf_token": token[1]}
    headers = forwarded | {"Origin": "https://hub.example", "Sec-Fetch-Site": "same-origin", "Cookie": f"__Host-preau={cookie[1]}"}
    answer = client.post("/login/student", base_url="http://hub.example", headers=headers, data=form)
    hub.instance.close()
    assert answer.status_code == 303


@pytest.mark.covers("AC-16")
def test_pages_with_a_token_in_their_address_tell_it_to_nobody(hub: Hub, capfd: pytest.CaptureFixture[str]):
    """No Referer leaves them, and a refused form logs the rule, not the address."""
    from hub.ops import logs

    client = hub.app.test_client()
    assert client.get("/activation/mail/abc").headers["Referrer-Policy"] == "no-referrer"
    assert client.get("/logout?token=abc").headers["Referrer-Policy"] == "no-referrer"
    assert client.get("/login").headers["Referrer-Policy"] == "same-origin"
    logs.configure("info")
    client.post("/activation/mail/secret-token")
    log = capfd.readouterr().err
    assert "error.shown" in log
    assert "secret-token" not in log


@pytest.mark.parametrize("value", ["%00", "x" * 32 + "é", "'", "a" * 5000])
@pytest.mark.parametrize("address", ["/login?s=", "/login/student?s=", "/saml/sso/continue?s=", "/logout?token="])
def test_rubbish_in_an_address_is_no_error_of_ours(hub: Hub, address: str, value: str):
    """Never a server error, whatever stands where an id should."""
    assert hub.app.test_client().get(address + value).status_code in (200, 400)
