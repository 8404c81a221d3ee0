"""Notices: the documents by which a school tells somebody about the account (functional.md 2.6, 4.1)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backends import Directory, Guardian, NotFound, Person, Ref, Student

from ..errors import Refusal
from ..settings import Settings
from . import continuity, identifiers, lifecycle
from .lifecycle import Event
from .models import Account, AccountKind, AccountRecord, Notice, State
from .passwords import Passwords, new_secret
from .pupil import given_key, is_of

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class NoticeDocument:
    """What goes into one letter. The secret exists nowhere else: lost, it is replaced by a new notice."""

    account_id: str
    kind: AccountKind
    display_name: str
    identifier: str
    secret: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    """First moment at which the secret is refused: midnight after the last day, in Paris."""
    starts_again: bool = False
    """Whether an activation was in progress: it begins again with this document."""

    @property
    def last_day(self) -> date:
        """The last day on which the secret works, in Paris."""
        return (self.expires_at - timedelta(seconds=1)).astimezone(PARIS).date()


def notify(db: Session, directory: Directory, settings: Settings, ref: Ref, *, actor: str, now: datetime) -> NoticeDocument:
    """Make the notice of the person behind ``ref``, in the caller's transaction. The former secret is void at once.

    Creates the account, and its identifier, when the person has none yet. Raises Refusal, with the reason, for a person who is
    unknown, is staff, has no INE (student) or no student with an INE (guardian), or has an active or closed account. Raises
    the directory's Unavailable.
    """
    person = eligible(directory, ref)
    account = find_account(db, directory, ref)
    if account is None:
        _refuse_second_account(db, directory, person)
        account = _create(db, person, now=now)
    stranger = isinstance(person, Student) and not is_of(account, person)
    if account.state not in (State.KNOWN, State.INFORMED, State.ACTIVATING):
        why = "was made for another child with the same INE" if stranger else f"is {account.state.value}"
        raise Refusal(f"{account.identifier}: the account {why}, no provisional password is made for it")
    if isinstance(person, Student):
        account.birth_date, account.given_key = person.birth_date, given_key(person)
    if account.identifier is None or stranger:
        account.identifier = identifiers.reserve(db, person.given_name, person.family_name, now=now)
    starts_again = account.state is State.ACTIVATING
    lifecycle.void_secrets(db, account, now=now)
    secret = new_secret(settings.provisional_length)
    expires_at = expiry(now, settings.notices_validity_months)
    db.add(Notice(account_id=account.id, created_at=now, expires_at=expires_at, secret_hash=Passwords(settings).hash_secret(secret)))
    lifecycle.apply(db, account, Event.INFORM, actor=actor, now=now, credentials=True)
    return NoticeDocument(
        account_id=account.id,
        kind=account.kind,
        display_name=f"{person.given_name} {person.family_name}",
        identifier=account.identifier,
        secret=secret,
        created_at=now,
        expires_at=expires_at,
        starts_again=starts_again,
    )


def eligible(directory: Directory, ref: Ref) -> Student | Guardian:
    """The person behind ``ref`` if he or she may have an account (F006, F022). Raises Refusal with the reason otherwise."""
    try:
        person = directory.person(ref)
    except NotFound:
        raise Refusal(f"{ref}: nobody has this reference in the directory") from None
    if isinstance(person, Student):
        if person.ine is None:
            raise Refusal(f"{ref}: this student has no INE, so no account is possible")
        return person
    if isinstance(person, Guardian):
        if not any(tie.ine for tie in directory.ties_of(ref)):
            raise Refusal(f"{ref}: this guardian has no student with an INE, so no account is possible")
        return person
    raise Refusal(f"{ref}: staff have no account here")


def find_account(db: Session, directory: Directory, ref: Ref) -> Account | None:
    """The account of the person behind ``ref``: a student's by INE, a guardian's by record. None when there is none yet."""
    try:
        person = directory.person(ref)
    except NotFound:
        person = None
    if isinstance(person, Student):
        return db.scalar(select(Account).where(Account.ine == person.ine)) if person.ine else None
    record = db.get(AccountRecord, str(ref))
    return record.account if record else None


def _refuse_second_account(db: Session, directory: Directory, person: Student | Guardian) -> None:
    """One human, one account: a guardian who has one keeps it under a new record (4.9). Raises Refusal with its identifier."""
    if not isinstance(person, Guardian):
        return
    for account in (*continuity.predecessors(db, person, directory), *continuity.matches(db, person, directory)):
        records = ", ".join(record.ref for record in account.records)
        raise Refusal(
            f"{person.ref}: the same person has the account {account.identifier} ({account.state.value}, from {records}); this record is "
            "added to it by itself, or by the proof of the children, so no second account is made"
        )


def expiry(created: datetime, months: int) -> datetime:
    """Midnight in Paris after the same day ``months`` later (or after the last day of a shorter month)."""
    day = created.astimezone(PARIS).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    last_day = day.replace(year=year, month=month + 1, day=min(day.day, last))
    return datetime.combine(last_day + timedelta(days=1), time(), PARIS)


def _create(db: Session, person: Person, *, now: datetime) -> Account:
    student = isinstance(person, Student)
    account = Account(kind=AccountKind.STUDENT if student else AccountKind.GUARDIAN, created_at=now)
    if isinstance(person, Student):
        account.ine = person.ine
    else:
        account.records.append(AccountRecord(ref=str(person.ref), added_at=now))
    db.add(account)
    try:
        db.flush()
    except IntegrityError:
        raise Refusal(f"{person.ref}: somebody else is making a notice for the same person; try again") from None
    return account
