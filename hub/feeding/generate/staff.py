"""The agents of schools: heads, deputies, teachers with their classes, and others whom the import passes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from .drafts import EMPTY, Attributes
from .names import Numbers, Pools
from .places import ECOLE, Level, School
from .population import Home, Relative


@dataclass(frozen=True, slots=True)
class Post:
    """What an agent does: function and discipline codes with their labels."""

    function: str
    label: str
    discipline: str
    discipline_label: str


HEAD = Post("DIR", "DIRECTION", "D0010", "CHEF D'ETABLISSEMENT")
DEPUTY = Post("DIR", "DIRECTION", "D0011", "CHEF D'ETABLISSEMENT ADJOINT")
PRIMARY_HEAD = Post("DIR", "DIRECTION", "D0010", "DIRECTEUR D'ECOLE")
TEACHER = Post("ENS", "ENSEIGNEMENT DEVANT ELEVES", "L0202", "LETTRES MODERNES")
PRIMARY_TEACHER = Post("ENS", "ENSEIGNEMENT DEVANT ELEVES", "G0000", "ENSEIGNEMENT ELEMENTAIRE")
SUPERVISOR = Post("EDU", "EDUCATION", "E0030", "EDUCATION")


def agent(person: Relative, id_: str, school: School, post: Post, divisions: list[tuple[Level, int]], birth: str) -> Attributes:
    """An agent of a school, with the classes he teaches."""
    key = str(school.key)
    primary = school.kind is ECOLE
    names = (
        {"ENTPersonNom": [person.family_name.upper()], "ENTPersonPrenom": [person.given_name], "ENTPersonCivilite": [person.civility]}
        if primary
        else {"sn": [person.family_name.upper()], "givenName": [person.given_name], "personalTitle": [person.civility]}
    )
    classes = [f"{key}${school.class_id(*at) if primary else school.division(*at)}" for at in divisions]
    teaches = post.function == "ENS"
    return {
        "ENTPersonJointure": [id_],
        "ENTPersonDateNaissance": [birth],
        "ENTPersonNomPatro": [person.birth_name.upper()],
        **names,
        "ENTPersonAutresPrenoms": EMPTY,
        "ENTPersonMail" if primary else "mail": [person.mail],
        "ENTPersonStructRattach": [key if person.has_landline else ""],
        "ENTAuxEnsCategoDiscipline": ["00$NON SPECIALISE"],
        "ENTAuxEnsDisciplinesPoste": [f"{post.discipline_label}$00"],
        "ENTAuxEnsMEF": [f"{key}${level.mef}${level.label}" for level, _ in divisions if level.mef] or EMPTY,
        "ENTAuxEnsMatiereEnseignEtab": [f"{key}$FRANCAIS"] if teaches and not primary else EMPTY,
        "ENTAuxEnsClasses": classes or EMPTY,
        "ENTAuxEnsGroupes": EMPTY,
        "ENTAuxEnsClassesMatieres": [f"{name}$020700" for name in classes] if not primary and classes else EMPTY,
        "ENTAuxEnsGroupesMatieres": EMPTY,
        "ENTAuxEnsClassesPrincipal": classes[:1] or EMPTY,
        "ENTPersonFonctions": [f"{key}${post.function}${post.label}${post.discipline}${post.discipline_label}"],
        "ENTPersonCategorieEnseignant": ["O" if teaches else "N"],
        "PersEducNatPresenceDevantEleves": ["O" if teaches else "N"],
    }


class Staff:
    """Draws the agents of a school."""

    def __init__(self, pools: Pools, rng: Random, numbers: Numbers, year: int) -> None:
        self._pools, self._rng, self._numbers, self._year = pools, rng, numbers, year

    def of(self, school: School, ids: Iterator[int]) -> Iterator[tuple[str, Attributes]]:
        """Identifier and attributes of each agent; a class has one teacher, in the first degree the one it is named after."""
        if not school.classes:
            return
        primary = school.kind is ECOLE
        posts: list[tuple[Post, list[tuple[Level, int]], str]] = [(PRIMARY_HEAD if primary else HEAD, [], "")]
        if not primary:
            posts += [(DEPUTY, [], ""), (SUPERVISOR, [], "")]
        for at in school.divisions:
            posts.append((PRIMARY_TEACHER if primary else TEACHER, [at], school.teacher(*at) if primary else ""))
        for post, divisions, name in posts:
            id_ = str(next(ids))
            yield id_, agent(self._person(school, name), id_, school, post, divisions, self._birth_date())

    def _person(self, school: School, name: str) -> Relative:
        woman = self._rng.random() < 0.65
        given = self._pools.given(self._rng, woman)
        name = name or self._rng.choice(self._pools.families)
        home = Home(school.street, school.post_code, school.town, school.phone)
        mail = self._numbers.mail(given, name)
        return Relative("Mme" if woman else "M.", name, name, given, home, mail=mail, has_landline=self._rng.random() < 0.7)

    def _birth_date(self) -> str:
        return f"{self._rng.randint(1, 28):02d}/{self._rng.randint(1, 12):02d}/{self._year - self._rng.randint(26, 63)}"
