"""One population in every form that a back end reads: in memory, as AAF deliveries, by academy."""

from __future__ import annotations

from pathlib import Path

from backends import Capacity, Degree, Guardian, Kind, Person, Student, iterate
from backends.contract import Population
from backends.memory import MemoryDirectory
from backends.sql import SqlDirectory
from backends.sql.models import DirectoryBase
from tests import aaf_kit


def everyone(population: Population) -> tuple[Person, ...]:
    """All the people."""
    return (*population.students, *population.guardians, *population.staff)


def in_memory(population: Population) -> MemoryDirectory:
    """The population as it is."""
    return MemoryDirectory(everyone(population), population.ties, population.schools)


def of_academy(population: Population, *codes: str) -> Population:
    """The part that these academies hold."""
    return Population(
        tuple(one for one in population.schools if one.academy in codes),
        tuple(one for one in population.students if one.academy in codes),
        tuple(one for one in population.guardians if one.academy in codes),
        tuple(one for one in population.staff if one.academy in codes),
        tuple(tie for tie in population.ties if tie.guardian.feed in codes),
    )


def population_of(directory: SqlDirectory) -> Population:
    """Everybody whom the schools of a `sql` directory have, read through the contract."""
    with directory.engine.connect() as connection:
        table = DirectoryBase.metadata.tables["directory_school"]
        uais = sorted({row.uai for row in connection.execute(table.select()) if row.uai})
    people = {kind: {person.ref: person for uai in uais for person in iterate(directory, uai, kind)} for kind in Kind}
    ties = tuple(tie for guardian in people[Kind.GUARDIAN] for tie in directory.ties_of(guardian))
    return Population(
        tuple(directory.school(uai) for uai in uais),
        tuple(people[Kind.STUDENT].values()),  # type: ignore[arg-type]
        tuple(people[Kind.GUARDIAN].values()),  # type: ignore[arg-type]
        tuple(people[Kind.STAFF].values()),  # type: ignore[arg-type]
        ties,
    )


def write_deliveries(folder: Path, population: Population) -> list[Path]:
    """The population as complete exports, one folder for each academy and degree. Feeds are named by their academy."""
    structures = {school.uai: str(number) for number, school in enumerate(population.schools, 1)}
    parts = sorted({(person.academy, person.ref.degree) for person in everyone(population)})
    return [_write(folder / f"{academy}-{degree.value}", academy, degree, population, structures) for academy, degree in parts]


def _write(folder: Path, academy: str, degree: Degree, population: Population, structures: dict[str, str]) -> Path:
    def mine(people: tuple[Person, ...]) -> list[Person]:
        return [person for person in people if (person.academy, person.ref.degree) == (academy, degree)]

    second = degree is Degree.SECONDARY
    records: dict[str, list[str]] = {"EtabEducNat": []}
    for school in population.schools:
        if (school.academy, school.degree) == (academy, degree):
            records["EtabEducNat"].append(
                aaf_kit.record(
                    "EtabEducNat",
                    structures[school.uai],
                    ENTStructureUAI=school.uai,
                    ENTStructureNomCourant=school.name,
                    ENTStructureTypeStruct=school.type,
                    ENTEtablissementContrat="PR" if school.private else "PU",
                    ENTServAcCodeAcademie=academy,
                    **{"l" if second else "ENTStructureVille": school.town},
                )
            )
    records["Eleve"] = [
        aaf_kit.record("Eleve", person.ref.id, **(_student(person, population, structures) | _named(person)))  # type: ignore[arg-type]
        for person in mine(population.students)
    ]
    records["PersRelEleve"] = [
        aaf_kit.record("PersRelEleve", person.ref.id, **(_named(person) | _mobiles(person)))  # type: ignore[arg-type]
        for person in mine(population.guardians)
    ]
    if second:
        courses = {e.mef: e for person in population.students for e in person.enrolments if e.mef}
        records["MefEducNat"] = [
            aaf_kit.record("MefEducNat", mef, ENTLibelleMef=e.mef_label or "", ENTMEFSTAT11=f"{e.level}0010019")
            for mef, e in courses.items()
        ]
        records["PersEducNat"] = [
            aaf_kit.record(
                "PersEducNat", one.ref.id, ENTPersonFonctions=[f"{structures[uai]}${code}$X" for uai, code in one.functions], **_named(one)
            )
            for one in population.staff
            if (one.academy, one.ref.degree) == (academy, degree)
        ]
    sdet = "Annexe 4bis version 6.4" if second else "Annexe 1 version 6.4"
    return aaf_kit.Delivery(folder, records, head=aaf_kit.header(academy, degree.value, sdet)).write()


def _named(person: Person) -> dict[str, aaf_kit.Value]:
    names = ("sn", "givenName", "personalTitle", "mail")
    if person.ref.degree is Degree.PRIMARY:
        names = ("ENTPersonNom", "ENTPersonPrenom", "ENTPersonCivilite", "ENTPersonMail")
    values = (person.family_name, person.given_name, person.civility or "", person.mail or "")
    return {**dict(zip(names, values, strict=True)), "ENTPersonNomPatro": person.birth_name or ""}


def _student(student: Student, population: Population, structures: dict[str, str]) -> dict[str, aaf_kit.Value]:
    first = student.enrolments[0] if student.enrolments else None
    at = structures[first.uai] if first else ""
    ties = [tie for tie in population.ties if tie.student == student.ref]
    common: dict[str, aaf_kit.Value] = {
        "ENTEleveINE": student.ine or "",
        "ENTPersonDateNaissance": f"{student.birth_date:%d/%m/%Y}" if student.birth_date else "",
        "ENTPersonAutresPrenoms": list(student.other_given_names),
        "ENTPersonStructRattach": at,
    }
    if student.ref.degree is Degree.PRIMARY:
        return common | {
            "ENTPersonClasses": f"{at}$11$ORDINAIRE$33${first.division}" if first else "",
            "ENTEleveNiveau": f"{first.level}$X" if first else "",
            "ENTEleveAutoriteParentale": [f"{tie.guardian.id}$10" for tie in ties],
        }
    return common | {
        "ENTEleveStructRattachId": student.siecle_number or "",
        "ENTEleveClasses": f"{at}${first.division}" if first else "",
        "ENTEleveMEF": (first and first.mef) or "",
        "ENTEleveLibelleMEF": (first and first.mef_label) or "",
        "ENTElevePersRelEleve": [f"{tie.guardian.id}$10$1${1 if tie.capacity is Capacity.LEGAL else 2}$0$1" for tie in ties],
    }


def _mobiles(guardian: Guardian) -> dict[str, aaf_kit.Value]:
    if guardian.ref.degree is Degree.PRIMARY:
        return {"ENTPersRelEleveTelMobile": list(guardian.mobiles)}
    return {"ENTPersonMobileSMS": guardian.mobiles[:1], "mobile": guardian.mobiles[1:]}
