"""Group LO of the catalogue: who may end which session, and how truly it is told. Each refusal has its positive twin."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from backends.sql.models import DirectoryBase
from hub.accounts.models import Account, Attachment, AttachmentState
from hub.db import Database
from hub.login.models import BrowserSession
from hub.saml.keys import generate_key_pair, save_key_pair
from tests.hub_kit import Browser, Hub, open_hub
from tests.logout_kit import (
    PARTIAL,
    REDIRECT,
    RESPONDER,
    SLO,
    SUCCESS,
    LogoutSP,
    ReadLogout,
    Round,
    ask,
    carried,
    encrypt_element,
    is_signed_in,
    visit,
    walk,
)
from tests.saml_kit import POST, RSA_SHA1, MockSP, ReadResponse, instant, make_key

PUPIL = "college_pupil"
REQUESTER = "urn:oasis:names:tc:SAML:2.0:status:Requester"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.fixture
def ent(hub: Hub) -> LogoutSP:
    """A service that hears of logouts by both bindings."""
    sp = LogoutSP("ent", bindings=(REDIRECT, POST))
    hub.register(sp)
    return sp


@pytest.fixture
def library(hub: Hub) -> LogoutSP:
    """A second service."""
    sp = LogoutSP("library")
    hub.register(sp)
    return sp


@pytest.fixture
def browser(hub: Hub) -> Browser:
    return hub.browser()


@pytest.fixture
def visited(hub: Hub, browser: Browser, ent: LogoutSP) -> ReadResponse:
    """What the ENT was told of the pupil who is signed in with ``browser``."""
    return visit(hub, browser, ent, PUPIL)


def answer_of(hub: Hub, browser: Browser) -> ReadLogout:
    """The LogoutResponse that the page brings back."""
    found = carried(hub, browser)
    assert found, browser.page.text
    assert found[1].kind == "LogoutResponse"
    return found[1]


# Requests of services -----------------------------------------------------------------------------------------------


@pytest.mark.covers("LO-01")
@pytest.mark.parametrize("by", [REDIRECT, POST], ids=["redirect", "post"])
def test_a_signed_request_of_the_only_service_ends_the_session(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, by: str):
    """Signed LogoutResponse with Success, by the same binding, in response to the request, with its RelayState."""
    ask(browser, ent, visited, by=by, request_id="_leave", relay_state="NULL")
    address, answer = carried(hub, browser) or ("", answer_of(hub, browser))
    assert address == answer.destination == "https://ent.example.fr/slo"
    assert (answer.status, answer.second_status, answer.in_response_to) == (SUCCESS, None, "_leave")
    assert answer.relay_state == "NULL"
    assert ("<form" in browser.page.text) is (by == POST)
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-01")
def test_the_answer_goes_to_the_response_location(hub: Hub, browser: Browser):
    """A service may hear requests at one address and answers at another."""
    sp = LogoutSP("elsewhere", answer_elsewhere=True)
    hub.register(sp)
    ask(browser, sp, visit(hub, browser, sp, PUPIL))
    found = carried(hub, browser)
    assert found
    assert found[0] == found[1].destination == "https://elsewhere.example.fr/slo/done"


@pytest.mark.covers("LO-02")
@pytest.mark.parametrize("by", [REDIRECT, POST], ids=["redirect", "post"])
def test_an_unsigned_or_badly_signed_request_ends_nothing(
    hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse, by: str
):
    """No signature, an unknown key, the key of another service: a page, nothing sent, session kept. The right key ends it."""
    for forged in ({"sign": False}, {"key": make_key("stranger")}, {"key": library.key}):
        page = ask(browser, ent, visited, by=by, **forged)
        assert page.status_code == 403
        assert browser.reference and carried(hub, browser) is None
        assert is_signed_in(browser)
    ask(browser, ent, visited, by=by)
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-02")
def test_a_changed_query_ends_nothing(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The signature of another message, or a RelayState put in afterwards."""
    query = ent.logout_query(ent.logout_request(SLO, visited))
    other = ent.logout_query(ent.logout_request(SLO, visited))
    swapped = query.split("&Signature=")[0] + "&Signature=" + other.split("&Signature=")[1]
    for changed in (swapped, query.replace("&SigAlg", "&RelayState=x&SigAlg")):
        assert walk(browser, f"/saml/slo?{changed}").status_code == 403
        assert is_signed_in(browser)
    walk(browser, f"/saml/slo?{query}")
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-02")
def test_rsa_sha1_needs_the_waiver(hub: Hub, browser: Browser):
    """As for sign-on requests: refused, unless the service has the waiver (an ENT signs every LogoutRequest so)."""
    strict, waived = LogoutSP("strict"), LogoutSP("waived")
    hub.register(strict)
    hub.register(waived, accept_rsa_sha1=True)
    first = visit(hub, browser, strict, PUPIL)
    second = visit(hub, browser, waived)
    assert ask(browser, strict, first, sig_alg=RSA_SHA1).status_code == 403
    assert is_signed_in(browser)
    ask(browser, waived, second, sig_alg=RSA_SHA1)
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-03")
def test_a_service_cannot_name_what_another_one_was_given(
    hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse
):
    """Identifier and session index of the ENT, signed by the library: refused, session kept; the library's own ones are right."""
    own = visit(hub, browser, library)
    for name_id in ({}, {"SPNameQualifier": library.entity_id}):
        ask(browser, library, visited, name_id=name_id)
        assert (answer_of(hub, browser).status, answer_of(hub, browser).second_status) == (REQUESTER, f"{REQUESTER[:-9]}UnknownPrincipal")
        assert is_signed_in(browser)
    ask(browser, library, own)
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-04")
@pytest.mark.parametrize(
    "change",
    [
        {"Format": PERSISTENT},
        {"Format": None},
        {"NameQualifier": "https://other.example.fr"},
        {"NameQualifier": ""},
        {"SPNameQualifier": "https://library.example.fr/saml"},
        {"value": "_0000"},
        {"value": ""},
    ],
    ids=str,
)
def test_an_altered_identifier_matches_nobody(
    hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, change: dict[str, str | None]
):
    """Format, qualifiers and value must be those that were given; then the session ends."""
    ask(browser, ent, visited, name_id=change)
    assert answer_of(hub, browser).second_status == f"{REQUESTER[:-9]}UnknownPrincipal"
    assert is_signed_in(browser)
    ask(browser, ent, visited)
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-04")
def test_qualifiers_that_are_left_out_are_those_that_the_standard_implies(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """SAML core 8.3.7: the hub's own name, and that of the service."""
    ask(browser, ent, visited, name_id={"NameQualifier": None, "SPNameQualifier": None})
    assert answer_of(hub, browser).status == SUCCESS
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-05", "LO-19")
def test_a_session_index_says_which_session_ends(hub: Hub, browser: Browser, ent: LogoutSP):
    """A pupil with one persistent identifier in two browsers: a foreign index ends none, one index that session, none all of them."""
    other = hub.browser()
    first = visit(hub, browser, ent, PUPIL, name_id_format=PERSISTENT)
    second = visit(hub, other, ent, PUPIL, name_id_format=PERSISTENT)
    assert first.name_id == second.name_id and first.session_index != second.session_index

    stranger = hub.browser()
    ask(stranger, ent, first, session_indexes=["_foreign"])
    assert answer_of(hub, stranger).second_status == f"{REQUESTER[:-9]}RequestDenied"
    assert is_signed_in(browser) and is_signed_in(other)

    ask(stranger, ent, first, session_indexes=["_foreign", second.session_index or ""])
    assert answer_of(hub, stranger).status == SUCCESS
    assert is_signed_in(browser) and not is_signed_in(other)

    third = visit(hub, other, ent, PUPIL, name_id_format=PERSISTENT)
    assert third.name_id == first.name_id
    ask(stranger, ent, first, session_indexes=[])
    assert not is_signed_in(browser) and not is_signed_in(other)


@pytest.mark.covers("LO-06")
def test_a_request_serves_once(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """Replayed after the person has signed in again: refused."""
    query = ent.logout_query(ent.logout_request(SLO, visited, session_indexes=[]))
    walk(browser, f"/saml/slo?{query}")
    assert not is_signed_in(browser)
    visit(hub, browser, ent, PUPIL)
    assert walk(browser, f"/saml/slo?{query}").status_code == 400
    assert is_signed_in(browser)


@pytest.mark.covers("LO-06")
@pytest.mark.parametrize(
    "change",
    [
        {"issue_instant": instant(datetime.now(UTC) - timedelta(hours=1))},
        {"issue_instant": instant(datetime.now(UTC) + timedelta(hours=1))},
        {"issue_instant": "yesterday"},
        {"not_on_or_after": instant(datetime.now(UTC) - timedelta(hours=1))},
        {"not_on_or_after": "never"},
        {"destination": "https://other.example.fr/saml/slo"},
        {"destination": None},
        {"version": "1.1"},
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_a_request_out_of_time_or_place_ends_nothing(
    hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, change: dict[str, str | None]
):
    """Old, future or past its NotOnOrAfter, for another address: the service is told no, the session stays; a fresh one ends it."""
    ask(browser, ent, visited, **change)
    assert answer_of(hub, browser).status != SUCCESS
    assert is_signed_in(browser)
    ask(browser, ent, visited, not_on_or_after=instant(datetime.now(UTC) + timedelta(minutes=5)))
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-12")
def test_relay_state_is_kept_or_refused_but_never_cut(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """Up to 2,000 bytes it comes back as it was, markup included; above, the request is refused."""
    ask(browser, ent, visited, relay_state="x" * 2001)
    assert answer_of(hub, browser).status == REQUESTER
    assert is_signed_in(browser)
    hostile = '"><script>alert(1)</script>' + "é" * 80
    ask(browser, ent, visited, by=POST, relay_state=hostile)
    assert "<script>alert" not in browser.page.text
    assert answer_of(hub, browser).relay_state == hostile


@pytest.mark.covers("LO-14")
def test_other_bindings_are_refused_and_not_advertised(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """A SOAP envelope, a request in the wrong place, other methods: refused. The metadata name Redirect and POST."""
    envelope = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{ent.logout_request(SLO, visited)}</s:Body></s:Envelope>'
    )
    assert browser.client.post("/saml/slo", data=envelope, content_type="text/xml").status_code == 400
    query = ent.logout_query(ent.logout_request(SLO, visited))
    assert browser.client.post(f"/saml/slo?{query}").status_code == 400
    assert browser.client.get("/saml/slo").status_code == 400
    assert browser.client.put(f"/saml/slo?{query}").status_code == 405
    assert browser.client.get(f"/saml/sso?{query}").status_code == 400
    assert is_signed_in(browser)
    metadata = browser.client.get("/saml/metadata").text
    assert re.findall(r'SingleLogoutService Binding="[^"]*:([\w-]+)" Location="([^"]+)"', metadata) == [
        ("HTTP-Redirect", SLO),
        ("HTTP-POST", SLO),
    ]
    walk(browser, f"/saml/slo?{query}")
    assert not is_signed_in(browser)


# Encrypted identifiers ----------------------------------------------------------------------------------------------


def encrypted_id(visited: ReadResponse, certificate: bytes, inside: str = "") -> str:
    """The identifier of the visit as an EncryptedID."""
    name_id = (
        f'<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="{visited.name_id_format}"'
        f' NameQualifier="{visited.name_qualifier}" SPNameQualifier="{visited.sp_name_qualifier}">{visited.name_id}</saml:NameID>'
    )
    return f"<saml:EncryptedID>{encrypt_element(name_id, certificate, inside=inside)}</saml:EncryptedID>"


@pytest.mark.covers("LO-15")
@pytest.mark.parametrize("by", [REDIRECT, POST], ids=["redirect", "post"])
def test_an_encrypted_identifier_is_read(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, by: str):
    """For the key that the metadata publish; for another key it cannot be read, and nothing ends."""
    published = re.search(r'use="encryption".*?X509Certificate>([^<]+)<', browser.client.get("/saml/metadata").text, re.S)
    certificate = hub.instance.encryption_keys[0].certificate_pem
    assert published and published[1].replace("\n", "") in certificate.decode().replace("\n", "")
    assert ask(browser, ent, visited, by=by, identifier=encrypted_id(visited, make_key("else").certificate_pem)).status_code == 400
    assert is_signed_in(browser)
    ask(browser, ent, visited, by=by, identifier=encrypted_id(visited, certificate))
    assert answer_of(hub, browser).status == SUCCESS
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-15")
def test_a_former_encryption_key_still_reads(hub: Hub, hub_template, tmp_path):
    """While services change over, identifiers encrypted for the former key are read and only the new key is published."""
    old = hub.instance.encryption_keys[0]
    opened = open_hub(hub_template, tmp_path / "second")
    folder = opened.settings.keys_dir
    for suffix in ("key", "crt"):
        (folder / f"encryption.{suffix}").rename(folder / f"encryption-former.{suffix}")
    save_key_pair(folder, "encryption", generate_key_pair("hub", bits=2048))
    opened.instance.close()
    rolled = open_hub(folder.parent, tmp_path / "third")
    try:
        sp, browser = LogoutSP("ent"), rolled.browser()
        rolled.register(sp)
        assert [pair.certificate_pem for pair in rolled.instance.encryption_keys][1:] == [old.certificate_pem]
        assert browser.client.get("/saml/metadata").text.count('use="encryption"') == 1
        for pair in rolled.instance.encryption_keys:
            visited = visit(rolled, browser, sp, PUPIL)
            ask(browser, sp, visited, identifier=encrypted_id(visited, pair.certificate_pem))
            assert not is_signed_in(browser)
    finally:
        rolled.instance.close()


@pytest.mark.covers("LO-15")
@pytest.mark.parametrize("pointer", ["RetrievalMethod", "KeyInfoReference", "AgreementMethod", "CipherReference"])
def test_an_encrypted_identifier_with_a_pointer_is_refused_unread(
    hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, pointer: str
):
    """The rule of RS-45 holds here too: nothing inside a message says where keys or data are."""
    certificate = hub.instance.encryption_keys[0].certificate_pem
    inside = f'<ds:{pointer} URI="http://127.0.0.1:9/"/>'
    assert ask(browser, ent, visited, identifier=encrypted_id(visited, certificate, inside)).status_code == 400
    assert is_signed_in(browser)
    ask(browser, ent, visited, identifier=encrypted_id(visited, certificate))
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-15", "LO-02")
def test_nothing_is_decrypted_before_the_signature_is_verified(
    hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse, monkeypatch: pytest.MonkeyPatch
):
    """Unsigned or badly signed: the private key is not used; two identifiers: neither is read."""
    certificate = hub.instance.encryption_keys[0].certificate_pem
    identifier = encrypted_id(visited, certificate)
    calls: list[object] = []
    monkeypatch.setattr("hub.saml.logout.decrypt_name_id", lambda *a, **k: calls.append(a))
    assert ask(browser, ent, visited, identifier=identifier, sign=False).status_code == 403
    assert ask(browser, ent, visited, identifier=identifier, key=make_key("stranger")).status_code == 403
    assert ask(browser, ent, visited, identifier=identifier, extra=identifier).status_code == 400
    assert calls == []
    monkeypatch.undo()
    ask(browser, ent, visited, identifier=identifier)
    assert not is_signed_in(browser)


# Telling the others -------------------------------------------------------------------------------------------------


@pytest.mark.covers("LO-07")
def test_two_services_are_told_and_the_first_gets_success(
    hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse
):
    """The library asks: the ENT is told with what it was given, then the library gets Success."""
    own = visit(hub, browser, library)
    ask(browser, library, own, request_id="_two", relay_state="back")
    assert not is_signed_in(browser), "the hub's session ends first"
    tour = Round(hub, browser, [ent, library])
    found = tour.finish()
    (name, told), *more = tour.told
    assert (name, more) == ("ent", [])
    assert told.name_id == {
        "value": visited.name_id,
        "Format": visited.name_id_format,
        "NameQualifier": visited.name_qualifier,
        "SPNameQualifier": visited.sp_name_qualifier,
    }
    assert told.session_indexes == (visited.session_index,)
    assert found and found[0] == "https://library.example.fr/slo"
    assert (found[1].status, found[1].second_status, found[1].in_response_to) == (SUCCESS, None, "_two")
    assert found[1].relay_state == "back"


@pytest.mark.covers("LO-07")
@pytest.mark.parametrize("how", ["silent", "refusing", "no address", "disabled"])
def test_a_service_that_stays_open_makes_the_logout_partial(hub: Hub, browser: Browser, library: LogoutSP, how: str):
    """Dead, refusing, without address or closed: Success with PartialLogout, and the person is told which service it is."""
    other = LogoutSP("other", bindings=() if how == "no address" else (REDIRECT,))
    hub.register(other, metadata=other.metadata(display_name="Cantine"))
    visit(hub, browser, other, PUPIL)
    own = visit(hub, browser, library)
    if how == "disabled":
        from hub.registry import service as registry
        from hub.registry.models import ServiceState

        with hub.instance.database.transaction() as db:
            registry.set_state(db, registry.get(db, other.entity_id), ServiceState.DISABLED, actor="test")
        hub.app.extensions["preau.signon"].registry._parsed.clear()
    ask(browser, library, own)
    tour = Round(hub, browser, [other, library], **({how: ["other"]} if how in ("silent", "refusing") else {}))
    found = tour.finish()
    assert found and (found[1].status, found[1].second_status) == (SUCCESS, PARTIAL)
    assert browser.page.status_code == 200, "not sent back before the person could read it"
    said = {"silent": "n'a pas répondu", "refusing": "n'a pas pu vous déconnecter"}.get(how, "n'a pas été prévenu")
    assert "Cantine" in browser.page.text and said in browser.page.text
    assert "encore ouverts" in browser.page.text


@pytest.mark.covers("LO-07")
def test_partial_logout_of_a_service_is_no_success(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """A service that says PartialLogout is reported as still open; one that says Success is not."""
    for second, said in ((PARTIAL, "n'a pas pu vous déconnecter"), (None, "déconnecté")):
        if not is_signed_in(browser):
            visit(hub, browser, ent, PUPIL)
        browser.get("/logout")
        walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
        _, told = carried(hub, browser) or ("", None)
        assert told
        xml = ent.logout_response(SLO, told.id, second=second)
        walk(browser, "/saml/slo?" + ent.logout_query(xml, parameter="SAMLResponse"))
        assert "Déconnexion réussie" in browser.page.text
        assert f": {said}</li>" in browser.page.text.replace("&nbsp;", " ").replace("\xa0", " ")


@pytest.mark.covers("LO-08")
def test_a_service_that_never_answers_holds_nobody_up(hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP):
    """The page stays, offers to go on, goes on by itself after ten seconds, and does not send the person to the dead service twice."""
    third = LogoutSP("third")
    hub.register(third)
    visit(hub, browser, third, PUPIL)
    for sp in (ent, library):
        visit(hub, browser, sp)
    browser.get("/logout")
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
        assert (carried(hub, browser) or ("",))[0] == "https://third.example.fr/slo"
        assert 'http-equiv="refresh" content="0;' in browser.page.text
        assert re.search(r"setTimeout\(.*?skip=0.*?, 10000\)", browser.page.text)
        clock.shift(4)
        walk(browser, "/logout/progress")
        assert (carried(hub, browser) or ("",))[0] == "https://third.example.fr/slo", "still its turn"
        assert "http-equiv" not in browser.page.text, "whoever came back is not sent there again"
        assert re.search(r"setTimeout\(.*?skip=0.*?, 6000\)", browser.page.text)
        clock.shift(7)
        walk(browser, "/logout/progress")
        tour = Round(hub, browser, [ent, library])
        assert tour.finish() is None
    assert [name for name, _ in tour.told] == ["ent", "library"]
    assert browser.page.text.count("déconnecté</li>") == 2 and "n'a pas répondu</li>" in browser.page.text


@pytest.mark.covers("LO-08")
def test_the_person_may_stop_at_any_moment(hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse):
    """What was not told is said; a late answer of a service that was asked still counts."""
    visit(hub, browser, library)
    browser.get("/logout")
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
    _, told = carried(hub, browser) or ("", None)
    assert told
    walk(browser, "/logout/progress?stop=1")
    assert "n'a pas répondu" in browser.page.text and "n'a pas été prévenu" in browser.page.text
    walk(browser, "/saml/slo?" + ent.logout_query(ent.logout_response(SLO, told.id), parameter="SAMLResponse"))
    assert "n'a pas répondu" not in browser.page.text and ": déconnecté" in browser.page.text.replace("&nbsp;", " ")


@pytest.mark.covers("LO-11")
def test_answers_that_nobody_asked_for_change_nothing(hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse):
    """Unsigned, of another service, for another request or address, old: ignored and logged; the right one counts, once."""
    visit(hub, browser, library)
    browser.get("/logout")
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
    address, told = carried(hub, browser) or ("", None)
    assert told and address == "https://ent.example.fr/slo"
    right = ent.logout_response(SLO, told.id)
    old = instant(datetime.now(UTC) - timedelta(hours=1))
    wrong = [
        ent.logout_query(right, parameter="SAMLResponse", sign=False),
        ent.logout_query(right, parameter="SAMLResponse", key=make_key("stranger")),
        library.logout_query(library.logout_response(SLO, told.id), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response(SLO, "_never_sent"), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response(SLO, told.id[:-1] + "x"), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response(SLO, None), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response("https://other.example.fr/slo", told.id), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response(None, told.id), parameter="SAMLResponse"),
        ent.logout_query(ent.logout_response(SLO, told.id, issue_instant=old), parameter="SAMLResponse"),
    ]
    for query in wrong:
        with capture_logs() as logs:
            walk(browser, f"/saml/slo?{query}")
        assert [line for line in logs if line["event"] == "logout.answer_ignored"], query
        assert (carried(hub, browser) or ("",))[0] == "https://ent.example.fr/slo", "still waiting for it"
    walk(browser, "/saml/slo?" + ent.logout_query(right, parameter="SAMLResponse"))
    assert (carried(hub, browser) or ("",))[0] == "https://library.example.fr/slo"
    with capture_logs() as logs:
        refusal = ent.logout_response(SLO, told.id, status=RESPONDER)
        walk(browser, "/saml/slo?" + ent.logout_query(refusal, parameter="SAMLResponse"))
    assert [line for line in logs if line["event"] == "logout.answer_ignored"]
    assert ": déconnecté" in browser.page.text.replace("&nbsp;", " ")


@pytest.mark.covers("LO-11")
def test_another_browser_cannot_look_into_a_logout(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The address of the page belongs to the browser that opened it first."""
    browser.get("/logout")
    first = browser.client.post("/logout", data={"csrf_token": browser.field("csrf_token") or ""})
    browser.page = browser.client.get(first.location)
    assert carried(hub, browser)
    stranger = hub.browser()
    walk(stranger, first.location)
    assert carried(hub, stranger) is None and "example.fr" not in stranger.page.text


@pytest.mark.covers("LO-16")
def test_an_asynchronous_request_gets_no_answer(hub: Hub, browser: Browser, ent: LogoutSP, library: LogoutSP, visited: ReadResponse):
    """The session ends, the others are told, and nothing is sent back; without the extension something is."""
    own = visit(hub, browser, library)
    ask(browser, library, own, asynchronous=True)
    tour = Round(hub, browser, [ent, library])
    assert tour.finish() is None
    assert [name for name, _ in tour.told] == ["ent"]
    assert "Déconnexion réussie" in browser.page.text
    assert not is_signed_in(browser)
    ask(browser, ent, visit(hub, browser, ent, PUPIL))
    assert answer_of(hub, browser).status == SUCCESS


# What is over is over -----------------------------------------------------------------------------------------------


@pytest.mark.covers("LO-09")
def test_nothing_of_an_ended_session_opens_anything(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """Back button, old cookie, a form of before, a second worker: nobody is signed in. Before the logout each of them worked."""
    from hub import create_app

    worker = Browser(create_app(hub.settings).test_client())
    cookie = browser.client.get_cookie("preau")
    assert cookie
    worker.client.set_cookie("preau", cookie.value)
    assert is_signed_in(browser) and is_signed_in(worker)
    page = browser.client.get("/account")
    assert page.headers["Cache-Control"] == "no-store", "the Back button asks the hub again"
    browser.get("/logout")
    token = browser.field("csrf_token") or ""
    ask(browser, ent, visited)
    old = hub.browser()
    old.client.set_cookie("preau", cookie.value)
    assert not is_signed_in(worker) and not is_signed_in(old)
    assert old.client.post("/logout", data={"csrf_token": token}).status_code == 400
    old.start(ent, is_passive=True)
    assert (hub.read(old, ent).second_status or "").endswith("NoPassive")
    worker.client.application.extensions["preau"].close()


@pytest.mark.covers("LO-09")
def test_the_next_sign_on_asks_for_the_password(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """On a shared computer the next pupil is not the one before."""
    browser.start(ent)
    assert browser.posts_to, "as long as the session lives, no password is asked"
    ask(browser, ent, visited)
    browser.start(ent)
    assert browser.posts_to is None and "profil" in browser.page.text


@pytest.mark.covers("LO-13")
def test_a_token_of_another_session_does_nothing_to_mine(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The address of B, planted in the browser of A: A sees a page with one button and stays. Then A's own token signs A out."""
    other = hub.browser()
    theirs = visit(hub, other, ent, "primary_guardian").attributes["FrEduUrlRetour"][0]
    mine = visited.attributes["FrEduUrlRetour"][0]
    browser.get(theirs.removeprefix(hub.settings.base_url))
    assert "<form" in browser.page.text
    assert is_signed_in(browser) and not is_signed_in(other), "a token ends its own session wherever it is opened"
    walk(browser, mine.removeprefix(hub.settings.base_url))
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-13")
def test_an_image_of_another_site_signs_nobody_out(hub: Hub, browser: Browser, visited: ReadResponse):
    """Plain GET of every logout address, as an <img> sends it: nothing happens; the button works."""
    for path in ("/logout", "/logout?token=x", "/logout/progress", "/logout/progress?l=x", "/logout/progress?stop=1", "/saml/slo"):
        browser.client.get(path, headers={"Sec-Fetch-Dest": "image", "Referer": "https://evil.example"})
        assert is_signed_in(browser), path
    browser.get("/logout")
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
    assert not is_signed_in(browser)


@pytest.mark.covers("LO-17")
def test_sessions_that_an_operator_ends_are_over_on_every_worker(hub: Hub, ent: LogoutSP):
    """One account, then everybody; the other account stays until it is its turn, at once on a second worker too."""
    from click.testing import CliRunner

    from hub import create_app
    from hub.cli import context, preau

    pupil, guardian = hub.browser(), hub.browser()
    with hub.instance.database.transaction() as db:
        db.execute(delete(BrowserSession))  # those of the demo's activations
    visit(hub, pupil, ent, PUPIL)
    visit(hub, guardian, ent, "primary_guardian")
    worker = Browser(create_app(hub.settings).test_client())

    def knows(browser: Browser) -> bool:
        cookie = browser.client.get_cookie("preau")
        assert cookie
        worker.client.set_cookie("preau", cookie.value)
        return is_signed_in(worker)

    context._instance = hub.instance
    try:
        assert knows(pupil) and knows(guardian)
        runner = CliRunner()
        listed = runner.invoke(preau, ["session", "list"])
        assert hub.people[PUPIL].identifier in listed.output and listed.exit_code == 0
        done = runner.invoke(preau, ["session", "end", hub.people[PUPIL].identifier])
        assert (done.exit_code, done.output) == (0, f"{hub.people[PUPIL].identifier}: 1 session(s) ended\n")
        assert not knows(pupil) and knows(guardian)
        assert runner.invoke(preau, ["session", "end", "--all"]).output == "1 session(s) ended\n"
        assert not knows(guardian)
        assert runner.invoke(preau, ["session", "list", "--json"]).output == "[]\n"
    finally:
        context._instance = None
        worker.client.application.extensions["preau"].close()


@pytest.mark.covers("LO-18")
def test_an_account_that_is_blocked_or_closed_loses_its_session(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """Blocked while signed in: the next sign-on tells the service nothing; free again: it does."""
    identifier = hub.people[PUPIL].identifier

    def suspend(value: bool) -> None:
        with hub.instance.database.transaction() as db:
            db.execute(update(Account).where(Account.identifier == identifier).values(suspended=value))

    suspend(True)
    browser.start(ent)
    assert browser.posts_to is None and browser.page.status_code == 403
    suspend(False)
    browser.start(ent)
    assert browser.posts_to


@pytest.mark.covers("LO-18")
def test_a_pupil_who_leaves_is_not_asserted_any_more(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The directory is asked at each sign-on: once the pupil's record is gone, the living session says nothing to anybody."""
    browser.start(ent)
    assert browser.posts_to
    directory = Database(hub.settings.directory_database)
    students = DirectoryBase.metadata.tables["directory_student"]
    with directory.transaction() as db:
        db.execute(update(students).values(ended_at=datetime.now(UTC)))
    directory.close()
    browser.start(ent)
    assert browser.posts_to is None and browser.page.status_code == 403


@pytest.mark.covers("LO-18")
def test_the_rights_of_a_guardian_are_computed_anew_at_each_sign_on(hub: Hub, browser: Browser):
    """The ties end while the guardian is signed in: in the same session, the next answer calls nobody a guardian any more."""
    sp = LogoutSP("open")
    hub.register(sp, open_to_in_charge=True)
    before = visit(hub, browser, sp, "multi_guardian")
    assert before.attributes["FrEduCtPersonAffiliation"] == ["resp2d"]
    account = select(BrowserSession.account_id).where(BrowserSession.session_index == before.session_index).scalar_subquery()
    with hub.instance.database.transaction() as db:
        db.execute(update(Attachment).where(Attachment.account_id == account).values(state=AttachmentState.ENDED))
    after = visit(hub, browser, sp)
    assert after.session_index == before.session_index
    assert "FrEduCtPersonAffiliation" not in after.attributes


@pytest.mark.covers("LO-19")
def test_thirty_services_are_all_told(hub: Hub, browser: Browser):
    """One session, thirty services, one of them asks: twenty-nine are told, each once, and it gets Success."""
    services = [LogoutSP(f"sp{n}", bindings=((REDIRECT,), (POST,), (POST, REDIRECT))[n % 3]) for n in range(30)]
    visits = []
    for n, sp in enumerate(services):
        hub.register(sp)
        visits.append(visit(hub, browser, sp, None if n else PUPIL))
    ask(browser, services[3], visits[3], by=POST)
    tour = Round(hub, browser, services)
    found = tour.finish()
    assert found and (found[1].status, found[1].second_status) == (SUCCESS, None)
    assert sorted(name for name, _ in tour.told) == sorted(sp.name for sp in services if sp is not services[3])


@pytest.mark.covers("LO-19")
def test_of_two_browsers_only_the_right_session_ends(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The same pupil at school and at home, transient identifiers: signing out at school leaves home signed in."""
    home = hub.browser()
    visit(hub, home, ent, PUPIL)
    ask(browser, ent, visited, session_indexes=[])
    assert not is_signed_in(browser) and is_signed_in(home)


@pytest.mark.covers("LO-20")
def test_the_signed_out_page_clears_the_browser(hub: Hub, browser: Browser, visited: ReadResponse):
    """Cache and storage are cleared and the cookie is gone; pages of a living session clear nothing."""
    assert "Clear-Site-Data" not in browser.client.get("/account").headers
    browser.get("/logout")
    assert "Clear-Site-Data" not in browser.page.headers
    walk(browser, "/logout", {"csrf_token": browser.field("csrf_token") or ""})
    walk(browser, "/logout/progress?stop=1")
    assert browser.page.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_an_old_participant_without_session_is_still_answered(hub: Hub, browser: Browser, ent: LogoutSP, visited: ReadResponse):
    """The hub's session went by itself: the service that signs the person out later gets Success, not an error."""
    with hub.instance.database.transaction() as db:
        db.execute(delete(BrowserSession))
    ask(browser, ent, visited)
    assert answer_of(hub, browser).status == SUCCESS


def test_a_service_without_logout_address_may_still_ask(hub: Hub, browser: Browser):
    """An ENT that publishes none signs its requests all the same: the session ends, a page says so."""
    sp = LogoutSP("plain", bindings=())
    hub.register(sp)
    own = visit(hub, browser, sp, PUPIL)
    assert ask(browser, sp, own, name_id={"value": "_other"}).status_code == 400
    assert is_signed_in(browser) and browser.reference
    ask(browser, sp, own)
    assert "Déconnexion réussie" in browser.page.text
    assert not is_signed_in(browser)


def test_an_unknown_or_disabled_service_ends_nothing(hub: Hub, browser: Browser, visited: ReadResponse):
    """Nobody that the registry does not answer may sign people out."""
    stranger = LogoutSP("stranger")
    assert ask(browser, stranger, visited).status_code == 403
    hub.register(stranger, approve=False)
    assert ask(browser, stranger, visited).status_code == 403
    assert is_signed_in(browser)
    assert isinstance(stranger, MockSP)


# Whatever comes -----------------------------------------------------------------------------------------------------

_PIECES = st.lists(
    st.sampled_from(
        [
            "<saml:Issuer>https://ent.example.fr/saml</saml:Issuer>",
            "<saml:Issuer/>",
            "<saml:NameID>x</saml:NameID>",
            "<saml:NameID><b/></saml:NameID>",
            "<saml:BaseID/>",
            "<saml:EncryptedID/>",
            "<samlp:SessionIndex>_1</samlp:SessionIndex>",
            "<samlp:SessionIndex><b/></samlp:SessionIndex>",
            "<samlp:Extensions><a:Asynchronous xmlns:a='urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo'/></samlp:Extensions>",
            "<samlp:Status><samlp:StatusCode Value='x'/></samlp:Status>",
            "<samlp:Status/>",
            "text",
        ]
    ),
    max_size=5,
)
_HEAD = st.fixed_dictionaries(
    {},
    optional={
        "ID": st.sampled_from(["_1", "", "1", "é", "_" + "f" * 48]),
        "Version": st.sampled_from(["2.0", "1.1", ""]),
        "IssueInstant": st.sampled_from(["now", "", "2026-13-01T00:00:00Z"]),
        "Destination": st.sampled_from([SLO, "", "x"]),
        "NotOnOrAfter": st.sampled_from(["now", "never"]),
        "InResponseTo": st.sampled_from(["_1", "", "é", "_" + "0" * 48]),
    },
)


@pytest.mark.covers("LO-02", "LO-11")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["Request", "Response"]), head=_HEAD, pieces=_PIECES, by_form=st.booleans(), signed=st.booleans())
def test_no_message_breaks_the_reader(
    hub: Hub, ent: LogoutSP, kind: str, head: dict[str, str], pieces: list[str], by_form: bool, signed: bool
):
    """Properly signed nonsense included: a page, a status or a redirect, never an error of ours, and the session stays."""
    words = {name: instant() if value == "now" else value for name, value in head.items()}
    attributes = "".join(f' {name}="{value}"' for name, value in words.items())
    xml = (
        f'<samlp:Logout{kind} xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
        f"{attributes}>{''.join(pieces)}</samlp:Logout{kind}>"
    )
    client = hub.app.test_client()
    if by_form:
        can_sign = signed and re.fullmatch(r"_\w+", words.get("ID", ""), re.ASCII)
        page = client.post("/saml/slo", data=ent.logout_form(xml, parameter=f"SAML{kind}", sign=bool(can_sign)))
    else:
        page = client.get("/saml/slo?" + ent.logout_query(xml, parameter=f"SAML{kind}", sign=signed))
    assert page.status_code in (200, 303, 400, 403), page.text


def test_the_command_says_what_it_cannot_do(hub: Hub):
    """Nobody named, both named, nobody of that name."""
    from click.testing import CliRunner

    from hub.cli import context, preau
    from hub.errors import Refusal

    context._instance = hub.instance
    try:
        runner = CliRunner()
        assert runner.invoke(preau, ["session", "end"]).exit_code == 2
        assert runner.invoke(preau, ["session", "end", "x", "--all"]).exit_code == 2
        for arguments in (["session", "end", "n.obody"], ["session", "list", "n.obody"]):
            assert isinstance(runner.invoke(preau, arguments).exception, Refusal)
    finally:
        context._instance = None
