"""From a plan to folders: schools first, then family after family, each written as soon as it is drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain, count
from pathlib import Path
from random import Random

from backends import Degree, Kind, Ref
from backends.sdet.records import Category, Generation

from ...errors import Refusal
from . import cast, drafts
from .delta import write_delta
from .drafts import Attributes, Draft
from .names import Pools, draw_pools
from .pack import pack
from .places import COLLEGE, INSPECTION, LYCEE, SUBJECTS, VOCATIONAL, schools
from .plan import Plan, Summary
from .population import Family, Population, Pupil, Relative, Schools, Standing
from .quirks import FUTURE_DATE, OLD_DATE, OTHER_HEADER, SHRUNK, Turns, chosen
from .staff import Staff
from .writer import Delivery, request

FIRST_ID = 1001
"""Identifiers start there in every folder: the same number is another person in another academy or degree."""


def generate(directory: Path, plan: Plan) -> Summary:
    """Write the deliveries of ``plan`` under ``directory``, one folder ``<academy>-<degree>`` for each academy and degree.

    Same plan, same bytes. Raises ``Refusal`` when one of the folders is there already and not empty, ``ConfigurationError``
    when Faker is not installed.
    """
    pools = draw_pools(plan.seed)
    rng = Random(f"schools {plan.seed}")  # noqa: S311 - must be the same again
    keys = [(code, degree) for code in plan.codes for degree in plan.degrees]
    folders = {(code, degree): directory / f"{code}-{degree.value}" for code, degree in keys}
    for folder in folders.values():
        if folder.exists() and any(folder.iterdir()):
            raise Refusal(f"{folder} is not empty: choose another directory")
    share = -(-plan.students // len(keys))
    found = {(code, degree): schools(code, degree, share, pools, rng) for code, degree in keys}
    population = Population(found, pools, plan.seed, plan.generation, plan.exported_on)
    summary = Summary()
    turns = {code: Turns(chosen(plan.quirks), summary.quirks) for code in plan.codes}
    exports = {key: _Export(folder, plan, *key, turns[key[0]], summary) for key, folder in folders.items()}
    try:
        for key, export in exports.items():
            export.write_frame(found, key, pools, population)
        for number, family in enumerate(_families(plan, population)):
            if not (SHRUNK in plan.quirks and number % 2 and not family.cast):
                _write_family(family, exports, plan, population.year, summary)
        for export in exports.values():
            export.close()
    finally:
        for export in exports.values():
            export.delivery.close()
    summary.files = sum(len(list(folder.iterdir())) for folder in summary.folders)
    if plan.delta:
        for folder in summary.folders:
            write_delta(folder, folder.with_name(f"{folder.name}-delta"), plan.delta, plan.seed, summary)
    if plan.packing:
        days = [(folder, _day(plan)) for folder in summary.folders]
        days += [(folder, _day(plan) + timedelta(days=1)) for folder in summary.deltas]
        summary.archives = [pack(folder, plan.packing, day) for folder, day in days]
    return summary


def _families(plan: Plan, population: Population) -> Iterator[Family]:
    """The cast, if the delivery is large enough, then everybody else."""
    known = list(cast.families(population, plan.degrees)) if plan.students >= cast.LEAST_STUDENTS else []
    return chain(known, population.families(plan.students - sum(len(family.pupils) for family in known)))


class _Export:
    """One folder in the making: its files, its identifiers, its quirks."""

    def __init__(self, folder: Path, plan: Plan, code: str, degree: Degree, turns: Turns, summary: Summary) -> None:
        self.code, self.degree, self.generation = code, degree, plan.generation
        self.ids = count(FIRST_ID)
        self.turns = turns
        self.delivery = Delivery(folder, code, degree, _header_generation(plan), _day(plan), self.turns.styles())
        self._summary = summary
        summary.folders.append(folder)
        for name in {OTHER_HEADER, OLD_DATE, FUTURE_DATE, SHRUNK} & set(plan.quirks):
            summary.quirks[name] += 1

    def write(self, category: Category, id_: str, attributes: Attributes, *, sibling: bool = False, spared: bool = False) -> None:
        """Write one record; ``spared`` from quirks."""
        draft = Draft(category, self.degree, id_, attributes, sibling)
        self.delivery.files[category].write(request(draft) if spared else self.turns.render(draft))
        self._summary.records[self.code, self.degree.value, category.value] += draft.copies

    def write_frame(self, found: Schools, key: tuple[str, Degree], pools: Pools, population: Population) -> None:
        """Structures, nomenclatures and agents."""
        seen = set()
        inspection = next((str(school.key) for school in found[key] if school.kind is INSPECTION), "")
        for school in found[key]:
            attributes = drafts.structure(school, self.code, self.degree, self.generation, inspection)
            self.write(Category.SCHOOL, str(school.key), attributes, spared=school.kind not in seen and bool(school.classes))
            seen.add(school.kind)
        if self.degree is Degree.SECONDARY:
            for level in COLLEGE + LYCEE + VOCATIONAL:
                self.write(Category.MEF, level.mef, drafts.mef(level))
            for subject in SUBJECTS:
                self.write(Category.SUBJECT, subject, drafts.subject(subject))
        staff = Staff(pools, population.rng, population.numbers, population.year)
        for school in found[key]:
            for id_, attributes in staff.of(school, self.ids):
                self.write(Category.STAFF, id_, attributes)

    def write_people(self, pupils: list[Pupil], spared: bool, year: int) -> dict[Pupil | Relative, Ref]:
        """The pupils of one family in this export, with their relatives. Gives the key of each."""
        legal_only = self.degree is Degree.PRIMARY  # contacts and persons in charge are not exported (aaf.md 4.5)
        pupil_ids = {pupil: str(next(self.ids)) for pupil in pupils}
        named: dict[Relative, list[str]] = {}
        for pupil in pupils:
            for bond in pupil.bonds:
                if bond.standing is Standing.LEGAL or not legal_only:
                    named.setdefault(bond.relative, []).append(pupil_ids[pupil])
        relative_ids = {relative: str(next(self.ids)) for relative in named}
        for relative, id_ in relative_ids.items():
            attributes = drafts.guardian(relative, id_, named[relative], self.degree, self.generation)
            self.write(Category.GUARDIAN, id_, attributes, spared=spared)
        for number, (pupil, id_) in enumerate(pupil_ids.items()):
            attributes = drafts.student(pupil, id_, relative_ids, self.generation, year)
            self.write(Category.STUDENT, id_, attributes, sibling=number > 0, spared=spared)
        keys: dict[Pupil | Relative, Ref] = {pupil: Ref(self.code, self.degree, Kind.STUDENT, id_) for pupil, id_ in pupil_ids.items()}
        return keys | {person: Ref(self.code, self.degree, Kind.GUARDIAN, id_) for person, id_ in relative_ids.items()}

    def close(self) -> None:
        """Play what remains, and end the files."""
        self.turns.close(self.delivery)
        self.delivery.close()


def _write_family(family: Family, exports: dict[tuple[str, Degree], _Export], plan: Plan, year: int, summary: Summary) -> None:
    keys: defaultdict[object, list[Ref]] = defaultdict(list)
    places: dict[tuple[str, Degree], list[Pupil]] = {}
    for pupil in family.pupils:
        places.setdefault((pupil.academy, pupil.degree), []).append(pupil)
    for place, pupils in places.items():
        for person, ref in exports[place].write_people(pupils, bool(family.cast), year).items():
            keys[person].append(ref)
    if family.cast:
        summary.cast |= cast.present(family, keys)


def _header_generation(plan: Plan) -> Generation:
    if OTHER_HEADER not in plan.quirks:
        return plan.generation
    return Generation.OLD if plan.generation is Generation.NEW else Generation.NEW


def _day(plan: Plan) -> date:
    """The date in names and headers."""
    if OLD_DATE in plan.quirks:
        return plan.exported_on - timedelta(days=30)
    return plan.exported_on + timedelta(days=3652) if FUTURE_DATE in plan.quirks else plan.exported_on
