"""From an account to the person that the directory knows today."""

from __future__ import annotations

from collections import defaultdict

from backends import Capacity, Degree, Directory, Guardian, Ref, Student, Tie, missing_from

from ..accounts import continuity
from ..accounts.models import AccountKind, AttachmentState
from ..accounts.pupil import students_of
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
        found = students_of(account, directory)
        return Subject(account.id, _main_first(found), missing=missing_from(found)) if found else None
    guardians = tuple(
        record for ref in account.records if isinstance(record := continuity.current(Ref.parse(ref.ref), directory), Guardian)
    )
    if not guardians:
        return None
    ties = [tie for guardian in guardians for tie in directory.ties_of(guardian.ref)]
    confirmed = {attachment.ine for attachment in account.attachments if attachment.state is AttachmentState.CONFIRMED}
    current = [tie for tie in ties if tie.ine in confirmed]
    legal = frozenset(str(tie.guardian) for tie in current if tie.capacity is Capacity.LEGAL)
    was_legal = any(attachment.capacity is Capacity.LEGAL for attachment in account.attachments)
    return Subject(
        account.id,
        guardians,
        children=children_of(current),
        tied_records=frozenset(str(tie.guardian) for tie in current),
        legal_records=legal,
        was_legal=was_legal,
    )


def _main_first(found: tuple[Student, ...]) -> tuple[Student, ...]:
    """The pupil's records, which follow the pupil through schools and academies by INE. Second degree first."""
    return tuple(sorted(found, key=lambda student: (student.ref.degree is Degree.PRIMARY, student.ref)))


def children_of(ties: list[Tie]) -> tuple[Child, ...]:
    """One child per INE. The capacity is that of each degree; where two records of one degree disagree, the legal one holds."""
    by_ine: dict[str, list[Tie]] = defaultdict(list)
    for tie in ties:
        if tie.ine is not None:
            by_ine[tie.ine].append(tie)
    return tuple(_child(ine, group) for ine, group in sorted(by_ine.items()))


def _child(ine: str, ties: list[Tie]) -> Child:
    legal = frozenset(tie.student.degree for tie in ties if tie.capacity is Capacity.LEGAL)
    return Child(ine, legal, frozenset(tie.student.degree for tie in ties) - legal)
