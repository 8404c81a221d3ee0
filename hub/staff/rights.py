"""What each role may do: functional.md section 5 as data. Checks, the generated matrix test and the reference page read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Application(StrEnum):
    """The two applications of a school, each delegated apart (S0:228-242)."""

    ADMINISTRATION = "administration"
    TROUBLESHOOTING = "troubleshooting"


class Role(StrEnum):
    """Whom an agent is for a school: from his functions in the directory, his posts here, and delegations."""

    TROUBLESHOOTER = "troubleshooter"
    """ENS: a teacher of a primary school, or an agent to whom trouble-shooting is delegated."""
    HEAD_PRIMARY = "head_primary"
    HEAD_SECONDARY = "head_secondary"
    """Head of a secondary school, or deputy."""
    DELEGATE = "delegate"
    """DLG: an agent to whom the administration is delegated."""
    ACADEMY = "academy"
    NATIONAL = "national"


class Right(StrEnum):
    """One row of the matrix. Pages and services name the right that they need."""

    FIND_STUDENT = "find_student"
    RESET_STUDENT = "reset_student"
    RESET_STUDENTS = "reset_students"
    READ_GUARDIAN = "read_guardian"
    RESET_GUARDIAN = "reset_guardian"
    CHECK_ACCOUNT = "check_account"
    INFORM = "inform"
    EXTERNAL_PUPILS = "external_pupils"
    NEW_IDENTIFIER = "new_identifier"
    STATISTICS = "statistics"
    NOTICE_SETTINGS = "notice_settings"
    DELEGATE = "delegate"
    READ_JOURNAL = "read_journal"
    IMPORT = "import"
    EDIT_HELP = "edit_help"
    EDIT_NATIONAL_TEXTS = "edit_national_texts"
    MANAGE_SERVICES = "manage_services"
    CAMPAIGNS = "campaigns"


MEANING = {
    Right.FIND_STUDENT: "Find a student, read his or her identifier",
    Right.RESET_STUDENT: "Reset the password of one student",
    Right.RESET_STUDENTS: "Reset passwords of students in bulk",
    Right.READ_GUARDIAN: "Find and read a guardian",
    Right.RESET_GUARDIAN: "Reset a guardian's password",
    Right.CHECK_ACCOUNT: "Read state and dates of one account from exact data",
    Right.INFORM: "Inform, and inform again",
    Right.EXTERNAL_PUPILS: "Look for a pupil of elsewhere by exact data",
    Right.NEW_IDENTIFIER: "Give a new identifier",
    Right.STATISTICS: "Dashboard and statistics",
    Right.NOTICE_SETTINGS: "Settings of letters and mails",
    Right.DELEGATE: "Delegate an application",
    Right.READ_JOURNAL: "Read the journal of a school",
    Right.IMPORT: "Import deliveries, see reports",
    Right.EDIT_HELP: "Edit the academy's help page",
    Right.EDIT_NATIONAL_TEXTS: "Edit the national banner and texts",
    Right.MANAGE_SERVICES: "Propose, validate or change service providers",
    Right.CAMPAIGNS: "Forced change, void notices, suspend",
}


class Reach(StrEnum):
    """How far a grant goes."""

    SCHOOL = "school"
    ACADEMY = "academy"
    NATION = "nation"


@dataclass(frozen=True, slots=True)
class Grant:
    """One cell of the matrix that is not empty."""

    reach: Reach
    aggregates: bool = False
    """Figures of many schools only: opens no page of one school."""
    break_glass: bool = False
    """Only with a reason, logged: opens no page by itself."""

    @property
    def opens_desk(self) -> bool:
        """Whether it counts at the desk of a school."""
        return not (self.aggregates or self.break_glass)


_SCH, _ACA, _NAT = Grant(Reach.SCHOOL), Grant(Reach.ACADEMY), Grant(Reach.NATION)
_FIGURES_ACA, _FIGURES_NAT = Grant(Reach.ACADEMY, aggregates=True), Grant(Reach.NATION, aggregates=True)
_BREAK_GLASS = Grant(Reach.NATION, break_glass=True)
_HEADS = {Role.HEAD_PRIMARY: _SCH, Role.HEAD_SECONDARY: _SCH}
_DESK = _HEADS | {Role.DELEGATE: _SCH}

MATRIX: dict[Right, dict[Role, Grant]] = {
    Right.FIND_STUDENT: _DESK | {Role.TROUBLESHOOTER: _SCH, Role.NATIONAL: _BREAK_GLASS},
    Right.RESET_STUDENT: _DESK | {Role.TROUBLESHOOTER: _SCH, Role.NATIONAL: _BREAK_GLASS},
    Right.RESET_STUDENTS: _DESK,
    Right.READ_GUARDIAN: _DESK | {Role.NATIONAL: _BREAK_GLASS},
    Right.RESET_GUARDIAN: _DESK,
    Right.CHECK_ACCOUNT: {Role.ACADEMY: _ACA, Role.NATIONAL: _NAT},
    Right.INFORM: _DESK,
    Right.EXTERNAL_PUPILS: _DESK,
    Right.NEW_IDENTIFIER: _HEADS | {Role.NATIONAL: _NAT},
    Right.STATISTICS: _DESK | {Role.ACADEMY: _FIGURES_ACA, Role.NATIONAL: _FIGURES_NAT},
    Right.NOTICE_SETTINGS: _DESK,
    Right.DELEGATE: {Role.HEAD_SECONDARY: _SCH},
    Right.READ_JOURNAL: _HEADS | {Role.ACADEMY: _ACA, Role.NATIONAL: _NAT},
    Right.IMPORT: {Role.ACADEMY: _ACA, Role.NATIONAL: _NAT},
    Right.EDIT_HELP: {Role.ACADEMY: _ACA, Role.NATIONAL: _NAT},
    Right.EDIT_NATIONAL_TEXTS: {Role.NATIONAL: _NAT},
    Right.MANAGE_SERVICES: {Role.ACADEMY: _ACA, Role.NATIONAL: _NAT},
    Right.CAMPAIGNS: {Role.NATIONAL: _NAT},
}
"""Right, then role. A role that is not there has not that right."""

OF_TROUBLESHOOTING = frozenset((Right.FIND_STUDENT, Right.RESET_STUDENT))
"""All that the trouble-shooting application can do, whoever uses it."""


def rights_at_desk(roles: frozenset[Role]) -> frozenset[Right]:
    """What these roles, held for one school, allow at its desk."""
    return frozenset(right for right, row in MATRIX.items() if any(role in row and row[role].opens_desk for role in roles))
