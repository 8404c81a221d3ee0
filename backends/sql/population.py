"""Load typed records into the ``sql`` directory: what the contract suite and demonstrations start from."""

from __future__ import annotations

from .. import Guardian, Person, School, Staff, Student
from ..contract import Population
from ..names import mail_key, name_key
from .directory import SqlDirectory
from .rows import DeliveryRow, EnrolmentRow, FunctionRow, GuardianRow, SchoolRow, StaffRow, StudentRow, TieRow


def load(directory: SqlDirectory, population: Population) -> None:
    """Publish a population, each feed in one transaction. Schools are numbered in the order given."""
    structures = {school.uai: str(number) for number, school in enumerate(population.schools, 1)}
    everyone: tuple[Person, ...] = (*population.students, *population.guardians, *population.staff)
    feeds = {person.ref.feed: person.academy for person in everyone}
    for feed, academy in feeds.items():
        with directory.feeding(feed, academy) as feeding:
            for school in population.schools:
                if school.academy == academy:
                    feeding.add(_school(school, structures[school.uai]))
            for person in everyone:
                if person.ref.feed == feed:
                    row, parts = _person(person, structures, population)
                    feeding.add(row, parts)
            feeding.complete()
            degrees = sorted({person.ref.degree.value for person in everyone if person.ref.feed == feed})
            feeding.publish([DeliveryRow(degree, None, "", "") for degree in degrees], lambda changes: True)


def _school(school: School, number: str) -> SchoolRow:
    return SchoolRow(
        school.degree.value, number, school.uai, school.name, school.type, school.town, school.private, school.agricultural, False
    )


def _person(
    person: Person, structures: dict[str, str], population: Population
) -> tuple[StudentRow | GuardianRow | StaffRow, list[EnrolmentRow | TieRow | FunctionRow]]:
    degree, id_ = person.ref.degree.value, person.ref.id
    common = (
        degree, id_, person.family_name, person.given_name, person.birth_name, person.civility,
        mail_key(person.mail) if person.mail else None, name_key(person.family_name), name_key(person.given_name),
    )  # fmt: skip
    match person:
        case Student():
            born = person.birth_date.isoformat() if person.birth_date else None
            row = StudentRow(*common, person.ine, born, "\n".join(person.other_given_names), person.siecle_number)
            enrolments = [
                EnrolmentRow(degree, id_, n, structures[e.uai], e.division, e.mef, e.mef_label, e.level)
                for n, e in enumerate(person.enrolments)
            ]
            ties = [TieRow(degree, id_, tie.guardian.id, tie.capacity.value) for tie in population.ties if tie.student == person.ref]
            return row, [*enrolments, *ties]
        case Guardian():
            return GuardianRow(*common, name_key(person.birth_name or ""), " ".join(person.mobiles)), []
        case Staff():
            return StaffRow(*common), [FunctionRow(degree, id_, structures[uai], code) for uai, code in person.functions]
    raise TypeError(type(person).__name__)
