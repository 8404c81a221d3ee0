"""Whose account a pupil's is. The INE finds the records; birth date and given name say that they are still of that child."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from backends import Directory, Person, Student, Unavailable, missing_from
from backends.names import name_key

KEY_LENGTH = 64


class Memory(Protocol):
    """What an account remembers of its pupil; None where it was never said."""

    @property
    def ine(self) -> str | None: ...
    @property
    def birth_date(self) -> date | None: ...
    @property
    def given_key(self) -> str | None: ...


def students_of(account: Memory, directory: Directory) -> tuple[Student, ...]:
    """The current records of the pupil whose account it is, ordered by reference.

    None of them when the source has given the INE to another child: nobody signs in as somebody else. A Partial when a source
    that may have others does not answer. Raises the directory's Unavailable.
    """
    found = directory.students_by_ine(account.ine) if account.ine else ()
    return found if all(is_of(account, student) for student in found) else ()


def is_of(account: Memory, student: Student) -> bool:
    """Whether the account was made for the child of that record."""
    same_date = account.birth_date is None or student.birth_date is None or account.birth_date == student.birth_date
    return same_date and account.given_key in (None, given_key(student))


def given_key(student: Student) -> str:
    """The given names as the account keeps them."""
    return name_key(student.given_name)[:KEY_LENGTH]


def refuse_half(answer: tuple[Person, ...]) -> None:
    """Raise Unavailable for an answer from which an academy is missing: nothing that lasts is made of one."""
    if missing := missing_from(answer):
        raise Unavailable("no answer from " + ", ".join(missing))
