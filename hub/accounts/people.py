"""Who stands behind an account, as the directory says today."""

from __future__ import annotations

from datetime import date, datetime

from backends import Directory, Guardian, NotFound, Person, Ref, Student, first_enrolment
from backends.names import mail_key

from ..instance import Instance
from .continuity import current
from .models import Account, AccountKind
from .notices import PARIS
from .passwords import Owner
from .pupil import students_of


def is_minor(account: Account, instance: Instance, *, now: datetime) -> bool:
    """Whether a pupil is under the digital majority (M29). Without a birth date: yes."""
    students = students_of(account, instance.directory)
    dates = [student.birth_date for student in students if student.birth_date]
    return not dates or age(max(dates), now.astimezone(PARIS).date()) < instance.settings.digital_majority


def age(born: date, today: date) -> int:
    """Age in whole years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def is_known_for_a_guardian(account: Account, directory: Directory, address: str) -> bool:
    """Whether the directory knows that address for somebody who answers for this pupil today."""
    students = students_of(account, directory)
    refs = {tie.guardian for student in students for tie in directory.guardians_of(student.ref)}
    known = {mail_key(person.mail) for ref in refs if (person := current(ref, directory)) is not None and person.mail}
    return mail_key(address) in known


def people_of(account: Account, directory: Directory) -> list[Person]:
    """The current directory records behind an account."""
    if account.kind is AccountKind.STUDENT:
        return list(students_of(account, directory))
    found = (current(Ref.parse(record.ref), directory) for record in account.records)
    return [person for person in found if isinstance(person, Guardian)]


def first_name(account: Account, directory: Directory) -> str:
    """How a mail greets the owner; empty when the directory no longer knows the person."""
    people = people_of(account, directory)
    return people[0].given_name if people else ""


def owner_of(account: Account, directory: Directory) -> Owner:
    """What must not be used as the password of this account."""
    people = people_of(account, directory)
    students = [person for person in people if isinstance(person, Student)]
    names = {name for person in people for name in (person.family_name, person.given_name, person.birth_name) if name}
    return Owner(
        kind=account.kind,
        identifier=account.identifier or "",
        names=tuple(sorted(names)),
        birth_dates=tuple(student.birth_date for student in students if student.birth_date),
        schools=tuple(_school_names(students, directory)),
    )


def _school_names(students: list[Student], directory: Directory) -> list[str]:
    found = []
    for student in students:
        enrolment = first_enrolment(student)
        if enrolment:
            try:
                found.append(directory.school(enrolment.uai).name)
            except NotFound:
                continue
    return found
