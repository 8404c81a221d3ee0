"""What the account page shows of the children."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from backends import Capacity, Directory, NotFound, first_enrolment

from ..release.policy import Subject

CAPACITY_LABELS = {Capacity.LEGAL: _l("représentant légal"), Capacity.IN_CHARGE: _l("personne en charge")}


def children_for_page(subject: Subject, directory: Directory) -> list[dict[str, str]]:
    """Confirmed children with school, class and capacity, in the order of their names."""
    rows = []
    for child in subject.children:
        students = directory.students_by_ine(child.ine)
        if not students:
            continue
        student = students[0]
        enrolment = first_enrolment(student)
        rows.append(
            {
                "name": f"{student.given_name} {student.family_name}",
                "school": _school_name(directory, enrolment.uai) if enrolment else "",
                "division": (enrolment.division or "") if enrolment else "",
                "capacity_label": CAPACITY_LABELS[child.capacity],
            }
        )
    return sorted(rows, key=lambda row: row["name"])


def _school_name(directory: Directory, uai: str) -> str:
    try:
        return directory.school(uai).name
    except NotFound:
        return ""
