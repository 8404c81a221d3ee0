"""What the published data of a feed allow people to do: counts for each school, nothing about anybody in particular.

Source: functional.md F022 to F028. A guardian can activate through a pupil who has an INE and a birth date.
"""

# ruff: noqa: S608 -- the only text put together is of this module; every value is bound.

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import text

from .directory import SqlDirectory

_HERE = """
    SELECT e.degree AS degree, e.structure AS structure, s.id AS student,
           CASE WHEN s.ine IS NOT NULL THEN 1 ELSE 0 END AS ine,
           CASE WHEN s.birth_date IS NOT NULL THEN 1 ELSE 0 END AS born,
           CASE WHEN s.ine IS NOT NULL AND s.birth_date IS NOT NULL THEN 1 ELSE 0 END AS proof
    FROM directory_enrolment e
    JOIN directory_student s ON s.feed = e.feed AND s.degree = e.degree AND s.id = e.student
    WHERE e.feed = :feed AND e.position = 0 AND s.ended_at IS NULL
"""
_PUPILS = f"SELECT degree, structure, count(*), sum(1 - ine), sum(1 - born) FROM ({_HERE}) h GROUP BY degree, structure"


def _guardians(of_school: bool) -> str:
    """One row for each school, or for the whole feed; a guardian counts once in it, whatever the number of pupils."""
    h, g, of_h, of_g = ("h.structure", "g.structure", ", h.structure", ", g.structure") if of_school else ("''", "''", "", "")
    return f"""
    SELECT g.degree, {g}, count(*),
           sum(CASE WHEN proof = 1 AND mobile = 1 THEN 1 ELSE 0 END),
           sum(CASE WHEN proof = 1 AND mobile = 1 AND family = 1 AND given = 1 THEN 1 ELSE 0 END),
           sum(proof), sum(1 - mobile), sum(1 - family), sum(1 - given), sum(1 - ine), sum(ine * (1 - proof)), sum(1 - mail)
    FROM (
        SELECT h.degree AS degree, {h} AS structure, t.guardian AS guardian, max(h.ine) AS ine, max(h.proof) AS proof,
               max(CASE WHEN p.mobiles <> '' THEN 1 ELSE 0 END) AS mobile,
               max(CASE WHEN p.family_key <> '' THEN 1 ELSE 0 END) AS family,
               max(CASE WHEN p.given_key <> '' THEN 1 ELSE 0 END) AS given,
               max(CASE WHEN p.mail IS NOT NULL THEN 1 ELSE 0 END) AS mail
        FROM ({_HERE}) h
        JOIN directory_tie t ON t.feed = :feed AND t.degree = h.degree AND t.student = h.student
        JOIN directory_guardian p ON p.feed = t.feed AND p.degree = t.degree AND p.id = t.guardian AND p.ended_at IS NULL
        GROUP BY h.degree{of_h}, t.guardian
    ) g GROUP BY g.degree{of_g}"""


@dataclass(slots=True)
class Quality:
    """Counts of one school, or of a whole feed and degree."""

    students: int = 0
    students_without_ine: int = 0
    students_without_birth_date: int = 0
    guardians: int = 0
    """With a right over a pupil."""
    by_franceconnect: int = 0
    """Guardians whose data allow that path of activation; FranceConnect itself may still refuse them."""
    by_sms: int = 0
    by_letter: int = 0
    """By the account that the school gives."""
    without_mobile: int = 0
    without_family_name: int = 0
    without_given_name: int = 0
    without_pupil_with_ine: int = 0
    without_birth_date: int = 0
    """None of the pupils with an INE has a birth date."""
    without_mail: int = 0


def quality(directory: SqlDirectory, feed: str) -> tuple[dict[str, Quality], dict[tuple[str, str], Quality]]:
    """By degree for the whole feed, and by (degree, structure) for each school; a guardian counts once in each."""
    feeds: dict[str, Quality] = {}
    schools: dict[tuple[str, str], Quality] = {}
    names = [field.name for field in fields(Quality)]
    with directory.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for degree, structure, *found in connection.execute(text(_PUPILS), {"feed": feed}):
            of_school, of_feed = schools.setdefault((degree, structure), Quality()), feeds.setdefault(degree, Quality())
            for name, number in zip(names[:3], found, strict=True):
                setattr(of_school, name, int(number))
                setattr(of_feed, name, getattr(of_feed, name) + int(number))
        for degree, structure, *found in connection.execute(text(_guardians(of_school=True)), {"feed": feed}):
            for name, number in zip(names[3:], found, strict=True):
                setattr(schools[degree, structure], name, int(number))
        for degree, _, *found in connection.execute(text(_guardians(of_school=False)), {"feed": feed}):
            for name, number in zip(names[3:], found, strict=True):
                setattr(feeds[degree], name, int(number))
    return feeds, schools


def school_names(directory: SqlDirectory, feed: str) -> dict[tuple[str, str], tuple[str, str]]:
    """UAI and name of each structure of the feed, by (degree, structure)."""
    query = text("SELECT degree, id, uai, name FROM directory_school WHERE feed = :feed")
    with directory.engine.connect() as connection:
        return {(degree, id_): (uai, name) for degree, id_, uai, name in connection.execute(query, {"feed": feed})}
