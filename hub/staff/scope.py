"""For whom an agent acts, and what he may do there. Pure: everything comes in as facts, nothing is read.

A service that touches people of a school takes a :class:`Desk` and asks it: ``desk.require(Right.INFORM)``. There is no other
way to say « this school » to it, so that no object, list, count, export or file is reached by its address alone (AD-02 to AD-04).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from backends import Degree, School

from ..errors import PreauError
from .rights import OF_TROUBLESHOOTING, Application, Right, Role, rights_at_desk


class OutOfScope(PreauError):
    """The agent has not that right, or not there."""


class Function(StrEnum):
    """What somebody is at a place. The first two are codes of the directory; the rest is given by `preau agent role`."""

    HEAD = "DIR"
    TEACHER = "ENS"
    OTHER = "AGT"
    """Works there, without a right of his own: may receive a delegation."""
    ACADEMY = "ACA"
    NATIONAL = "NAT"


@dataclass(frozen=True, slots=True, order=True)
class Post:
    """A function at a place: a UAI, the code of an academy, or nothing for the nation."""

    function: Function
    place: str = ""


@dataclass(frozen=True, slots=True)
class Delegated:
    """An application delegated to the agent by somebody who may still do so."""

    application: Application
    uai: str
    starts_on: date
    ends_on: date
    """Last day, included."""

    def holds(self, day: date) -> bool:
        """Whether it counts on that day."""
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent at one moment, as far as rights depend on it."""

    id: str
    name: str
    posts: frozenset[Post] = frozenset()
    delegations: tuple[Delegated, ...] = ()

    def works_at(self, uai: str) -> bool:
        """Whether that school is a post of his."""
        return any(post.place == uai for post in self.posts)

    @property
    def schools(self) -> tuple[str, ...]:
        """UAI of the schools where he has a post, in order."""
        return tuple(sorted({post.place for post in self.posts if post.function in (Function.HEAD, Function.TEACHER, Function.OTHER)}))


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent at work for one school in one application: what services act for. Made by :func:`open_desk` only."""

    agent_id: str
    agent_name: str
    school: School
    application: Application
    roles: frozenset[Role]
    rights: frozenset[Right]

    @property
    def uai(self) -> str:
        """UAI of the school."""
        return self.school.uai

    @property
    def actor(self) -> str:
        """How the audit names the agent."""
        return f"agent:{self.agent_id}"

    def may(self, right: Right) -> bool:
        """Whether that right is held here."""
        return right in self.rights

    def require(self, right: Right) -> None:
        """Raise OutOfScope unless that right is held here. The first line of every service that acts for a school."""
        if right not in self.rights:
            raise OutOfScope(f"{right.value} is not allowed here")


def roles_at(agent: AgentFacts, school: School, *, today: date) -> frozenset[Role]:
    """The roles of the agent for that school on that day.

    A delegation falls with the post at the school, and counts for nothing in an agricultural one (section 5, notes 2 and 3).
    """
    return frozenset((*_by_post(agent.posts, school), *_by_delegation(agent, school, today)))


def _by_post(posts: Iterable[Post], school: School) -> Iterable[Role]:
    primary = school.degree is Degree.PRIMARY
    for post in posts:
        match post:
            case Post(Function.HEAD, place) if place == school.uai:
                yield Role.HEAD_PRIMARY if primary else Role.HEAD_SECONDARY
            case Post(Function.TEACHER, place) if place == school.uai and primary:
                yield Role.TROUBLESHOOTER
            case Post(Function.ACADEMY, place) if place == school.academy:
                yield Role.ACADEMY
            case Post(Function.NATIONAL, _):
                yield Role.NATIONAL


def _by_delegation(agent: AgentFacts, school: School, today: date) -> Iterable[Role]:
    if school.agricultural or not agent.works_at(school.uai):
        return
    for delegated in agent.delegations:
        if delegated.uai == school.uai and delegated.holds(today):
            yield Role.DELEGATE if delegated.application is Application.ADMINISTRATION else Role.TROUBLESHOOTER


def open_desk(agent: AgentFacts, school: School, application: Application, *, today: date) -> Desk | None:
    """The desk of that school for that agent, None when he has nothing to do there.

    The administration is closed to those who may only trouble-shoot; the trouble-shooting application gives nobody more than it
    can do.
    """
    roles = roles_at(agent, school, today=today)
    if application is Application.ADMINISTRATION:
        rights = rights_at_desk(roles - {Role.TROUBLESHOOTER})
    else:
        rights = rights_at_desk(roles) & OF_TROUBLESHOOTING
    if school.agricultural:
        rights -= {Right.DELEGATE}
    return Desk(agent.id, agent.name, school, application, roles, rights) if rights else None
