"""Notices: who gets one, what is in it, how long it works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backends import Kind, Staff
from hub.accounts.models import Account, AccountKind, AccountRecord, Notice, State
from hub.accounts.notices import PARIS, expiry, find_account
from hub.accounts.service import Accepted, sign_in
from hub.audit.models import AuditEvent, SignOnRecord
from hub.errors import Refusal
from hub.instance import Instance
from hub.jobs.cleanup import KEEP_EXPIRED_SECRETS, clean_up
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, activate, guardian, make_instance, notice_for, ref, student, tie


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path)
    yield instance
    instance.close()


def code(instance: Instance, identifier: str, password: str, now: datetime) -> str | None:
    with instance.database.session() as db:
        outcome = sign_in(db, instance, identifier, password, now=now)
        db.commit()
        return outcome.code


def add(instance: Instance, *people: object) -> None:
    for person in people:
        instance.directory.people[person.ref] = person  # type: ignore[attr-defined]


@pytest.mark.covers("F060", "F021")
def test_the_first_notice_creates_the_account(instance: Instance):
    """Before it there is no row; after it an identifier, a secret of twelve signs, and one audit row without the secret."""
    with instance.database.session() as db:
        assert find_account(db, instance.directory, LEA.ref) is None
    document = notice_for(instance, LEA.ref)
    assert document.identifier == "l.martin"
    assert re.fullmatch("[A-HJ-NP-Z2-9]{12}", document.secret)
    assert document.secret not in repr(document)
    with instance.database.session() as db:
        account = db.get_one(Account, document.account_id)
        assert (account.kind, account.state, account.ine) == (AccountKind.STUDENT, State.INFORMED, LEA.ine)
        assert account.informed_at == NOW
        events = db.scalars(select(AuditEvent)).all()
    assert [event.action for event in events] == ["account.informed"]
    assert document.secret not in str(events[0].details)


@pytest.mark.covers("AC-40")
def test_the_secret_is_kept_only_hashed(instance: Instance):
    """No column of the database holds it; two people never get the same."""
    first, second = notice_for(instance, LEA.ref), notice_for(instance, CAMILLE.ref)
    assert first.secret != second.secret
    instance.database.engine.dispose()
    stored = b"".join(path.read_bytes() for path in instance.settings.instance_dir.glob("preau.sqlite*"))
    assert b"$argon2id$" in stored
    assert first.secret.encode() not in stored


@pytest.mark.covers("AC-21")
def test_a_second_notice_voids_the_first(instance: Instance):
    """Same identifier, other secret; the first opens nothing any more."""
    first, second = notice_for(instance, LEA.ref), notice_for(instance, LEA.ref)
    assert first.identifier == second.identifier
    assert code(instance, first.identifier, first.secret, NOW) == "M07"
    assert code(instance, second.identifier, second.secret, NOW) is None


@pytest.mark.covers("F062")
@pytest.mark.parametrize(
    ("made", "last_day"),
    [
        (date(2026, 11, 25), date(2027, 2, 25)),
        (date(2026, 11, 30), date(2027, 2, 28)),
        (date(2027, 11, 29), date(2028, 2, 29)),
        (date(2026, 1, 31), date(2026, 4, 30)),
        (date(2026, 3, 28), date(2026, 6, 28)),
        (date(2026, 12, 1), date(2027, 3, 1)),
    ],
)
def test_three_calendar_months_the_last_day_included(made: date, last_day: date):
    """The same day three months later, or the last of a shorter month, until midnight in Paris."""
    end = expiry(datetime(made.year, made.month, made.day, 23, 30, tzinfo=PARIS), 3)
    assert (end - timedelta(seconds=1)).date() == last_day
    assert (end.hour, end.minute, end.tzinfo) == (0, 0, PARIS)


@pytest.mark.covers("F062", "AC-21")
def test_accepted_the_last_second_and_refused_after(instance: Instance):
    """The right secret after its end is told that it is too old (M12), a wrong one is not (M07); the account is KNOWN again."""
    document = notice_for(instance, LEA.ref)
    assert document.last_day == date(2027, 2, 25)
    assert code(instance, document.identifier, document.secret, document.expires_at) == "M12"
    assert code(instance, document.identifier, "WRONGSECRET2", document.expires_at) == "M07"
    with instance.database.session() as db:
        account = db.get_one(Account, document.account_id)
        assert (account.state, account.expired_at) == (State.KNOWN, document.expires_at)
    assert code(instance, document.identifier, document.secret, document.expires_at + timedelta(days=10)) == "M12"
    other = notice_for(instance, CAMILLE.ref)
    assert code(instance, other.identifier, other.secret, other.expires_at - timedelta(seconds=1)) is None


@pytest.mark.covers("F062")
def test_the_clean_up_expires_what_is_over(instance: Instance):
    """Only what is over; the hash of an expired secret goes 90 days later, and then it is a wrong password like any other."""
    document = notice_for(instance, LEA.ref)
    assert clean_up(instance.database, instance.settings, now=document.expires_at - timedelta(seconds=1))["notices"] == 0
    assert clean_up(instance.database, instance.settings, now=document.expires_at)["notices"] == 1
    assert clean_up(instance.database, instance.settings, now=document.expires_at)["notices"] == 0
    later = document.expires_at + KEEP_EXPIRED_SECRETS
    assert clean_up(instance.database, instance.settings, now=later)["secrets"] == 1
    assert code(instance, document.identifier, document.secret, later) == "M07"


def test_a_person_expired_may_be_informed_again(instance: Instance):
    """Same account and identifier."""
    first = notice_for(instance, LEA.ref)
    clean_up(instance.database, instance.settings, now=first.expires_at)
    second = notice_for(instance, LEA.ref, now=first.expires_at)
    assert (second.account_id, second.identifier) == (first.account_id, first.identifier)
    assert code(instance, second.identifier, second.secret, first.expires_at) is None


@pytest.mark.covers("F006", "F022")
def test_who_gets_no_notice(instance: Instance):
    """No INE, nobody to answer for, staff, unknown, active: refused with the reason, and nothing is created."""
    orphan, childless = student("30", ine=None), guardian("31")
    of_orphan = guardian("32")
    teacher = Staff(ref(Kind.STAFF, "33"), "13", "Dupont", "Anne")
    add(instance, orphan, childless, of_orphan, teacher)
    instance.directory.ties.append(tie(of_orphan, orphan))  # type: ignore[attr-defined]
    cases = {
        orphan.ref: "no INE",
        childless.ref: "no student with an INE",
        of_orphan.ref: "no student with an INE",
        teacher.ref: "staff",
        ref(Kind.STUDENT, "999"): "nobody",
    }
    for who, reason in cases.items():
        with pytest.raises(Refusal, match=reason):
            notice_for(instance, who)
    with instance.database.session() as db:
        assert db.scalar(select(func.count()).select_from(Account)) == 0
    activate(instance, LEA.ref)
    with pytest.raises(Refusal, match="ACTIVE"):
        notice_for(instance, LEA.ref)
    assert code(instance, "l.martin", GOOD_PASSWORD, NOW) is None


@pytest.mark.covers("F003")
def test_a_pupil_keeps_the_account_in_another_school(instance: Instance):
    """Another record, another feed, the same INE: the same account."""
    first = notice_for(instance, LEA.ref)
    moved = replace(LEA, ref=ref(Kind.STUDENT, "77", feed="02"), academy="02")
    del instance.directory.people[LEA.ref]  # type: ignore[attr-defined]
    add(instance, moved)
    second = notice_for(instance, moved.ref)
    assert (second.account_id, second.identifier) == (first.account_id, first.identifier)


def test_a_guardian_is_known_by_the_record(instance: Instance):
    """The record is the account's; the pupil's account has none, the INE is enough."""
    notice_for(instance, LEA.ref)
    document = notice_for(instance, CAMILLE.ref)
    with instance.database.session() as db:
        assert [(r.ref, r.account_id) for r in db.scalars(select(AccountRecord))] == [(str(CAMILLE.ref), document.account_id)]


def test_one_human_gets_no_second_account(instance: Instance):
    """Another record with the same names and mobile: the notice is refused and names the account. A homonym gets a notice."""
    first = notice_for(instance, CAMILLE.ref)
    again, homonym = guardian("50", "Camille Rose", feed="02", mobiles=CAMILLE.mobiles), guardian("51", feed="02")
    child = student("52", "Zoé", feed="02")
    add(instance, again, homonym, child)
    instance.directory.ties += [tie(again, child), tie(homonym, child)]  # type: ignore[attr-defined]
    with pytest.raises(Refusal, match=rf"{first.identifier} .*{CAMILLE.ref}"):
        notice_for(instance, again.ref)
    assert notice_for(instance, homonym.ref).account_id != first.account_id


def test_somebody_stuck_half_way_starts_over(instance: Instance):
    """A new notice during the activation forgets what was half done, the chosen password included."""
    first = notice_for(instance, CAMILLE.ref)
    with instance.database.session() as db:
        outcome = sign_in(db, instance, first.identifier, first.secret, now=NOW)
        assert isinstance(outcome, Accepted)
        db.commit()
    second = notice_for(instance, CAMILLE.ref)
    with instance.database.session() as db:
        account = db.get_one(Account, first.account_id)
        assert (account.state, account.attachments, account.password_hash) == (State.INFORMED, [], None)
        assert db.scalar(select(func.count()).select_from(Notice).where(Notice.ended_at.is_(None))) == 1
    assert code(instance, second.identifier, second.secret, NOW) is None


def test_a_failed_notice_leaves_nothing(instance: Instance):
    """Account, identifier and notice go with the transaction."""
    from hub.accounts.notices import notify

    with pytest.raises(RuntimeError), instance.database.transaction() as db:
        notify(db, instance.directory, instance.settings, LEA.ref, actor="system", now=NOW)
        raise RuntimeError("the letter could not be printed")
    assert notice_for(instance, LEA.ref).identifier == "l.martin"


def test_sign_on_records_are_erased_after_their_time(instance: Instance):
    """Kept for a year by default, not a day more."""
    now = datetime.now(UTC)
    with instance.database.transaction() as db:
        for days in (364, 366):
            db.add(
                SignOnRecord(
                    at=now - timedelta(days=days),
                    account_id="a",
                    service_provider="https://sp.example",
                    request_id="_r",
                    assertion_id=f"_{days}",
                    session_index="_s",
                    attributes=[],
                    encrypted=True,
                    reference="R",
                )
            )
    assert clean_up(instance.database, instance.settings, now=now)["sign_on_records"] == 1
    with instance.database.session() as db:
        assert db.scalars(select(SignOnRecord.assertion_id)).all() == ["_364"]
