"""Academies, levels and schools of an invented country.

The codes of academies, departments, levels and MEF are real ones or look like them; towns, streets and schools are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from backends import Degree

from .names import Pools

DEPARTMENTS = {
    "13": ("016", "017", "079", "086"), "10": ("001", "042", "069"), "04": ("024", "033", "040", "047", "064"),
    "25": ("078", "091", "092", "095"), "09": ("059", "062"), "14": ("022", "029", "035", "056"), "24": ("077", "093", "094"),
    "16": ("009", "012", "031", "032", "046", "065", "081", "082"), "02": ("004", "005", "013", "084"), "01": ("075",),
    "08": ("007", "026", "038", "073", "074"), "17": ("044", "049", "053", "072", "085"), "11": ("011", "030", "034", "048", "066"),
    "12": ("054", "055", "057", "088"), "70": ("014", "027", "050", "061", "076"), "18": ("018", "028", "036", "037", "041", "045"),
    "20": ("002", "060", "080"), "15": ("067", "068"), "19": ("008", "010", "051", "052"), "23": ("006", "083"),
    "07": ("021", "058", "071", "089"), "03": ("025", "039", "070", "090"), "06": ("003", "015", "043", "063"),
    "22": ("019", "023", "087"), "27": ("620", "720"), "28": ("974",), "31": ("972",), "32": ("971",), "33": ("973",), "43": ("976",),
}  # fmt: skip
"""Departments of each academy, by two-digit code; deliveries take the academies in this order."""

PHONE_PREFIX = {"01": "1 99 00", "25": "1 99 00", "24": "1 99 00", "13": "5 36 49", "04": "5 36 49", "16": "5 36 49", "22": "5 36 49",
                "14": "2 61 91", "17": "2 61 91", "70": "2 61 91", "18": "2 61 91", "28": "2 61 91", "43": "2 61 91",
                "09": "3 53 01", "12": "3 53 01", "20": "3 53 01", "15": "3 53 01", "19": "3 53 01", "07": "3 53 01", "03": "3 53 01",
                "31": "5 36 49", "32": "5 36 49", "33": "5 36 49"}  # fmt: skip
"""Start of landline numbers by academy, from the ranges that ARCEP keeps for fiction; the south-east is the default."""

_UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def uai(number: int) -> str:
    """UAI of that seven-digit number, with its check letter (aaf.md section 3)."""
    return f"{number:07d}{_UAI_LETTERS[number % 23]}"


@dataclass(frozen=True, slots=True)
class Level:
    """A school year: usual age at its end of calendar year, names and codes as exports write them."""

    age: int
    code: str
    """Level of ENTEleveNiveau (1D) or MEFSTAT4 (2D)."""
    label: str
    prefix: str
    """Start of the names of its classes."""
    cycle: str
    """ENTEleveCycle (1D) or ENTEleveFiliere (2D)."""
    mef: str = ""
    training: str = ""
    """ENTEleveNivFormation."""


PRIMARY = (
    Level(2, "1110", "TPS", "TPS", "1$CYCLE I"), Level(3, "1111", "PS", "PS", "1$CYCLE I"), Level(4, "1112", "MS", "MS", "1$CYCLE I"),
    Level(5, "1113", "GS", "GS", "1$CYCLE I"), Level(6, "1121", "CP", "CP", "2$CYCLE II"), Level(7, "1122", "CE1", "CE1", "2$CYCLE II"),
    Level(8, "1123", "CE2", "CE2", "2$CYCLE II"), Level(9, "1124", "CM1", "CM1", "3$CYCLE III"),
    Level(10, "1125", "CM2", "CM2", "3$CYCLE III"),
)  # fmt: skip
COLLEGE = (
    Level(11, "2111", "6EME", "6", "COLLEGE", "10010012110", "CLASSE DE SIXIEME"),
    Level(12, "2112", "5EME", "5", "COLLEGE", "10110001110", "CLASSE DE CINQUIEME"),
    Level(13, "2115", "4EME", "4", "COLLEGE", "10210001110", "CLASSE DE QUATRIEME"),
    Level(14, "2116", "3EME", "3", "COLLEGE", "10310019110", "CLASSE DE TROISIEME"),
)
LYCEE = (
    Level(15, "2211", "2DE GENERALE ET TECHNOLOGIQUE", "2GT", "2ND CYCLE GENERAL", "20010019110", "SECONDE GENERALE ET TECHNOLOGIQUE"),
    Level(16, "2212", "1ERE GENERALE", "1G", "2ND CYCLE GENERAL", "20110019110", "PREMIERE GENERALE"),
    Level(17, "2213", "TERMINALE GENERALE", "TG", "2ND CYCLE GENERAL", "20210019110", "TERMINALE GENERALE"),
)
VOCATIONAL = (
    Level(15, "2432", "2DE PRO METIERS DU NUMERIQUE", "2PRO", "BAC PRO", "24720001321", "BAC PRO EN 3 ANS"),
    Level(16, "2433", "1ERE PRO SYSTEMES NUMERIQUES", "1PRO", "BAC PRO", "24720002322", "BAC PRO EN 3 ANS"),
    Level(17, "2434", "TERMINALE PRO SYSTEMES NUMERIQUES", "TPRO", "BAC PRO", "24720003323", "BAC PRO EN 3 ANS"),
)
SUBJECTS = {
    "020700": "FRANCAIS", "030201": "ANGLAIS LV1", "030602": "ESPAGNOL LV2", "030102": "ALLEMAND LV2", "043700": "HISTOIRE-GEOGRAPHIE",
    "044300": "ENSEIGNEMENT MORAL ET CIVIQUE", "061300": "MATHEMATIQUES", "062300": "PHYSIQUE-CHIMIE", "062900": "SCIENCES VIE ET TERRE",
    "080300": "ARTS PLASTIQUES", "080500": "EDUCATION MUSICALE", "100100": "EDUCATION PHYSIQUE ET SPORTIVE", "070800": "TECHNOLOGIE",
    "005700": "LATIN", "0609A0": "NUMERIQUE ET SCIENCES INFORMATIQUES", "003700": "CHORALE",
}  # fmt: skip
"""Matières by code of six characters; a letter may be among them."""


@dataclass(frozen=True, slots=True)
class SchoolKind:
    """A type of structure: code and label of ENTStructure(Code)TypeStruct, short type and ministry."""

    code: str
    label: str
    short: str
    levels: tuple[Level, ...] = ()
    ministry: tuple[str, str] = ("06", "MINISTERE DE L'EDUCATION NATIONALE")


AGRICULTURE = ("01", "MINISTERE DE L'AGRICULTURE")
ECOLE = SchoolKind("151", "ECOLE PRIMAIRE", "E.P.PU", PRIMARY)
CLG = SchoolKind("340", "COLLEGE", "CLG", COLLEGE)
LYC = SchoolKind("302", "LYCEE ENSEIGNT GENERAL ET TECHNOLOGIQUE", "LGT", LYCEE)
LP = SchoolKind("320", "LYCEE PROFESSIONNEL", "LP", VOCATIONAL)
LEGTA = SchoolKind("307", "LYCEE D ENSEIGNEMENT GENERAL ET TECHNOLOGIQUE AGRICOLE", "LEGTA", ministry=AGRICULTURE)
RECTORAT = SchoolKind("800", "RECTORAT D'ACADEMIE", "RECT")
CIO = SchoolKind("601", "CENTRE D'INFORMATION ET D'ORIENTATION", "CIO")
INSPECTION = SchoolKind("802", "CIRCONSCRIPTION D'INSPECTION DU 1ER DEGRE", "IEN")

PUPILS = {ECOLE: 180, CLG: 460, LYC: 900, LP: 450}
"""Pupils of one school, about."""
CLASS_SIZE = 25


@dataclass(frozen=True, slots=True)
class School:
    """A structure of a delivery: ``key`` is its number in the academy, ``classes`` the number of classes of each level."""

    key: int
    uai: str
    kind: SchoolKind
    name: str
    street: str
    post_code: str
    town: str
    phone: str
    private: bool
    classes: int
    teachers: tuple[str, ...]
    """Family names from which the teacher of each class of a primary school comes."""

    def teacher(self, level: Level, number: int) -> str:
        """Family name of the teacher of that class (from 0)."""
        return self.teachers[self.class_id(level, number) * 31 % len(self.teachers)]

    def division(self, level: Level, number: int) -> str:
        """Name of that class (from 0) of the level; in the first degree it holds the teacher's name."""
        if self.kind is ECOLE:
            return f"{level.prefix} {self.teacher(level, number)}".upper()
        return f"{level.prefix}{chr(65 + number)}" if self.kind is CLG else f"{level.prefix}-{number + 1}"

    def class_id(self, level: Level, number: int) -> int:
        """Number of that class (from 0) of the level, in the first degree: it is the key, the name may change."""
        return self.key * 1000 + (level.age - 2) * 100 + number

    @property
    def divisions(self) -> Iterator[tuple[Level, int]]:
        """Every class, as level and number."""
        return ((level, number) for level in self.kind.levels for number in range(self.classes))


def schools(code: str, degree: Degree, pupils: int, pools: Pools, rng: Random) -> list[School]:
    """The structures of an academy's export of a degree, for about ``pupils`` pupils; those without pupils come last."""
    if degree is Degree.PRIMARY:
        wanted = [(ECOLE, 1.0, 2), (INSPECTION, 0.0, 1)]
    else:
        wanted = [(CLG, 0.58, 2), (LYC, 0.30, 1), (LP, 0.12, 1), (LEGTA, 0.0, 1), (CIO, 0.0, 1), (RECTORAT, 0.0, 1)]
    departments = DEPARTMENTS[code]
    found: list[School] = []
    for kind, share, least in wanted:
        count = max(least, round(pupils * share / PUPILS.get(kind, 1)))
        per_level = max(1, round(pupils * share / count / max(1, len(kind.levels)) / CLASS_SIZE))
        for _ in range(count):
            found.append(_school(code, degree, kind, departments, len(found), per_level, pools, rng))
    return found


def _school(
    code: str, degree: Degree, kind: SchoolKind, departments: tuple[str, ...], rank: int, per_level: int, pools: Pools, rng: Random
) -> School:
    department = departments[rank % len(departments)]
    first = 2000 if degree is Degree.PRIMARY else 1  # the two exports of an academy share no UAI
    town = rng.choice(pools.towns)
    key = rank + (1001 if degree is Degree.PRIMARY else 43)
    return School(
        key=key,
        uai=uai(int(department) * 10000 + first + rank // len(departments)),
        kind=kind,
        name=f"{pools.given(rng, rng.random() < 0.5)} {rng.choice(pools.families)}".upper() if kind.levels else town.upper(),
        street=f"{rng.randint(1, 120)} {rng.choice(pools.streets)}",
        post_code=post_code(department, rng.randint(1, 99)),
        town=town.upper(),
        phone=landline(code, key),
        private=bool(kind.levels) and rng.random() < 0.17,
        classes=per_level if kind.levels else 0,
        teachers=pools.families,
    )


def post_code(department: str, number: int) -> str:
    """Five digits that start like the department (UAI form: ``016``, ``974``; 620 and 720 are Corsica, 20)."""
    if department >= "970":
        return f"{department}{number:02d}"
    return f"{'20' if department in ('620', '720') else department[1:]}{number * 10:03d}"


def landline(code: str, number: int) -> str:
    """A landline number of the academy's quarter of the country, in the range for fiction."""
    last = number % 10_000
    return f"+33 {PHONE_PREFIX.get(code, '4 65 71')} {last // 100:02d} {last % 100:02d}"
