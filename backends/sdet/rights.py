"""Who answers for a pupil: the decision table of aaf.md 4.3 and 4.5 as pure functions. A wrong answer gives parental rights.

Two rules of DESIGN section 7 are stricter than the table: a composite with fewer or more than six fields gives no right.
The relation never decides a right by itself, except that nobody is his own guardian (codes 7 and 70).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends import Capacity, Degree

from .causes import Cause
from .normalise import fields
from .records import Generation, Header

_SELF = frozenset({7, 70})
_STRENGTH: dict[Capacity | None, int] = {None: 0, Capacity.IN_CHARGE: 1, Capacity.LEGAL: 2}
_DEFAULT_ROW = ["1", "1", "1", "1", "0"]
_KNOWN = frozenset({1, 2, 3, 4, 5, 6, 7, 10, 20, *range(31, 44), 50, 51, 70, 90})


@dataclass(frozen=True, slots=True)
class Link:
    """One relative of a pupil: who, which right (None: none), which generation the relation code belongs to."""

    guardian: str
    capacity: Capacity | None
    generation: Generation | None


@dataclass(frozen=True, slots=True)
class Ties:
    """What the composite values of one pupil say."""

    links: tuple[Link, ...]
    """One for each relative, in the order of the file."""
    generations: frozenset[Generation]
    """Tables that the relation codes belong to, default rows left out."""
    anomalies: tuple[Cause, ...]


def decide(degree: Degree, relation: int | None, level: str) -> Capacity | None:
    """The right of one relative: the first line of the decision table that matches (aaf.md 4.3).

    ``relation`` is the code, None when missing or unreadable; ``level`` is the legal level as written (2D only).
    """
    if relation in _SELF:
        return None
    if degree is Degree.PRIMARY:
        return Capacity.LEGAL
    if level == "1":
        return Capacity.LEGAL
    if level == "2" and relation is not None:
        if relation >= 10:
            return Capacity.IN_CHARGE
        if 1 <= relation <= 6:
            return Capacity.LEGAL
    return None


def ties(degree: Degree, values: Sequence[str]) -> Ties:
    """Every relative named by a pupil, with the right. Several rows for one relative: a default row falls, the weaker wins."""
    anomalies: list[Cause] = []
    rows: dict[str, list[list[str]]] = {}
    for value in values:
        row = fields(value)
        if not (row[0].isascii() and row[0].isdigit() and len(row[0]) <= 10):
            anomalies.append(Cause.tie_unreadable)
            continue
        rows.setdefault(row[0], []).append(row)
    links: list[Link] = []
    generations: set[Generation] = set()
    for guardian, found in rows.items():
        if len(found) > 1:
            anomalies.append(Cause.relative_twice)
        meant = [row for row in found if row[1:] != _DEFAULT_ROW] or found[:1]
        each = [_link(degree, guardian, row, anomalies) for row in meant]
        generations.update(link.generation for link in each if link.generation)
        if len({link.capacity for link in each}) > 1:
            anomalies.append(Cause.relative_contradictory)
        links.append(min(each, key=lambda link: _STRENGTH[link.capacity]))
    return Ties(tuple(links), frozenset(generations), tuple(anomalies))


def _link(degree: Degree, guardian: str, row: list[str], anomalies: list[Cause]) -> Link:
    relation = _relation(row[1]) if len(row) > 1 else None
    generation = None if row[1:] == _DEFAULT_ROW else _generation(relation)
    expected = (1, 2) if degree is Degree.PRIMARY else (6,)
    if len(row) not in expected:
        anomalies.append(Cause.field_count)
        return Link(guardian, None, generation)
    level = row[3] if degree is Degree.SECONDARY else ""
    capacity = decide(degree, relation, level)
    if relation in _SELF:
        anomalies.append(Cause.pupil_is_own_guardian)
    elif len(row) > 1 and relation not in _KNOWN:
        anomalies.append(Cause.relation_unknown)
    if level == "2" and generation is not Generation.NEW:
        anomalies.append(Cause.level_2_old if generation else Cause.level_2_without_relation)
    return Link(guardian, capacity, generation)


def _relation(text: str) -> int | None:
    """The code, however many zeros are before it; None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text.lstrip("0")) < 5 else None


def _generation(relation: int | None) -> Generation | None:
    """Codes up to 7 are the old table, codes from 10 the new one (aaf.md 4.2)."""
    if relation is None or relation in (0, 8, 9):
        return None
    return Generation.OLD if relation <= 7 else Generation.NEW


def header_generation(header: Header) -> Generation | None:
    """Which table the header announces: SDET 6.1 and releases after 1803 are new, older ones old, 1803 itself says nothing."""
    number = "".join(c for c in header.version_sdet.rpartition("version")[2] if c.isdigit() or c == ".").split(".")
    if number[0]:
        version = (int(number[0]), int(number[1]) if len(number) > 1 and number[1] else 0)
        return Generation.NEW if version >= (6, 1) else Generation.OLD
    release = "".join(c for c in header.version_af if c.isdigit())
    if len(release) == 4 and release != "1803":
        return Generation.NEW if release > "1803" else Generation.OLD
    return None


def contradicts(announced: Generation | None, found: Ties) -> bool:
    """Whether a relation code belongs to another table than the header announces: a human must decide (aaf.md 4.3)."""
    return announced is not None and bool(found.generations - {announced})
