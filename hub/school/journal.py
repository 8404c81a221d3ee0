"""The journal of a school (A-17): what agents did for it, from the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..accounts.notices import PARIS
from ..audit import AuditEvent
from ..staff.models import Agent
from ..staff.rights import Right
from ..staff.scope import Desk

PAGE = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One act."""

    at: datetime
    action: str
    """Dotted name, e.g. ``delegation.granted``."""
    who: str
    """Name of the agent; how the audit names the actor when it was none."""
    details: dict[str, object]


@dataclass(frozen=True, slots=True)
class Journal:
    """A page of it, the latest act first."""

    entries: tuple[Entry, ...]
    older: int | None
    """Pass it as ``before`` to read on; None at the end."""


def journal(db: Session, desk: Desk, *, before: int | None = None, action: str = "") -> Journal:
    """Acts for the desk's school and no other, in Paris time. ``action`` filters on the start of the name. Raises OutOfScope."""
    desk.require(Right.READ_JOURNAL)
    query = select(AuditEvent).where(AuditEvent.school == desk.uai).order_by(AuditEvent.id.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(AuditEvent.id < before)
    if action:
        query = query.where(AuditEvent.action.startswith(action, autoescape=True))
    events = db.scalars(query).all()
    names = _names(db, {event.actor for event in events})
    shown = events[:PAGE]
    entries = tuple(Entry(e.at.astimezone(PARIS), e.action, names.get(e.actor, e.actor), e.details) for e in shown)
    return Journal(entries, shown[-1].id if len(events) > PAGE else None)


def _names(db: Session, actors: set[str]) -> dict[str, str]:
    ids = [actor.removeprefix("agent:") for actor in actors if actor.startswith("agent:")]
    agents = db.scalars(select(Agent).where(Agent.id.in_(ids))).all()
    return {f"agent:{agent.id}": agent.name for agent in agents}
