"""The races of accounts on a real PostgreSQL: identifiers, tries, mails, life cycle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub import codes
from hub.accounts import attachments, mail_address
from hub.accounts.attachments import Answer
from hub.accounts.identifiers import reserve
from hub.accounts.models import Account, State
from hub.accounts.service import Accepted, sign_in
from hub.audit.models import AuditEvent
from hub.codes.models import OneTimeCode
from hub.enrolment import service as enrolment
from hub.errors import Refusal
from hub.instance import Instance
from hub.jobs.cleanup import clean_up
from hub.messaging.jobs import send_due
from hub.messaging.models import OutgoingMail
from hub.messaging.service import queue_mail
from hub.throttle import Visitor
from hub.throttle.models import Throttle, Window
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, OTHER_PASSWORD, activate, link_token, make_instance, notice_for
from tests.real.postgres_kit import PostgreSQL, postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


@pytest.fixture
def instance(tmp_path: Path, server: PostgreSQL) -> Iterator[Instance]:
    instance = make_instance(tmp_path, database_url=server.database())
    yield instance
    instance.close()


@pytest.mark.real
@pytest.mark.covers("F061", "F080")
def test_a_pupil_and_a_guardian_are_activated(instance: Instance):
    """The whole path on the real server, up to the clean-up."""
    for who in (LEA, CAMILLE):
        id_ = activate(instance, who.ref)
        with instance.database.session() as db:
            assert db.get_one(Account, id_).state is State.ACTIVE
    assert send_due(instance.database, instance.settings) == 1
    assert clean_up(instance.database, instance.settings, now=NOW)["notices"] == 0


@pytest.mark.real
def test_parallel_reservations_differ(instance: Instance):
    """Each transaction waits for the one that tries the same identifier; none is skipped."""

    def reserved(_n: int) -> str:
        with instance.database.transaction() as db:
            return reserve(db, "Léa", "Martin", now=NOW)

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(reserved, range(30)))
    assert sorted(found) == sorted(["l.martin", *(f"l.martin{n}" for n in range(2, 31))])


@pytest.mark.real
@pytest.mark.covers("AC-03", "AC-08")
def test_parallel_guesses_count(instance: Instance):
    """Forty at once, as if from several workers: five are looked at, then everybody waits."""
    activate(instance, LEA.ref)

    def guess(_n: int) -> str | None:
        with instance.database.session() as db:
            return sign_in(db, instance, "l.martin", OTHER_PASSWORD, now=NOW).code

    with ThreadPoolExecutor(5) as pool:
        assert Counter(pool.map(guess, range(40))) == {"M07": 5, "M13": 35}
    with instance.database.session() as db:
        assert db.scalars(select(Throttle)).one().failures == 5
        assert sign_in(db, instance, "l.martin", GOOD_PASSWORD, now=NOW).code == "M13"


@pytest.mark.real
@pytest.mark.covers("AC-01", "AC-37")
def test_what_the_database_cannot_store_is_a_wrong_password_like_any_other(instance: Instance):
    """NUL, other alphabets, a megabyte: M07, no error."""
    for identifier in ("l.martin\0", "\0", "é.dupont", "x" * 1_000_000, "🐘", ""):
        with instance.database.session() as db:
            assert sign_in(db, instance, identifier, "pass\0word", now=NOW).code == "M07"
            db.commit()


@pytest.mark.real
@pytest.mark.covers("AC-24")
def test_parallel_birth_dates_count(instance: Instance):
    """Thirty wrong dates at once: ten are counted, and the right one comes too late."""
    document = notice_for(instance, CAMILLE.ref)
    with instance.database.session() as db:
        assert isinstance(sign_in(db, instance, document.identifier, document.secret, now=NOW), Accepted)
        db.commit()

    def guess(given: date) -> Answer:
        with instance.database.session() as db:
            attachment = db.get_one(Account, document.account_id).attachments[0]
            answer = attachments.confirm(
                db, attachment, given, directory=instance.directory, settings=instance.settings, tries_before=0, now=NOW
            )
            db.commit()
            return answer

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(guess, [date(2001, 1, 1)] * 30))
    assert answers.count(Answer.WRONG) == 9
    assert guess(date(2014, 7, 14)) is Answer.EXHAUSTED
    with instance.database.session() as db:
        assert db.scalar(select(func.count()).where(AuditEvent.action == "attachment.wrong_date")) == 10


@pytest.mark.real
@pytest.mark.covers("AC-05", "AC-08")
def test_a_school_that_signs_in_at_once_waits_for_nobody(instance: Instance):
    """The same pupils again and again from one address, in parallel: nobody is refused, nothing counts, nothing locks up."""
    activate(instance, LEA.ref)
    activate(instance, CAMILLE.ref, password=OTHER_PASSWORD)

    def enter(n: int) -> bool:
        who = ("l.martin", GOOD_PASSWORD) if n % 2 else ("c.martin", OTHER_PASSWORD)
        with instance.database.session() as db:
            outcome = sign_in(db, instance, *who, now=NOW + timedelta(minutes=20), visitor=Visitor("192.0.2.7"))
            db.commit()
        return isinstance(outcome, Accepted)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(enter, range(8)))
    with instance.database.session() as db:
        assert set(db.scalars(select(Window.count).where(Window.ends_at > NOW + timedelta(minutes=20)))) <= {0, 1, 2}


@pytest.mark.real
@pytest.mark.covers("AC-09", "AC-08", "AC-23")
def test_codes_and_enrolments_at_the_same_moment(instance: Instance):
    """Of twenty guesses five are judged; of two right codes for one person one account comes."""

    def ask(browser: str) -> str:
        claim = enrolment.Claim(codes.Channel.MAIL, CAMILLE.mail or "", "Martin", "Camille")
        with instance.database.transaction() as db:
            sent = enrolment.begin(db, instance, claim, session_index=browser, visitor=Visitor(), now=NOW)
        assert isinstance(sent, codes.Sent)
        return sent.id

    def judge(browser: str, id_: str, code: str) -> object:
        with instance.database.session() as db:
            row = codes.find(db, id_, purpose=enrolment.PURPOSE, session_index=browser)
            judged = codes.judge(db, instance, row, code, now=NOW) if row else None
            outcome = enrolment.accept(db, instance, judged, now=NOW) if isinstance(judged, codes.Judged) else judged
            db.commit()
            return outcome

    guessed = ask("_guesser")
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda n: judge("_guesser", guessed, f"{n:05}"), range(20)))
    with instance.database.session() as db:
        assert db.get_one(OneTimeCode, guessed).tries == 5

    both = {}
    for browser in ("_one", "_two"):
        id_ = ask(browser)
        with instance.database.session() as db:
            text = db.scalars(select(OutgoingMail.text).order_by(OutgoingMail.created_at.desc())).first() or ""
        both[browser] = (id_, re.findall(r"\d{6}", text)[0])
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda browser: judge(browser, *both[browser]), both))
    with instance.database.session() as db:
        account = db.scalars(select(Account)).one()
    allowed = (enrolment.Enrolled(account.id), enrolment.Stopped("M01-again"))
    assert allowed[0] in outcomes
    assert all(outcome in allowed for outcome in outcomes)


@pytest.mark.real
@pytest.mark.covers("AC-14")
def test_a_link_works_once_even_at_the_same_moment(instance: Instance):
    """Ten clicks at once: one counts."""
    activate(instance, LEA.ref)
    with instance.database.session() as db:
        account = db.scalars(select(Account)).one()
        assert mail_address.send_link(db, instance, account, "lea@famille-demo.fr", mail_address.Addressee("Léa"), now=NOW)
        db.commit()
        token = link_token(db, "lea@famille-demo.fr")

    def click(_n: int) -> bool:
        with instance.database.transaction() as db:
            return mail_address.confirm(db, token, now=NOW) is not None

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(click, range(10))).count(True) == 1


@pytest.mark.real
def test_two_workers_never_send_the_same_mail(instance: Instance):
    """Five workers on one outbox: each mail leaves once."""
    activate(instance, LEA.ref)
    sent: list[str] = []

    class Recorder:
        captures = False

        def send(self, mail: OutgoingMail) -> None:
            sent.append(mail.id)

    with instance.database.transaction() as db:
        for _ in range(20):
            queue_mail(db, instance.settings, "password_changed", "lea@famille-demo.fr", day="25/11/2026")
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _n: send_due(instance.database, instance.settings, transport=Recorder()), range(5)))
    assert len(sent) == len(set(sent)) == 20


@pytest.mark.real
def test_two_notices_at_once_make_one_account(instance: Instance):
    """The slower one is told to try again, or makes the second notice of the same account."""

    def inform(_n: int) -> str | None:
        try:
            return notice_for(instance, CAMILLE.ref).account_id
        except Refusal:
            return None

    with ThreadPoolExecutor(5) as pool:
        made = {id_ for id_ in pool.map(inform, range(10)) if id_}
    assert len(made) == 1
    with instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(Account)) == 1
