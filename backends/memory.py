"""A directory kept in memory: for tests, demonstrations and previews of a few records. Nothing is read from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import (
    Directory,
    Features,
    Guardian,
    Health,
    Kind,
    NotFound,
    Page,
    Person,
    Ref,
    Refused,
    School,
    Staff,
    Student,
    Tie,
    one_child,
)  # fmt: skip
from .names import first_name, mail_key, name_key


class MemoryDirectory(Directory):
    """People, schools and ties given as records. A later record with the same key replaces the former.

    The collections ``people``, ``schools`` and ``ties`` may be changed while the directory is in use: the next call sees it.
    """

    features = Features.LOCAL

    def __init__(self, people: Iterable[Person] = (), ties: Iterable[Tie] = (), schools: Iterable[School] = ()) -> None:
        self.people: dict[Ref, Person] = {person.ref: person for person in people}
        self.ties: list[Tie] = list(ties)
        self.schools: dict[str, School] = {school.uai: school for school in schools}

    def person(self, ref: Ref) -> Person:
        try:
            return self._shown(self.people[ref])
        except KeyError:
            raise NotFound(str(ref)) from None

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        found = self._bearers(ine.strip().upper())
        return tuple(sorted(found, key=lambda student: student.ref)) if one_child(found) else ()

    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        family, given = name_key(family_name), name_key(first_name(given_name))
        if not (family and given):
            return ()
        return tuple(
            sorted(
                (
                    person
                    for person in self.people.values()
                    if isinstance(person, Guardian)
                    and name_key(first_name(person.given_name)) == given
                    and family in (name_key(person.family_name), name_key(person.birth_name or ""))
                    and _reached(person, mobile, mail)
                ),
                key=lambda guardian: guardian.ref,
            )
        )

    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        return tuple(sorted((tie for tie in self._current_ties() if tie.guardian == guardian), key=lambda tie: tie.student))

    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        return tuple(sorted((tie for tie in self._current_ties() if tie.student == student), key=lambda tie: tie.guardian))

    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        if not 1 <= limit <= 1000:
            raise Refused("limit: 1 to 1000")
        if after is not None and not (after.isascii() and after.isdigit()):
            raise Refused("after: not a page of this list")
        start = int(after or 0)
        found = sorted((person for person in self._belonging(uai, kind, division) if _named(person, name)), key=_order)
        end = start + limit
        return Page(tuple(self._shown(person) for person in found[start:end]), str(end) if end < len(found) else None)

    def school(self, uai: str) -> School:
        try:
            return self.schools[uai.strip().upper()]
        except KeyError:
            raise NotFound(uai) from None

    def health(self) -> Health:
        return Health(True, "memory", {"people": len(self.people), "schools": len(self.schools)})

    def _current_ties(self) -> Iterable[Tie]:
        """A tie counts while both its ends exist."""
        return (
            tie if tie.ine is None or one_child(self._bearers(tie.ine)) else replace(tie, ine=None)
            for tie in self.ties
            if tie.guardian in self.people and tie.student in self.people
        )

    def _bearers(self, ine: str) -> list[Student]:
        return [person for person in self.people.values() if isinstance(person, Student) and person.ine == ine]

    def _shown(self, person: Person) -> Person:
        """The record; an INE that identifies nobody is left out."""
        if isinstance(person, Student) and person.ine and not one_child(self._bearers(person.ine)):
            return replace(person, ine=None)
        return person

    def _belonging(self, uai: str, kind: Kind, division: str) -> set[Person]:
        wanted = uai.strip().upper()
        if kind is Kind.STAFF:
            return {p for p in self.people.values() if isinstance(p, Staff) and any(at == wanted for at, _ in p.functions)}
        students = {
            person
            for person in self.people.values()
            if isinstance(person, Student) and any(e.uai == wanted and (not division or e.division == division) for e in person.enrolments)
        }
        if kind is Kind.STUDENT:
            return set(students)
        refs = {student.ref for student in students}
        return {self.people[tie.guardian] for tie in self._current_ties() if tie.student in refs}


def _reached(guardian: Guardian, mobile: str | None, mail: str | None) -> bool:
    by_mobile = mobile is not None and mobile in guardian.mobiles
    by_mail = bool(mail) and guardian.mail is not None and mail_key(guardian.mail) == mail_key(mail or "")
    return by_mobile or by_mail


def _named(person: Person, start: str) -> bool:
    key = name_key(start)
    return name_key(person.family_name).startswith(key) or name_key(person.given_name).startswith(key)


def _order(person: Person) -> tuple[str, str, Ref]:
    return name_key(person.family_name), name_key(person.given_name), person.ref
