"""The rows of the ``sql`` directory as the import hands them over, and what it is told in return.

``source`` is what the delivery said of the record, in a form of the importer's own; a delta that changes one attribute is
applied on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from . import models


class SchoolRow(NamedTuple):
    degree: str
    id: str
    uai: str
    name: str
    type: str
    town: str
    private: bool
    agricultural: bool
    other_academy: bool
    source: str = ""


class MefRow(NamedTuple):
    degree: str
    id: str
    label: str
    level: str | None
    source: str = ""


class StaffRow(NamedTuple):
    degree: str
    id: str
    family_name: str
    given_name: str
    birth_name: str | None
    civility: str | None
    mail: str | None
    family_key: str
    given_key: str
    source: str = ""


class GuardianRow(NamedTuple):
    degree: str
    id: str
    family_name: str
    given_name: str
    birth_name: str | None
    civility: str | None
    mail: str | None
    family_key: str
    given_key: str
    birth_key: str
    mobiles: str
    source: str = ""


class StudentRow(NamedTuple):
    degree: str
    id: str
    family_name: str
    given_name: str
    birth_name: str | None
    civility: str | None
    mail: str | None
    family_key: str
    given_key: str
    ine: str | None
    birth_date: str | None
    """``YYYY-MM-DD``."""
    other_given_names: str
    siecle_number: str | None
    source: str = ""


class FunctionRow(NamedTuple):
    degree: str
    staff: str
    structure: str
    code: str


class EnrolmentRow(NamedTuple):
    degree: str
    student: str
    position: int
    structure: str
    division: str | None
    mef: str | None
    mef_label: str | None
    level: str | None


class TieRow(NamedTuple):
    degree: str
    student: str
    guardian: str
    capacity: str


Record = SchoolRow | MefRow | StaffRow | GuardianRow | StudentRow
Part = FunctionRow | EnrolmentRow | TieRow


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of record with its tables: the record itself and the parts that belong to it."""

    name: str
    row: type[Record]
    model: type[models.DirectoryBase]
    parts: tuple[tuple[type[Part], type[models.DirectoryBase]], ...] = ()

    @property
    def table(self) -> str:
        return str(self.model.__tablename__)


CATEGORIES = (
    Category("school", SchoolRow, models.School),
    Category("mef", MefRow, models.Mef),
    Category("staff", StaffRow, models.Staff, ((FunctionRow, models.Function),)),
    Category("guardian", GuardianRow, models.Guardian),
    Category("student", StudentRow, models.Student, ((EnrolmentRow, models.Enrolment), (TieRow, models.Tie))),
)


class DeliveryRow(NamedTuple):
    """What is remembered of the last delivery: one row per feed and degree."""

    degree: str
    exported_on: date | None
    version_af: str
    version_sdet: str


@dataclass(frozen=True, slots=True)
class Change:
    """What publication does to one category and degree of the feed. All figures count records."""

    degree: str
    category: str
    published: int
    """Before publication."""
    delivered: int
    created: int
    """New, or back after having left."""
    changed: int
    unchanged: int
    ended: int


class SchoolChange(NamedTuple):
    """What publication does to the pupils of one structure."""

    degree: str
    structure: str
    created: int
    changed: int
    unchanged: int
    ended: int


class Origin(NamedTuple):
    """Where a staged record was read: number of the file in the delivery, line, id."""

    category: str
    degree: str
    file: int
    line: int
    id: str


class Found(NamedTuple):
    """Records that meet a condition: how many of each degree, and the first hundred."""

    by_degree: dict[str, int]
    first: tuple[Origin, ...]

    @property
    def total(self) -> int:
        """How many records."""
        return sum(self.by_degree.values())
