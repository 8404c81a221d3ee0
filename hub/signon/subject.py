"""From an account to the person that the directory knows today."""

from __future__ import annotations

from collections import defaultdict

from backends import Capacity, Degree, Directory, Guardian, NotFound, Ref, Student, Tie, missing_from

from ..accounts.models import AccountKind, AttachmentState
from ..accounts.snapshot import AccountView
from ..release.policy import Child, Subject


def resolve(account: AccountView, directory: Directory) -> Subject | None:
    """The person behind ``account``, or None when no current record is left.

    Rights are read from the directory at this very moment: a tie that the source has dropped is gone from the answer,
    whatever the account remembers (IM-08).

    Raises the directory's Unavailable when an academy does not answer that holds a record of a guardian: a child there is never
    left out in silence. A student has the records that were found, and :attr:`Subject.missing` says where others may be.
    """
    if account.kind is AccountKind.STUDENT:
        found = directory.students_by_ine(account.ine) if account.ine else ()
        return Subject(account.id, _main_first(found), missing=missing_from(found)) if found else None
    guardians = tuple(record for ref in account.records if isinstance(record := _person(directory, ref.ref), Guardian))
    if not guardians:
        return None
    ties = [tie for guardian in guardians for tie in directory.ties_of(guardian.ref)]
    confirmed = {attachment.ine for attachment in account.attachments if attachment.state is AttachmentState.CONFIRMED}
    current = [tie for tie in ties if tie.ine in confirmed]
    legal = frozenset(str(tie.guardian) for tie in current if tie.capacity is Capacity.LEGAL)
    return Subject(account.id, guardians, children_of(current), legal)


def _main_first(found: tuple[Student, ...]) -> tuple[Student, ...]:
    """The pupil's records, which follow the pupil through schools and academies by INE. Second degree first."""
    return tuple(sorted(found, key=lambda student: (student.ref.degree is Degree.PRIMARY, student.ref)))


def _person(directory: Directory, ref: str) -> object | None:
    try:
        return directory.person(Ref.parse(ref))
    except NotFound:
        return None


def children_of(ties: list[Tie]) -> tuple[Child, ...]:
    """One child per INE. Where two records of a child disagree, the legal capacity holds: a source states it today."""
    by_ine: dict[str, list[Tie]] = defaultdict(list)
    for tie in ties:
        if tie.ine is not None:
            by_ine[tie.ine].append(tie)
    return tuple(
        Child(
            ine,
            frozenset(tie.student.degree for tie in group),
            Capacity.LEGAL if any(tie.capacity is Capacity.LEGAL for tie in group) else Capacity.IN_CHARGE,
        )
        for ine, group in sorted(by_ine.items())
    )
