"""SCIM resources as records of the contract: core users and groups with our extension for schools (docs/reference/scim.md).

Pure functions over parsed JSON. :class:`Unreadable` says which attribute is missing or of the wrong type, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from .. import Capacity, Degree, Enrolment, Guardian, Kind, Person, Ref, School, Staff, Student, Tie

USER = "urn:preau:params:scim:schemas:school:2.0:User"
"""Extension of a user: academy, birth, INE, enrolments, functions, and on a pupil the guardians."""
GROUP = "urn:preau:params:scim:schemas:school:2.0:Group"
"""Extension of a group: the school that it is."""

E = TypeVar("E", bound=StrEnum)

_MOBILE = re.compile(r"\+[1-9][0-9]{5,14}")


class Unreadable(ValueError):
    """A resource that does not follow the schema."""


def read_person(resource: Mapping[str, Any]) -> Person:
    """The person that a user resource describes; ``externalId`` is the written reference. Raises Unreadable."""
    ref = _ref(_text(resource, "externalId"))
    name, more = _table(resource, "name"), _table(resource, USER)
    mails = [_text(mail, "value") for mail in _tables(resource, "emails")]
    common: dict[str, Any] = {
        "ref": ref,
        "academy": _text(more, "academy"),
        "family_name": _text(name, "familyName"),
        "given_name": _text(name, "givenName"),
        "birth_name": _maybe(more, "birthName"),
        "civility": _maybe(name, "honorificPrefix"),
        "mail": mails[0] if mails else None,
    }
    match ref.kind:
        case Kind.STUDENT:
            return Student(
                **common,
                ine=(_maybe(more, "ine") or "").strip().upper() or None,
                birth_date=_day(_maybe(more, "birthDate")),
                other_given_names=tuple(_texts(more, "otherGivenNames")),
                siecle_number=_maybe(more, "siecleNumber"),
                enrolments=tuple(_enrolment(part) for part in _tables(more, "enrolments")),
            )
        case Kind.GUARDIAN:
            numbers = (_text(phone, "value") for phone in _tables(resource, "phoneNumbers") if phone.get("type") == "mobile")
            return Guardian(**common, mobiles=tuple(number for number in numbers if _MOBILE.fullmatch(number)))
        case Kind.STAFF:
            functions = ((_text(part, "uai"), _text(part, "code")) for part in _tables(more, "functions"))
            return Staff(**common, functions=tuple(functions))


def read_ties(resource: Mapping[str, Any], student: Student) -> list[Tie]:
    """The rights over a pupil, from the ``guardians`` of the resource. Raises Unreadable."""
    found = []
    for part in _tables(_table(resource, USER), "guardians"):
        guardian, capacity = _ref(_text(part, "value")), _text(part, "capacity")
        if guardian.kind is not Kind.GUARDIAN:
            raise Unreadable("guardians")
        found.append(Tie(guardian, student.ref, _one_of(Capacity, capacity, "capacity"), student.ine))
    return found


def read_school(resource: Mapping[str, Any]) -> School:
    """The school that a group resource describes; ``externalId`` is the UAI. Raises Unreadable."""
    more = _table(resource, GROUP)
    return School(
        _text(resource, "externalId"),
        _text(resource, "displayName"),
        _text(more, "academy"),
        _one_of(Degree, _text(more, "degree"), "degree"),
        _maybe(more, "type") or "",
        _maybe(more, "town") or "",
        more.get("private") is True,
        more.get("agricultural") is True,
    )


def _enrolment(part: Mapping[str, Any]) -> Enrolment:
    return Enrolment(_text(part, "uai"), *(_maybe(part, name) for name in ("division", "mef", "mefLabel", "level")))


def _ref(text: str) -> Ref:
    try:
        return Ref.parse(text)
    except ValueError:
        raise Unreadable("externalId: not feed/degree/kind/id") from None


def _one_of(choices: type[E], text: str, name: str) -> E:
    try:
        return choices(text)
    except ValueError:
        raise Unreadable(name) from None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Unreadable("birthDate") from None


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise Unreadable(name)
    return value


def _maybe(table: Mapping[str, Any], name: str) -> str | None:
    return _text(table, name) or None if table.get(name) is not None else None


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    values = table.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Unreadable(name)
    return values


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    if not isinstance(value, dict):
        raise Unreadable(name)
    return value


def _tables(table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    values = table.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Unreadable(name)
    return values
