"""Identifier forgotten, password forgotten: the same answer to everybody, and a way back for the owner."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update

from hub.accounts import mail_address
from hub.accounts.messages import message
from hub.accounts.models import Account, MailToken
from hub.audit.models import AuditEvent
from hub.messaging.models import OutgoingMail
from hub.recovery.models import RecoveryRequest
from tests.accounts_kit import ALEX, CAMILLE, GOOD_PASSWORD, LEA, OTHER_PASSWORD, TOM, activate, link_token, notice_for
from tests.family_kit import ADDRESS, Browser, House

NUMBER, TYPED = CAMILLE.mobiles[0], "06 39 98 00 10"
MINE = "c.martin@famille-demo.fr"
"""The address that Camille proved in the activation of the kit."""


def said(code: str, **values: object) -> str:
    return message(code, **values).replace("\xa0", " ")


def ask_identifier(house: House, address: str, profile: str = "guardian") -> Browser:
    browser = house.browser()
    browser.open(f"/recovery/{profile}/identifier")
    browser.send(target=address)
    return browser


def ask_password(house: House, identifier: str, address: str, profile: str = "guardian") -> Browser:
    browser = house.browser()
    browser.open(f"/recovery/{profile}/password")
    browser.send(identifier=identifier, target=address)
    return browser


def reset_link(house: House, address: str = MINE) -> str:
    house.worker()
    found = re.search(r"/recovery/password/\S+", house.letters(address)[0].text)
    assert found
    return found[0]


def set_password(browser: Browser, link: str, password: str = OTHER_PASSWORD) -> Browser:
    browser.open(link)
    browser.send(new_password=password, confirmation=password)
    return browser


@pytest.fixture
def camille(house: House) -> str:
    """Camille's account, active, with its address proved. Returns its id."""
    return activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))


def change(house: House, account_id: str, **values: object) -> None:
    with house.instance.database.transaction() as db:
        db.execute(update(Account).where(Account.id == account_id).values(**values))


def settings(house: House, monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    monkeypatch.setattr(house.instance, "settings", house.instance.settings.model_copy(update=values))


@pytest.mark.covers("F035", "F100")
def test_the_identifier_comes_by_mail(house: House, camille: str):
    """R1, E3: from « Identifiant oublié ? » to the mail."""
    browser = house.browser()
    browser.open("/login/guardian")
    assert "/recovery/guardian/identifier" in browser.text
    assert "/recovery/guardian/password" in browser.text
    browser = ask_identifier(house, MINE.upper())
    assert said("M10") in browser.text
    assert said("M11") in browser.text
    house.worker()
    mail = house.letters(MINE)[0]
    assert mail.subject == "Votre identifiant"
    assert "Camille : c.martin" in mail.text


@pytest.mark.covers("F101", "AC-18", "AC-15")
def test_a_new_password_by_the_link_of_the_mail(house: House, camille: str):
    """R3, E4, E5, M21: sessions end, the owner is told, nobody is signed in, the old password is gone."""
    elsewhere = house.browser()
    elsewhere.sign_in("c.martin", GOOD_PASSWORD)
    assert said("M10") in ask_password(house, "C.Martin", MINE).text
    link = reset_link(house)
    scanner = house.app.test_client()
    assert [scanner.get(link).status_code, scanner.head(link).status_code] == [200, 200]
    browser = set_password(house.browser(), link)
    assert said("M21") in browser.text
    browser.open("/account")
    assert browser.at == "/login", "nobody is signed in by a reset"
    elsewhere.open("/account")
    assert elsewhere.at == "/login", "other sessions are over"
    assert house.letters(MINE)[0].subject == "Votre mot de passe a changé"
    old, new = house.browser(), house.browser()
    old.sign_in("c.martin", GOOD_PASSWORD)
    assert old.at == "/login/guardian"
    new.sign_in("c.martin", OTHER_PASSWORD)
    assert new.at != "/login/guardian"


@pytest.mark.covers("F102", "AC-02")
@pytest.mark.parametrize(
    ("identifier", "address"),
    [("c.martin", MINE), ("c.martin", "autre@famille-demo.fr"), ("x.inconnu", MINE), ("a.durand", MINE)],
)
def test_m10_is_the_answer_to_everybody(house: House, camille: str, identifier: str, address: str):
    """Same text and status; the request does the same work, the worker does the rest. Only the right pair gets a mail."""
    notice_for(house.instance, ALEX.ref, now=datetime.now(UTC))  # not activated: no way around the activation (AC-17)
    before = house.mails()
    browser = ask_password(house, identifier, address)
    expected = ask_password(house, "z.personne", "z@personne.example")
    assert (browser.page.status_code, browser.text) == (expected.page.status_code, expected.text)
    with house.instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(RecoveryRequest)) == 2
    assert house.mails() == before
    house.worker()
    assert house.mails() - before == (1 if (identifier, address) == ("c.martin", MINE) else 0)
    with house.instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(RecoveryRequest)) == 0, "what was typed is kept no longer than needed"


@pytest.mark.covers("AC-02")
@pytest.mark.parametrize("address", [MINE, "personne@ailleurs.example"])
def test_the_identifier_page_tells_nothing(house: House, camille: str, address: str):
    """Known or not, the page is the same."""
    assert ask_identifier(house, address).text == ask_identifier(house, "z@personne.example").text


@pytest.mark.covers("AC-17")
@pytest.mark.parametrize("values", [{"suspended": True}, {"password_hash": None}, {"mail_confirmed_at": None}])
def test_no_link_for_an_account_that_may_not_be_reset(house: House, camille: str, values: dict[str, object]):
    """Suspended, opened by FranceConnect only, or with an address that was never proved."""
    change(house, camille, **values)
    before = house.mails()
    assert said("M10") in ask_password(house, "c.martin", MINE).text
    house.worker()
    assert house.mails() == before


@pytest.mark.covers("AC-17")
def test_a_link_sent_before_a_suspension_is_worth_nothing_after(house: House, camille: str):
    """What was decided for safety stands."""
    ask_password(house, "c.martin", MINE)
    link = reset_link(house)
    change(house, camille, suspended=True)
    assert house.browser().open(link).status_code == 410
    change(house, camille, suspended=False)
    assert house.browser().open(link).status_code == 200


@pytest.mark.covers("AC-14")
def test_m23_a_reset_link_works_once_and_only_the_newest(house: House, camille: str):
    """Used twice, older than another, one character changed, after a change of the password: refused."""
    ask_password(house, "c.martin", MINE)
    first = reset_link(house)
    ask_password(house, "c.martin", MINE)
    second = reset_link(house)
    for dead in (first, second[:-1] + ("a" if second[-1] != "a" else "b"), "/recovery/password/é%00"):
        assert house.browser().open(dead).status_code == 410
    set_password(house.browser(), second)
    assert house.browser().open(second).status_code == 410
    with house.instance.database.session() as db:
        assert all(token.used_at for token in db.scalars(select(MailToken).where(MailToken.account_id == camille)))


@pytest.mark.covers("AC-14")
def test_a_reset_link_lives_thirty_minutes(house: House, camille: str):
    """Then M23, and a new mail may be asked."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        ask_password(house, "c.martin", MINE)
        link = reset_link(house)
        clock.shift(timedelta(minutes=29, seconds=59))
        assert house.browser().open(link).status_code == 200
        clock.shift(timedelta(seconds=2))
        assert house.browser().open(link).status_code == 410


@pytest.mark.covers("AC-14")
def test_a_link_does_only_what_it_was_made_for(house: House, camille: str):
    """The link that confirms an address changes no password, and the other way round."""
    with house.instance.database.session() as db:
        account = db.get_one(Account, camille)
        assert mail_address.ask(db, house.instance, account, ADDRESS, now=datetime.now(UTC)) is None
        db.commit()
        confirm = link_token(db, ADDRESS)
    ask_password(house, "c.martin", MINE)
    link = reset_link(house)
    assert house.browser().open(f"/recovery/password/{confirm}").status_code == 410
    assert house.browser().open(f"/activation/mail/{link.rsplit('/', 1)[1]}").status_code == 410
    assert house.browser().open(f"/activation/mail/{confirm}").status_code == 200


@pytest.mark.covers("AC-14")
def test_two_uses_at_once_one_counts(house: House, camille: str):
    """The same form sent by two windows."""
    ask_password(house, "c.martin", MINE)
    link = reset_link(house)
    browsers = [house.browser() for _ in range(4)]
    for browser in browsers:
        browser.open(link)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda b: b.send(new_password=OTHER_PASSWORD, confirmation=OTHER_PASSWORD), browsers))
    assert sorted(b.page.status_code for b in browsers) == [200, 410, 410, 410]
    with house.instance.database.session() as db:
        changed = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "account.password_recovered")
        assert db.scalar(changed) == 1


@pytest.mark.covers("AC-16")
def test_the_address_of_a_link_is_told_to_nobody(house: House, camille: str):
    """No referrer leaves the page, and it is kept by no cache."""
    ask_password(house, "c.martin", MINE)
    headers = house.browser().open(reset_link(house)).headers
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


@pytest.mark.covers("AC-13")
def test_the_link_is_on_the_host_of_the_settings(house: House, camille: str):
    """Whatever the request says of its host."""
    browser = house.browser()
    browser.client.environ_base["HTTP_X_FORWARDED_HOST"] = "evil.example"
    browser.open("/recovery/guardian/password")
    browser.send(identifier="c.martin", target=MINE)
    house.worker()
    text = house.letters(MINE)[0].text
    assert f"{house.instance.settings.base_url}/recovery/password/" in text
    assert "evil" not in text


@pytest.mark.covers("AC-12")
def test_one_address_receives_three_mails_an_hour(house: House, camille: str):
    """Confirmation, identifier and password together, in parallel too; the first one was the confirmation of the activation."""
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _n: ask_identifier(house, MINE).text, range(6)))
    assert sum(said("M10") in page for page in pages) == 2
    assert all("Trop d'essais" in page for page in pages if said("M10") not in page)
    assert "Trop d'essais" in ask_password(house, "c.martin", MINE).text


@pytest.mark.covers("F100")
def test_one_address_of_a_family_names_its_accounts(house: House, camille: str):
    """A mother and her son under 15 share an address: E3 has a line for each."""
    lea = activate(house.instance, LEA.ref, now=datetime.now(UTC))
    change(house, lea, mail=MINE, mail_confirmed_at=datetime.now(UTC))
    ask_identifier(house, MINE, profile="student")
    house.worker()
    text = house.letters(MINE)[0].text
    assert "Camille : c.martin" in text
    assert "Léa : l.martin" in text


@pytest.mark.covers("F100")
def test_an_address_of_several_families_names_nobody(house: House, camille: str):
    """A shared address, of neighbours or of a hostel: E3 refers to the school."""
    alex = activate(house.instance, ALEX.ref, now=datetime.now(UTC))
    change(house, alex, mail=MINE, mail_confirmed_at=datetime.now(UTC))
    ask_identifier(house, MINE)
    house.worker()
    text = house.letters(MINE)[0].text
    assert "école" in text
    assert "c.martin" not in text
    assert "a.durand" not in text


@pytest.mark.covers("F103")
def test_pupils_are_sent_to_the_school(house: House):
    """Every page of a pupil's recovery says the way that always works; no SMS is offered."""
    browser = house.browser()
    for page in ("/recovery/student/identifier", "/recovery/student/password"):
        browser.open(page)
        assert "Demandez à votre établissement" in browser.text
    assert browser.open("/recovery/student/password?by=sms").status_code == 404


def test_a_pupil_confirms_the_birth_date_after_a_reset(house: House):
    """O25: whoever reads the mails of the family still has to know it; the tries are limited as at the activation."""
    tom = activate(house.instance, TOM.ref, now=datetime.now(UTC))
    change(house, tom, mail="tom@famille-demo.fr", mail_confirmed_at=datetime.now(UTC))
    ask_password(house, "t.martin", "tom@famille-demo.fr", profile="student")
    set_password(house.browser(), reset_link(house, "tom@famille-demo.fr"))
    browser = house.browser()
    browser.sign_in("t.martin", OTHER_PASSWORD, "student")
    assert browser.at == "/activation/student/confirm-birth-date"
    browser.send(day="1", month="1", year="2001")
    assert "Il reste 2 essais" in browser.text
    browser.open("/account")
    assert browser.at == "/activation/student/confirm-birth-date"
    browser.send(day="2", month="1", year="2010")
    browser.open("/account")
    assert browser.at == "/account"


def enrolled_number(house: House, account_id: str) -> None:
    change(house, account_id, mobile=NUMBER, mobile_confirmed_at=datetime.now(UTC))


@pytest.mark.covers("AC-02")
def test_sms_recovery_is_closed_as_delivered(house: House):
    """R2 and R4 are off: their pages do not exist."""
    for page in ("identifier", "password"):
        assert house.browser().open(f"/recovery/guardian/{page}?by=sms").status_code == 404


def test_the_identifier_comes_by_sms_where_that_is_open(house: House, camille: str, monkeypatch: pytest.MonkeyPatch):
    """R2: to a proved number that the school still gives; no link in it."""
    settings(house, monkeypatch, recovery_identifier_by_sms=True)
    enrolled_number(house, camille)
    browser = house.browser()
    browser.open("/recovery/guardian/identifier?by=sms")
    browser.send(target=TYPED)
    assert said("M10-sms") in browser.text
    house.worker()
    assert house.texts(NUMBER) == ["Préau : votre identifiant est c.martin"]


@pytest.mark.covers("AC-10", "AC-02")
def test_a_new_password_by_an_sms_code_where_that_is_open(house: House, camille: str, monkeypatch: pytest.MonkeyPatch):
    """R4: the code opens the page of the new password; for nobody the pages are the same and nothing leaves."""
    settings(house, monkeypatch, recovery_password_by_sms=True)
    enrolled_number(house, camille)
    browser, nobody = house.browser(), house.browser()
    for one, identifier in ((browser, "c.martin"), (nobody, "x.inconnu")):
        one.open("/recovery/guardian/password?by=sms")
        one.send(identifier=identifier, target=TYPED)
        assert one.at == "/recovery/code"
        one.send(code="000000")
    strip = re.compile(r'value="[^"]*"')
    assert strip.sub("", browser.text) == strip.sub("", nobody.text)
    assert len(house.texts(NUMBER)) == 1
    browser.send(code=house.code(NUMBER))
    assert browser.at.startswith("/recovery/password/")
    browser.send(new_password=OTHER_PASSWORD, confirmation=OTHER_PASSWORD)
    assert said("M21") in browser.text


def test_a_mail_that_leaves_too_late_is_not_sent(house: House, camille: str):
    """A link that has expired is no help: the worker gives it up."""
    from hub.messaging.jobs import send_due

    ask_password(house, "c.martin", MINE)
    house.worker()
    send_due(house.instance.database, house.instance.settings, now=datetime.now(UTC) + timedelta(minutes=31))
    with house.instance.database.session() as db:
        late = db.scalars(select(OutgoingMail).where(OutgoingMail.subject == "Choisissez un nouveau mot de passe")).one()
        assert (late.sent_at, late.text) == (None, "")
