"""What is asked of the generator, and what it says it wrote."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backends import Degree, Ref
from backends.sdet.records import Generation

from ...errors import Refusal
from .places import DEPARTMENTS
from .quirks import check_names

EXPORT_DATE = {Generation.NEW: dt.date(2025, 9, 15), Generation.OLD: dt.date(2018, 3, 12)}
"""Date of a delivery when none is asked for: never the clock's, so that the same arguments give the same bytes."""

BOTH = (Degree.PRIMARY, Degree.SECONDARY)


@dataclass(frozen=True, slots=True)
class Plan:
    """A set of complete deliveries, one per academy and degree. Raises ``Refusal`` when it cannot be had."""

    students: int
    """Pupil records over all academies and degrees, at least 1."""
    academies: int = 2
    degrees: tuple[Degree, ...] = BOTH
    generation: Generation = Generation.NEW
    """Old: the last release before the new codes of March 2018, which has INE of the old form, relation codes 1 to 7, and
    levels 1 and 2 both legal (aaf.md 4.2, 4.3, section 7)."""
    seed: int = 1
    quirks: tuple[str, ...] = ()
    """Names of :data:`~hub.feeding.generate.quirks.QUIRKS`."""
    date: dt.date | None = None
    """Day of the export; None: :data:`EXPORT_DATE` of the generation."""
    delta: float = 0.0
    """Share of the people that a delta of the following day is about; 0: no delta."""
    packing: str = ""
    """One of :data:`~hub.feeding.generate.pack.PACKINGS`, or empty: folders."""

    def __post_init__(self) -> None:
        if self.students < 1:
            raise Refusal("a delivery has at least one pupil")
        if not 1 <= self.academies <= len(DEPARTMENTS):
            raise Refusal(f"between 1 and {len(DEPARTMENTS)} academies can be generated")
        if not self.degrees:
            raise Refusal("at least one degree is needed")
        if not 0 <= self.delta <= 1:
            raise Refusal("a delta is about a share between 0 and 1")
        if self.delta and self.generation is Generation.OLD:
            raise Refusal("deltas are generated for the new generation only")
        check_names(self.quirks)

    @property
    def exported_on(self) -> dt.date:
        """Day of the export."""
        return self.date or EXPORT_DATE[self.generation]

    @property
    def codes(self) -> tuple[str, ...]:
        """Two-digit codes of the academies."""
        return tuple(DEPARTMENTS)[: self.academies]


@dataclass(frozen=True, slots=True)
class Child:
    """A pupil, as a guardian of the cast knows him."""

    ref: Ref
    family_name: str
    given_name: str
    birth_date: dt.date
    ine: str | None
    capacity: str
    """``LEGAL``, ``IN_CHARGE`` or ``NONE`` (a contact without rights): what the guardian is to the child."""


@dataclass(frozen=True, slots=True)
class CastMember:
    """A person whom a demo or a test can count on."""

    says: str
    """Who it is, in one sentence."""
    refs: tuple[Ref, ...]
    """One key per record: a guardian of pupils of two academies has two. The feed is the code of the academy."""
    civility: str
    family_name: str
    given_name: str
    birth_date: dt.date | None = None
    """Of a pupil; exports give no birth date of guardians."""
    ine: str | None = None
    uai: str | None = None
    school: str | None = None
    division: str | None = None
    """Name of the class."""
    mobile: str | None = None
    """As the export writes it: ``+33 6 39 98 12 34``."""
    mail: str | None = None
    children: tuple[Child, ...] = ()

    @property
    def ref(self) -> Ref:
        """The first key."""
        return self.refs[0]


@dataclass(slots=True)
class Summary:
    """What was written: folders, records by (academy, degree, category), and the cast."""

    folders: list[Path] = field(default_factory=list)
    """Of completes, one per academy and degree."""
    deltas: list[Path] = field(default_factory=list)
    """Of deltas, in the same order."""
    archives: list[Path] = field(default_factory=list)
    """Which replace the folders when a packing is asked for, completes first."""
    operations: Counter[str] = field(default_factory=Counter)
    """Requests about people in the deltas, by element."""
    files: int = 0
    records: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    quirks: Counter[str] = field(default_factory=Counter)
    """How many times each quirk was played."""
    cast: dict[str, CastMember] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Records of all categories."""
        return self.records.total()

    def to_json(self) -> dict[str, Any]:
        """The summary as plain values."""
        return {
            "folders": [str(folder) for folder in self.folders],
            "deltas": [str(folder) for folder in self.deltas],
            "archives": [str(path) for path in self.archives],
            "operations": dict(self.operations),
            "files": self.files,
            "records": [
                {"academy": academy, "degree": degree, "category": category, "count": count}
                for (academy, degree, category), count in self.records.items()
            ],
            "quirks": dict(self.quirks),
            "cast": {name: _plain(asdict(member)) for name, member in self.cast.items()},
        }


def _plain(value: Any) -> Any:
    """Keys as text and dates as ISO 8601, all the way down."""
    if isinstance(value, dict):
        if set(value) == set(Ref.__slots__):
            return str(Ref(**value))
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value
