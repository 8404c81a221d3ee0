"""Which schools an agent may work for (A-02)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from backends import Directory, NotFound, School

from ..staff.rights import Application
from ..staff.scope import AgentFacts, open_desk


@dataclass(frozen=True, slots=True)
class Choice:
    """A school and the applications that are open there."""

    school: School
    applications: tuple[Application, ...]


def choices(agent: AgentFacts, directory: Directory, *, today: date) -> list[Choice]:
    """The agent's own schools, by UAI; none that is closed to him or unknown to the directory."""
    found = []
    for uai in agent.schools:
        try:
            school = directory.school(uai)
        except NotFound:
            continue
        applications = tuple(one for one in Application if open_desk(agent, school, one, today=today))
        if applications:
            found.append(Choice(school, applications))
    return found
