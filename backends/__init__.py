"""The directory back-end contract: people, schools and ties, read from wherever an academy keeps them.

Accounts and credentials are the hub's own and never live in a directory; a directory only answers who exists, in which
school, and who answers for whom. Every back end implements :class:`Directory` and is judged by the contract suite in
``backends/contract.py``. Records are immutable and typed; nothing of a back end's storage leaves it.

**Time.** No call may hang. A back end over a network bounds the whole of a call, connection, retries and pages included: 3 s by
default (FT-04), an option of its own named ``limit``. ``sql`` bounds each statement to 10 s. ``federated`` adds a bound of its
own on every source, so that one that does not keep its word delays nobody beyond it. A call that passes its bound raises
:class:`Unavailable`; nothing is ever guessed in place of an answer.

**Absence.** An empty tuple means that nobody is there, as far as every source knows. A result from which a source is missing is
a :class:`Partial`; where nothing was found and a source is missing, the answer is :class:`Unavailable`.

``docs/how-to/write-a-back-end.md`` builds one from nothing. Sources: DESIGN section 3; AAF field rules in ``spec/aaf.md`` sections 3 to 6.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Flag, StrEnum, auto
from typing import TypeVar

from .names import name_key

__all__ = [
    "Capacity", "Degree", "Directory", "DirectoryError", "Enrolment", "Features", "Guardian", "Health", "Kind",
    "NotFound", "Page", "Partial", "Person", "Ref", "Refused", "School", "Staff", "Student", "Tie", "Unavailable",
    "first_enrolment", "iterate", "missing_from", "one_child",
]  # fmt: skip

T = TypeVar("T")


class DirectoryError(Exception):
    """Root of all errors that a back end may raise."""


class Unavailable(DirectoryError):
    """The directory did not answer in time, or at all. The user is told "try later"; nothing is counted against him."""


class NotFound(DirectoryError):
    """No record under that reference, INE or UAI."""


class Refused(DirectoryError):
    """The directory answered and declined: wrong credentials of the hub, unsupported operation, size limit."""


class Degree(StrEnum):
    """Primary school (``1D``) or collège and lycée (``2D``)."""

    PRIMARY = "1D"
    SECONDARY = "2D"


class Kind(StrEnum):
    """The category of a record; one number may name a student and a guardian, so the kind is part of the key."""

    STUDENT = "student"
    GUARDIAN = "guardian"
    STAFF = "staff"


class Capacity(StrEnum):
    """What a guardian is to a student. It is the AAF legal level that decides, never the family relation (aaf.md 4.3)."""

    LEGAL = "LEGAL"
    IN_CHARGE = "IN_CHARGE"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The key of a person record: (feed, degree, kind, id), written ``feed/degree/kind/id`` (aaf.md section 3).

    ``feed`` is the name of the academy's feed (by default its two-digit code), ``id`` the number inside that feed and
    degree. The academy's numbers are unique only inside one feed, degree and kind.
    """

    feed: str
    degree: Degree
    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.feed}/{self.degree.value}/{self.kind.value}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read the written form. Raises ``ValueError`` when it is not one."""
        feed, degree, kind, id_ = text.split("/")
        return cls(feed, Degree(degree), Kind(kind), id_)


@dataclass(frozen=True, slots=True)
class School:
    """A school, or a service that the academy lists among its structures."""

    uai: str
    name: str
    academy: str
    """Two-digit code of the academy whose feed delivered the record."""
    degree: Degree
    type: str = ""
    town: str = ""
    private: bool = False
    agricultural: bool = False


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A student in a school. The main one comes first; shared schooling adds others."""

    uai: str
    division: str | None = None
    """Name of the class, as the school writes it."""
    mef: str | None = None
    """MEF code of 11 characters (2D)."""
    mef_label: str | None = None
    level: str | None = None
    """MEFSTAT4, four characters: ``2116`` for a 3e, ``1124`` for a CM1."""


@dataclass(frozen=True, slots=True)
class Person:
    """What every person record has. ``family_name`` is the name in use, exactly as the source writes it."""

    ref: Ref
    academy: str
    family_name: str
    given_name: str
    birth_name: str | None = None
    civility: str | None = None
    """``M.``, ``Mme`` or None: the sources know no sex."""
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class Student(Person):
    """A pupil. Without an INE there is no account (functional.md F006).

    ``ine`` is None too while the records that carry it disagree, see :meth:`Directory.students_by_ine`.
    """

    ine: str | None = None
    birth_date: date | None = None
    other_given_names: tuple[str, ...] = ()
    siecle_number: str | None = None
    """SIECLE number, numeric text, second degree only (the old ATEN vector needs it)."""
    enrolments: tuple[Enrolment, ...] = ()


@dataclass(frozen=True, slots=True)
class Guardian(Person):
    """A guardian record: one per academy and degree, so one human may have several."""

    mobiles: tuple[str, ...] = ()
    """Usable mobile numbers in E.164, the one that accepts SMS first."""


@dataclass(frozen=True, slots=True)
class Staff(Person):
    """An agent: heads and teachers, read only to give staff their scope (aaf.md 5.7)."""

    functions: tuple[tuple[str, str], ...] = ()
    """Pairs (UAI, function code), e.g. ``("0131234A", "DIR")``."""


@dataclass(frozen=True, slots=True)
class Tie:
    """A right of a guardian over a student, as the source states it today."""

    guardian: Ref
    student: Ref
    capacity: Capacity
    ine: str | None = None
    """INE of the student as his record gives it, None when it has none (no service is opened by such a tie)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a list: ``items``, and ``next`` to pass back for the following slice (None at the end)."""

    items: tuple[Person, ...]
    next: str | None = None


class Partial(tuple[T, ...]):
    """Records that were found while a source that may hold more did not answer; equal to a plain tuple of them.

    A back end never returns an empty one: it raises Unavailable.
    """

    missing: tuple[str, ...]
    """Names of the sources that did not answer, at least one."""

    def __new__(cls, found: Iterable[T], missing: Iterable[str]) -> Partial[T]:
        made = super().__new__(cls, tuple(found))
        made.missing = tuple(missing)
        return made


def missing_from(found: tuple[T, ...]) -> tuple[str, ...]:
    """Names of the sources that did not answer; empty for a whole result."""
    return found.missing if isinstance(found, Partial) else ()


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the back end answers. ``detail`` is for the person on call and holds nothing personal."""

    ok: bool
    """For a directory of several sources: at least one answers, so that somebody can sign in."""
    detail: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    sources: Mapping[str, Health] = field(default_factory=dict)
    """Of a directory of several sources: the health of each, by name."""


class Features(Flag):
    """What a back end is or can do beyond reading."""

    NONE = 0
    FEEDING = auto()
    """The AAF import publishes into it."""
    LOCAL = auto()
    """It answers from this machine and waits for no other: ``federated`` asks it in the caller's own thread."""


class Directory(ABC):
    """Read access to people, schools and ties.

    Every call is bounded in time by the back end itself and raises :class:`Unavailable` when the bound is passed.
    Unknown references raise :class:`NotFound`; searches that match nothing return an empty tuple. One object serves all
    threads of a process at once.
    """

    features: Features = Features.NONE

    @abstractmethod
    def person(self, ref: Ref) -> Person:
        """The record behind ``ref``: a Student, Guardian or Staff by its kind. Raises NotFound, Unavailable."""

    @abstractmethod
    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        """All current records of the pupil with that INE (several in a CM2 to 6e summer), ordered by ``ref``.

        An INE is one child's. While its current records, whatever their feeds, disagree on the birth date, the family name or
        the given name (compared as :func:`~backends.names.name_key`; a missing date disagrees with nothing), it identifies
        nobody: nothing is found, and the records and their ties show no INE.
        """

    @abstractmethod
    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        """Guardian records with that name **and** that mobile (E.164) or mail, ordered by ``ref``.

        Names are compared after normalisation (case, accents, hyphens, apostrophes), birth name or name in use, first
        given name of both sides (``Anne`` finds ``Anne Marie``, not ``Anne-Marie``). Mails are compared trimmed and in lower
        case. With neither mobile nor mail nothing is found: a name alone never identifies a guardian (functional.md 4.8).
        """

    @abstractmethod
    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        """Rights of that guardian record, ordered by student. An unknown guardian has none."""

    @abstractmethod
    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        """Rights over that student record, ordered by guardian. An unknown student has none."""

    @abstractmethod
    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        """People of a school by family name then given name; guardians are those of its students.

        ``name`` filters on the start of a normalised family or given name, ``division`` on the exact class.
        ``after`` is the ``next`` of the former page; ``limit`` is 1 to 1000.
        """

    @abstractmethod
    def school(self, uai: str) -> School:
        """The school with that UAI. Raises NotFound."""

    def former_guardian(self, ref: Ref) -> Guardian | None:
        """The record of a guardian who has left, as it last was, while the back end keeps it; None otherwise.

        It gives no right. It says who the owner of an account was, when the next record of the same person comes.
        """
        return None

    @abstractmethod
    def health(self) -> Health:
        """Ask the source itself; never raises."""

    def sources(self) -> Mapping[str, Directory]:
        """The directories that this one stands on, by name, in order; empty for one that reads its own store."""
        return {}

    def close(self) -> None:  # noqa: B027 - most back ends have something to release, none must
        """Release connections. Safe to call twice."""


def iterate(directory: Directory, uai: str, kind: Kind, page: int = 500) -> Iterator[Person]:
    """All members of a school, page after page."""
    after: str | None = None
    while True:
        got = directory.members(uai, kind, after=after, limit=page)
        yield from got.items
        if got.next is None:
            return
        after = got.next


def one_child(records: Iterable[Student]) -> bool:
    """Whether records with one INE are those of one child; see :meth:`Directory.students_by_ine`."""
    told = list(records)
    facts = (
        {student.birth_date for student in told} - {None},
        {name_key(student.family_name) for student in told},
        {name_key(student.given_name) for student in told},
    )
    return all(len(said) <= 1 for said in facts)


def first_enrolment(student: Student) -> Enrolment | None:
    """The main enrolment of a student, or None between two schools."""
    enrolments: Sequence[Enrolment] = student.enrolments
    return enrolments[0] if enrolments else None
