"""Finding the guardian whom names and a number or address describe, and the account that becomes his or hers.

A match is only a claim until the code comes back; after it, the birth dates of the children still decide (AC-23).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backends import Directory, Guardian, Ref
from backends.names import mail_key

from .. import audit, codes, throttle
from ..accounts import attachments, continuity, identifiers, lifecycle
from ..accounts.lifecycle import Event
from ..accounts.matching import same_person
from ..accounts.models import Account, AccountKind, AccountRecord, State
from ..codes import Channel, Judged
from ..instance import Instance
from ..throttle import Blocked, Visitor

PURPOSE = "enrolment"


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says to be; ``target`` is normalised by :func:`hub.codes.readable`."""

    channel: Channel
    target: str = field(repr=False)
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The school knows nobody under these names with that number or address (M01, M01b)."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The account is this person's: the activation goes on with the children."""

    account_id: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The person is known, but cannot enrol: ``code`` of the messages says why."""

    code: str


def may_be_texted(instance: Instance, number: str) -> bool:
    """Whether SMS go to that country (AC-12: no premium or foreign number is paid for)."""
    return number.startswith(tuple(f"+{code}" for code in instance.settings.sms_countries))


def begin(
    db: Session, instance: Instance, claim: Claim, *, session_index: str, visitor: Visitor, now: datetime
) -> codes.Sent | Blocked | Unknown:
    """Judge a claim (A1) and send the code to the number or address. Each try counts for it, matched or not.

    With neutral messages nobody learns here whether there is a match. Raises the directory's Unavailable.
    """
    blocked = throttle.take_request(db, instance, visitor, now=now)
    if blocked:
        return blocked
    records = _candidates(instance, claim)
    if not records and not instance.settings.activation_neutral_messages:
        return throttle.take_send(db, instance, claim.target, now=now) or Unknown()
    subject = {"records": [str(record.ref) for record in records]} if records else None
    return codes.issue(
        db,
        instance,
        purpose=PURPOSE,
        channel=claim.channel,
        target=claim.target,
        subject=subject,
        session_index=session_index,
        now=now,
    )


def accept(db: Session, instance: Instance, proof: Judged, *, now: datetime) -> Enrolled | Stopped:
    """The code came back (A2): the account of this person, in its activation, with its children proposed.

    In the caller's transaction. Raises the directory's Unavailable; then nothing is decided and the code still works.
    """
    directory = instance.directory
    records = _still_there(directory, proof)
    if not records or not _one_person(records, directory):
        return Stopped("M01-doubt")
    known = _accounts_of(db, records, directory)
    if stop := _why_not(known):
        return Stopped(stop)
    account = known[0] if known else _create(db, records[0], now=now)
    if account is None:
        return Stopped("M01-again")
    _add_records(db, account, records, now=now)
    if account.identifier is None:
        account.identifier = identifiers.reserve(db, records[0].given_name, records[0].family_name, now=now)
    actor = f"account:{account.id}"
    lifecycle.apply(db, account, Event.ENROL, actor=actor, now=now, channel=proof.channel.value)
    account.activation_ends_at = now + instance.settings.activation_abandon_after
    if proof.channel is Channel.SMS:
        account.mobile, account.mobile_confirmed_at = proof.target, now
    else:
        account.mail, account.mail_confirmed_at = proof.target, now
    attachments.sync(db, account, directory, now=now)
    return Enrolled(account.id)


def _candidates(instance: Instance, claim: Claim) -> list[Guardian]:
    """Records that the claim describes and that may open an account: those with a pupil who has an INE (F022)."""
    by = {"mobile": claim.target} if claim.channel is Channel.SMS else {"mail": claim.target}
    if claim.channel is Channel.SMS and not may_be_texted(instance, claim.target):
        return []
    directory = instance.directory
    found = directory.find_guardians(claim.family_name, claim.given_name, **by)
    return [record for record in found if any(tie.ine for tie in directory.ties_of(record.ref))]


def _still_there(directory: Directory, proof: Judged) -> list[Guardian]:
    """The records of the claim as they are now, half an hour later: the number or address must still be theirs."""
    found = (continuity.current(Ref.parse(ref), directory) for ref in proof.subject["records"])
    return [record for record in found if isinstance(record, Guardian) and _has(record, proof)]


def _has(record: Guardian, proof: Judged) -> bool:
    if proof.channel is Channel.SMS:
        return proof.target in record.mobiles
    return record.mail is not None and mail_key(record.mail) == mail_key(proof.target)


def _one_person(records: list[Guardian], directory: Directory) -> bool:
    """Homonyms who share a number, such as two guardians of one pupil, are never taken for one another: the school decides."""
    return all(same_person(a, b, directory.ties_of(a.ref), directory.ties_of(b.ref)) for a, b in combinations(records, 2))


def _accounts_of(db: Session, records: list[Guardian], directory: Directory) -> list[Account]:
    """The accounts that this person has: of these records first, then of the same person under others; the oldest first."""
    own = select(Account).join(AccountRecord).where(AccountRecord.ref.in_([str(record.ref) for record in records])).distinct()
    found = {account.id: account for account in db.scalars(own.order_by(Account.created_at, Account.id))}
    for record in records:
        for account in (*continuity.predecessors(db, record, directory), *continuity.matches(db, record, directory)):
            found.setdefault(account.id, account)
    return list(found.values())


def _why_not(known: list[Account]) -> str | None:
    """An account that is open, blocked or closed already: no second one is made beside it."""
    if any(account.suspended for account in known):
        return "M24"
    if any(account.state is State.ACTIVE for account in known):
        return "M31"
    return "M25" if any(account.state.is_final for account in known) else None


def _create(db: Session, record: Guardian, *, now: datetime) -> Account | None:
    """None when the same person has just begun in another window."""
    account = Account(kind=AccountKind.GUARDIAN, created_at=now)
    account.records.append(AccountRecord(ref=str(record.ref), added_at=now))
    try:
        with db.begin_nested():
            db.add(account)
    except IntegrityError:
        return None
    return account


def _add_records(db: Session, account: Account, records: list[Guardian], *, now: datetime) -> None:
    """The other records of the same person, unless another account has them."""
    for record in records:
        ref = str(record.ref)
        if db.get(AccountRecord, ref) is None:
            account.records.append(AccountRecord(ref=ref, added_at=now))
            audit.record(db, "account.record_added", actor="system", account_id=account.id, record=ref)
    db.flush()
