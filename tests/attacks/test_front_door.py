"""Attacks on the sign-on as a whole, through the application: what is refused sends nothing anywhere and says a reference."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select

from hub.audit import AuditEvent
from hub.ops import logs
from hub.registry import service as registry
from hub.registry.models import ServiceState
from tests.hub_kit import Browser, Hub, open_hub
from tests.saml_kit import MockSP

ENT = {"entity_id": "https://ent.example.fr/saml", "acs": ("https://ent.example.fr/saml/acs",)}


@pytest.fixture
def ent(hub: Hub) -> MockSP:
    """A registered service that signs nothing."""
    return hub.register(MockSP(**ENT))


@pytest.fixture
def signed_in(hub: Hub, ent: MockSP) -> Browser:
    """A browser with a living session of the collège pupil."""
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(hub.people["college_pupil"])
    assert hub.read(browser, ent).status.endswith(":Success")
    return browser


def refused(browser: Browser) -> None:
    """A local page: no answer, no redirect elsewhere, no trace, no session gained, a reference number."""
    assert 400 <= browser.page.status_code < 500, browser.page.text
    assert browser.posts_to is None
    assert browser.page.request.host == "localhost"
    assert browser.reference
    assert "Traceback" not in browser.page.text


@pytest.mark.covers("RQ-03")
def test_an_unknown_service_gets_nothing(hub: Hub, signed_in: Browser):
    """Not even an error: its address cannot be trusted."""
    signed_in.start(MockSP("https://nobody.example/saml", acs=("https://nobody.example/acs",)))
    refused(signed_in)
    assert "nobody.example" not in signed_in.page.text


@pytest.mark.covers("RQ-04", "RQ-05")
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/acs",
        "https://ENT.example.fr/saml/acs",
        "https://ent.example.fr:443/saml/acs",
        "https://ent.example.fr/saml/acs?x=1",
        "https://ent.example.fr/saml/../saml/acs",
        "https://ent.example.fr/saml/acs.",
        "https://ent.example.fr/saml/acs ",
        "https://ent.example.fr/saml/%61cs",
        "https://ent.example.fr@evil.example/saml/acs",
        "//ent.example.fr/saml/acs",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_not_registered_gets_nothing(hub: Hub, ent: MockSP, signed_in: Browser, address: str):
    """Exact comparison only; the registered address is answered in the fixture of this very test."""
    signed_in.start(ent, acs_url=address)
    refused(signed_in)


@pytest.mark.covers("RQ-10", "RQ-11", "RQ-12", "RQ-13")
def test_signatures_are_asked_and_checked_for_each_service(hub: Hub, signed_in: Browser):
    """Unsigned where signing is required, wrong where it is not, another service's key: refused; the right one: answered."""
    strict = hub.register(MockSP("https://strict.example/saml", acs=("https://strict.example/acs",), sign=True))
    lax = hub.register(MockSP("https://lax.example/saml", acs=("https://lax.example/acs",)))
    signed_in.start(strict, sign=False)
    refused(signed_in)
    signed_in.start(strict, sign=True, key=lax.key)
    refused(signed_in)
    signed_in.start(lax, sign=True, key=strict.key)
    refused(signed_in)
    signed_in.start(strict)
    assert signed_in.posts_to == strict.acs[0]
    signed_in.start(lax)
    assert signed_in.posts_to == lax.acs[0]


@pytest.mark.covers("RQ-29")
def test_a_replayed_request_is_refused_in_any_browser(hub: Hub, ent: MockSP, signed_in: Browser):
    """The same request identifier never serves twice, by either binding, nor for another worker."""
    signed_in.start(ent, request_id="_once")
    assert signed_in.posts_to
    signed_in.start(ent, request_id="_once")
    refused(signed_in)
    other = hub.browser()
    other.start_by_post(ent, request_id="_once")
    refused(other)


@pytest.mark.covers("RQ-49", "RQ-22")
@pytest.mark.parametrize(
    "relay_state",
    ['"><script>alert(1)</script>', "javascript:alert(1)", "a\r\nSet-Cookie: x=1", "&#34;&lt;b&gt;", "x&SAMLResponse=evil", "é" * 40],
)
def test_relay_state_is_echoed_exactly_and_harmlessly(hub: Hub, ent: MockSP, signed_in: Browser, relay_state: str):
    """Byte for byte, escaped in the page, in no header, followed by nobody."""
    signed_in.start(ent, relay_state=relay_state)
    assert signed_in.posts_to == ent.acs[0]
    assert signed_in.field("RelayState") == relay_state.replace("\r\n", "\r\n")
    assert "<script>alert" not in signed_in.page.text
    assert "Set-Cookie: x" not in str(signed_in.page.headers)
    assert len(re.findall('name="SAMLResponse"', signed_in.page.text)) == 1


@pytest.mark.covers("RQ-71", "AC-34")
def test_a_hostile_service_name_is_text(hub: Hub):
    """Markup in the display name of the metadata."""
    sp = MockSP(**ENT)
    hub.register(sp, metadata=sp.metadata(display_name="<img src=x onerror=alert(1)>\u202eabc"))
    browser = hub.browser()
    browser.start(sp)
    assert "<img src=x" not in browser.page.text
    assert "&lt;img src=x" in browser.page.text


@pytest.mark.covers("RQ-74", "AC-28")
def test_a_session_planted_before_the_sign_in_is_worth_nothing_after(hub: Hub, ent: MockSP):
    """The token changes at sign-in and the old one is dead."""
    victim = hub.browser()
    victim.start(ent)
    planted = victim.client.get_cookie("preau").value  # type: ignore[union-attr]
    victim.sign_in(hub.people["college_pupil"])
    assert victim.client.get_cookie("preau").value != planted  # type: ignore[union-attr]
    thief = hub.browser()
    thief.client.set_cookie("preau", planted)
    thief.get("/account")
    assert thief.page.request.path == "/login"


@pytest.mark.covers("RQ-74")
def test_a_sign_on_begun_in_one_browser_is_not_continued_in_another(hub: Hub, ent: MockSP):
    """A link with somebody else's pending sign-on leads to a page, not to an answer."""
    attacker, victim = hub.browser(), hub.browser()
    attacker.start(ent)
    pending = attacker.page.request.args["s"]
    victim.get("/login")
    victim.sign_in(hub.people["college_pupil"])
    victim.get(f"/saml/sso/continue?s={pending}")
    refused(victim)
    attacker.sign_in(hub.people["primary_guardian"])
    assert attacker.posts_to == ent.acs[0]


@pytest.mark.covers("AC-29")
def test_the_cookie_is_opaque_and_flagged(hub: Hub, ent: MockSP):
    """HttpOnly, SameSite, nothing readable."""
    browser = hub.browser()
    browser.start(ent)
    cookie = browser.client.get_cookie("preau")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.domain == "localhost"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value)


@pytest.mark.covers("AC-30")
@pytest.mark.parametrize("value", ["", "x", "a" * 43, "a" * 3000, "../../etc/passwd", "null"])
def test_a_forged_session_cookie_opens_nothing(hub: Hub, value: str):
    """Nobody is signed in, and nothing breaks."""
    browser = hub.browser()
    browser.client.set_cookie("preau", value)
    browser.get("/account")
    assert browser.page.request.path == "/login"


@pytest.mark.covers("AC-32", "AD-13")
def test_forms_without_their_token_are_refused(hub: Hub, ent: MockSP):
    """Sign-in included: without the token of this browser nothing happens; with it the sign-in succeeds."""
    person = hub.people["college_pupil"]
    browser, other = hub.browser(), hub.browser()
    browser.get("/login/student")
    other.get("/login/student")
    foreign = other.field("csrf_token") or ""
    for token in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": foreign}):
        browser.post("/login/student", {"username": person.identifier, "password": person.password, **token})
        assert "Recommencez" in browser.page.text
        browser.get("/account")
        assert browser.page.request.path == "/login", "a forged post signed somebody in"
    browser.get("/login/student")
    browser.sign_in(person)
    assert browser.page.request.path == "/account"
    browser.post("/logout", {})
    refused(browser)
    browser.get("/account")
    assert browser.page.request.path == "/account", "a forged post signed the person out"


@pytest.mark.covers("LO-13")
def test_only_the_right_token_signs_out_by_get(hub: Hub, ent: MockSP, signed_in: Browser):
    """A plain address, another session's token or an ended one show a button; this session's token ends it, without a cookie."""
    leave = hub.read(signed_in, ent).attributes["FrEduUrlRetour"][0].removeprefix(hub.settings.base_url)
    for harmless in ("/logout", "/logout?token=", "/logout?token=x"):
        signed_in.get(harmless)
        assert "<form" in signed_in.page.text
    signed_in.get("/account")
    assert signed_in.page.request.path == "/account"
    background = hub.browser()
    background.get(leave)
    assert "<form" not in background.page.text
    signed_in.get("/account")
    assert signed_in.page.request.path == "/login"
    background.get(leave)
    assert "Vous n'êtes pas connecté" in html.unescape(background.page.text)


def test_after_signing_out_the_old_cookie_opens_nothing(hub: Hub, ent: MockSP, signed_in: Browser):
    """Back button, old cookie: no session."""
    old = signed_in.client.get_cookie("preau").value  # type: ignore[union-attr]
    signed_in.get("/logout")
    signed_in.submit()
    again = hub.browser()
    again.client.set_cookie("preau", old)
    again.start(ent, is_passive=True)
    assert hub.read(again, ent).second_status == "urn:oasis:names:tc:SAML:2.0:status:NoPassive"


@pytest.mark.covers("RQ-78", "AC-49")
@pytest.mark.parametrize("path", ["/", "/login", "/login/student", "/login/guardian", "/help", "/legal", "/logout", "/nowhere"])
def test_every_page_is_closed_to_frames_caches_and_foreign_content(hub: Hub, path: str):
    """The headers of every page, errors included."""
    headers = hub.app.test_client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.covers("RQ-79")
def test_the_answer_page_runs_one_script_under_a_nonce(signed_in: Browser):
    """A new nonce each time, no inline handler, a button for those without scripts."""
    policy = signed_in.page.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce
    assert f'<script nonce="{nonce[1]}">' in signed_in.page.text
    assert " onload=" not in signed_in.page.text
    assert 'type="submit"' in signed_in.page.text


@pytest.mark.covers("RQ-36", "RQ-37")
@pytest.mark.parametrize("size", [600 * 1024, 2 * 1024 * 1024])
def test_a_large_body_is_refused_quickly(hub: Hub, size: int):
    """413 before anything is parsed."""
    browser = hub.browser()
    browser.post("/saml/sso", {"SAMLRequest": "A" * size})
    assert browser.page.status_code == 413
    assert browser.reference


@pytest.mark.covers("RQ-39", "RQ-40", "RQ-41", "RQ-45")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "SAMLRequest=",
        "SAMLRequest=%00",
        "SAMLRequest=" + quote("<!DOCTYPE x><x/>"),
        "SAMLRequest=%ff%fe",
        "SAMLResponse=x",
        "x=" + "y" * 9000,
    ],
)
def test_rubbish_gets_a_page_with_a_reference(hub: Hub, query: str):
    """Never a server error."""
    browser = hub.browser()
    browser.get("/saml/sso?" + query)
    refused(browser)


@pytest.mark.covers("AC-33")
@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "%0d%0aLocation:x", "https:evil.example"])
@pytest.mark.parametrize("name", ["next", "return", "service", "s", "RelayState", "target"])
def test_no_parameter_leads_elsewhere(hub: Hub, name: str, target: str):
    """Whatever an address carries, the sign-in ends on the hub."""
    browser = hub.browser()
    browser.get(f"/login/student?{name}={quote(target)}")
    browser.sign_in(hub.people["college_pupil"])
    assert browser.page.request.host == "localhost"
    assert "evil" not in browser.page.headers.get("Location", "")


@pytest.mark.covers("AC-48")
def test_the_log_of_a_sign_on_tells_nothing_personal_and_carries_one_reference(hub: Hub, ent: MockSP, capfd: pytest.CaptureFixture[str]):
    """No password, identifier, name, INE hash, NameID or message; every line of the sign-on has the same reference."""
    logs.configure("debug")
    person = hub.people["college_pupil"]
    browser = hub.browser()
    browser.start(ent)
    browser.sign_in(person)
    read = hub.read(browser, ent)
    log = capfd.readouterr().err
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    references = {line["reference"] for line in lines if line["event"].startswith("signon.")}
    assert len(references) == 1
    assert [line["step"] for line in lines if line["event"] == "signon.waiting"] == ["profile"]
    with hub.instance.database.session() as db:
        signed_in = db.scalars(select(AuditEvent).where(AuditEvent.action == "account.signed_in").order_by(AuditEvent.id.desc())).first()
    assert signed_in is not None
    assert signed_in.reference in references
    secrets = [person.password, person.identifier, read.name_id or "", *read.attributes["sn"], *read.attributes["FrEduCtEleveINEHash"]]
    assert not [secret for secret in secrets if secret in log]
    assert "SAMLResponse" not in log


def test_a_refusal_is_found_in_the_log_by_the_number_on_the_page(hub: Hub, capfd: pytest.CaptureFixture[str]):
    """What a user reads out on the phone leads to the cause."""
    logs.configure("info")
    browser = hub.browser()
    browser.start(MockSP("https://nobody.example/saml"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    found = [line for line in lines if line.get("reference") == browser.reference]
    assert [line["code"] for line in found if line["event"] == "message.refused"] == ["unknown_issuer"]


def test_a_disabled_service_gets_nothing(hub: Hub, ent: MockSP, signed_in: Browser, monkeypatch: pytest.MonkeyPatch):
    """Also for people who are signed in already."""
    monkeypatch.setattr(registry, "FRESH_FOR", 0.0)
    with hub.instance.database.transaction() as db:
        registry.set_state(db, registry.get(db, ent.entity_id), ServiceState.DISABLED, actor="test")
    signed_in.start(ent)
    refused(signed_in)


def test_a_service_that_nobody_approved_gets_nothing(hub: Hub):
    """Registered is not approved."""
    sp = hub.register(MockSP(**ENT), approve=False)
    browser = hub.browser()
    browser.start(sp)
    refused(browser)


@pytest.mark.covers("MD-07", "MD-16")
@pytest.mark.parametrize("name", ["https://ent.example.fr/saml", "https://ent.example.fr/saml/", "https://ENT.example.fr/saml"])
def test_a_registered_name_cannot_be_taken_over(hub: Hub, ent: MockSP, name: str):
    """Nor by case or by a trailing slash."""
    from hub.errors import Refusal

    with pytest.raises(Refusal, match="registered already"):
        hub.register(MockSP(name, acs=("https://evil.example/acs",)))


@pytest.mark.covers("RQ-84")
def test_a_service_without_encryption_key_needs_a_waiver(hub: Hub):
    """Refused without, accepted and noted with."""
    from hub.errors import Refusal

    sp = MockSP(**ENT, encrypt=False)
    with pytest.raises(Refusal, match="encryption"):
        hub.register(sp, encryption_waived=False)
    hub.register(sp, encryption_waived=True)
    browser = hub.browser()
    browser.start(sp)
    browser.sign_in(hub.people["college_pupil"])
    assert not hub.read(browser, sp).encrypted


@pytest.mark.covers("AC-29")
def test_over_https_the_cookie_is_secure_and_bound_to_the_host(hub_template: Path, tmp_path: Path):
    """In production: __Host- name, Secure, HttpOnly, SameSite, path / and no domain, on the very header that browsers read."""
    production = {
        "profile": "production",
        "base_url": "https://hub.example",
        "smtp_host": "localhost",
        "technical_contact": "a@b.fr",
        "mail_from": "a@b.fr",
        "argon2_memory_kib": 19456,
    }
    hub = open_hub(hub_template, tmp_path / "https", **production)
    answer = hub.app.test_client().get("/login/student", base_url="https://hub.example")
    cookie = answer.headers["Set-Cookie"]
    hub.instance.close()
    assert cookie.startswith("__Host-preau=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
