"""Raw records as rows of the directory: pure functions, one for each category.

Each returns what to publish and what to report; :class:`Unusable` leaves a record out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backends import Degree
from backends.names import name_key
from backends.sql.rows import EnrolmentRow, FunctionRow, GuardianRow, MefRow, Part, Record, SchoolRow, StaffRow, StudentRow, TieRow

from . import normalise
from .academies import academy_code
from .causes import Cause
from .records import RawRecord
from .rights import Ties, ties

STAFF_FUNCTIONS = frozenset({"DIR", "ENS"})
"""Heads and teachers: the only agents that are read (aaf.md 5.7)."""

OLDEST_BIRTH = 1930
"""A pupil's birth before that year is a filler such as 1914 (aaf.md section 13, case 13)."""


class Unusable(Exception):
    """The record cannot be kept."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.name)
        self.cause = cause


@dataclass(slots=True)
class Built:
    """A record ready for staging. ``row`` is None when it is read but not kept: subjects, agents neither head nor teacher."""

    row: Record | None
    parts: list[Part] = field(default_factory=list)
    anomalies: list[Cause] = field(default_factory=list)
    ties: Ties | None = None


def school(raw: RawRecord, degree: Degree, academy: str) -> Built:
    """A structure of the feed of ``academy`` (aaf.md 5.5)."""
    anomalies = _joint(raw)
    uai = (raw.one("uai") or raw.one("uai_too")).upper()
    if not normalise.is_uai(uai):
        anomalies.append(Cause.uai_malformed)
    elif normalise.uai_letter(uai[:7]) != uai[7]:
        anomalies.append(Cause.uai_letter)
    named = academy_code(raw.one("academy_code")) or academy_code(raw.one("academy_name"))
    other = bool(academy) and named is not None and named != academy
    if other:
        anomalies.append(Cause.school_names_other_academy)
    name, town = raw.one("name"), raw.one("town")
    parts = normalise.fields(name)
    if len(parts) == 3:
        name, town = " ".join(part for part in parts[:2] if part), town or parts[2]
    private = (raw.one("contract") or raw.one("sector")).upper().startswith("PR")
    agricultural = "AGRICULTURE" in raw.one("ministry").upper()
    row = SchoolRow(degree.value, raw.id, uai[:16], name, raw.one("type"), town, private, agricultural, other, raw.source)
    return Built(row, anomalies=anomalies)


def mef(raw: RawRecord, degree: Degree) -> Built:
    """A course of study with its MEFSTAT4 level (aaf.md 5.6)."""
    level = normalise.mefstat4(raw.one("mefstat11"))
    anomalies = _joint(raw) + ([] if level else [Cause.mef_level_missing])
    return Built(MefRow(degree.value, raw.id, raw.one("label"), level, raw.source), anomalies=anomalies)


def staff(raw: RawRecord, degree: Degree) -> Built:
    """A head or a teacher; other agents are skipped without error (aaf.md 5.7)."""
    functions: dict[FunctionRow, None] = {}
    for value in raw.all("functions"):
        structure, code = [*normalise.fields(value), ""][:2]
        if code in STAFF_FUNCTIONS and structure:
            functions[FunctionRow(degree.value, raw.id, structure[:32], code)] = None
    if not functions:
        return Built(None)
    anomalies = _joint(raw)
    family, given, birth, civility, mail = _person(raw, anomalies)
    row = StaffRow(degree.value, raw.id, family, given, birth, civility, mail, name_key(family), name_key(given), raw.source)
    return Built(row, list(functions), anomalies)


def guardian(raw: RawRecord, degree: Degree) -> Built:
    """A relative. Its rights come from the pupils, never from here (aaf.md 4.6)."""
    anomalies = _joint(raw)
    family, given, birth, civility, mail = _person(raw, anomalies)
    mobiles = " ".join(_mobiles(raw, anomalies))
    return Built(
        GuardianRow(
            degree.value,
            raw.id,
            family,
            given,
            birth,
            civility,
            mail,
            name_key(family),
            name_key(given),
            name_key(birth or ""),
            mobiles,
            raw.source,
        ),
        anomalies=anomalies,
    )


def student(raw: RawRecord, degree: Degree) -> Built:
    """A pupil with enrolments and ties (aaf.md 5.1, 5.3, section 4)."""
    anomalies = _joint(raw)
    family, given, birth, civility, mail = _person(raw, anomalies)
    born = _birth_date(raw.one("birth_date"), anomalies)
    others = dict.fromkeys(name for name in raw.all("other_given_names") if name != given)
    siecle = raw.one("siecle_number")
    row = StudentRow(
        degree.value, raw.id, family, given, birth, civility, mail, name_key(family), name_key(given), _ine(raw.one("ine"), anomalies),
        born, "\n".join(others), siecle if siecle.isascii() and siecle.isdigit() and len(siecle) <= 16 else None, raw.source,
    )  # fmt: skip
    found = ties(degree, raw.all("relatives"))
    anomalies += found.anomalies
    parts: list[Part] = list(_enrolments(raw, degree, anomalies))
    parts += [TieRow(degree.value, raw.id, link.guardian, link.capacity.value) for link in found.links if link.capacity]
    return Built(row, parts, anomalies, found)


def _joint(raw: RawRecord) -> list[Cause]:
    joint = raw.one("joint")
    return [Cause.id_differs] if joint and joint != raw.id else []


def _person(raw: RawRecord, anomalies: list[Cause]) -> tuple[str, str, str | None, str | None, str | None]:
    """Family name, given name, birth name, title and mail."""
    family, given, birth = raw.one("family_name"), raw.one("given_name"), raw.one("birth_name") or None
    if not (family or given or birth):
        raise Unusable(Cause.name_missing)
    if not family:
        anomalies.append(Cause.family_name_missing)
        family = birth or ""
    if len(given) < 2 or not _plain(family) or not _plain(given):
        anomalies.append(Cause.name_unusual)
    title = raw.one("civility")
    civility = normalise.civility(title)
    if civility is None:
        anomalies.append(Cause.civility_unknown if title else Cause.civility_missing)
    written = raw.one("mail")
    mail = normalise.mail(written) if written else None
    if written and mail is None:
        anomalies.append(Cause.mail_invalid)
    return family, given, birth, civility, mail


def _plain(name: str) -> bool:
    """Letters, with what goes between them; no digit, no invisible sign."""
    if name.isalpha():
        return True
    return name.isprintable() and any(c.isalpha() for c in name) and not any(c.isdigit() for c in name)


def _mobiles(raw: RawRecord, anomalies: list[Cause]) -> Iterable[str]:
    """Usable mobiles: the one that accepts SMS, the mobiles, then mobiles that sit in another field."""
    found: dict[str, None] = {}
    for text in (*raw.all("mobile_sms"), *raw.all("mobile")):
        number = normalise.mobile(text)
        if number:
            found[number] = None
        else:
            anomalies.append(Cause.phone_unusable)
    for text in (*raw.all("home_phone"), *raw.all("work_phone")):
        number = normalise.mobile(text)
        if number and number not in found:
            anomalies.append(Cause.mobile_elsewhere)
            found[number] = None
    return found


def _birth_date(text: str, anomalies: list[Cause]) -> str | None:
    born = normalise.aaf_date(text) if text else None
    if born is None:
        anomalies.append(Cause.birth_date_unreadable if text else Cause.birth_date_missing)
        return None
    if born.year < OLDEST_BIRTH:
        anomalies.append(Cause.birth_date_implausible)
    return born.isoformat()


def _ine(text: str, anomalies: list[Cause]) -> str | None:
    ine = normalise.ine(text) if text else None
    if ine is None:
        anomalies.append(Cause.ine_malformed if text else Cause.ine_missing)
        return None
    if not normalise.is_common_ine(ine):
        anomalies.append(Cause.ine_uncommon)
        return None
    return ine


def _enrolments(raw: RawRecord, degree: Degree, anomalies: list[Cause]) -> Iterable[EnrolmentRow]:
    """The structure of attachment first, then classes in other structures; each class once."""
    main = raw.one("structure")[:32]
    places: dict[tuple[str, str | None], None] = {}
    for value in raw.all("classes"):
        place = _class(value, degree)
        if place is None:
            anomalies.append(Cause.class_unreadable)
        else:
            places[place] = None
    if main and all(structure != main for structure, _ in places):
        if places:
            anomalies.append(Cause.class_elsewhere)
        places[main, None] = None
    ordered = sorted(places, key=lambda place: place[0] != main)
    course: tuple[str | None, str | None, str | None]
    if degree is Degree.PRIMARY:
        course = (None, None, _level(raw.one("level")))
    else:
        course = (raw.one("mef")[:32] or None, raw.one("mef_label") or None, None)
    return (EnrolmentRow(degree.value, raw.id, n, structure, name, *course) for n, (structure, name) in enumerate(ordered))


def _class(value: str, degree: Degree) -> tuple[str, str | None] | None:
    """Structure and class name of ``struct$class`` (2D) or ``struct$typeCode$typeLabel$classId$className`` (1D)."""
    structure, _, rest = value.partition("$")
    structure = structure.strip()
    if not (structure.isascii() and structure.isdigit() and len(structure) <= 10):
        return None
    if degree is Degree.PRIMARY:
        parts = rest.split("$", 3)
        rest = parts[3] if len(parts) == 4 else ""
    rest = rest.strip()
    return (structure, rest) if rest else None


def _level(text: str) -> str | None:
    code = text.partition("$")[0].strip()
    return code if len(code) == 4 and code.isascii() and code.isdigit() else None
