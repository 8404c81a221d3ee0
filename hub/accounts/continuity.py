"""The same guardian under another record: a new school, degree or academy keeps the account (functional.md 4.8, 4.9).

A record is the account's when it names a child whom the account has proved and describes the same person. Rights still come from
the ties of today only: continuity says whose record it is, never what it allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import Directory, Guardian, NotFound, Partial, Person, Ref, Student, missing_from
from backends.names import name_key

from .matching import SAME_PUPIL, first_given_name, same_names, same_person
from .models import Account, AccountRecord, Attachment, AttachmentState
from .pupil import refuse_half

_EVER_PROVED = (AttachmentState.CONFIRMED, AttachmentState.ENDED)


def heirs(db: Session, account: Account, proved: Collection[str], directory: Directory) -> list[Guardian]:
    """Records that continue the account: guardians of its proved children whom no account stands for, and this one alone may.

    Raises the directory's Unavailable, also when there is such a record and an academy that may dispute the child's INE does not
    answer: nothing is adopted on half an answer, and the child is not left out in silence.
    """
    answers = [directory.students_by_ine(ine) for ine in sorted(proved)]
    found = {person.ref: person for answer in answers for person in _heirs(db, account, answer, directory)}
    return [found[ref] for ref in sorted(found)]


def _heirs(db: Session, account: Account, students: tuple[Student, ...], directory: Directory) -> list[Guardian]:
    """Those of one child."""
    refs = sorted({tie.guardian for student in students for tie in directory.guardians_of(student.ref)})
    free = (ref for ref in refs if db.get(AccountRecord, str(ref)) is None)
    people = (person for ref in free if isinstance(person := current(ref, directory), Guardian))
    found = [person for person in people if predecessors(db, person, directory, _EVER_PROVED) == [account]]
    if found:
        refuse_half(students)
    return found


def predecessors(
    db: Session, person: Guardian, directory: Directory, states: Collection[AttachmentState] = (AttachmentState.CONFIRMED,)
) -> list[Account]:
    """The accounts that have a child of that record in one of these states and describe the same person; two of them are a doubt."""
    ines = {tie.ine for tie in directory.ties_of(person.ref) if tie.ine}
    proved = select(Attachment.account_id).where(Attachment.ine.in_(ines), Attachment.state.in_(states))
    accounts = db.scalars(select(Account).where(Account.id.in_(proved)).order_by(Account.id))
    return [account for account in accounts if not account.state.is_final and _continues(evidence(account, directory), person, directory)]


def matches(db: Session, person: Guardian, directory: Directory) -> list[Account]:
    """The accounts of current records that describe the same person, whichever their children.

    Raises Unavailable when an academy that may have others does not answer: that there is no account cannot be said then.
    """
    answer = candidates(person, directory)
    refuse_half(answer)
    found = {other.ref: other for other in answer}
    ties = directory.ties_of(person.ref)
    same = [str(ref) for ref, other in found.items() if same_person(person, other, ties, directory.ties_of(ref))]
    accounts = db.scalars(select(Account).join(AccountRecord).where(AccountRecord.ref.in_(same)).order_by(Account.id).distinct())
    return [account for account in accounts if not account.state.is_final]


def evidence(account: Account, directory: Directory) -> list[Guardian]:
    """What the directory says, or last said, of the guardian whose account it is: a record that left still tells who it was."""
    refs = [Ref.parse(record.ref) for record in account.records]
    found = (current(ref, directory) or directory.former_guardian(ref) for ref in refs)
    return [person for person in found if isinstance(person, Guardian)]


def candidates(record: Guardian, directory: Directory) -> tuple[Guardian, ...]:
    """Current records with a name and a channel of that one; :func:`~hub.accounts.matching.same_person` judges them.

    A Partial when an academy that may have others does not answer.
    """
    answers = list(_answers(record, directory))
    missing = {name for answer in answers for name in missing_from(answer)}
    found = tuple(other for answer in answers for other in answer)
    return Partial(found, sorted(missing)) if missing else found


def _answers(record: Guardian, directory: Directory) -> Iterator[tuple[Guardian, ...]]:
    given = first_given_name(record)
    names = {name_key(name): name for name in (record.family_name, record.birth_name) if name}
    for family in names.values():
        for mobile in record.mobiles:
            yield directory.find_guardians(family, given, mobile=mobile)
        if record.mail:
            yield directory.find_guardians(family, given, mail=record.mail)


def current(ref: Ref, directory: Directory) -> Person | None:
    """The record behind ``ref``, None when it has left."""
    try:
        return directory.person(ref)
    except NotFound:
        return None


def _continues(known: list[Guardian], other: Guardian, directory: Directory) -> bool:
    """Whether a record that names a proved child is of the person of ``known``: the matching rule or, from another feed or degree,
    the same full names. A record that guards a pupil beside one of them, in one feed and degree, is somebody else's."""
    ties = directory.ties_of(other.ref)
    verdicts = [same_person(record, other, directory.ties_of(record.ref), ties) for record in known]
    if any(SAME_PUPIL in verdict.reasons for verdict in verdicts):
        return False
    elsewhere = (record for record in known if (record.ref.feed, record.ref.degree) != (other.ref.feed, other.ref.degree))
    return any(verdicts) or any(same_names(record, other) for record in elsewhere)
