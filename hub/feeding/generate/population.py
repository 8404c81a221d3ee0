"""Families: a pure model, drawn one family at a time so that any number of them needs no memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from random import Random

from backends import Degree
from backends.sdet.records import Generation

from .names import Numbers, Pools
from .places import CLG, COLLEGE, ECOLE, LP, LYC, LYCEE, PRIMARY, VOCATIONAL, Level, School, landline


class Relation(Enum):
    """What a relative is to a pupil: code of the old table, code of the new one (aaf.md 4.2)."""

    MOTHER = ("2", "10")
    FATHER = ("1", "20")
    TUTOR = ("3", "50")
    SIBLING = ("4", "37")
    ASCENDANT = ("4", "38")
    KIN = ("4", "39")
    WELFARE = ("5", "51")
    EDUCATOR = ("6", "41")
    OTHER = ("6", "90")
    SELF = ("7", "70")

    def code(self, generation: Generation) -> str:
        """The code in the exports of that generation."""
        return self.value[generation is Generation.NEW]


class Standing(Enum):
    """What a relative may do for a pupil."""

    LEGAL = "LEGAL"
    IN_CHARGE = "IN_CHARGE"
    CONTACT = "NONE"


@dataclass(frozen=True, slots=True)
class Home:
    """A household's address."""

    street: str
    post_code: str
    town: str
    phone: str


@dataclass(slots=True, eq=False)
class Relative:
    """A grown-up: one human, however many records he will have."""

    civility: str
    family_name: str
    birth_name: str
    given_name: str
    home: Home
    mobile: str = ""
    mail: str = ""
    work_phone: str = ""
    second_mobile: str = ""
    has_landline: bool = False
    accepts_sms: bool = False


@dataclass(frozen=True, slots=True)
class Bond:
    """One relative of one pupil. ``first``: the legal representative who pays."""

    relative: Relative
    relation: Relation
    standing: Standing = Standing.LEGAL
    first: bool = False
    lives_there: bool = True


@dataclass(slots=True, eq=False)
class Pupil:
    """A pupil in a school of an academy."""

    civility: str
    family_name: str
    given_name: str
    birth_date: date
    ine: str
    """Empty for the few whose school has not got it yet."""
    academy: str
    school: School
    level: Level
    class_number: int
    bonds: list[Bond]
    second_names: tuple[str, ...] = ()
    siecle_number: str = ""
    mail: str = ""
    boarder: bool = False
    scholarship: bool = False

    @property
    def degree(self) -> Degree:
        """Of his school."""
        return Degree.PRIMARY if self.school.kind is ECOLE else Degree.SECONDARY

    @property
    def division(self) -> str:
        """Name of his class."""
        return self.school.division(self.level, self.class_number)


@dataclass(slots=True)
class Family:
    """Pupils who share relatives; ``cast`` names those whom the summary will present."""

    pupils: list[Pupil]
    cast: dict[str, Pupil | Relative] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Fill:
    """Share of relatives of whom the school knows each thing."""

    mobile: float
    landline: float
    work: float
    mail: float
    civility: float
    second_mobile: float = 0.0


_FILL = {
    Degree.SECONDARY: _Fill(0.97, 0.66, 0.50, 0.51, 0.995, 0.03),  # aaf.md 5.2, a collège in 2018
    Degree.PRIMARY: _Fill(0.76, 0.13, 0.09, 0.32, 0.997),  # aaf.md 5.4
}

Schools = dict[tuple[str, Degree], list[School]]
"""Structures of each academy and degree."""


def school_year(day: date) -> int:
    """Year in which the school year of that day began."""
    return day.year if day.month >= 8 else day.year - 1


class Population:
    """Draws families. The same seed and arguments draw the same ones, in the same order."""

    def __init__(self, schools: Schools, pools: Pools, seed: int, generation: Generation, day: date) -> None:
        self.rng = Random(seed)  # noqa: S311 - must be the same again
        self.pools = pools
        self.numbers = Numbers(seed, generation)
        self.generation = generation
        self.year = school_year(day)
        self.codes = list(dict.fromkeys(code for code, _ in schools))
        degrees = {degree for _, degree in schools}
        self.ages = (2 if Degree.PRIMARY in degrees else 11, 17 if Degree.SECONDARY in degrees else 10)
        self._schools = {
            (code, kind): [school for school in found if school.kind is kind]
            for (code, _), found in schools.items()
            for kind in (ECOLE, CLG, LYC, LP)
            if any(school.kind is kind for school in found)
        }
        self._last: Pupil | None = None
        self._fill = _FILL[Degree.SECONDARY]

    def families(self, pupils: int) -> Iterator[Family]:
        """Families until there are that many pupils; the last one is cut short."""
        while pupils > 0:
            family = self._family()
            del family.pupils[pupils:]
            pupils -= len(family.pupils)
            yield family

    # People

    def relative(self, woman: bool, family_name: str, home: Home, birth_name: str = "") -> Relative:
        """A grown-up with the usual holes in what a school knows of him."""
        rng = self.rng
        given = self.pools.given(rng, woman)
        draw, fill = rng.random, self._fill
        return Relative(
            civility="" if draw() > fill.civility else "Mme" if woman else "M.",
            family_name=family_name,
            birth_name=birth_name or family_name,
            given_name=given,
            home=home,
            mobile=self.numbers.mobile() if draw() < fill.mobile else "",
            mail=self.numbers.mail(given, family_name) if draw() < fill.mail else "",
            work_phone=landline("", rng.randrange(10_000)) if draw() < fill.work else "",
            has_landline=draw() < fill.landline,
            second_mobile=self.numbers.mobile() if draw() < fill.second_mobile else "",
            accepts_sms=draw() < 0.7,
        )

    def home(self, code: str, town: School) -> Home:
        """An address near a school."""
        rng = self.rng
        street = f"{rng.randint(1, 180)} {rng.choice(self.pools.streets)}"
        return Home(street, town.post_code, town.town, landline(code, rng.randrange(10_000)))

    def pupil(self, code: str, level: Level, school: School, family_name: str, bonds: list[Bond]) -> Pupil:
        """A pupil of that level, born in the usual year or, rarely, one earlier."""
        rng = self.rng
        girl = rng.random() < 0.5
        late = level.age > 6 and rng.random() < 0.06
        return Pupil(
            civility="Mme" if girl else "M.",
            family_name=family_name,
            given_name=self.pools.young(rng, girl),
            birth_date=date(self.year - level.age - late, 1, 1) + timedelta(rng.randrange(365)),
            ine="" if school.kind is not ECOLE and rng.random() < 0.01 else self.numbers.ine(),
            academy=code,
            school=school,
            level=level,
            class_number=rng.randrange(school.classes),
            bonds=bonds,
            second_names=tuple(self.pools.young(rng, girl) for _ in range(rng.choice((0, 0, 1, 2)))),
            siecle_number=str(100_000 + rng.randrange(9_000_000)),
            boarder=school.kind in (LYC, LP) and rng.random() < 0.12,
            scholarship=rng.random() < 0.25,
        )

    def schools_of(self, code: str, level: Level) -> Sequence[School]:
        """Schools of the academy that have that level."""
        kind = ECOLE if level in PRIMARY else CLG if level in COLLEGE else LYC if level in LYCEE else LP
        return self._schools[code, kind]

    # Families

    def _family(self) -> Family:
        rng = self.rng
        code = rng.choice(self.codes)
        sector = rng.random()
        levels = [self._level(age) for age in self._ages_of_children()]
        near = self._near(code, levels[0], sector)
        self._fill = _FILL[Degree.PRIMARY if near.kind is ECOLE else Degree.SECONDARY]
        home = self.home(code, near)
        bonds, name = self._household(code, near, home)
        pupils = [self._child(code, level, sector, name, bonds) for level in levels]
        if len(pupils) > 1:
            if len(self.codes) > 1 and rng.random() < 0.08:  # lives with the other parent, or boards, in another academy
                pupils[-1] = self._child(rng.choice([c for c in self.codes if c != code]), levels[-1], sector, name, bonds)
            if len(bonds) > 1 and rng.random() < 0.06:  # a child of the second parent and of somebody else
                other = self.relative(True, rng.choice(self.pools.families), home)
                pupils[-1].bonds = [Bond(other, Relation.MOTHER, first=True), bonds[1]]
        self._coincidences(pupils)
        self.name_apart(pupils)
        self._last = pupils[0]
        return Family(pupils)

    def _ages_of_children(self) -> list[int]:
        """One to four, three school years apart or more."""
        rng = self.rng
        ages = [rng.randint(*self.ages)]
        older_first = rng.choice((1, -1))
        for _ in range(rng.choices((0, 1, 2, 3), (45, 37, 14, 4))[0]):
            ages.append(ages[-1] - older_first * rng.randint(3, 5))  # one of them may be a year late
        return [age for age in ages if self.ages[0] <= age <= self.ages[1]]

    def name_apart(self, pupils: list[Pupil]) -> None:
        """Brothers and sisters have different first names, and a pupil of age is called the same as his own relative."""
        for number, pupil in enumerate(pupils):
            while pupil.given_name in {other.given_name for other in pupils[:number]}:
                pupil.given_name = self.pools.young(self.rng, pupil.civility == "Mme")
            for bond in pupil.bonds:
                if bond.relation is Relation.SELF:
                    bond.relative.given_name = pupil.given_name

    def _level(self, age: int) -> Level:
        if age <= 10:
            return PRIMARY[age - 2]
        if age <= 14:
            return COLLEGE[age - 11]
        return (VOCATIONAL if self.rng.random() < 0.3 else LYCEE)[age - 15]

    def _near(self, code: str, level: Level, sector: float) -> School:
        """Siblings live in one sector, hence go to one school when their levels allow."""
        found = self.schools_of(code, level)
        return found[int(sector * len(found))]

    def _child(self, code: str, level: Level, sector: float, name: str, bonds: list[Bond]) -> Pupil:
        child = self.pupil(code, level, self._near(code, level, sector), name, list(bonds))
        if level.age == 17 and self.rng.random() < 0.08:  # of age, and his own relative
            own = self.relative(child.civility == "Mme", name, bonds[0].relative.home if bonds else self.home(code, child.school))
            own.mail = ""
            child.birth_date = date(self.year - 18, 1, 1) + timedelta(self.rng.randrange(240))
            child.bonds.append(Bond(own, Relation.SELF))
        if child.degree is Degree.SECONDARY and self.rng.random() < 0.4:
            child.mail = self.numbers.mail(child.given_name, name)
        return child

    def _coincidences(self, pupils: list[Pupil]) -> None:
        """Twins, and homonyms born on one day in two families."""
        draw = self.rng.random()
        first = pupils[0]
        if len(pupils) > 1 and draw < 0.05:
            twin = pupils[1]
            twin.birth_date, twin.level, twin.class_number = first.birth_date, first.level, first.class_number
            twin.school, twin.academy = first.school, first.academy
            twin.ine, twin.mail = twin.ine or self.numbers.ine(), ""
            if any(bond.relation is Relation.SELF for bond in first.bonds + twin.bonds):
                first.bonds = [bond for bond in first.bonds if bond.relation is not Relation.SELF]
                twin.bonds = list(first.bonds)
        elif self._last and draw > 0.9 and self._last.level.age == first.level.age < 17:
            first.given_name, first.family_name = self._last.given_name, self._last.family_name
            first.birth_date, first.civility = self._last.birth_date, self._last.civility

    def _household(self, code: str, near: School, home: Home) -> tuple[list[Bond], str]:
        """The relatives of a family's children, and the children's family name."""
        rng = self.rng
        name, other = rng.choice(self.pools.families), rng.choice(self.pools.families)
        draw = rng.random()
        if draw < 0.03:
            return [], name
        if draw < 0.05:
            return self._under_guardianship(name, home), name
        two_women, two_men = draw < 0.065, 0.065 <= draw < 0.08
        married = rng.random() < 0.5
        parent = self.relative(not two_men, name if married else other, home, other)
        bonds = [Bond(parent, Relation.FATHER if two_men else Relation.MOTHER, first=True)]
        if two_women or two_men or draw > 0.17:  # two parents, of whom a fifth live apart
            apart = rng.random() < 0.2
            second = self.relative(two_women, name, self.home(code, near) if apart else home)
            if not apart and parent.mail and rng.random() < 0.08:
                second.mail = parent.mail
            bonds.append(Bond(second, Relation.MOTHER if two_women else Relation.FATHER, lives_there=not apart or rng.random() < 0.4))
        return bonds + self._third(code, near), name if married or rng.random() < 0.7 else f"{name}-{other}"

    def _third(self, code: str, near: School) -> list[Bond]:
        """A person in charge, or somebody to call, who has no right; many children have neither."""
        draw = self.rng.random()
        if draw > 0.36:
            return []
        relation = self.rng.choice((Relation.ASCENDANT, Relation.KIN, Relation.OTHER, Relation.SIBLING))
        person = self.relative(self.rng.random() < 0.6, self.rng.choice(self.pools.families), self.home(code, near))
        in_charge = draw < 0.05 and self.generation is Generation.NEW
        return [Bond(person, relation, Standing.IN_CHARGE if in_charge else Standing.CONTACT, lives_there=in_charge)]

    def _under_guardianship(self, name: str, home: Home) -> list[Bond]:
        """A tutor, or the child welfare service with an educator in charge where exports know such a thing."""
        if self.rng.random() < 0.6:
            return [Bond(self.relative(self.rng.random() < 0.5, self.rng.choice(self.pools.families), home), Relation.TUTOR, first=True)]
        service = Relative("", "ASE", "ASE", "SERVICE", home, mail=self.numbers.mail("ase", name))
        educator = self.relative(True, self.rng.choice(self.pools.families), home)
        standing = Standing.IN_CHARGE if self.generation is Generation.NEW else Standing.CONTACT
        return [Bond(service, Relation.WELFARE, first=True), Bond(educator, Relation.EDUCATOR, standing)]
