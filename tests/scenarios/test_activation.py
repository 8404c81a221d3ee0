"""From the school's letter to the account that is ready, page by page, without JavaScript."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import func, select
from structlog.testing import capture_logs

from backends import Unavailable
from hub import create_app
from hub.accounts.messages import message
from hub.accounts.models import Account, AttachmentState, Notice, State
from hub.accounts.notices import NoticeDocument
from hub.activation.service import give_birth_date
from hub.jobs.cleanup import clean_up
from hub.login.models import BrowserSession
from hub.messaging.models import OutgoingMail
from tests.accounts_kit import (
    ALEX,
    CAMILLE,
    GOOD_PASSWORD,
    LEA,
    OTHER_PASSWORD,
    TOM,
    activate,
    make_instance,
    notice_for,
    student,
    tie,
)
from tests.family_kit import ADDRESS, House

LEA_BORN, TOM_BORN, WRONG = ("14", "7", "2014"), ("2", "1", "2010"), ("1", "1", "2001")


def letter(house: House, who: object = CAMILLE, *, now: datetime | None = None) -> NoticeDocument:
    return notice_for(house.instance, who.ref, now=now or datetime.now(UTC))  # type: ignore[attr-defined]


def dates(house: House, identifier: str, **typed: tuple[str, str, str]) -> dict[str, str]:
    """Form fields of the children's page: ``lea=("14", "7", "2014")``."""
    ines = {"lea": LEA.ine, "tom": TOM.ine}
    fields = {}
    for name, values in typed.items():
        id_ = house.attachment(identifier, ines[name]).id
        fields |= dict(zip((f"{id_}-day", f"{id_}-month", f"{id_}-year"), values, strict=True))
    return fields


def day_fields(values: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("day", "month", "year"), values, strict=True))


def refusal(house: House, identifier: str, ine: str | None) -> dict[str, str]:
    """Form field of the children's page: the box of that child is ticked."""
    return {f"{house.attachment(identifier, ine).id}-refused": "y"}


def chosen(mail: str = "", password: str = GOOD_PASSWORD) -> dict[str, str]:
    return {"new_password": password, "confirmation": password, "mail": mail}


@pytest.mark.covers("F034", "F080", "F081", "F001")
def test_a_pupil_activates_with_the_letter_of_the_school(house: House):
    """Letter, new password, birth date: the account is ready, and the new password opens it."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    assert browser.at == "/activation/student/password"
    assert document.identifier in browser.text
    browser.send(**chosen())
    assert browser.at == "/activation/student/birth-date"
    browser.send(**day_fields(LEA_BORN))
    assert browser.at == "/activation/done"
    assert "Bravo ! Votre compte est prêt." in browser.text
    assert house.account(document.identifier).state is State.ACTIVE
    later = house.browser()
    later.sign_in(document.identifier, GOOD_PASSWORD, "student")
    assert later.at == "/account"


@pytest.mark.covers("F060", "F061", "F071", "F072")
def test_a_guardian_activates_a_distributed_account(house: House):
    """Children, address and password, link: active only after the click, then straight on."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    assert browser.at == "/activation/children"
    assert "Léa M." in browser.text
    assert "Martin" not in browser.text
    assert "Je ne suis pas responsable de cet élève." in browser.text
    browser.send(**dates(house, document.identifier, lea=LEA_BORN, tom=TOM_BORN))
    assert browser.at == "/activation/credentials"
    browser.send(**chosen(ADDRESS))
    assert browser.at == "/activation/mail"
    assert house.account(document.identifier).state is State.ACTIVATING
    browser.open(house.link())
    assert house.account(document.identifier).state is State.ACTIVATING
    browser.send()
    assert browser.at == "/activation/done"
    account = house.account(document.identifier)
    assert (account.state, account.mail) == (State.ACTIVE, ADDRESS)
    assert [a.state for a in account.attachments] == [AttachmentState.CONFIRMED] * 2
    browser.open("/saml/sso/resume")
    assert browser.at == "/account"
    assert "Léa Martin" in browser.text


@pytest.mark.covers("F061")
def test_a_guardian_without_mail_is_not_activated(house: House):
    """The address is mandatory, and must look like one; nothing is kept before it is given."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    for address in ("", "camille", "camille@", "a@b@c.fr", "x\r\nBcc: y@z.fr"):
        assert browser.send(**chosen(address)).status_code == 422
        assert "Cette adresse mail n'est pas complète." in browser.text
    assert house.account(document.identifier).password_hash is None
    assert house.mails() == 0
    browser.send(**chosen(ADDRESS))
    assert browser.at == "/activation/mail"


@pytest.mark.covers("F046", "AC-22")
def test_a_wrong_birth_date_does_not_stop_the_guardian(house: House):
    """One right date is enough: M04 at the other child, and a way to continue without it."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN, tom=WRONG))
    assert browser.page.status_code == 422
    assert "demandez à l'école de la corriger. Il reste 2 essais. Vous pouvez continuer." in browser.text
    assert 'href="/activation/credentials"' in browser.text
    assert browser.text.count("C'est noté.") == 1
    assert "Continuer sans cet élève" in browser.text
    assert "<title>Erreur : " in browser.text
    assert house.attachment(document.identifier, LEA.ine).state is AttachmentState.CONFIRMED
    browser.open("/activation/credentials")
    assert browser.at == "/activation/credentials"


@pytest.mark.covers("F028", "F046", "AC-24")
def test_all_dates_wrong_end_at_the_school(house: House):
    """After three wrong dates for each child nothing more is asked: M05, and the account is not activated."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    for left in ("Il reste 2 essais.", "Il reste 1 essai.", ""):
        browser.send(**dates(house, document.identifier, lea=WRONG, tom=WRONG))
        assert browser.text.count(f"demandez à l'école de la corriger. {left}".strip()) == 2
        assert "Vous pouvez continuer." not in browser.text
    for page in (browser.text, browser.open("/activation/children") and browser.text):
        assert "Aucune date de naissance n'est la bonne." in page
        assert "Il reste" not in page
        assert "/activation/credentials" not in page
        assert 'href="/logout"' in page, "the only way out"
    states = {a.state for a in house.account(document.identifier).attachments}
    assert states == {AttachmentState.TO_CHECK}
    browser.open("/logout")
    browser.send("/activation/children", **dates(house, document.identifier, lea=LEA_BORN))
    assert "Aucune date de naissance n'est la bonne." in browser.text
    assert house.attachment(document.identifier, LEA.ine).state is AttachmentState.TO_CHECK
    assert house.account(document.identifier).state is State.ACTIVATING


@pytest.mark.covers("F073", "AC-25")
def test_not_my_child(house: House):
    """The box M20 refuses the child for good; the other one still activates. A date beside the box is asked about, not judged."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    box = refusal(house, document.identifier, TOM.ine)
    for tom in (TOM_BORN, WRONG, ("2", "", "")):
        browser.send(**dates(house, document.identifier, tom=tom), **box)
        assert browser.page.status_code == 422
        assert "Vous avez donné une date et coché la case. Gardez seulement l'un des deux." in browser.text
    tom = house.attachment(document.identifier, TOM.ine)
    assert (tom.state, tom.attempts) == (AttachmentState.PROPOSED, 0)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN), **box)
    assert browser.at == "/activation/credentials"
    assert house.attachment(document.identifier, TOM.ine).state is AttachmentState.REFUSED
    house.browser().sign_in(document.identifier, document.secret)
    assert house.attachment(document.identifier, TOM.ine).state is AttachmentState.REFUSED


@pytest.mark.covers("F073", "AC-25")
def test_none_is_my_child(house: House):
    """All refused: the page says what was said and whom to ask, at once and later, and how to leave."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**refusal(house, document.identifier, LEA.ine), **refusal(house, document.identifier, TOM.ine))
    for page in (browser.text, browser.open("/activation/children") and browser.text):
        assert "Vous avez dit que vous n'êtes responsable d'aucun de ces élèves. Si c'est une erreur, demandez à l'école." in page
        assert "Donnez" not in page
        assert 'href="/logout"' in page
    browser.open("/logout")
    browser.send()
    assert "Déconnexion réussie" in browser.text
    assert 'href="/logout"' not in browser.text


@pytest.mark.covers("F046", "AC-22")
def test_what_is_proved_can_be_seen_again(house: House):
    """« Précédent » with all or some children proved: « C'est noté. » beside them, and a way on."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    assert "Continuer" not in browser.text
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.open("/activation/children")
    assert browser.text.count("C'est noté.") == 1
    assert re.search(r'href="/activation/credentials">Continuer sans cet élève<', browser.text)
    browser.send(**dates(house, document.identifier, tom=TOM_BORN))
    browser.open("/activation/children")
    assert browser.text.count("C'est noté.") == 2
    assert "Confirmer" not in browser.text
    assert re.search(r'href="/activation/credentials">Continuer<', browser.text)


@pytest.mark.covers("F074")
def test_a_child_left_out_of_the_activation_is_not_asked_for_at_once(house: House):
    """The ready account opens; the child is proposed again at the next sign-in."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN, tom=WRONG))
    browser.open("/activation/credentials")
    browser.send(**chosen(ADDRESS))
    browser.open(house.link())
    browser.send()
    assert browser.at == "/activation/done"
    assert browser.open("/saml/sso/resume").request.path == "/account"
    assert house.browser().sign_in(document.identifier, GOOD_PASSWORD).request.path == "/activation/new-children"


@pytest.mark.covers("F061")
def test_the_link_may_be_clicked_in_another_browser(house: House):
    """« J'ai cliqué sur le lien » in the first one then says that the account is ready, under a new session token; before, it waits."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    assert browser.open("/activation/mail").request.path == "/activation/mail"
    waiting = browser.cookie
    elsewhere = house.browser()
    elsewhere.open(house.link())
    elsewhere.send()
    browser.open("/activation/mail")
    assert browser.at == "/activation/done"
    assert "Bravo ! Votre compte est prêt." in browser.text
    assert browser.cookie != waiting


@pytest.mark.covers("AC-22")
def test_no_step_can_be_skipped_by_its_address(house: House):
    """Each address leads back to the step that is due, for reading and for sending, and other people's pages too."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    for path in ("/activation/credentials", "/activation/mail", "/activation/password", "/activation/student/birth-date"):
        browser.open(path)
        assert browser.at == "/activation/children", path
        browser.send(path, **chosen(ADDRESS), **day_fields(LEA_BORN))
        assert browser.at == "/activation/children", path
    assert browser.open("/account").request.path == "/activation/children"
    account = house.account(document.identifier)
    assert (account.state, account.password_hash, account.mail_pending) == (State.ACTIVATING, None, None)


@pytest.mark.covers("AC-22")
def test_earlier_steps_can_be_corrected(house: House):
    """« Précédent »: a pupil at the birth date may still change the password just chosen."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(**chosen())
    browser.open("/activation/student/password")
    assert browser.at == "/activation/student/password"
    browser.send(**chosen(password=OTHER_PASSWORD))
    browser.send(**day_fields(LEA_BORN))
    assert house.browser().sign_in(document.identifier, OTHER_PASSWORD).request.path == "/account"


@pytest.mark.covers("AC-22", "AC-24")
def test_a_child_of_somebody_else_in_the_form_changes_nothing(house: House):
    """The attachments of another account are out of reach, with the right date too."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    other_child = student("7", "Zoé", "Petit")
    house.instance.directory.people[other_child.ref] = other_child  # type: ignore[attr-defined]
    house.instance.directory.ties.append(tie(CAMILLE, other_child))  # type: ignore[attr-defined]
    mother = house.browser()
    mother.sign_in("c.martin", GOOD_PASSWORD)
    assert mother.at == "/activation/new-children"
    target = house.attachment("c.martin", other_child.ine)
    assert target.state is AttachmentState.PROPOSED
    document = letter(house, ALEX)
    stranger = house.browser()
    stranger.sign_in(document.identifier, document.secret)
    stranger.send(**dict(zip((f"{target.id}-{part}" for part in ("day", "month", "year")), LEA_BORN, strict=True)))
    assert house.attachment("c.martin", other_child.ine).state is AttachmentState.PROPOSED
    assert house.attachment("c.martin", other_child.ine).attempts == 0


@pytest.mark.covers("AC-21", "F061")
def test_the_letter_is_worth_nothing_once_a_password_is_chosen(house: House):
    """Interrupted after the password, the guardian comes back with identifier and new password; the letter is refused."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    again = house.browser()
    again.sign_in(document.identifier, document.secret)
    assert again.at == "/activation/children", "nothing chosen yet: the letter still opens"
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    reuse = house.browser()
    reuse.sign_in(document.identifier, document.secret)
    assert "L'identifiant ou le mot de passe n'est pas bon." in reuse.text
    back = house.browser()
    back.sign_in(document.identifier, GOOD_PASSWORD)
    assert back.at == "/activation/mail"


@pytest.mark.covers("AC-15", "AC-14")
def test_mail_scanners_that_open_the_link_change_nothing(house: House):
    """GET and HEAD, as often as they like; then the button works once, and never again."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    link = house.link()
    for _ in range(3):
        assert house.app.test_client().get(link).status_code == 200
        assert house.app.test_client().head(link).status_code == 200
    assert house.account(document.identifier).state is State.ACTIVATING
    elsewhere = house.browser()
    elsewhere.open(link)
    elsewhere.send()
    assert "Cette adresse mail est confirmée" in elsewhere.text
    assert house.account(document.identifier).state is State.ACTIVE
    assert elsewhere.open("/account").request.path != "/account", "the link signs nobody in"
    assert house.app.test_client().get(link).status_code == 410


@pytest.mark.covers("AC-14")
def test_only_the_newest_link_works(house: House):
    """« Modifier l'adresse » and « Renvoyer le mail » make older links worthless; so does one changed sign, or a day."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen("faute@famille-demo.fr"))
    first = house.link("faute@famille-demo.fr")
    browser.send(mail=ADDRESS)
    assert browser.page.status_code == 200
    assert ADDRESS in browser.text
    second = house.link()
    browser.send(resend="1")
    assert "Le mail est parti." in browser.text
    third = house.link()
    client = house.app.test_client()
    assert [client.get(link).status_code for link in (first, second, third[:-1], third)] == [410, 410, 410, 200]
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, seconds=1)):
        assert client.get(third).status_code == 410


@pytest.mark.covers("AC-14", "AC-21")
def test_a_new_letter_makes_the_links_of_the_first_activation_worthless(house: House):
    """Started over: the old link confirms nothing, the session of the first attempt has ended."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    link = house.link()
    letter(house)
    assert house.app.test_client().get(link).status_code == 410
    assert browser.open("/activation/mail").request.path.startswith("/login")
    assert house.account(document.identifier).mail is None


@pytest.mark.covers("AC-12")
def test_mails_to_one_address_are_limited(house: House):
    """Three in an hour; the fourth is refused with a sentence, and nothing leaves."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    browser.send(resend="1")
    browser.send(resend="1")
    assert house.mails() == 3
    assert browser.send(resend="1").status_code == 422
    assert "Attendez une heure" in browser.text
    assert house.mails() == 3


@pytest.mark.covers("AC-12")
def test_a_wrong_address_may_still_be_corrected(house: House):
    """After three mails that did not arrive another address is free, but not a list of addresses."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen("faute@famille-demo.fr"))
    browser.send(resend="1")
    browser.send(resend="1")
    assert browser.send(mail=ADDRESS).status_code == 200
    assert ADDRESS in browser.text
    for n in range(9):
        browser.send(mail=f"autre{n}@famille-demo.fr")
    assert browser.page.status_code == 422
    assert house.mails() == 6


@pytest.mark.covers("AC-13")
def test_links_in_mails_are_on_the_configured_host(house: House):
    """Forged Host headers do not reach the mail."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.text)
    assert token
    cookie = browser.client.get_cookie("preau")
    assert cookie
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Cookie": f"preau={cookie.value}"}
    form = {"csrf_token": token[1], **chosen(ADDRESS)}
    house.app.test_client(use_cookies=False).post("/activation/credentials", data=form, headers=evil)
    with house.instance.database.session() as db:
        mail = db.scalars(select(OutgoingMail)).one()
    assert "http://localhost:8000/activation/mail/" in mail.text
    assert "http://localhost:8000/activation/mail/" in mail.html
    assert "evil" not in mail.text + mail.html


@pytest.mark.covers("F082", "F081")
def test_a_pupil_under_15_may_give_the_address_of_a_guardian_only(house: House):
    """A known address of a guardian gets a mail worded for the guardian; another one is refused; none is fine."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    assert "Donnez l'adresse mail d'un de vos responsables." in browser.text
    assert browser.send(**chosen("lea@copains-demo.fr")).status_code == 422
    assert house.mails() == 0
    browser.send(**chosen(CAMILLE.mail or ""))
    assert browser.at == "/activation/student/birth-date"
    with house.instance.database.session() as db:
        mail = db.scalars(select(OutgoingMail)).one()
    assert "Léa a donné votre adresse" in mail.text
    browser.send(**day_fields(LEA_BORN))
    account = house.account(document.identifier)
    assert (account.state, account.mail) == (State.ACTIVE, None), "the address waits for the click, the account does not"
    other = house.browser()
    other.open(house.link(CAMILLE.mail or ""))
    other.send()
    assert house.account(document.identifier).mail == CAMILLE.mail


@pytest.mark.covers("AC-43")
def test_a_pupil_cannot_try_out_the_addresses_of_guardians(house: House):
    """After five wrong ones nothing is told any more, not even of the right one; no address is needed to go on."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    for n in range(5):
        browser.send(**chosen(f"parent{n}@famille-demo.fr"))
        assert "L'école ne connaît pas cette adresse" in browser.text
    browser.send(**chosen(CAMILLE.mail or ""))
    assert "Attendez 60 minutes" in browser.text
    assert house.mails() == 0
    browser.send(**chosen())
    assert browser.at == "/activation/student/birth-date"


@pytest.mark.covers("F082")
def test_a_pupil_of_15_or_more_gives_an_own_address(house: House):
    """Tom is 16: any address of his, and the mail speaks to him."""
    document = letter(house, TOM)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    assert "Donnez votre adresse mail." in browser.text
    browser.send(**chosen("tom@copains-demo.fr"))
    assert browser.at == "/activation/student/birth-date"
    with house.instance.database.session() as db:
        assert "Bonjour Tom." in db.scalars(select(OutgoingMail)).one().text


@pytest.mark.covers("F081")
def test_a_pupil_who_forgets_the_birth_date_waits(house: House):
    """Two wrong dates: M04b; the third: a pause, during which the right one is refused too; then it works."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(**chosen())
    for left in ("Il reste 2 essais.", "Il reste 1 essai."):
        browser.send(**day_fields(WRONG))
        assert f"Essayez encore. {left}" in browser.text
    assert "Attendez 15 minutes" in unescape(browser.send(**day_fields(WRONG)).text)
    assert "Trop d'essais." in unescape(browser.send(**day_fields(LEA_BORN)).text)
    assert house.account(document.identifier).state is State.ACTIVATING
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=15, seconds=1)):
        browser.send(**day_fields(LEA_BORN))
        assert browser.at == "/activation/done"


@pytest.mark.covers("F081")
def test_birth_dates_cannot_be_tried_in_series(house: House):
    """A found letter and all the patience of a day: ten dates are judged, then not even the right one, until tomorrow."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(**chosen())
    start, judged = datetime.now(UTC), 0
    for hour in range(12):
        with house.instance.database.session() as db:
            account = db.get_one(Account, house.account(document.identifier).id)
            said = give_birth_date(db, house.instance, account, date(1999, 1, 1), now=start + timedelta(hours=hour))
            db.commit()
        judged += said != message("M13-day")
    assert judged == 10
    for later, expected in ((timedelta(hours=13), message("M13-day")), (timedelta(hours=34), None)):
        with house.instance.database.session() as db:
            account = db.get_one(Account, house.account(document.identifier).id)
            assert give_birth_date(db, house.instance, account, date(*map(int, LEA_BORN[::-1])), now=start + later) == expected
            db.commit()


def test_an_impossible_date_is_no_try(house: House):
    """31 February, letters, a short year, nothing: what is wrong is said at the field, and nothing is counted."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(**chosen())
    missing, year = "Donnez le jour, le mois et l'année.", "Écrivez l'année avec 4 chiffres."
    impossible = "Cette date n'existe pas. Écrivez-la en chiffres, comme 14 / 7 / 2012."
    for said, *typed in (
        (missing, ("", "", ""), ("14", "", "2014")),
        (impossible, ("31", "2", "2014"), ("x", "7", "2014"), ("²", "7", "2014"), ("9" * 400, "7", "2014")),
        (year, ("14", "7", "14"), ("14", "7", "0014"), ("14", "7", "1899"), ("14", "7", "20144")),
    ):
        for values in typed:
            browser.send(**day_fields(values))
            assert browser.page.status_code == 422
            assert said in browser.text, values
    browser.send(**day_fields(LEA_BORN))
    assert browser.at == "/activation/done"


@pytest.mark.covers("AC-38")
def test_a_weak_password_is_explained(house: House):
    """The sentence stands at the field; the wrong confirmation beside it; the letter still opens."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(new_password="court", confirmation="autre", mail="")
    assert browser.page.status_code == 422
    assert "Il faut 8 caractères ou plus." in browser.text
    assert "Les deux mots de passe sont différents." in browser.text
    assert 'value="court"' not in browser.text
    browser.send(**chosen())
    assert browser.at == "/activation/student/birth-date"


@pytest.mark.covers("AC-38", "AC-21")
@pytest.mark.parametrize(("who", "born"), [(LEA, {}), (CAMILLE, {"lea": LEA_BORN})], ids=["pupil", "guardian"])
def test_the_password_of_the_letter_is_not_the_new_one(house: House, who: object, born: dict[str, tuple[str, str, str]]):
    """However it is written; another one is accepted."""
    document = letter(house, who)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    if born:
        browser.send(**dates(house, document.identifier, **born))
    page = browser.at
    for secret in (document.secret, document.secret.lower(), f"{document.secret[:4]}-{document.secret[4:]}"):
        browser.send(**chosen(ADDRESS if born else "", secret))
        assert browser.page.status_code == 422
        assert "Choisissez un autre mot de passe que celui du papier." in browser.text
    assert house.account(document.identifier).password_hash is None
    browser.send(**chosen(ADDRESS if born else ""))
    assert browser.at != page


@pytest.mark.covers("AC-48")
def test_wrong_birth_dates_leave_a_line_without_the_date(house: House):
    """Of a pupil and of a guardian's child: whose account, how many tries remain."""
    pupil, parent = letter(house, LEA), letter(house)
    with capture_logs() as lines:
        for document in (pupil, parent):
            browser = house.browser()
            browser.sign_in(document.identifier, document.secret)
            if document is pupil:
                browser.send(**chosen())
                browser.send(**day_fields(WRONG))
            else:
                browser.send(**dates(house, document.identifier, tom=WRONG))
    wrong = [line for line in lines if line["event"] == "birth_date.wrong"]
    assert [(line["account"], line["left"], line.get("attachment")) for line in wrong] == [
        (pupil.account_id, 2, None),
        (parent.account_id, 2, house.attachment(parent.identifier, TOM.ine).id),
    ]
    assert "2001" not in str(wrong)


def test_who_is_signed_in_is_not_asked_again(house: House):
    """/login offers to go on, also in the middle of an activation; somebody else is asked as ever."""
    document = letter(house, LEA)
    browser = house.browser()
    assert "Je sélectionne mon profil" in browser.open("/login").text
    browser.sign_in(document.identifier, document.secret, "student")
    browser.open("/login")
    assert "Vous êtes déjà connecté" in browser.text
    assert 'href="/logout"' in browser.text
    browser.open(re.findall(r'<a class="btn[^"]*" href="([^"]+)"', browser.text)[0])
    assert browser.at == "/activation/student/password"


@pytest.mark.covers("AC-28")
def test_the_session_token_changes_with_each_gain_of_rights(house: House):
    """Before, at the sign-in, and when the account becomes active: three tokens, and the old ones are dead."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.open("/login/student")
    before = browser.cookie
    browser.sign_in(document.identifier, document.secret, "student")
    signed_in = browser.cookie
    browser.send(**chosen())
    browser.send(**day_fields(LEA_BORN))
    active = browser.cookie
    assert len({before, signed_in, active}) == 3
    with house.instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(BrowserSession).where(BrowserSession.account_id.is_not(None))) == 1
    old = house.app.test_client()
    old.set_cookie("preau", signed_in or "")
    assert old.get("/account").status_code in (302, 303)


@pytest.mark.covers("F074", "F062")
def test_a_new_child_is_proposed_at_the_next_sign_in(house: House):
    """« Plus tard » lets the guardian through until the next sign-in; the right date adds the child."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    zoe = student("7", "Zoé", "Martin")
    house.instance.directory.people[zoe.ref] = zoe  # type: ignore[attr-defined]
    house.instance.directory.ties.append(tie(CAMILLE, zoe))  # type: ignore[attr-defined]
    browser = house.browser()
    browser.sign_in("c.martin", GOOD_PASSWORD)
    assert browser.at == "/activation/new-children"
    browser.send(later="1")
    assert browser.at == "/account"
    again = house.browser()
    again.sign_in("c.martin", GOOD_PASSWORD)
    again.send(**dict(zip((f"{house.attachment('c.martin', zoe.ine).id}-{part}" for part in ("day", "month", "year")), WRONG, strict=True)))
    assert "Cette date de naissance n'est pas la bonne." in again.text
    assert "Continuer sans cet élève" not in again.text, "« Plus tard » is there for that"
    id_ = house.attachment("c.martin", zoe.ine).id
    again.send(**dict(zip((f"{id_}-{part}" for part in ("day", "month", "year")), LEA_BORN, strict=True)))
    assert again.at == "/account"
    assert "Zoé Martin" in again.text


@pytest.mark.covers("AC-52")
def test_a_forced_change_asks_for_the_current_password(house: House):
    """Nothing is reached before; a wrong current password is refused; then the old one and other sessions are dead."""
    id_ = activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    elsewhere = house.browser()
    elsewhere.sign_in("c.martin", GOOD_PASSWORD)
    with house.instance.database.transaction() as db:
        db.get_one(Account, id_).must_change_password = True
    browser = house.browser()
    browser.sign_in("c.martin", GOOD_PASSWORD)
    assert browser.at == "/activation/password"
    assert browser.open("/account").request.path == "/activation/password"
    assert "12 caractères ou plus" in browser.text
    for current, new, said in (
        ("faux", OTHER_PASSWORD, "Le mot de passe actuel n'est pas bon."),
        ("faux", GOOD_PASSWORD, "Le mot de passe actuel n'est pas bon."),
        (GOOD_PASSWORD, GOOD_PASSWORD, "Choisissez un mot de passe différent de l'ancien."),
        (GOOD_PASSWORD, "court", "Il faut 12 caractères ou plus."),
    ):
        browser.send(current_password=current, new_password=new, confirmation=new)
        assert browser.page.status_code == 422
        assert re.findall(r'<div class="field-error"[^>]*>([^<]*)<', browser.text) == [said]
    assert house.account("c.martin").must_change_password
    browser.send(current_password=GOOD_PASSWORD, new_password=OTHER_PASSWORD, confirmation=OTHER_PASSWORD)
    assert browser.at == "/account"
    assert elsewhere.open("/account").request.path != "/account"
    assert house.browser().sign_in("c.martin", OTHER_PASSWORD).request.path == "/account"
    with house.instance.database.session() as db:
        subjects = db.scalars(select(OutgoingMail.subject)).all()
    assert "Votre mot de passe a changé" in subjects


@pytest.mark.covers("F062", "AC-21")
def test_a_letter_that_expires_in_the_middle_ends_the_activation(house: House):
    """The clean-up puts the account back to KNOWN, ends the session and forgets what was half done."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    with house.instance.database.transaction() as db:
        db.scalars(select(Notice)).one().expires_at = datetime.now(UTC) - timedelta(seconds=1)
    counts = clean_up(house.instance.database, house.instance.settings, now=datetime.now(UTC))
    assert counts["notices"] == 1
    account = house.account(document.identifier)
    assert (account.state, account.attachments) == (State.KNOWN, [])
    assert browser.open("/activation/credentials").request.path.startswith("/login")
    browser.sign_in(document.identifier, document.secret)
    assert "Ce mot de passe provisoire ne marche plus : il était valable 3 mois." in browser.text


def test_a_sick_directory_is_told_and_counts_nothing(house: House, monkeypatch: pytest.MonkeyPatch):
    """The page says "later"; the try is not held against the person, who goes on afterwards."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    browser.send(**chosen())
    working = house.instance.directory.students_by_ine

    def sick(_ine: str) -> tuple[()]:
        raise Unavailable("no answer")

    monkeypatch.setattr(house.instance.directory, "students_by_ine", sick)
    assert browser.send(**day_fields(LEA_BORN)).status_code == 503
    monkeypatch.setattr(house.instance.directory, "students_by_ine", working)
    browser.open("/activation/student/birth-date")
    browser.send(**day_fields(LEA_BORN))
    assert browser.at == "/activation/done"


@pytest.mark.covers("AC-01")
def test_the_page_of_a_failure_is_the_same_for_everybody(house: House):
    """Unknown, wrong, not activated: same status, same text, same size; and so are the pages of those who have to wait."""
    activate(house.instance, CAMILLE.ref, now=datetime.now(UTC))
    informed = letter(house, LEA).identifier
    told: dict[str, set[tuple[int, str, int]]] = {"L'identifiant ou le mot de passe n'est pas bon.": set(), "Trop d'essais.": set()}
    with time_machine.travel(datetime.now(UTC), tick=False):
        for identifier in ("x.unknown", "c.martin", informed):
            for said in [*told][:1] * 5 + [*told][1:] * 2:
                browser = house.browser()
                browser.sign_in(identifier, "wrong password")
                assert said in browser.text
                text = re.sub(r'name="csrf_token"[^>]*>|value="[^"]*"', "", browser.page.text)
                told[said].add((browser.page.status_code, text, len(browser.page.data) - len(identifier)))
    assert [len(pages) for pages in told.values()] == [1, 1]


@pytest.mark.covers("AC-32")
def test_every_form_needs_its_csrf_token(house: House):
    """The same answers without the token change nothing."""
    document = letter(house, LEA)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret, "student")
    assert browser.client.post("/activation/student/password", data=chosen()).status_code == 400
    assert house.account(document.identifier).password_hash is None
    browser.send(**chosen())
    assert house.account(document.identifier).password_hash is not None


def test_captured_mails_are_shown_outside_of_production_only(house: House, keys: Path, tmp_path: Path):
    """The mailbox shows the text with its link; a hub that sends mails has no such page."""
    document = letter(house)
    browser = house.browser()
    browser.sign_in(document.identifier, document.secret)
    browser.send(**dates(house, document.identifier, lea=LEA_BORN))
    browser.send(**chosen(ADDRESS))
    browser.open("/demo/mailbox")
    assert f'href="http://localhost:8000{house.link()}"' in browser.text
    shutil.copytree(keys, tmp_path / "sending" / "keys")
    sending = make_instance(tmp_path / "sending", smtp_host="localhost")
    assert create_app(sending.settings).test_client().get("/demo/mailbox").status_code == 404
    sending.close()
