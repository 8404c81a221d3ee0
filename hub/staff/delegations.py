"""Delegations (A-16): a head of a secondary school lends an application to an agent of the school, for a while (section 5, note 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import Degree, Directory

from .. import audit
from ..accounts.notices import PARIS
from ..errors import Refusal
from .models import Agent, Delegation
from .rights import Application, Right
from .scope import Desk
from .service import posts_of


@dataclass(frozen=True, slots=True)
class Term:
    """What is lent, from the first day to the last, both included."""

    application: Application
    starts_on: date
    ends_on: date


def end_of_school_year(day: date) -> date:
    """The 31 August that ends the school year of that day."""
    return date(day.year + (day.month > 8), 8, 31)


def why_not(term: Term, *, today: date) -> str | None:
    """Why no delegation may have these dates, as a word; None when it may."""
    if term.starts_on < today:
        return "begins_in_the_past"
    if term.ends_on < term.starts_on:
        return "ends_before_it_begins"
    if term.ends_on > end_of_school_year(today):
        return "ends_after_the_school_year"
    return None


def delegate(db: Session, directory: Directory, desk: Desk, agent: Agent, term: Term, *, now: datetime) -> Delegation:
    """Lend ``term`` to ``agent`` at the desk's school. Raises OutOfScope without the right, Refusal with the reason as a word.

    Never to oneself, never to somebody who does not work there; an agent who has it already in those days is refused too.
    """
    desk.require(Right.DELEGATE)
    if agent.id == desk.agent_id:
        raise Refusal("to_oneself")
    return _keep(db, directory, desk.uai, agent, term, granted_by=desk.agent_id, actor=desk.actor, now=now)


def delegate_as_operator(db: Session, directory: Directory, uai: str, agent: Agent, term: Term, *, actor: str, now: datetime) -> Delegation:
    """The same by an operator, for a head who cannot. Raises Refusal, also for a school where nobody may delegate."""
    school = directory.school(uai)
    if school.agricultural or school.degree is Degree.PRIMARY:
        raise Refusal("no_delegation_there")
    return _keep(db, directory, school.uai, agent, term, granted_by=None, actor=actor, now=now)


def _keep(
    db: Session, directory: Directory, uai: str, agent: Agent, term: Term, *, granted_by: str | None, actor: str, now: datetime
) -> Delegation:
    if agent.disabled or not any(post.place == uai for post in posts_of(directory, agent)):
        raise Refusal("does_not_work_there")
    if reason := why_not(term, today=now.astimezone(PARIS).date()):
        raise Refusal(reason)
    same = (one for one in living(db, uai) if (one.agent_id, one.application) == (agent.id, term.application))
    if any(one.starts_on <= term.ends_on and term.starts_on <= one.ends_on for one in same):
        raise Refusal("has_it_already")
    kept = Delegation(
        agent_id=agent.id,
        uai=uai,
        application=term.application,
        starts_on=term.starts_on,
        ends_on=term.ends_on,
        granted_by=granted_by,
        granted_at=now,
    )
    db.add(kept)
    db.flush()
    audit.record(
        db, "delegation.granted", actor=actor, school=uai, agent=agent.id, application=term.application.value,
        starts_on=term.starts_on.isoformat(), ends_on=term.ends_on.isoformat(),
    )  # fmt: skip
    return kept


def living(db: Session, uai: str) -> Sequence[Delegation]:
    """Delegations of a school that nobody took back, the latest first; those whose dates are over too."""
    query = (
        select(Delegation).where(Delegation.uai == uai, Delegation.revoked_at.is_(None)).order_by(Delegation.ends_on.desc(), Delegation.id)
    )
    return db.scalars(query).all()


def revoke(db: Session, uai: str, delegation_id: str, *, actor: str, now: datetime) -> Delegation:
    """Take a delegation of that school back. Raises Refusal when it has none such, whatever other schools have."""
    found = db.get(Delegation, delegation_id)
    if found is None or found.uai != uai or found.revoked_at is not None:
        raise Refusal("no_such_delegation")
    found.revoked_at = now
    audit.record(db, "delegation.revoked", actor=actor, school=uai, agent=found.agent_id, application=found.application.value)
    return found


def revoke_at_desk(db: Session, desk: Desk, delegation_id: str, *, now: datetime) -> Delegation:
    """The same by the head of the school, whoever gave it. Raises OutOfScope without the right."""
    desk.require(Right.DELEGATE)
    return revoke(db, desk.uai, delegation_id, actor=desk.actor, now=now)
