"""Telling an observer how long each call of a directory took and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from . import Directory, Guardian, Health, Kind, NotFound, Page, Person, Ref, Refused, School, Student, Tie, Unavailable

T = TypeVar("T")

Observer = Callable[[str, str, str, float], None]
"""Called with the name of the source, the name of the call, the outcome and the seconds that it took.

Outcomes: ``found`` (any answer), ``not_found``, ``refused``, ``unavailable``, ``late``, ``paused`` (by the circuit breaker),
``error`` (any other exception). Nothing personal is among them.
"""


def outcome_of(error: BaseException | None) -> str:
    """The outcome that an observer is told."""
    match error:
        case None:
            return "found"
        case NotFound():
            return "not_found"
        case Refused():
            return "refused"
        case Unavailable():
            return "unavailable"
    return "error"


class Watched(Directory):
    """Another directory, with an observer told of every call."""

    def __init__(self, directory: Directory, name: str, observe: Observer) -> None:
        self._inner = directory
        self._name = name
        self._observe = observe

    def _call(self, call: str, work: Callable[[], T]) -> T:
        begun = time.perf_counter()
        error: BaseException | None = None
        try:
            return work()
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._observe(self._name, call, outcome_of(error), time.perf_counter() - begun)

    def person(self, ref: Ref) -> Person:
        return self._call("person", lambda: self._inner.person(ref))

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        return self._call("students_by_ine", lambda: self._inner.students_by_ine(ine))

    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        return self._call("find_guardians", lambda: self._inner.find_guardians(family_name, given_name, mobile=mobile, mail=mail))

    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        return self._call("ties_of", lambda: self._inner.ties_of(guardian))

    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        return self._call("guardians_of", lambda: self._inner.guardians_of(student))

    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        return self._call("members", lambda: self._inner.members(uai, kind, name=name, division=division, after=after, limit=limit))

    def school(self, uai: str) -> School:
        return self._call("school", lambda: self._inner.school(uai))

    def former_guardian(self, ref: Ref) -> Guardian | None:
        return self._call("former_guardian", lambda: self._inner.former_guardian(ref))

    def health(self) -> Health:
        return self._inner.health()

    def sources(self) -> Mapping[str, Directory]:
        return {self._name: self._inner}

    def close(self) -> None:
        self._inner.close()
