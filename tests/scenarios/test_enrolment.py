"""A guardian makes the account alone: names, a number or an address that the school knows, a code, the birth dates, a password."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from hub.accounts.messages import message
from hub.accounts.models import Account, AttachmentState, Origin, State
from hub.codes.models import OneTimeCode
from hub.jobs.cleanup import clean_up
from hub.messaging.models import OutgoingMail, OutgoingSms
from tests.accounts_kit import ALEX, CAMILLE, GOOD_PASSWORD, LEA, TOM, activate, guardian, notice_for, tie
from tests.family_kit import Browser, House

NUMBER, TYPED, ADDRESS = CAMILLE.mobiles[0], "06 39 98 00 10", CAMILLE.mail or ""
NAMES = {"family_name": "MARTIN", "given_name": "camille"}
LEA_BORN, TOM_BORN, WRONG = ("14", "7", "2014"), ("2", "1", "2010"), ("1", "1", "2001")


def ask(house: House, *, by: str = "sms", target: str | None = None, **names: str) -> Browser:
    """A browser that has asked for a code."""
    browser = house.browser()
    browser.open(f"/activation/start/{by}")
    browser.send(target=target or (TYPED if by == "sms" else ADDRESS), **{**NAMES, **names})
    return browser


def prove(house: House, *, by: str = "sms") -> Browser:
    """A browser in which the code was right."""
    browser = ask(house, by=by)
    assert browser.at == "/activation/code", browser.text
    browser.send(code=house.code(NUMBER if by == "sms" else ADDRESS))
    return browser


def mine(house: House) -> Account:
    """Camille's account, the only one."""
    with house.instance.database.session() as db:
        account = db.scalars(select(Account)).one()
        _ = account.attachments, account.records
        return account


def dates(house: House, **typed: tuple[str, str, str]) -> dict[str, str]:
    ids = {"lea": LEA.ine, "tom": TOM.ine}
    fields = {}
    for name, values in typed.items():
        id_ = next(a.id for a in mine(house).attachments if a.ine == ids[name])
        fields |= dict(zip((f"{id_}-day", f"{id_}-month", f"{id_}-year"), values, strict=True))
    return fields


def finish(browser: Browser, **fields: str) -> None:
    browser.send(new_password=GOOD_PASSWORD, confirmation=GOOD_PASSWORD, **fields)


@pytest.mark.covers("F036", "F040", "F041", "F042", "F043", "F044", "F045", "F047", "F048", "F025", "F027")
def test_a_guardian_enrols_by_sms(house: House):
    """From « Je n'ai pas de compte » to the services; later sign-ins use the identifier and the password."""
    browser = house.browser()
    browser.open("/login/guardian")
    assert 'href="/activation/start"' in browser.text
    browser.open("/activation/start")
    assert browser.at == "/activation/start/sms"
    assert "Étape 1 sur 4" in browser.text
    assert message("M15").replace("\xa0", " ") in browser.text
    browser.send(target=TYPED, **NAMES)
    assert browser.at == "/activation/code"
    assert "Étape 2 sur 4" in browser.text
    assert "30 minutes" in browser.text
    browser.send(code=house.code(NUMBER))
    assert browser.at == "/activation/children"
    assert "Étape 3 sur 4" in browser.text
    browser.send(**dates(house, lea=LEA_BORN, tom=TOM_BORN))
    assert browser.at == "/activation/identifier"
    assert "Étape 4 sur 4" in browser.text
    assert "c.martin" in browser.text
    finish(browser)
    assert browser.at == "/activation/done"
    assert message("M19").replace("\xa0", " ") in browser.text
    account = mine(house)
    assert (account.state, account.origin, account.mobile) == (State.ACTIVE, Origin.GUARDIAN, NUMBER)
    assert account.mobile_confirmed_at is not None
    assert account.informed_at is None, "nobody informed this person"
    again = house.browser()
    again.sign_in("c.martin", GOOD_PASSWORD)
    assert again.at == "/account" or "Mon compte" in again.text


@pytest.mark.covers("F041", "F043", "F047")
def test_a_guardian_enrols_by_mail(house: House):
    """The address is proved by the code: no link to click any more."""
    browser = prove(house, by="mail")
    browser.send(**dates(house, lea=LEA_BORN))
    browser.open("/activation/identifier")
    assert 'name="mail"' not in browser.text
    finish(browser)
    account = mine(house)
    assert (account.state, account.mail) == (State.ACTIVE, ADDRESS)
    assert account.mail_confirmed_at is not None


def test_an_address_may_be_given_after_an_enrolment_by_sms(house: House):
    """It helps when the password is forgotten; it counts once its link was clicked, and is not needed to begin."""
    browser = prove(house)
    browser.send(**dates(house, lea=LEA_BORN, tom=TOM_BORN))
    finish(browser, mail="neuve@famille-demo.fr")
    account = mine(house)
    assert (account.state, account.mail, account.mail_pending) == (State.ACTIVE, None, "neuve@famille-demo.fr")


@pytest.mark.covers("F042", "F028")
@pytest.mark.parametrize(
    ("by", "changes"),
    [
        ("sms", {"family_name": "Durand"}),
        ("sms", {"given_name": "Claude"}),
        ("sms", {"target": "06 39 98 99 99"}),
        ("mail", {"target": "autre@famille-demo.fr"}),
    ],
)
def test_m01_is_the_same_whichever_answer_is_wrong(house: House, by: str, changes: dict[str, str]):
    """M01 and M01b: no code leaves, and the text does not say which field to vary."""
    browser = ask(house, by=by, **changes)
    assert message(f"M01-{by}").replace("\xa0", " ") in browser.text
    assert house.texts() == []
    assert house.letters() == []


def test_a_number_that_is_none_is_said_at_its_field(house: House):
    """A typing error costs no try."""
    browser = ask(house, target="12")
    assert "Vérifiez ce que vous avez écrit." in browser.text
    assert browser.page.status_code == 422


@pytest.mark.covers("AC-02")
def test_m01c_tells_nobody_whether_the_school_knows_a_number(house: House, monkeypatch: pytest.MonkeyPatch):
    """With neutral messages, known and unknown meet the same pages, the same tries, and the same amount of work in the outbox."""
    monkeypatch.setattr(house.instance, "settings", house.instance.settings.model_copy(update={"activation_neutral_messages": True}))
    known, unknown = ask(house), ask(house, target="06 39 98 77 77")
    for browser in (known, unknown):
        assert browser.at == "/activation/code"
        assert message("M01c").replace("\xa0", " ") in browser.text
        browser.send(code="000000")
    strip = re.compile(r'value="[^"]*"|••• \d\d|nonce-[^"]*')
    assert strip.sub("", known.text) == strip.sub("", unknown.text)
    with house.instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(OutgoingSms)) == 2
    assert len(house.texts()) == 1
    unknown.send(code="999999")
    assert "Il reste 3 essais" in unknown.text


@pytest.mark.covers("F044", "AC-11")
@pytest.mark.parametrize(("age", "works"), [(timedelta(minutes=29, seconds=59), True), (timedelta(minutes=30, seconds=1), False)])
def test_m02_a_code_is_valid_thirty_minutes(house: House, age: timedelta, works: bool):
    """Accepted at 29 min 59 s, refused at 30 min 01 s; a new one is a button away."""
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False) as clock:
        browser = ask(house)
        code = house.code(NUMBER)
        with house.instance.database.transaction() as db:
            db.execute(update(OneTimeCode).values(created_at=start, expires_at=start + timedelta(minutes=30)))
        clock.move_to(start + age, tick=False)
        browser.send(code=code)
        assert (browser.at == "/activation/children") == works
        if not works:
            assert message("M02") in browser.text
            browser.send(resend="1")
            browser.send(code=house.code(NUMBER))
            assert browser.at == "/activation/children"


@pytest.mark.covers("AC-09")
def test_m03_five_tries_then_only_a_new_code_helps(house: House):
    """The right code is refused after five wrong ones; asking for new codes is rationed too."""
    browser = ask(house)
    code = house.code(NUMBER)
    wrong = "000000" if code != "000000" else "000001"
    for left in (4, 3, 2, 1):
        browser.send(code=wrong)
        assert message("M03") in browser.text
        assert f"Il reste {left} essai" in browser.text
    browser.send(code=wrong)
    browser.send(code=code)
    assert message("M03-over") in browser.text
    for _ in range(2):
        browser.send(resend="1")
        assert "Un nouveau code est parti" in browser.text
    browser.send(resend="1")
    assert "Trop d'essais" in browser.text
    assert len(house.texts()) == 3


@pytest.mark.covers("AC-09")
def test_parallel_guesses_are_counted(house: House):
    """Twenty guesses at once: five are judged."""
    browser = ask(house)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.text)
    assert token
    cookie = browser.cookie or ""

    def guess(n: int) -> str:
        client = house.app.test_client()
        client.set_cookie("preau", cookie)
        return client.post("/activation/code", data={"csrf_token": token[1], "code": f"{n:06}"}).text

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(guess, range(20)))
    with house.instance.database.session() as db:
        assert db.scalars(select(OneTimeCode.tries)).one() == 5


@pytest.mark.covers("AC-10", "AC-22")
def test_a_code_works_once_in_the_browser_that_asked(house: House):
    """Not in another one, not after a newer one, not twice."""
    browser = ask(house)
    first = house.code(NUMBER)
    stranger = ask(house, by="mail")
    stranger.send(code=first)
    assert stranger.at == "/activation/code", "a code of another browser"
    browser.send(resend="1")
    browser.send(code=first)
    assert message("M03") in browser.text, "an old code after a new one"
    browser.send(code=house.code(NUMBER))
    assert browser.at == "/activation/children"
    nobody = house.browser()
    nobody.open("/activation/code")
    assert nobody.at == "/activation/start/sms"


@pytest.mark.covers("AC-11", "AC-48")
def test_a_code_is_readable_nowhere(house: House):
    """Hashed with a key at rest, absent from the log, erased from the outbox once sent."""
    with capture_logs() as logs:
        browser = ask(house)
        code = house.code(NUMBER)
        browser.send(code="1")
    with house.instance.database.session() as db:
        row = db.scalars(select(OneTimeCode)).one()
        assert code not in f"{row.code_hash} {row.subject}"
        assert len(row.code_hash) == 64
    assert code not in str(logs)
    assert NUMBER not in str(logs)


@pytest.mark.covers("AC-12")
def test_one_number_receives_three_codes_an_hour(house: House):
    """Whoever asks, and with « Réessayer » too: every try counts for the number."""
    for _ in range(3):
        assert ask(house).at == "/activation/code"
    assert "Trop d'essais" in ask(house).text
    assert len(house.texts(NUMBER)) == 3
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _n: ask(house, by="mail").at, range(8)))
    assert pages.count("/activation/code") == 3, "eight at once: three"


@pytest.mark.covers("AC-12")
def test_no_code_goes_to_a_foreign_number(house: House):
    """Premium and foreign numbers cost money and are no family's: only the countries of the settings."""
    directory = house.instance.directory
    abroad = replace(CAMILLE, mobiles=("+447911123456",))
    directory.people[CAMILLE.ref] = abroad  # type: ignore[attr-defined]
    assert message("M01-sms").replace("\xa0", " ") in ask(house, target="+44 7911 123456").text
    assert house.texts() == []


@pytest.mark.covers("F046")
def test_a_wrong_date_does_not_stop_the_enrolment(house: House):
    """M04, then on with the other child; the wrong one stays open for later."""
    browser = prove(house)
    browser.send(**dates(house, lea=WRONG, tom=TOM_BORN))
    assert message("M04")[:40].replace("\xa0", " ") in browser.text
    browser.open("/activation/identifier")
    finish(browser)
    account = mine(house)
    assert account.state is State.ACTIVE
    assert {a.ine: a.state for a in account.attachments}[TOM.ine or ""] is AttachmentState.CONFIRMED


@pytest.mark.covers("F046", "F028", "AC-23")
def test_m05_with_all_dates_wrong_there_is_no_account(house: House):
    """Dates tried in series end at the school, and no page leads around it."""
    browser = prove(house)
    for _ in range(3):
        browser.send(**dates(house, lea=WRONG, tom=WRONG))
    assert message("M05").replace("\xa0", " ") in browser.text
    browser.open("/activation/identifier")
    assert browser.at == "/activation/children"
    assert mine(house).state is State.ACTIVATING


@pytest.mark.covers("F073")
def test_a_refused_child_is_seen_by_the_school(house: House):
    """The box « not mine »: the attachment is refused and stays so."""
    browser = prove(house)
    id_ = next(a.id for a in mine(house).attachments if a.ine == LEA.ine)
    browser.send(**dates(house, tom=TOM_BORN), **{f"{id_}-refused": "y"})
    finish(browser)
    assert {a.ine: a.state for a in mine(house).attachments}[LEA.ine or ""] is AttachmentState.REFUSED


@pytest.mark.covers("F063", "AC-23")
def test_m31_who_has_an_account_is_told_so_after_the_code(house: House):
    """No second account; the page leads to « Identifiant oublié »."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    browser = ask(house)
    assert browser.at == "/activation/code", "not before the proof"
    browser.send(code=house.code(NUMBER))
    assert message("M31").replace("\xa0", " ") in browser.text
    assert "/recovery/guardian/identifier" in browser.text
    mine(house)


@pytest.mark.covers("AC-23")
def test_homonyms_who_share_a_number_are_never_confused(house: House):
    """Two guardians of one pupil with the same names and number: the school decides, nobody is attached."""
    twin = guardian("12", mobiles=CAMILLE.mobiles, mail=None)
    directory = house.instance.directory
    directory.people[twin.ref] = twin  # type: ignore[attr-defined]
    directory.ties.append(tie(twin, LEA))  # type: ignore[attr-defined]
    browser = prove(house)
    assert message("M01-doubt").replace("\xa0", " ") in browser.text
    with house.instance.database.session() as db:
        assert db.scalars(select(Account)).all() == []


@pytest.mark.covers("F004", "F070")
def test_records_of_two_academies_make_one_account(house: House):
    """The same person, names and number, in another feed: one account with both records and all the children."""
    other = guardian("90", feed="34", mobiles=CAMILLE.mobiles)
    directory = house.instance.directory
    directory.people[other.ref] = other  # type: ignore[attr-defined]
    directory.ties.append(tie(other, TOM))  # type: ignore[attr-defined]
    prove(house)
    assert [record.ref for record in mine(house).records] == sorted((str(CAMILLE.ref), str(other.ref)))


@pytest.mark.covers("AC-23")
def test_a_number_shared_by_two_guardians_opens_the_account_of_the_one_who_is_named(house: House):
    """Alex has the same number: the names decide, and the code proves only that Camille's number is here."""
    house.instance.directory.people[ALEX.ref] = replace(ALEX, mobiles=CAMILLE.mobiles)  # type: ignore[attr-defined]
    prove(house)
    assert [record.ref for record in mine(house).records] == [str(CAMILLE.ref)]


@pytest.mark.covers("AC-23")
def test_a_number_that_moved_on_while_the_code_travelled_proves_nothing(house: House):
    """The school corrects the number between the SMS and the code: nobody gets in by the old one."""
    browser = ask(house)
    house.instance.directory.people[CAMILLE.ref] = replace(CAMILLE, mobiles=("+33639988888",))  # type: ignore[attr-defined]
    browser.send(code=house.code(NUMBER))
    assert browser.at.startswith("/activation/stopped")


@pytest.mark.covers("AC-21", "AC-22")
def test_an_enrolment_voids_the_letter_and_what_was_begun_with_it(house: House):
    """Whoever held the letter has chosen a password: the owner of the number does not inherit it."""
    document = notice_for(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    thief = house.browser()
    thief.sign_in(document.identifier, document.secret)
    thief.send(**dates(house, lea=LEA_BORN, tom=TOM_BORN))
    thief.send(new_password=GOOD_PASSWORD, confirmation=GOOD_PASSWORD, mail="voleur@ailleurs.example")
    browser = prove(house)
    assert browser.at == "/activation/children"
    account = mine(house)
    assert (account.password_hash, account.mail_pending, account.identifier) == (None, None, document.identifier)
    thief.open("/activation/mail")
    assert thief.at == "/login"
    again = house.browser()
    again.sign_in(document.identifier, document.secret)
    assert again.at == "/login/guardian"


@pytest.mark.covers("F046")
def test_an_interrupted_enrolment_resumes(house: House):
    """In the same browser by itself; elsewhere after a new code, with the children already proved."""
    browser = prove(house)
    browser.send(**dates(house, tom=TOM_BORN))
    browser.open("/activation/start")
    assert browser.at in ("/activation/identifier", "/activation/children")
    other = prove(house, by="mail")
    other.open("/activation/identifier")
    assert other.at == "/activation/identifier"
    browser.open("/activation/identifier")
    assert browser.at == "/login", "one activation at a time"


def test_an_abandoned_enrolment_leaves_nothing(house: House):
    """After a day the account is as if nobody had come; the person may begin again."""
    browser = prove(house)
    browser.send(**dates(house, lea=LEA_BORN, tom=TOM_BORN))
    clean_up(house.instance.database, house.instance.settings, now=datetime.now(UTC) + timedelta(hours=23))
    assert mine(house).state is State.ACTIVATING
    later = datetime.now(UTC) + timedelta(hours=25)
    clean_up(house.instance.database, house.instance.settings, now=later)
    account = mine(house)
    assert (account.state, account.origin, account.mobile, account.attachments) == (State.KNOWN, Origin.UNKNOWN, None, [])
    with time_machine.travel(later):
        assert prove(house).at == "/activation/children"


def test_no_way_is_open_no_dead_end(house: House, monkeypatch: pytest.MonkeyPatch):
    """With both channels off the page leads to the help, and the sign-in page does not mention it."""
    monkeypatch.setattr(house.instance, "settings", house.instance.settings.model_copy(update={"activation_channels": ()}))
    browser = house.browser()
    browser.open("/login/guardian")
    assert "/activation/start" not in browser.text
    browser.open("/activation/start/sms")
    assert browser.at == "/help"


@pytest.mark.covers("F037")
def test_no_sms_holds_a_link(house: House):
    """What families are told is true of every SMS that left."""
    ask(house)
    (text,) = house.texts()
    assert re.search(r"https?:|www\.|\.\w{2,}/", text) is None
    assert len(text) <= 160


def test_a_pupil_cannot_enrol(house: House):
    """The pupils' sign-in page does not lead there (F080), and a pupil's names find nobody."""
    browser = house.browser()
    browser.open("/login/student")
    assert "/activation/start" not in browser.text
    assert message("M01-sms").replace("\xa0", " ") in ask(house, given_name="Léa").text


def test_mails_of_nobody_are_never_shown_or_sent(house: House, monkeypatch: pytest.MonkeyPatch):
    """The message that stands for nobody's ends in the worker."""
    from hub.messaging.jobs import send_due

    monkeypatch.setattr(house.instance, "settings", house.instance.settings.model_copy(update={"activation_neutral_messages": True}))
    ask(house, by="mail", target="personne@ailleurs.example")
    assert send_due(house.instance.database, house.instance.settings) == 0
    with house.instance.database.session() as db:
        mail = db.scalars(select(OutgoingMail)).one()
        assert (mail.text, mail.sent_at, mail.next_attempt_at) == ("", None, None)
