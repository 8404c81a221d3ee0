"""Invented names: pools drawn once from Faker, then cheap draws for each person.

Phones come from the ranges that ARCEP keeps for fiction, mails stand under example domains (RFC 2606).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from backends.names import name_key
from backends.sdet.records import Generation

from ...errors import ConfigurationError

DOMAINS = ("example.org", "example.net", "courrier.example", "boite-aux-lettres.example", "famille.example")

_RARE_FAMILIES = (
    "d'Ormesson-Vallier", "de La Tournelle", "L'Hermitte", "N'Diaye", "Le Bihan", "Ben Amara", "Van den Broek", "O'Connell", "Müller-Roy",
    "Kızıltaş", "Señorans", "Œuvrard", "Straße", "Du Plessis d'Argenson", "Nguyễn", "Çelik", "Sørensen", "Łukasik",
)  # fmt: skip
_YOUNG_GIRLS = (
    "Lina",
    "Jade",
    "Emma",
    "Alba",
    "Zoé",
    "Anaïs",
    "Maëlle",
    "Léa-Rose",
    "Fatoumata",
    "Héloïse",
    "Inès",
    "Chloë",
    "Marie Lou",
    "Aïcha",
    "Nour",
    "Éva",
    "Manon",
    "Romane",
    "Sarah",
    "Juliette",
    "Camille",
    "Salomé",
    "Ambre",
    "Louise",
    "Yasmine",
    "Clémence",
    "Apolline",
    "Maya",
    "Rose",
    "Océane",
    "Lou",
    "Élise",
    "Ana-Sofia",
    "Thaïs",
    "Margaux",
    "Assia",
)
_YOUNG_BOYS = (
    "Hugo",
    "Adam",
    "Léo",
    "Lucas",
    "Loïc",
    "Jean-Noël",
    "Léo-Paul",
    "Gaël",
    "Mamadou",
    "Noé",
    "Célestin",
    "Éloi",
    "Yoann",
    "Jules",
    "Mohamed Amine",
    "Zéphyr",
    "Björn",
    "Nathan",
    "Ethan",
    "Raphaël",
    "Théo",
    "Maël",
    "Sacha",
    "Enzo",
    "Ibrahim",
    "Timéo",
    "Malo",
    "Gabin",
    "Antonin",
    "Rayan",
    "Côme",
    "Mathis",
    "Amine",
    "Évan",
    "Tom",
    "Noa",
)


@dataclass(frozen=True, slots=True)
class Pools:
    """Names to draw from; frequent ones are there several times."""

    families: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    streets: tuple[str, ...]
    towns: tuple[str, ...]

    def given(self, rng: Random, woman: bool) -> str:
        """First name of a grown-up."""
        return rng.choice(self.women if woman else self.men)

    def young(self, rng: Random, girl: bool) -> str:
        """First name of a pupil: Faker's are those of his grandparents."""
        return rng.choice(_YOUNG_GIRLS if girl else _YOUNG_BOYS)


def draw_pools(seed: int) -> Pools:
    """Pools of that seed. Raises ``ConfigurationError`` when Faker is not installed."""
    try:
        from faker import Faker
    except ImportError:
        raise ConfigurationError('Generating needs the Faker library: pip install "preau[demo]"') from None
    fake = Faker("fr_FR")
    fake.seed_instance(seed)
    families = tuple(fake.last_name() for _ in range(1500))
    return Pools(
        families=families + _RARE_FAMILIES * 3 + tuple(f"{a}-{b}" for a, b in zip(families[:60], families[60:120], strict=True)),
        women=tuple(fake.first_name_female() for _ in range(700)),
        men=tuple(fake.first_name_male() for _ in range(700)),
        streets=tuple(fake.street_name() for _ in range(400)),
        towns=tuple(fake.city() for _ in range(400)),
    )


class Numbers:
    """Numbers given one after the other, spread by the seed and distinct as long as their range allows."""

    def __init__(self, seed: int, generation: Generation) -> None:
        self._seed = seed
        self._new = generation is Generation.NEW
        self._mobiles = self._ines = self._people = 0

    def mobile(self) -> str:
        """A mobile number for fiction (06 39 98 xx xx); 10,000 exist, then they come again."""
        self._mobiles += 1
        last = (self._mobiles * 7919 + self._seed) % 10_000
        return f"+33 6 39 98 {last // 100:02d} {last % 100:02d}"

    def ine(self) -> str:
        """A national pupil number: nine digits and two letters, before 2018 ten digits and one letter (aaf.md section 3)."""
        self._ines += 1
        number = (self._ines * 387_420_489 + self._seed) % 1_000_000_000
        tenth = "ABCDEFGHJK"[number % 10] if self._new else str(number % 7)
        return f"{number:09d}{tenth}{'ABCDEFGHJKLMNPRSTUVWXYZ'[number % 23]}"

    def mail(self, given: str, family: str) -> str:
        """An address made of the name, distinct for each call."""
        self._people += 1
        local = ".".join(filter(None, (_ascii(given), _ascii(family)))) or "famille"
        return f"{local}{self._people}@{DOMAINS[self._people % len(DOMAINS)]}"


def _ascii(name: str) -> str:
    return name_key(name).encode("ascii", "ignore").decode()
