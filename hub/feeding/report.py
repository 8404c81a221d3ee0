"""What an import did and met: counts, causes with file and line, unknown attributes; for the academy and for each school.

The report is read by administrators and kept: it names records by file, line and id, never by what they say of a person
(IM-22).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from backends.sdet.causes import Cause
from backends.sdet.records import Category

from .show import as_text

DETAILS = 100
"""Places listed for one cause; all are counted."""
SCHOOL_DETAILS = 20
"""Places listed for one cause in the report of one school."""
ALL_SCHOOL_DETAILS = 50_000
"""Places listed in the reports of all schools: memory stays flat when every record of an academy has a defect."""
ATTRIBUTES = 200
"""Names of unknown attributes that are told apart."""


class Outcome(Enum):
    """What became of a delivery."""

    RUNNING = "running"
    CHECKED = "checked"
    PUBLISHED = "published"
    HELD = "held"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Counts:
    """Figures of one category and degree, in records. ``skipped``: subjects, and agents who are neither head nor teacher."""

    read: int = 0
    created: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0
    refused: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was met; ``line`` is 0 for a whole file."""

    file: str
    line: int = 0
    category: str = ""
    id: str = ""


@dataclass(slots=True)
class SchoolReport:
    """What concerns the pupils of one structure."""

    counts: Counts = field(default_factory=Counts)
    causes: Counter[Cause] = field(default_factory=Counter)
    places: dict[Cause, list[Place]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {"counts": _figures(self.counts), "causes": _causes(self.causes, self.places)}


@dataclass(slots=True)
class Report:
    """Everything about one delivery. Filled by the flow, read by people."""

    feed: str = ""
    academy: str = ""
    kind: str = ""
    """``complete`` or ``delta``."""
    dates: dict[str, date | None] = field(default_factory=dict)
    """Date of the export, by degree."""
    outcome: Outcome = Outcome.CHECKED
    message: str = ""
    """Why it was held or refused."""
    files: list[str] = field(default_factory=list)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    """By (degree, category)."""
    causes: Counter[Cause] = field(default_factory=Counter)
    places: dict[Cause, list[Place]] = field(default_factory=dict)
    unknown_attributes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (category, attribute name)."""
    schools: dict[tuple[str, str], SchoolReport] = field(default_factory=dict)
    """By (degree, number of the structure in the feed)."""
    _school_places: int = 0

    @property
    def published(self) -> bool:
        """Whether the directory says now what the delivery says."""
        return self.outcome is Outcome.PUBLISHED

    def count(self, degree: str, category: str) -> Counts:
        """The figures of that degree and category."""
        found = self.counts.get((degree, category))
        if found is None:
            found = self.counts[degree, category] = Counts()
        return found

    def school(self, degree: str, structure: str) -> SchoolReport:
        """The report of that structure."""
        return self.schools.setdefault((degree, structure), SchoolReport())

    def note(
        self, cause: Cause, file: str, line: int = 0, category: str = "", id_: str = "", school: tuple[str, str] | None = None
    ) -> None:
        """Count one more case, and remember the place of the first ones; ``school`` is the degree and structure concerned."""
        self.causes[cause] += 1
        places = self.places.setdefault(cause, [])
        if len(places) < DETAILS:
            places.append(Place(file, line, category, id_))
        if school:
            own = self.school(*school)
            own.causes[cause] += 1
            places = own.places.setdefault(cause, [])
            if len(places) < SCHOOL_DETAILS and self._school_places < ALL_SCHOOL_DETAILS:
                self._school_places += 1
                places.append(Place(file, line, category, id_))

    def note_all(self, cause: Cause, total: int, places: Iterable[Place]) -> None:
        """Count ``total`` cases of which the first ones are at ``places``."""
        if total:
            self.causes[cause] += total
            known = self.places.setdefault(cause, [])
            known.extend(list(places)[: DETAILS - len(known)])

    def unknown(self, category: Category, attribute: str) -> None:
        """Count an attribute that no known version of the format has; beyond many names, the others together."""
        key = (category.value, attribute[:64] if attribute.isprintable() else "?")
        if key not in self.unknown_attributes and len(self.unknown_attributes) >= ATTRIBUTES:
            key = (category.value, "(others)")
        self.unknown_attributes[key] += 1

    @property
    def changes(self) -> int:
        """Records created, changed or ended."""
        return sum(c.created + c.changed + c.ended for c in self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """The report of the delivery as plain values, those of the schools left out."""
        return {
            "feed": self.feed,
            "academy": self.academy,
            "kind": self.kind,
            "dates": {degree: day.isoformat() if day else None for degree, day in self.dates.items()},
            "outcome": self.outcome.value,
            "message": self.message,
            "published": self.published,
            "files": self.files,
            "counts": [
                {"degree": degree, "category": category, **_figures(counts)} for (degree, category), counts in sorted(self.counts.items())
            ],
            "causes": _causes(self.causes, self.places),
            "unknown_attributes": [
                {"category": category, "attribute": name, "count": count}
                for (category, name), count in sorted(self.unknown_attributes.items())
            ],
        }

    def to_text(self, places: int = 5) -> str:
        """The report for a terminal, with the first ``places`` of each cause."""
        return as_text(self.to_json(), places)


def _figures(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts.__slots__}


def _causes(causes: Counter[Cause], places: dict[Cause, list[Place]]) -> list[dict[str, Any]]:
    return [
        {
            "cause": cause.name,
            "meaning": cause.value,
            "count": causes[cause],
            "places": [{name: getattr(place, name) for name in Place.__slots__} for place in places.get(cause, [])],
        }
        for cause in Cause
        if causes[cause]
    ]
