"""Several directories as one: routed by academy, merged where a person may have records in more than one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .. import (
    Directory,
    Guardian,
    Health,
    Kind,
    NotFound,
    Page,
    Partial,
    Person,
    Ref,
    Refused,
    School,
    Student,
    Tie,
    Unavailable,
    one_child,
)  # fmt: skip
from ..watched import Observer
from .source import Desk, Reply, Source

T = TypeVar("T")
P = TypeVar("P", Student, Guardian)


class FederatedDirectory(Directory):
    """The sources, in the order of precedence.

    A record and its ties belong to the sources of its feed: when none of them answers, :class:`Unavailable`, so that a
    guardian with a child there is told to try later and no child is dropped. A search over all academies gives what was
    found, as a :class:`Partial` when a source is missing; people of the other academies go on.

    Where a record or a tie shows an INE, every source is asked who bears it, so that one of two children in two sources is
    nobody's; a source that does not answer has no say in it, and what is disputed within one source is known to that one only.
    The lists of :meth:`members` are the exception: they show the INEs of their own source.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._desk = Desk()

    def observed_by(self, observe: Observer) -> FederatedDirectory:
        """The same directory, with an observer told of every call of every source."""
        self._desk = Desk(observe)
        return self

    def person(self, ref: Ref) -> Person:
        sources, replies = self._of(ref), dict[str, Reply[Person]]()
        for reply in self._desk.ask(sources, "person", lambda directory: directory.person(ref)):
            replies[reply.source.name] = reply
            # The first source in order that knows the record holds; those after it need not be waited for.
            for source in sources:
                if (known := replies.get(source.name)) is None:
                    break
                if known.value is not None and known.value.ref == ref and source.scope.tells(known.value):
                    return self._shown(known.value)
        _refuse_silence(replies.values())
        raise NotFound(str(ref))

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        wanted = ine.strip().upper()
        replies = self._all(self._sources, "students_by_ine", lambda directory: directory.students_by_ine(ine))
        found = _merged(replies, lambda student: student.ine == wanted)
        return found if one_child(found) else ()

    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        if not (mobile or mail):
            return ()
        replies = self._all(
            self._sources,
            "find_guardians",
            lambda directory: directory.find_guardians(family_name, given_name, mobile=mobile, mail=mail),
        )
        return _merged(replies, lambda _guardian: True)

    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        replies = self._all(self._of(guardian), "ties_of", lambda directory: directory.ties_of(guardian))
        found = self._agreed(_ties(replies, lambda tie: tie.guardian == guardian))
        return tuple(sorted(found, key=lambda tie: tie.student))

    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        replies = self._all(self._of(student), "guardians_of", lambda directory: directory.guardians_of(student))
        found = self._agreed(_ties(replies, lambda tie: tie.student == student))
        return tuple(sorted(found, key=lambda tie: tie.guardian))

    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        if not 1 <= limit <= 1000:
            raise Refused("limit: 1 to 1000")
        try:
            owner, _ = self._school(uai)
        except NotFound:
            return Page(())
        (reply,) = self._desk.ask(
            [owner], "members", lambda directory: directory.members(uai, kind, name=name, division=division, after=after, limit=limit)
        )
        page = reply.found
        return Page(tuple(person for person in page.items if owner.scope.tells(person)), page.next)

    def school(self, uai: str) -> School:
        return self._school(uai)[1]

    def former_guardian(self, ref: Ref) -> Guardian | None:
        sources = self._of(ref)
        replies = self._all(sources, "former_guardian", lambda directory: directory.former_guardian(ref))
        for reply in replies:
            if reply.value is not None and reply.value.ref == ref and reply.source.scope.tells(reply.value):
                return reply.value
        _refuse_silence(replies)
        return None

    def health(self) -> Health:
        replies = self._all(self._sources, "health", _healthy)
        by_name = {reply.source.name: reply.value or Health(False, str(reply.error)) for reply in replies}
        sick = [name for name, health in by_name.items() if not health.ok]
        counts: dict[str, int] = {}
        for health in by_name.values():
            for what, number in health.counts.items():
                counts[what] = counts.get(what, 0) + number
        detail = f"{len(by_name) - len(sick)} of {len(by_name)} sources answer" + (f", missing: {', '.join(sick)}" if sick else "")
        return Health(len(sick) < len(by_name), detail, counts, by_name)

    def sources(self) -> Mapping[str, Directory]:
        return {source.name: source.directory for source in self._sources}

    def close(self) -> None:
        for source in self._sources:
            source.lane.close()
            source.directory.close()

    def _shown(self, person: Person) -> Person:
        """The record; an INE that identifies nobody is left out."""
        if isinstance(person, Student) and person.ine in self._disputed([person.ine]):
            return replace(person, ine=None)
        return person

    def _agreed(self, ties: list[Tie]) -> list[Tie]:
        """The ties; an INE that identifies nobody is left out."""
        disputed = self._disputed(tie.ine for tie in ties)
        return [replace(tie, ine=None) if tie.ine in disputed else tie for tie in ties]

    def _disputed(self, ines: Iterable[str | None]) -> set[str]:
        """Those of the INEs that are not one child's, as far as the sources answer."""
        wanted = sorted({ine for ine in ines if ine})
        if not wanted or len(self._sources) == 1:  # a source settles its own
            return set()
        replies = self._all(
            self._sources, "students_by_ine", lambda directory: [student for ine in wanted for student in directory.students_by_ine(ine)]
        )
        bearers: dict[str, dict[Ref, Student]] = {ine: {} for ine in wanted}
        for student in _told(replies):
            if student.ine in bearers:
                bearers[student.ine].setdefault(student.ref, student)
        return {ine for ine, students in bearers.items() if not one_child(students.values())}

    def _of(self, ref: Ref) -> list[Source]:
        return [source for source in self._sources if source.scope.holds(ref)]

    def _all(self, sources: Sequence[Source], call: str, work: Callable[[Directory], T]) -> list[Reply[T]]:
        """Every reply, in the order of the sources."""
        replies = {reply.source.name: reply for reply in self._desk.ask(sources, call, work)}
        return [replies[source.name] for source in sources]

    def _school(self, uai: str) -> tuple[Source, School]:
        """The school and the source whose own it is, as soon as one says so; else one that lists it as a neighbour's."""
        replies: dict[str, Reply[School]] = {}
        for reply in self._desk.ask(self._sources, "school", lambda directory: directory.school(uai)):
            if reply.value is not None and reply.source.scope.owns(reply.value):
                return reply.source, reply.value
            replies[reply.source.name] = reply
        _refuse_silence(replies.values())
        for source in self._sources:
            if (school := replies[source.name].value) is not None:
                return source, school
        raise NotFound(uai)


def _healthy(directory: Directory) -> Health:
    """The health of a source. One that says itself that it is sick counts as a failure for its circuit breaker."""
    health = directory.health()
    if not health.ok:
        raise Unavailable(health.detail)
    return health


def _silent(replies: Iterable[Reply[T]]) -> list[str]:
    return [reply.source.name for reply in replies if reply.silent]


def _refuse_silence(replies: Iterable[Reply[T]]) -> None:
    """Raise Unavailable when a source did not say what it knows: nothing may be concluded from an absence."""
    if missing := _silent(replies):
        raise Unavailable("no answer from " + ", ".join(missing))


def _told(replies: Iterable[Reply[Sequence[P]]]) -> Iterator[P]:
    """The records that each source may tell, in the order of the sources."""
    return (person for reply in replies for person in reply.value or () if reply.source.scope.tells(person))


def _merged(replies: Sequence[Reply[tuple[P, ...]]], wanted: Callable[[P], bool]) -> tuple[P, ...]:
    """Records of all sources by reference; where two tell the same record, the first source's."""
    found: dict[Ref, P] = {}
    for person in _told(replies):
        if wanted(person):
            found.setdefault(person.ref, person)
    people = tuple(found[ref] for ref in sorted(found))
    missing = _silent(replies)
    if not missing:
        return people
    if not people:
        _refuse_silence(replies)
    return Partial(people, missing)


def _ties(replies: Sequence[Reply[tuple[Tie, ...]]], wanted: Callable[[Tie], bool]) -> list[Tie]:
    """Ties of all sources of a feed, once each; where two differ, the first source's. Raises Unavailable when one is missing."""
    _refuse_silence(replies)
    found: dict[tuple[Ref, Ref], Tie] = {}
    for reply in replies:
        for tie in reply.value or ():
            if wanted(tie) and reply.source.scope.holds(tie.guardian) and reply.source.scope.holds(tie.student):
                found.setdefault((tie.guardian, tie.student), tie)
    return list(found.values())
