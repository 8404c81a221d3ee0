"""What the data of a school allow, in sentences for those who can correct them (functional.md F022 to F028)."""

from __future__ import annotations

from collections.abc import Mapping

_SENTENCES = (
    ("students_without_ine", "pupil has no INE", "pupils have no INE", "no account for them, nor for guardians who have no other pupil"),
    ("students_without_birth_date", "pupil has no birth date", "pupils have no birth date", "it cannot be asked as a proof"),
    ("without_mobile", "guardian cannot activate by SMS nor by FranceConnect", "guardians cannot activate by SMS nor by FranceConnect",
     "no mobile number"),
    ("without_family_name", "guardian cannot activate by SMS", "guardians cannot activate by SMS", "no family name"),
    ("without_given_name", "guardian cannot activate by SMS", "guardians cannot activate by SMS", "no first name"),
    ("without_pupil_with_ine", "guardian cannot activate at all", "guardians cannot activate at all", "no pupil with an INE"),
    ("without_birth_date", "guardian cannot activate at all", "guardians cannot activate at all", "no birth date of a pupil with an INE"),
    ("without_mail", "guardian has no mail address", "guardians have no mail address", "it will be asked at activation"),
)  # fmt: skip


def sentences(quality: Mapping[str, int]) -> list[str]:
    """The figures of :class:`backends.sql.quality.Quality` as sentences; only what is to be said."""
    found = [f"{quality[name]} {one if quality[name] == 1 else many}: {why}" for name, one, many, why in _SENTENCES if quality[name]]
    if total := quality["guardians"]:
        sms, connect, letter = quality["by_sms"], quality["by_franceconnect"], quality["by_letter"]
        found.append(f"of {total} guardians, {sms} can activate by SMS, {connect} by FranceConnect, {letter} with the school's letter")
    return found
