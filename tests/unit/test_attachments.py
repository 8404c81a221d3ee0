"""Attachments: proposed by the directory, proved by a birth date, ended when the directory no longer says them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import Capacity, Degree, Guardian, Kind, Partial, Student, Unavailable
from backends.memory import MemoryDirectory
from hub.accounts import attachments, continuity
from hub.accounts.attachments import Answer
from hub.accounts.models import Account, Attachment, AttachmentState
from hub.audit.models import AuditEvent
from hub.instance import Instance
from tests.accounts_kit import (
    ALEX,
    CAMILLE,
    LEA,
    NOW,
    TOM,
    activate,
    guardian,
    make_instance,
    notice_for,
    ref,
    small_directory,
    student,
    tie,
)

WRONG = date(2001, 1, 1)


@pytest.fixture
def directory() -> MemoryDirectory:
    return small_directory()


@pytest.fixture
def instance(tmp_path: Path, directory: MemoryDirectory) -> Iterator[Instance]:
    instance = make_instance(tmp_path, directory)
    yield instance
    instance.close()


@pytest.fixture
def db(instance: Instance) -> Iterator[Session]:
    with instance.database.session() as session:
        yield session


def camille(db: Session, instance: Instance) -> Account:
    """The account of Camille, informed, without attachment yet."""
    account = db.get_one(Account, notice_for(instance, CAMILLE.ref).account_id)
    sync(db, instance, account)
    return account


def sync(db: Session, instance: Instance, account: Account, *, now: datetime = NOW) -> dict[str, AttachmentState]:
    attachments.sync(db, account, instance.directory, now=now)
    return {a.ine: a.state for a in account.attachments}


def of(account: Account, child: object) -> Attachment:
    return next(a for a in account.attachments if a.ine == child.ine)  # type: ignore[attr-defined]


def answer(db: Session, instance: Instance, attachment: Attachment, given: date, *, before: int = 0, now: datetime = NOW) -> Answer:
    return attachments.confirm(
        db, attachment, given, directory=instance.directory, settings=instance.settings, tries_before=before, now=now
    )


@pytest.mark.covers("F070", "F071", "F006")
def test_the_children_of_the_record_are_proposed(db: Session, instance: Instance, directory: MemoryDirectory):
    """Each child with an INE, once; one without is never attached."""
    nameless = student("40", ine=None)
    directory.people[nameless.ref] = nameless
    directory.ties.append(tie(CAMILLE, nameless))
    account = camille(db, instance)
    assert sync(db, instance, account) == {LEA.ine: AttachmentState.PROPOSED, TOM.ine: AttachmentState.PROPOSED}


@pytest.mark.covers("F072", "F075")
def test_the_right_birth_date_confirms(db: Session, instance: Instance):
    """And stays confirmed at the next look at the directory."""
    account = camille(db, instance)
    assert answer(db, instance, of(account, LEA), date(2014, 7, 14)) is Answer.RIGHT
    assert sync(db, instance, account)[LEA.ine or ""] is AttachmentState.CONFIRMED


@pytest.mark.covers("F046", "AC-24")
def test_three_wrong_dates_in_a_session_end_the_tries(db: Session, instance: Instance):
    """The third one, and a right one after it, are refused; the next sign-in proposes the child again."""
    account = camille(db, instance)
    tries = [answer(db, instance, of(account, LEA), WRONG, before=n) for n in range(3)]
    assert tries == [Answer.WRONG, Answer.WRONG, Answer.EXHAUSTED]
    assert of(account, LEA).state is AttachmentState.TO_CHECK
    assert answer(db, instance, of(account, LEA), date(2014, 7, 14), before=3) is Answer.EXHAUSTED
    assert sync(db, instance, account)[LEA.ine or ""] is AttachmentState.PROPOSED


@pytest.mark.covers("AC-24")
def test_ten_wrong_dates_in_a_day_whatever_the_sessions(db: Session, instance: Instance):
    """The eleventh is not looked at, were it right; the next day counts afresh, by the clock of Paris."""
    account = camille(db, instance)
    for _ in range(10):
        answer(db, instance, of(account, LEA), WRONG)
        sync(db, instance, account)
    assert answer(db, instance, of(account, LEA), date(2014, 7, 14)) is Answer.EXHAUSTED
    tomorrow = datetime(2026, 11, 25, 23, 1, tzinfo=NOW.tzinfo)
    sync(db, instance, account, now=tomorrow)
    assert answer(db, instance, of(account, LEA), date(2014, 7, 14), now=tomorrow) is Answer.RIGHT


@pytest.mark.covers("F073", "AC-25")
def test_a_refused_child_is_not_proposed_again(db: Session, instance: Instance, directory: MemoryDirectory):
    """While the source says the same; corrected there, the flag is cleared."""
    account = camille(db, instance)
    attachments.refuse(db, of(account, TOM), now=NOW)
    assert sync(db, instance, account)[TOM.ine or ""] is AttachmentState.REFUSED
    directory.ties.remove(tie(CAMILLE, TOM))
    assert sync(db, instance, account)[TOM.ine or ""] is AttachmentState.ENDED


def test_a_right_withdrawn_ends_at_once(db: Session, instance: Instance, directory: MemoryDirectory):
    """The pupil stays, the tie goes: ended without grace. The tie comes back: asked again."""
    account = db.get_one(Account, activate(instance, CAMILLE.ref))
    directory.ties.remove(tie(CAMILLE, LEA))
    assert sync(db, instance, account) == {LEA.ine: AttachmentState.ENDED, TOM.ine: AttachmentState.CONFIRMED}
    directory.ties.append(tie(CAMILLE, LEA))
    assert sync(db, instance, account)[LEA.ine or ""] is AttachmentState.PROPOSED


def test_a_pupil_who_left_has_a_period_of_grace(db: Session, instance: Instance, directory: MemoryDirectory):
    """Gone from the directory altogether: a confirmed child stays for now, a proposed one does not."""
    account = camille(db, instance)
    answer(db, instance, of(account, LEA), date(2014, 7, 14))
    del directory.people[LEA.ref], directory.people[TOM.ref]
    assert sync(db, instance, account) == {LEA.ine: AttachmentState.CONFIRMED, TOM.ine: AttachmentState.ENDED}


@pytest.mark.covers("F004", "F070", "F074")
def test_children_of_another_record_of_the_same_person(db: Session, instance: Instance, directory: MemoryDirectory):
    """Proposed by the match; the record becomes the account's own only with a right birth date."""
    record = guardian("50", feed="02", degree=Degree.PRIMARY, mobiles=CAMILLE.mobiles, mail=None)
    zoe = student("51", "Zoé", "Martin", feed="02", degree=Degree.PRIMARY)
    directory.people |= {record.ref: record, zoe.ref: zoe}
    directory.ties.append(tie(record, zoe))
    account = camille(db, instance)
    assert of(account, zoe).state is AttachmentState.PROPOSED
    assert [r.ref for r in account.records] == [str(CAMILLE.ref)]
    assert {offer.label for offer in attachments.offers(db, account, directory)} == {"Léa M.", "Tom M.", "Zoé M."}
    answer(db, instance, of(account, zoe), WRONG)
    assert [r.ref for r in account.records] == [str(CAMILLE.ref)]
    answer(db, instance, of(account, zoe), date(2014, 7, 14), before=1)
    assert {r.ref for r in account.records} == {str(CAMILLE.ref), str(record.ref)}
    assert sync(db, instance, account)[zoe.ine or ""] is AttachmentState.CONFIRMED


@pytest.mark.covers("F003", "F004")
def test_from_primary_school_to_college_nothing_is_asked_again(db: Session, instance: Instance, directory: MemoryDirectory):
    """The new record of the same person for a proved child is the account's own; the old one may go. Its other child is asked."""
    account = db.get_one(Account, activate(instance, CAMILLE.ref))
    record = guardian("80", feed="13", degree=Degree.PRIMARY, mobiles=CAMILLE.mobiles)
    lea = student("81", feed="13", degree=Degree.PRIMARY, ine=LEA.ine)
    zoe = student("82", "Zoé", "Martin", feed="13", degree=Degree.PRIMARY)
    directory.people |= {p.ref: p for p in (record, lea, zoe)}
    directory.ties += [tie(record, lea), tie(record, zoe)]
    assert sync(db, instance, account) == {
        LEA.ine: AttachmentState.CONFIRMED,
        TOM.ine: AttachmentState.CONFIRMED,
        zoe.ine: AttachmentState.PROPOSED,
    }
    assert {r.ref for r in account.records} == {str(CAMILLE.ref), str(record.ref)}
    del directory.people[CAMILLE.ref], directory.people[LEA.ref]
    assert sync(db, instance, account)[LEA.ine or ""] is AttachmentState.CONFIRMED


@pytest.mark.covers("AC-23")
def test_a_record_of_another_account_is_left_alone(db: Session, instance: Instance, directory: MemoryDirectory):
    """Somebody already stands for it: nothing is proposed."""
    record = guardian("50", feed="02")
    zoe = student("51", "Zoé", "Martin", feed="02")
    directory.people |= {record.ref: record, zoe.ref: zoe}
    directory.ties.append(tie(record, zoe))
    notice_for(instance, record.ref)
    account = camille(db, instance)
    directory.people[record.ref] = replace(record, mobiles=CAMILLE.mobiles)
    assert zoe.ine not in sync(db, instance, account)


@pytest.mark.covers("AC-23")
def test_a_shared_number_attaches_no_stranger(db: Session, instance: Instance, directory: MemoryDirectory):
    """The other parent's record with the same number and mail: other name, or guardian of the same pupil; nothing comes of it."""
    stepchild = student("61", "Noé", "Durand")
    ex = replace(ALEX, mobiles=CAMILLE.mobiles, mail=CAMILLE.mail)
    namesake = guardian("62", mobiles=CAMILLE.mobiles)
    theirs = student("63", "Max", "Martin")
    directory.people |= {p.ref: p for p in (stepchild, ex, namesake, theirs)}
    directory.ties += [tie(ex, stepchild), tie(namesake, theirs), tie(namesake, LEA)]
    account = camille(db, instance)
    assert set(sync(db, instance, account)) == {LEA.ine, TOM.ine}


def test_an_offer_tells_no_family_name(db: Session, instance: Instance):
    """First name, initial, school, class and capacity."""
    account = db.get_one(Account, notice_for(instance, ALEX.ref).account_id)
    sync(db, instance, account)
    (offer,) = attachments.offers(db, account, instance.directory)
    assert (offer.label, offer.school, offer.division, offer.capacity) == ("Léa M.", "Collège des Tilleuls", "6A", Capacity.IN_CHARGE)


@pytest.mark.covers("F005")
def test_the_legal_capacity_holds_where_two_records_differ(db: Session, instance: Instance, directory: MemoryDirectory):
    """Legal in one school, in charge in the other: legal."""
    second = replace(LEA, ref=ref(Kind.STUDENT, "70", feed="02"))
    directory.people[second.ref] = second
    directory.ties.append(tie(CAMILLE, second, Capacity.IN_CHARGE))
    account = camille(db, instance)
    offer = next(o for o in attachments.offers(db, account, directory) if o.label == "Léa M.")
    assert offer.capacity is Capacity.LEGAL


def test_each_change_is_in_the_audit(db: Session, instance: Instance):
    """Proposed, wrong, confirmed, refused: one row each, by whom, without the child's name or INE."""
    account = camille(db, instance)
    answer(db, instance, of(account, LEA), WRONG)
    answer(db, instance, of(account, LEA), date(2014, 7, 14), before=1)
    attachments.refuse(db, of(account, TOM), now=NOW)
    db.flush()
    events = db.scalars(select(AuditEvent).where(AuditEvent.action.startswith("attachment.")).order_by(AuditEvent.id)).all()
    assert [e.action.partition(".")[2] for e in events] == ["proposed", "proposed", "wrong_date", "confirmed", "refused"]
    assert {e.actor for e in events[2:]} == {f"account:{account.id}"}
    assert not any(str(child.ine) in str(e.details) or child.given_name in str(e.details) for e in events for child in (LEA, TOM))


def test_a_pupil_has_no_attachments(db: Session, instance: Instance):
    """Nothing happens for a student's account."""
    account = db.get_one(Account, activate(instance, LEA.ref))
    assert sync(db, instance, account, now=NOW + timedelta(days=1)) == {}


class _WithoutOneAcademy(MemoryDirectory):
    """A directory one of whose academies does not answer: searches are partial."""

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        """What the others say, and who is missing."""
        return Partial(super().students_by_ine(ine), ["aix"])

    def find_guardians(self, *names: str, **channels: str | None) -> tuple[Guardian, ...]:
        """What the others say, and who is missing."""
        return Partial(super().find_guardians(*names, **channels), ["aix"])


def test_nothing_ends_because_an_academy_does_not_answer(db: Session, instance: Instance, directory: MemoryDirectory):
    """A proposed or refused child of another academy keeps its state while that academy is silent; then it is judged again."""
    record = guardian("50", feed="02", degree=Degree.PRIMARY, mobiles=CAMILLE.mobiles, mail=None)
    zoe, max_ = (student(id_, name, "Martin", feed="02", degree=Degree.PRIMARY) for id_, name in (("51", "Zoé"), ("52", "Max")))
    directory.people |= {record.ref: record, zoe.ref: zoe, max_.ref: max_}
    directory.ties += [tie(record, zoe), tie(record, max_)]
    account = camille(db, instance)
    attachments.refuse(db, of(account, max_), now=NOW)
    before = sync(db, instance, account)
    assert before[zoe.ine or ""] is AttachmentState.PROPOSED
    here = [person for person in directory.people.values() if person.ref.feed != "02"]
    attachments.sync(db, account, _WithoutOneAcademy(here, directory.ties), now=NOW)
    assert {a.ine: a.state for a in account.attachments} == before
    attachments.sync(db, account, MemoryDirectory(here, directory.ties), now=NOW)
    ended = {a.ine for a in account.attachments if a.state is AttachmentState.ENDED}
    assert ended == {zoe.ine, max_.ine}


@pytest.mark.covers("F003")
def test_a_proved_child_is_not_ended_on_half_an_answer(db: Session, instance: Instance, directory: MemoryDirectory):
    """The right is no longer said, but the record that continues it may be in the academy that is silent; a whole answer ends it."""
    account = db.get_one(Account, activate(instance, CAMILLE.ref))
    left = [one for one in directory.ties if (one.guardian, one.student) != (CAMILLE.ref, LEA.ref)]
    people = directory.people.values()
    attachments.sync(db, account, _WithoutOneAcademy(people, left), now=NOW)
    assert of(account, LEA).state is AttachmentState.CONFIRMED
    attachments.sync(db, account, MemoryDirectory(people, left), now=NOW)
    assert of(account, LEA).state is AttachmentState.ENDED


@pytest.mark.covers("F003")
def test_a_record_is_not_adopted_on_half_an_answer(db: Session, instance: Instance, directory: MemoryDirectory):
    """An academy that is silent may dispute the INE: try later. Nobody else waits, and the whole answer adopts the record."""
    account = db.get_one(Account, activate(instance, CAMILLE.ref))
    attachments.sync(db, account, _WithoutOneAcademy(directory.people.values(), directory.ties), now=NOW)
    record = guardian("80", feed="13", degree=Degree.PRIMARY, mobiles=CAMILLE.mobiles)
    lea = student("81", feed="13", degree=Degree.PRIMARY, ine=LEA.ine)
    directory.people |= {record.ref: record, lea.ref: lea}
    directory.ties.append(tie(record, lea))
    with pytest.raises(Unavailable, match="aix"):
        attachments.sync(db, account, _WithoutOneAcademy(directory.people.values(), directory.ties), now=NOW)
    assert [r.ref for r in account.records] == [str(CAMILLE.ref)]
    sync(db, instance, account)
    assert {r.ref for r in account.records} == {str(CAMILLE.ref), str(record.ref)}


@pytest.mark.covers("AC-23")
def test_no_second_account_is_made_on_half_an_answer(db: Session, directory: MemoryDirectory):
    """Whether the person has an account under another record cannot be said: unavailable, not "none"."""
    assert continuity.matches(db, CAMILLE, directory) == []
    with pytest.raises(Unavailable, match="aix"):
        continuity.matches(db, CAMILLE, _WithoutOneAcademy(directory.people.values(), directory.ties))
