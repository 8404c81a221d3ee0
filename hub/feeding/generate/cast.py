"""The cast: families made on purpose, first in every delivery of a few dozen pupils, whom demos and tests can count on.

Nobody of the cast is touched by a quirk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from backends import Degree, Kind, Ref
from backends.sdet.records import Generation

from .places import COLLEGE, LYCEE, PRIMARY, Level
from .plan import CastMember, Child
from .population import Bond, Family, Population, Pupil, Relation, Relative, Standing

LEAST_STUDENTS = 24
"""Pupils from which a delivery has its cast."""

SAYS = {
    "college_pupil": "Pupil of a collège, in 6e, with two legal representatives.",
    "college_guardian": "Mother of the collège pupil: legal representative of one child.",
    "new_pupil": "Pupil of a lycée whom nobody has given an account yet.",
    "pupil_without_ine": "Pupil of a collège that has not got his INE yet: he cannot have an account.",
    "adult_pupil": "Pupil of age, his own relative: he has a relative's record that must give no account.",
    "primary_pupil": "Pupil of a primary school, in CM1.",
    "primary_guardian": "Guardian of one child, at primary school.",
    "guardian_of_three": "Legal representative of two children in two academies, and person in charge of a third.",
    "person_in_charge": "Person in charge of one pupil, and nothing else.",
    "contact": "Somebody to call, without any right on the pupil.",
    "twin_1": "Twin of twin_2, same class.",
    "twin_2": "Twin of twin_1, same class.",
    "separated_mother": "Legal representative who lives apart from separated_father.",
    "separated_father": "Legal representative who lives apart from separated_mother.",
}


def families(population: Population, degrees: tuple[Degree, ...]) -> Iterator[Family]:
    """The families of the cast that those degrees and academies allow."""
    for family in _made(_Stage(population), degrees):
        population.name_apart(family.pupils)
        yield family


def _made(stage: _Stage, degrees: tuple[Degree, ...]) -> Iterator[Family]:
    if Degree.SECONDARY in degrees:
        yield from (stage.college(), stage.lycee(), stage.separated(), stage.without_ine())
        if stage.population.generation is Generation.NEW:
            if len(stage.population.codes) > 1:
                yield stage.three()
            yield stage.in_charge()
        yield stage.adult()
    if Degree.PRIMARY in degrees:
        yield stage.primary()


class _Stage:
    """Makes the families, all in the first academy but one child."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.code = population.codes[0]

    def relative(self, woman: bool, level: Level = COLLEGE[0]) -> Relative:
        """A grown-up who lives near the school of that level, and of whom everything is known."""
        population = self.population
        name = population.rng.choice(population.pools.families)
        school = population.schools_of(self.code, level)[0]
        made = population.relative(woman, name, population.home(self.code, school))
        made.civility, made.accepts_sms = "Mme" if woman else "M.", True
        made.mobile, made.second_mobile = made.mobile or population.numbers.mobile(), ""
        made.mail = made.mail or population.numbers.mail(made.given_name, name)
        return made

    def pupil(self, level: Level, name: str, *bonds: Bond, code: str = "") -> Pupil:
        """A pupil of whom everything is known."""
        population = self.population
        code = code or self.code
        made = population.pupil(code, level, population.schools_of(code, level)[0], name, list(bonds))
        made.ine = made.ine or population.numbers.ine()
        return made

    def college(self) -> Family:
        mother = self.relative(True)
        father = self.relative(False)
        father.home = mother.home
        child = self.pupil(COLLEGE[0], father.family_name, _mother(mother), Bond(father, Relation.FATHER))
        child.mail = self.population.numbers.mail(child.given_name, child.family_name)
        return Family([child], {"college_pupil": child, "college_guardian": mother})

    def lycee(self) -> Family:
        mother = self.relative(True)
        aunt = self.relative(True)
        child = self.pupil(LYCEE[1], mother.family_name, _mother(mother), Bond(aunt, Relation.KIN, Standing.CONTACT, lives_there=False))
        return Family([child], {"new_pupil": child, "contact": aunt})

    def separated(self) -> Family:
        mother, father = self.relative(True), self.relative(False)
        bonds = (_mother(mother), Bond(father, Relation.FATHER, lives_there=False))
        first = self.pupil(COLLEGE[2], father.family_name, *bonds)
        second = self.pupil(COLLEGE[2], father.family_name, *bonds)
        second.birth_date, second.class_number = first.birth_date, first.class_number
        return Family([first, second], {"twin_1": first, "twin_2": second, "separated_mother": mother, "separated_father": father})

    def without_ine(self) -> Family:
        mother = self.relative(True)
        child = self.pupil(COLLEGE[0], mother.family_name, _mother(mother))
        child.ine = ""
        return Family([child], {"pupil_without_ine": child})

    def three(self) -> Family:
        father, mother, friend = self.relative(False), self.relative(True), self.relative(True)
        name, far = father.family_name, self.population.codes[1]
        legal = Bond(father, Relation.FATHER, first=True)
        here = self.pupil(COLLEGE[1], name, legal, Bond(mother, Relation.MOTHER))
        there = self.pupil(LYCEE[0], name, legal, Bond(mother, Relation.MOTHER), code=far)
        charge = Bond(father, Relation.OTHER, Standing.IN_CHARGE)
        third = self.pupil(COLLEGE[3], friend.family_name, _mother(friend), charge)
        return Family([here, there, third], {"guardian_of_three": father})

    def in_charge(self) -> Family:
        mother, grandmother = self.relative(True), self.relative(True)
        bond = Bond(grandmother, Relation.ASCENDANT, Standing.IN_CHARGE)
        return Family([self.pupil(COLLEGE[3], mother.family_name, _mother(mother), bond)], {"person_in_charge": grandmother})

    def adult(self) -> Family:
        mother = self.relative(True, level=LYCEE[2])
        child = self.pupil(LYCEE[2], mother.family_name, _mother(mother))
        child.birth_date = date(self.population.year - 18, 2, 11)
        own = replace(mother, civility=child.civility, given_name=child.given_name, mail="", mobile=self.population.numbers.mobile())
        child.bonds.append(Bond(own, Relation.SELF))
        return Family([child], {"adult_pupil": child})

    def primary(self) -> Family:
        mother = self.relative(True, level=PRIMARY[7])
        child = self.pupil(PRIMARY[7], mother.family_name, _mother(mother))
        return Family([child], {"primary_pupil": child, "primary_guardian": mother})


def _mother(person: Relative) -> Bond:
    return Bond(person, Relation.MOTHER, first=True)


def present(family: Family, keys: dict[object, list[Ref]]) -> dict[str, CastMember]:
    """The members of that family, once its records have their ``keys`` (by pupil or relative)."""
    found = {}
    for name, person in family.cast.items():
        if isinstance(person, Pupil):
            found[name] = _present_pupil(SAYS[name], person, keys)
        else:
            found[name] = _present_relative(SAYS[name], person, family, keys)
    return found


def _present_pupil(says: str, pupil: Pupil, keys: dict[object, list[Ref]]) -> CastMember:
    return CastMember(
        says=says,
        refs=tuple(keys[pupil]),
        civility=pupil.civility,
        family_name=pupil.family_name.upper(),
        given_name=pupil.given_name,
        birth_date=pupil.birth_date,
        ine=pupil.ine or None,
        uai=pupil.school.uai,
        school=pupil.school.name,
        division=pupil.division,
        mail=pupil.mail or None,
    )


def _present_relative(says: str, person: Relative, family: Family, keys: dict[object, list[Ref]]) -> CastMember:
    children = tuple(
        Child(
            ref=keys[pupil][0],
            family_name=pupil.family_name.upper(),
            given_name=pupil.given_name,
            birth_date=pupil.birth_date,
            ine=pupil.ine or None,
            capacity=bond.standing.value,
        )
        for pupil in family.pupils
        for bond in pupil.bonds
        if bond.relative is person
    )
    return CastMember(
        says=says,
        refs=tuple(ref for ref in keys[person] if ref.kind is Kind.GUARDIAN),
        civility=person.civility,
        family_name=person.family_name.upper(),
        given_name=person.given_name,
        mobile=person.mobile,
        mail=person.mail,
        children=children,
    )
