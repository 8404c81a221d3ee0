"""The temporary tables in which a delivery waits, and the conditions that are asked of them.

``s`` is the staged record that a condition is about. A complete says all that there is; a delta is read over what is
published, without the records that it removes or replaces.
"""

# ruff: noqa: S608 -- table and column names are constants of this package; every value is bound.

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

from . import models
from .rows import CATEGORIES, Category, Part, Record


class Mark(NamedTuple):
    """A published record that is named without being delivered."""

    category: str
    degree: str
    id: str


class Kept(Mark):
    """Its delivered form cannot be read: it stays as it is."""


class Removed(Mark):
    """A delta deletes it."""


class KeptRight(NamedTuple):
    """A right that the damaged record of a kept pupil still states; without guardian: its rights could be read."""

    degree: str
    student: str
    guardian: str
    capacity: str


class Repeated(NamedTuple):
    """A record whose key was staged before."""

    category: str
    degree: str
    id: str
    digest: int
    file: int
    line: int


def short(model: type[models.DirectoryBase]) -> str:
    """Name of a table without its prefix."""
    return str(model.__tablename__).removeprefix("directory_")


def _temporary(metadata: MetaData, name: str, columns: Iterable[Column[Any]]) -> Table:
    return Table(f"stage_{name}", metadata, *columns, prefixes=["TEMPORARY"])


def _stage() -> tuple[MetaData, dict[type, tuple[str, tuple[str, ...]]]]:
    """The temporary tables, one for each row type, with their columns in the order of the row."""
    metadata = MetaData()
    targets: dict[type, tuple[str, tuple[str, ...]]] = {}

    def mirror(row: type[Record | Part], model: type[models.DirectoryBase], *more: str) -> None:
        source = model.__table__.columns
        columns = [Column(name, source[name].type) for name in row._fields]
        columns += [Column(name, source[name].type if name in source else Integer()) for name in more]
        table = _temporary(metadata, short(model), columns)
        targets[row] = (table.name, tuple(column.name for column in columns))

    for category in CATEGORIES:
        mirror(category.row, category.model, "digest", "file", "line")
        for part in category.parts:
            mirror(*part)
    for mark in (Kept, Removed):
        table = _temporary(metadata, mark.__name__.lower(), [Column(name, String(32)) for name in Mark._fields])
        targets[mark] = (table.name, Mark._fields)
    rights = _temporary(metadata, "kept_right", [Column(name, String(32)) for name in KeptRight._fields])
    targets[KeptRight] = (rights.name, KeptRight._fields)
    types = {"digest": BigInteger(), "file": Integer(), "line": Integer()}
    repeated = _temporary(metadata, "repeated", [Column(name, types.get(name, String(32))) for name in Repeated._fields])
    targets[Repeated] = (repeated.name, Repeated._fields)
    return metadata, targets


STAGE, TARGETS = _stage()
"""The tables, and for each row type the name of its table with the columns in the order of the row."""

INDEXES = (
    *(f"CREATE INDEX stage_{c.name}_key ON stage_{c.name} (degree, id)" for c in CATEGORIES),
    *(f"CREATE INDEX stage_{m.__name__.lower()}_key ON stage_{m.__name__.lower()} (category, degree, id)" for m in (Kept, Removed)),
    "CREATE INDEX stage_kept_right_key ON stage_kept_right (degree, student)",
    "CREATE INDEX stage_student_ine ON stage_student (ine)",
    "CREATE INDEX stage_tie_guardian ON stage_tie (degree, guardian)",
    "CREATE INDEX stage_tie_student ON stage_tie (degree, student)",
    "CREATE INDEX stage_enrolment_student ON stage_enrolment (degree, student)",
    "CREATE INDEX stage_function_staff ON stage_function (degree, staff)",
)


def _marked(mark: type[Mark], category: str, live: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM stage_{mark.__name__.lower()} k "
        f"WHERE k.category = '{category}' AND k.degree = {live}.degree AND k.id = {live}.id)"
    )


def _staged(category: str, live: str) -> str:
    return f"EXISTS (SELECT 1 FROM stage_{category} z WHERE z.degree = {live}.degree AND z.id = {live}.id)"


def gone(category: Category, delta: bool, live: str = "t") -> str:
    """SQL: publication ends the published record ``live`` of ``:degree``. In a complete, it is neither delivered nor kept."""
    if delta:
        return f"{live}.id IN (SELECT k.id FROM stage_removed k WHERE k.category = '{category.name}' AND k.degree = :degree)"
    return f"NOT {_staged(category.name, live)} AND NOT {_marked(Kept, category.name, live)}"


def _in_school(link: str, foreign: bool) -> str:
    """SQL: the structure of ``link`` is known to the feed and foreign, or known at all. What is delivered goes first."""
    staged = f"SELECT 1 FROM stage_school x WHERE x.degree = {link}.degree AND x.id = {link}.structure"
    live = (
        f"SELECT 1 FROM directory_school y WHERE y.feed = :feed AND y.degree = {link}.degree AND y.id = {link}.structure "
        f"AND y.ended_at IS NULL"
    )
    if not foreign:
        return f"(EXISTS ({staged}) OR EXISTS ({live}))"
    return f"(EXISTS ({staged} AND x.other_academy) OR (EXISTS ({live} AND y.other_academy) AND NOT EXISTS ({staged})))"


def _linked(part: str, owner: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM stage_{part} p WHERE p.degree = s.degree AND p.{owner} = s.id AND {condition})"


FOREIGN_MAIN = _linked("enrolment", "student", f"p.position = 0 AND {_in_school('p', foreign=True)}")
"""The main school of the staged pupil belongs to another academy."""

WITHDRAWN = (
    "EXISTS (SELECT 1 FROM stage_kept_right k WHERE k.degree = t.degree AND k.student = t.student AND k.guardian = '') "
    "AND NOT EXISTS (SELECT 1 FROM stage_kept_right k WHERE k.degree = t.degree AND k.student = t.student "
    "AND k.guardian = t.guardian AND k.capacity = t.capacity) "
    "AND NOT EXISTS (SELECT 1 FROM stage_student s WHERE s.degree = t.degree AND s.id = t.student)"
)
"""The published right ``t`` is one that the damaged record of its pupil no longer states."""

CLAIMED = (
    "NOT s.other_academy AND EXISTS (SELECT 1 FROM directory_school o JOIN directory_feed f ON f.name = o.feed "
    "WHERE o.uai = s.uai AND o.ended_at IS NULL AND NOT o.other_academy AND f.academy <> :academy)"
)
"""The staged structure is published by another academy as its own."""

_DIFFERS = "o.ine = s.ine AND (" + " OR ".join(f"o.{fact} <> s.{fact}" for fact in models.IDENTITY) + ")"
_DISPUTED = (
    f"EXISTS (SELECT 1 FROM stage_student o WHERE {_DIFFERS}) OR EXISTS (SELECT 1 FROM directory_student o WHERE {_DIFFERS} "
    "AND o.ended_at IS NULL AND (o.feed <> :feed OR o.degree <> s.degree))"
)
_KNOWN_GUARDIAN = (
    "(EXISTS (SELECT 1 FROM stage_guardian g WHERE g.degree = p.degree AND g.id = p.guardian) OR EXISTS "
    "(SELECT 1 FROM directory_guardian h WHERE h.feed = :feed AND h.degree = p.degree AND h.id = p.guardian AND h.ended_at IS NULL))"
)
_TIED = "EXISTS (SELECT 1 FROM stage_tie p WHERE p.degree = s.degree AND p.guardian = s.id)"
_SAME_INE = "EXISTS (SELECT 1 FROM stage_student o WHERE o.ine = s.ine AND o.degree = s.degree AND o.id <> s.id)"


def _still(student: str) -> str:
    """SQL: the published pupil ``student`` stays as he is."""
    return f"{student}.ended_at IS NULL AND NOT {_staged('student', student)} AND NOT {_marked(Removed, 'student', student)}"


_TIED_BEFORE = (
    "EXISTS (SELECT 1 FROM directory_tie p WHERE p.feed = :feed AND p.degree = s.degree AND p.guardian = s.id AND EXISTS "
    f"(SELECT 1 FROM directory_student o WHERE o.feed = :feed AND o.degree = p.degree AND o.id = p.student AND {_still('o')}))"
)
_SAME_INE_BEFORE = (
    "EXISTS (SELECT 1 FROM directory_student o WHERE o.ine = s.ine AND o.feed = :feed AND o.degree = s.degree AND o.id <> s.id "
    f"AND {_still('o')})"
)
_DISPUTED_BEFORE = f"EXISTS (SELECT 1 FROM directory_student o WHERE {_DIFFERS} AND o.feed = :feed AND o.id <> s.id AND {_still('o')})"


def findings(delta: bool) -> tuple[tuple[str, str, str], ...]:
    """What only the whole delivery shows: (name, category, condition on the staged record)."""
    return (
        ("link_to_foreign_school", "student", _linked("enrolment", "student", _in_school("p", foreign=True))),
        ("link_to_foreign_school", "staff", _linked("function", "staff", _in_school("p", foreign=True))),
        ("structure_unknown", "student", _linked("enrolment", "student", f"NOT {_in_school('p', foreign=False)}")),
        ("guardian_missing", "student", _linked("tie", "student", f"NOT {_KNOWN_GUARDIAN}")),
        ("guardian_unused", "guardian", f"NOT {_TIED}" + (f" AND NOT {_TIED_BEFORE}" if delta else "")),
        ("ine_twice", "student", f"({_SAME_INE} OR {_SAME_INE_BEFORE})" if delta else _SAME_INE),
        ("ine_disputed", "student", f"({_DISPUTED} OR {_DISPUTED_BEFORE})" if delta else f"({_DISPUTED})"),
    )
