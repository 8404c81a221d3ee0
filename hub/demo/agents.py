"""The agents of the demo: a head of a collège and a teacher of a primary school, from the delivery, enrolled as they would be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from backends import Degree, Enrolment, Kind, Ref, Staff, Student, iterate

from ..cli.context import actor
from ..errors import PreauError
from ..instance import Instance
from ..staff import factors, service
from ..staff.models import Agent
from ..staff.scope import Function
from .people import DemoPerson

PASSWORD = "quatre cartables sous le preau"  # noqa: S105 - of invented people
"""Password of both."""


@dataclass(frozen=True)
class DemoAgent:
    """How one of them signs in at /staff/login."""

    role: str
    title: str
    name: str
    uai: str
    login: str
    password: str
    totp_secret: str | None
    """For an authenticator; None for the teacher, who signs in by password alone."""


def load_agents(folder: Path) -> list[DemoAgent]:
    """The agents that were made."""
    return [DemoAgent(**row) for row in json.loads((folder / "agents.json").read_text())]


def prepare_agents(instance: Instance, folder: Path, people: list[DemoPerson]) -> list[DemoAgent]:
    """Make them if they are not made yet, and write ``agents.json``, readable by its owner only."""
    path = folder / "agents.json"
    if path.exists():
        return load_agents(folder)
    uais = sorted({enrolment.uai for enrolment in _enrolments(instance, people)})
    agents = [
        _prepare(instance, "head", "A head of a collège", uais, Degree.SECONDARY, Function.HEAD, second_factor=True),
        _prepare(instance, "teacher", "A teacher of a primary school", uais, Degree.PRIMARY, Function.TEACHER, second_factor=False),
    ]
    path.touch(mode=0o600)
    path.write_text(json.dumps([asdict(agent) for agent in agents], ensure_ascii=False, indent=2))
    return agents


def _enrolments(instance: Instance, people: list[DemoPerson]) -> list[Enrolment]:
    """Schools of the demo's pupils, and of the children of its guardians."""
    refs = [Ref.parse(person.ref) for person in people]
    students = [ref for ref in refs if ref.kind is Kind.STUDENT]
    students += [tie.student for ref in refs if ref.kind is Kind.GUARDIAN for tie in instance.directory.ties_of(ref)]
    records = [instance.directory.person(ref) for ref in students]
    return [enrolment for record in records if isinstance(record, Student) for enrolment in record.enrolments]


def _prepare(
    instance: Instance, role: str, title: str, uais: list[str], degree: Degree, function: Function, *, second_factor: bool
) -> DemoAgent:
    record, uai = _find(instance, uais, degree, function)
    secret, now = factors.new_totp_secret() if second_factor else None, datetime.now(UTC)
    login = f"{role}.demo"
    with instance.database.transaction() as db:
        agent = db.scalar(select(Agent).where(Agent.login == login))
        if agent is None:
            agent = service.add_agent(db, instance.directory, login, ref=record.ref, actor=actor(), now=now)
        service.set_password(instance, agent, PASSWORD)
        agent.totp_sealed = factors.seal(instance, secret) if secret else None
    return DemoAgent(role, title, f"{record.given_name} {record.family_name}", uai, login, PASSWORD, secret)


def _find(instance: Instance, uais: list[str], degree: Degree, function: Function) -> tuple[Staff, str]:
    """The first agent with that function in the first such school that has one."""
    for uai in uais:
        if instance.directory.school(uai).degree is degree:
            for record in iterate(instance.directory, uai, Kind.STAFF):
                if isinstance(record, Staff) and (uai, function.value) in record.functions:
                    return record, uai
    raise PreauError(f"the demo has no agent with the function {function.value}; remove the instance folder and start again")
