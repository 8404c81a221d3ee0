"""Whether two guardian records describe the same person (functional.md 4.8, DESIGN section 7).

A match only proposes children: their birth dates decide. When in doubt, no match.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backends import Guardian, Tie
from backends.names import first_name, mail_key, name_key

SAME_PUPIL = "guardians of the same pupil"
"""The reason that makes two records two people for certain."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and why, for the reports and the audit; ``reasons`` are stable words, never personal data."""

    same: bool
    reasons: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.same


def same_person(a: Guardian, b: Guardian, ties_a: Iterable[Tie] = (), ties_b: Iterable[Tie] = ()) -> Verdict:
    """Judge two records with their ties. Symmetric and pure.

    The same: a family name (in use or birth name) and the first given name agree in full, a mobile or a mail agrees, the
    civilities do not contradict each other, and the two are not guardians of one pupil in the same feed and degree.
    """
    if a.ref == b.ref:
        return Verdict(True, ("same record",))
    objections = _objections(a, b, ties_a, ties_b)
    if objections:
        return Verdict(False, objections)
    channels = _common_channels(a, b)
    return Verdict(True, ("names", *channels)) if channels else Verdict(False, ("no common mobile or mail",))


def first_given_name(guardian: Guardian) -> str:
    """The first of the given names, as the source writes it; ``Jean-Pierre`` is one name."""
    return first_name(guardian.given_name)


def same_names(a: Guardian, b: Guardian) -> bool:
    """Whether a family name (in use or birth name) and all given names agree, and the civilities do not contradict each other."""
    given = name_key(a.given_name)
    return bool(given and given == name_key(b.given_name) and _family_keys(a) & _family_keys(b) and not _civilities_differ(a, b))


def _objections(a: Guardian, b: Guardian, ties_a: Iterable[Tie], ties_b: Iterable[Tie]) -> tuple[str, ...]:
    given = name_key(first_given_name(a))
    checks = {
        "family name differs": not _family_keys(a) & _family_keys(b),
        "given name differs": not given or given != name_key(first_given_name(b)),
        "civility differs": _civilities_differ(a, b),
        SAME_PUPIL: _share_a_pupil(a, b, ties_a, ties_b),
    }
    return tuple(reason for reason, objects in checks.items() if objects)


def _civilities_differ(a: Guardian, b: Guardian) -> bool:
    return bool(a.civility and b.civility and a.civility != b.civility)


def _family_keys(guardian: Guardian) -> set[str]:
    return {name_key(name) for name in (guardian.family_name, guardian.birth_name) if name} - {""}


def _common_channels(a: Guardian, b: Guardian) -> tuple[str, ...]:
    found = []
    if set(a.mobiles) & set(b.mobiles):
        found.append("mobile")
    if a.mail and b.mail and mail_key(a.mail) == mail_key(b.mail):
        found.append("mail")
    return tuple(found)


def _share_a_pupil(a: Guardian, b: Guardian, ties_a: Iterable[Tie], ties_b: Iterable[Tie]) -> bool:
    """A source that lists two guardians of one pupil means two people; two sources may each list the same one."""
    if (a.ref.feed, a.ref.degree) != (b.ref.feed, b.ref.degree):
        return False
    return bool(_pupils(ties_a) & _pupils(ties_b))


def _pupils(ties: Iterable[Tie]) -> set[str]:
    return {key for tie in ties for key in (tie.ine, str(tie.student)) if key}
