"""The directory contract over a SCIM 2.0 server: users are people, groups are schools, ties are on the pupils."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .. import (
    Directory,
    DirectoryError,
    Guardian,
    Health,
    Kind,
    NotFound,
    Page,
    Person,
    Ref,
    Refused,
    School,
    Student,
    Tie,
    Unavailable,
    one_child,
)  # fmt: skip
from ..names import first_name, mail_key, name_key
from .client import ScimClient
from .schema import USER, Unreadable, read_person, read_school, read_ties

T = TypeVar("T")

BATCH = 50
"""Values asked for in one question."""


class ScimDirectory(Directory):
    """People, schools and ties as a SCIM server tells them at this moment.

    What comes back is compared with what was asked: SCIM's ``eq`` looks over case, and a server may answer more than the question.
    """

    def __init__(self, client: ScimClient) -> None:
        self._client = client

    def person(self, ref: Ref) -> Person:
        with self._client.bounded():
            for person in self._people(_eq("externalId", str(ref))):
                if person.ref == ref:
                    return self._shown([person])[0]
        raise NotFound(ascii(str(ref)))

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        wanted = ine.strip().upper()
        if not wanted.isalnum():
            return ()
        found = self._bearers([wanted])
        return _ordered(found) if one_child(found) else ()

    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        family, given = name_key(family_name), name_key(first_name(given_name))
        channels = []
        if mobile:
            channels.append(_eq("phoneNumbers.value", mobile))
        if mail:
            channels.append(_eq("emails.value", mail_key(mail)))
        if not (family and given and channels):
            return ()
        found = self._people(" or ".join(channels))
        return _ordered(p for p in found if isinstance(p, Guardian) and _is_named(p, family, given) and _is_reached(p, mobile, mail))

    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        if guardian.kind is not Kind.GUARDIAN:
            return ()
        found = self._ties(_eq(f"{USER}:guardians.value", str(guardian)))
        return tuple(sorted((tie for tie in found if tie.guardian == guardian), key=lambda tie: tie.student))

    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        if student.kind is not Kind.STUDENT:
            return ()
        found = self._ties(_eq("externalId", str(student)))
        return tuple(sorted((tie for tie in found if tie.student == student), key=lambda tie: tie.guardian))

    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        if not 1 <= limit <= 1000:
            raise Refused("limit: 1 to 1000")
        begin = _decode(after) if after is not None else None
        start = name_key(name)
        with self._client.bounded():
            people = {person.ref: person for person in self._belonging(uai.strip().upper(), kind, division)}
            found = sorted((p for p in people.values() if _begins(p, start)), key=_order)
            rest = [person for person in found if begin is None or _order(person) > begin]
            return Page(tuple(self._shown(rest[:limit])), _encode(rest[limit - 1]) if len(rest) > limit else None)

    def school(self, uai: str) -> School:
        wanted = uai.strip().upper()
        for school in _read(self._client.search("Groups", _eq("externalId", wanted)), read_school):
            if school.uai == wanted:
                return school
        raise NotFound(ascii(uai))

    def health(self) -> Health:
        try:
            with self._client.bounded():
                (users, user), (schools, school) = self._client.sample("Users"), self._client.sample("Groups")
            _read(user, read_person)
            _read(school, read_school)
        except DirectoryError as exc:
            return Health(False, f"scim: {exc}")
        return Health(True, "scim", {"users": users, "schools": schools})

    def close(self) -> None:
        self._client.close()

    def _people(self, filter_: str) -> list[Person]:
        return _read(self._client.search("Users", filter_), read_person)

    def _ties(self, filter_: str) -> list[Tie]:
        with self._client.bounded():
            found = _read(self._client.search("Users", filter_), _student_with_ties)
            disputed = self._disputed(student.ine for student, _ in found)
        return [replace(tie, ine=None) if tie.ine in disputed else tie for _, ties in found for tie in ties]

    def _shown(self, people: Sequence[Person]) -> list[Person]:
        """The records; an INE that identifies nobody is left out."""
        disputed = self._disputed(person.ine for person in people if isinstance(person, Student))
        return [replace(person, ine=None) if isinstance(person, Student) and person.ine in disputed else person for person in people]

    def _disputed(self, ines: Iterable[str | None]) -> set[str]:
        """Those of the INEs that are not one child's."""
        wanted = sorted({ine for ine in ines if ine})
        by_ine: dict[str | None, list[Student]] = defaultdict(list)
        for student in self._bearers(wanted):
            by_ine[student.ine].append(student)
        return {ine for ine in wanted if not one_child(by_ine[ine])}

    def _bearers(self, ines: Sequence[str]) -> list[Student]:
        """The pupils with these INEs."""
        found = self._any_of(f"{USER}:ine", ines)
        return [person for person in found if isinstance(person, Student) and person.ine in ines]

    def _any_of(self, attribute: str, values: Sequence[str]) -> Iterator[Person]:
        """The people with one of these values, asked for in batches."""
        for n in range(0, len(values), BATCH):
            yield from self._people(" or ".join(_eq(attribute, value) for value in values[n : n + BATCH]))

    def _belonging(self, uai: str, kind: Kind, division: str) -> list[Person]:
        if kind is Kind.STAFF:
            return [person for person in self._people(_eq(f"{USER}:functions.uai", uai)) if person.ref.kind is kind]
        here = _eq("uai", uai) + (" and " + _eq("division", division) if division else "")
        found = _read(self._client.search("Users", f"{USER}:enrolments[{here}]"), _student_with_ties)
        pupils = [(student, ties) for student, ties in found if any(_is_here(e, uai, division) for e in student.enrolments)]
        if kind is Kind.STUDENT:
            return [student for student, _ in pupils]
        refs = {tie.guardian for _, ties in pupils for tie in ties}
        return [person for person in self._any_of("externalId", sorted(map(str, refs))) if person.ref in refs]


def _eq(attribute: str, value: str) -> str:
    """A comparison of a filter; values are JSON strings, so nothing in them is grammar (RFC 7644 section 3.4.2.2)."""
    return f"{attribute} eq {json.dumps(value)}"


def _read(resources: Iterable[Mapping[str, Any]], reader: Callable[[Mapping[str, Any]], T]) -> list[T]:
    try:
        return [reader(resource) for resource in resources]
    except Unreadable as exc:
        raise Unavailable(f"a resource does not follow the schema: {exc}") from None


def _student_with_ties(resource: Mapping[str, Any]) -> tuple[Student, list[Tie]]:
    student = read_person(resource)
    if not isinstance(student, Student):
        raise Unreadable("externalId: a pupil was asked for")
    return student, read_ties(resource, student)


P = TypeVar("P", Student, Guardian)


def _ordered(people: Iterable[P]) -> tuple[P, ...]:
    return tuple(sorted(people, key=lambda person: person.ref))


def _is_named(guardian: Guardian, family: str, given: str) -> bool:
    names = (name_key(guardian.family_name), name_key(guardian.birth_name or ""))
    return name_key(first_name(guardian.given_name)) == given and family in names


def _is_reached(guardian: Guardian, mobile: str | None, mail: str | None) -> bool:
    by_mail = bool(mail) and bool(guardian.mail) and mail_key(guardian.mail or "") == mail_key(mail or "")
    return mobile in guardian.mobiles or by_mail


def _is_here(enrolment: Any, uai: str, division: str) -> bool:
    return enrolment.uai == uai and (not division or enrolment.division == division)


def _begins(person: Person, start: str) -> bool:
    return name_key(person.family_name).startswith(start) or name_key(person.given_name).startswith(start)


def _order(person: Person) -> tuple[str, str, str]:
    return name_key(person.family_name), name_key(person.given_name), str(person.ref)


def _encode(person: Person) -> str:
    return base64.urlsafe_b64encode(json.dumps(_order(person)).encode()).decode()


def _decode(token: str) -> tuple[str, str, str]:
    try:
        family, given, ref = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        family = given = ref = None
    if not (isinstance(family, str) and isinstance(given, str) and isinstance(ref, str)):
        raise Refused("after: not the next of a former page")
    return family, given, ref
