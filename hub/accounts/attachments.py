"""Attachments of a guardian's account to students (functional.md 4.8): proposed by the directory, proved by a birth date.

They are kept by INE, so a proof given once holds for every record of that child. A student without INE is never attached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from backends import Capacity, Directory, Guardian, NotFound, Partial, Ref, Tie, first_enrolment, missing_from

from .. import audit
from ..settings import Settings
from . import continuity
from .matching import SAME_PUPIL, same_person
from .models import Account, AccountKind, AccountRecord, Attachment, AttachmentState
from .notices import PARIS


class Answer(StrEnum):
    """What became of a birth date."""

    RIGHT = "right"
    WRONG = "wrong"
    EXHAUSTED = "exhausted"
    """Wrong, or not even looked at, and no try is left: the attachment is now ``TO_CHECK``."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A proposed child as the guardian sees it before the proof: enough to recognise, not enough to learn a name (A3)."""

    attachment_id: str
    label: str
    """First name and initial: ``Léa M.``"""
    school: str
    division: str
    capacity: Capacity


def sync(db: Session, account: Account, directory: Directory, *, now: datetime) -> None:
    """Bring the attachments in line with what the directory says today, in the caller's transaction.

    New children of the account's own records and of records of the same person are proposed. A new record of the same person for
    a child already proved becomes the account's own without a question (CM2 to 6e, 4.8, 4.9). What the directory no longer says
    is ended at once, but for a confirmed child who has left the directory altogether: that one has a period of grace
    (functional.md 4.10). While another academy does not answer, nothing is ended because of what it may say. Does nothing for a
    student's account. Raises the directory's Unavailable.
    """
    if account.kind is not AccountKind.GUARDIAN:
        return
    proved = {attachment.ine for attachment in account.attachments if attachment.state is AttachmentState.CONFIRMED}
    if proved:
        _adopt_records(db, account, proved, directory, now=now)
    own = _own_records(account, directory)
    matched = _matched_records(db, account, directory)
    whole = not missing_from(matched)
    said_by_own = _by_ine(tie for record in own for tie in directory.ties_of(record.ref))
    said = _by_ine(tie for record in (*own, *matched) for tie in directory.ties_of(record.ref))
    known = {attachment.ine: attachment for attachment in account.attachments}
    for ine in sorted(said.keys() - known.keys()):
        attachment = Attachment(account_id=account.id, ine=ine, state=AttachmentState.PROPOSED, proposed_at=now)
        account.attachments.append(attachment)
        db.flush()
        audit.record(db, "attachment.proposed", actor="system", account_id=account.id, attachment=attachment.id)
    for ine, attachment in known.items():
        target = _target(attachment, own=ine in said_by_own, said=ine in said, whole=whole, directory=directory)
        if target is not attachment.state:
            _move(db, attachment, target, actor="system", now=now)
    for attachment in account.attachments:
        if attachment.ine in said:
            attachment.capacity = _capacity(said[attachment.ine])
    db.flush()


def _target(attachment: Attachment, *, own: bool, said: bool, whole: bool, directory: Directory) -> AttachmentState:
    """The state after a look at the directory; ``whole`` when every academy answered."""
    state = attachment.state
    if state is AttachmentState.CONFIRMED:
        if own:
            return state
        found = directory.students_by_ine(attachment.ine)
        return AttachmentState.ENDED if found and not missing_from(found) else state
    if not said:
        return AttachmentState.ENDED if whole else state
    return state if state is AttachmentState.REFUSED else AttachmentState.PROPOSED


def confirm(
    db: Session, attachment: Attachment, given: date, *, directory: Directory, settings: Settings, tries_before: int, now: datetime
) -> Answer:
    """Judge the birth date of a proposed child; a right one confirms the attachment.

    ``tries_before`` is the number of wrong dates given for this child in this session; the day's count is kept with the
    attachment and cannot be passed by parallel requests. Raises the directory's Unavailable; nothing is counted then.
    """
    students = directory.students_by_ine(attachment.ine)
    if tries_before >= settings.birthdate_attempts or not _take_try(db, attachment, settings.birthdate_attempts_day, now=now):
        return _exhausted(db, attachment, now=now)
    if any(student.birth_date == given for student in students):
        attachment.attempts, attachment.attempts_on = 0, None
        _move(db, attachment, AttachmentState.CONFIRMED, actor=f"account:{attachment.account_id}", now=now)
        db.flush()
        _adopt_records(db, attachment.account, {attachment.ine}, directory, now=now)
        return Answer.RIGHT
    audit.record(
        db, "attachment.wrong_date", actor=f"account:{attachment.account_id}", account_id=attachment.account_id, attachment=attachment.id
    )
    if tries_before + 1 >= settings.birthdate_attempts or attachment.attempts >= settings.birthdate_attempts_day:
        return _exhausted(db, attachment, now=now)
    return Answer.WRONG


def refuse(db: Session, attachment: Attachment, *, now: datetime) -> None:
    """The guardian says that the child is not his or hers (box M20): never sent, the school is told."""
    _move(db, attachment, AttachmentState.REFUSED, actor=f"account:{attachment.account_id}", now=now)


def offers(
    db: Session, account: Account, directory: Directory, *, states: Collection[AttachmentState] = (AttachmentState.PROPOSED,)
) -> list[Offer]:
    """The children in these states, by default those that the account may answer for now, in a stable order."""
    own = _own_records(account, directory)
    ties = [tie for record in (*own, *_matched_records(db, account, directory)) for tie in directory.ties_of(record.ref)]
    by_ine = _by_ine(ties)
    found = (
        _offer(attachment, by_ine.get(attachment.ine, []), directory) for attachment in account.attachments if attachment.state in states
    )
    return sorted((offer for offer in found if offer), key=lambda offer: (offer.label, offer.attachment_id))


def _offer(attachment: Attachment, ties: list[Tie], directory: Directory) -> Offer | None:
    students = directory.students_by_ine(attachment.ine)
    if not students or not ties:
        return None
    student = students[-1]
    enrolment = first_enrolment(student)
    school = ""
    if enrolment:
        try:
            school = directory.school(enrolment.uai).name
        except NotFound:
            school = ""
    return Offer(
        attachment.id,
        f"{student.given_name} {student.family_name[:1].upper()}.",
        school,
        (enrolment.division or "") if enrolment else "",
        _capacity(ties),
    )


def _own_records(account: Account, directory: Directory) -> list[Guardian]:
    found = (continuity.current(Ref.parse(record.ref), directory) for record in account.records)
    return [person for person in found if isinstance(person, Guardian)]


def _matched_records(db: Session, account: Account, directory: Directory) -> tuple[Guardian, ...]:
    """Records of the same person that no account stands for yet; those of another account need a regrouping by their owner.

    A Partial, possibly empty, when an academy that may have others does not answer.
    """
    own = continuity.evidence(account, directory)
    answers = [continuity.candidates(record, directory) for record in own]
    missing = {name for answer in answers for name in missing_from(answer)}
    candidates = {other.ref: other for answer in answers for other in answer}
    for record in own:
        candidates.pop(record.ref, None)
    taken = set(db.scalars(select(AccountRecord.ref).where(AccountRecord.ref.in_([str(ref) for ref in candidates])))) if candidates else ()
    found = tuple(other for ref, other in sorted(candidates.items()) if str(ref) not in taken and _is_match(own, other, directory))
    return Partial(found, sorted(missing)) if missing else found


def _is_match(own: list[Guardian], other: Guardian, directory: Directory) -> bool:
    """The same person as one of the account's records, and a stranger to none by sharing a pupil with it."""
    ties = directory.ties_of(other.ref)
    verdicts = [same_person(record, other, directory.ties_of(record.ref), ties) for record in own]
    return any(verdicts) and not any(SAME_PUPIL in verdict.reasons for verdict in verdicts)


def _adopt_records(db: Session, account: Account, proved: set[str], directory: Directory, *, now: datetime) -> None:
    """The records that continue the account are its own from now on: the proof given for a child holds for every record of that child."""
    for record in continuity.heirs(db, account, proved, directory):
        account.records.append(AccountRecord(ref=str(record.ref), added_at=now))
        audit.record(db, "account.record_added", actor="system", account_id=account.id, record=str(record.ref))
    db.flush()


def _take_try(db: Session, attachment: Attachment, limit: int, *, now: datetime) -> bool:
    """Count one try of today; False when the day's tries are used up. One statement, so that parallel tries count."""
    today = now.astimezone(PARIS).date()
    other_day = or_(Attachment.attempts_on.is_(None), Attachment.attempts_on != today)
    mine = Attachment.id == attachment.id
    db.flush()
    db.execute(update(Attachment).where(mine, other_day).values(attempts=0, attempts_on=today))
    taken = db.execute(update(Attachment).where(mine, Attachment.attempts < limit).values(attempts=Attachment.attempts + 1))
    db.refresh(attachment, ["attempts", "attempts_on"])
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _exhausted(db: Session, attachment: Attachment, *, now: datetime) -> Answer:
    if attachment.state is not AttachmentState.TO_CHECK:
        _move(db, attachment, AttachmentState.TO_CHECK, actor=f"account:{attachment.account_id}", now=now)
    return Answer.EXHAUSTED


def _move(db: Session, attachment: Attachment, target: AttachmentState, *, actor: str, now: datetime) -> None:
    before, attachment.state = attachment.state, target
    if target is AttachmentState.PROPOSED:
        attachment.proposed_at = now
    else:
        attachment.decided_at = now
    audit.record(
        db,
        f"attachment.{target.value.lower()}",
        actor=actor,
        account_id=attachment.account_id,
        attachment=attachment.id,
        before=before.value,
    )


def _capacity(ties: Iterable[Tie]) -> Capacity:
    return Capacity.LEGAL if any(tie.capacity is Capacity.LEGAL for tie in ties) else Capacity.IN_CHARGE


def _by_ine(ties: Iterable[Tie]) -> dict[str, list[Tie]]:
    found: dict[str, list[Tie]] = defaultdict(list)
    for tie in ties:
        if tie.ine:
            found[tie.ine].append(tie)
    return dict(found)
