"""The sessions of agents: a cookie, a table and limits of their own. Signing in as a parent signs nobody in at a school's desk."""

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from ..db import Database
from ..settings import Settings
from ..web.kept_sessions import TOUCH_EVERY, KeptSession, KeptSessions, token_hash
from .models import Agent, StaffSession


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A session row at one moment."""

    token_hash: str
    agent_id: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    strong_at: datetime | None
    data: dict[str, Any]


_COLUMNS = tuple(getattr(StaffSession, field.name) for field in dataclasses.fields(StaffRow))


class AgentSession(KeptSession):
    """The session of an agent's browser, over one row (or none yet)."""

    def __init__(self, row: StaffRow | None) -> None:
        super().__init__(row.data if row else {}, new=row is None)
        self.row = row

    @property
    def agent_id(self) -> str | None:
        """Who gave the password here, None for nobody."""
        return self.row.agent_id if self.row and not self.ended else None

    @property
    def strong_at(self) -> datetime | None:
        """When the second factor was given last."""
        return self.row.strong_at if self.row and not self.ended else None


class StaffSessions(KeptSessions[AgentSession]):
    """Keeps them. A disabled agent has none."""

    kind = AgentSession

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__("preau-staff", database, settings)

    def nobody(self) -> AgentSession:
        return AgentSession(None)

    def find(self, token: str, now: datetime) -> AgentSession:
        mine = StaffSession.token_hash == token_hash(token)
        with self._database.session() as db:
            found = db.execute(select(*_COLUMNS, Agent.disabled).outerjoin(Agent, Agent.id == StaffSession.agent_id).where(mine)).first()
            if found is None:
                return self.nobody()
            row = StaffRow(*found[:-1])
            if row.expires_at <= now or row.last_seen_at + self._settings.staff_session_idle <= now or found.disabled:
                db.execute(delete(StaffSession).where(mine))
                db.commit()
                return self.nobody()
            if row.last_seen_at + TOUCH_EVERY <= now:
                db.execute(update(StaffSession).where(mine).values(last_seen_at=now))
                db.commit()
            return AgentSession(row)

    def write(self, session: AgentSession) -> None:
        with self._database.transaction() as db:
            if session.row is None:
                self._create(db, session)
            else:
                db.execute(update(StaffSession).where(StaffSession.token_hash == session.row.token_hash).values(data=session.data))

    def rotate(self, session: AgentSession, agent_id: str, *, strong_at: datetime | None, keep: tuple[str, ...] = ()) -> None:
        """Begin a session of that agent under a new token; the old row and token are gone, of its data only ``keep`` survives.

        The same agent who gives the second factor keeps the day on which the session ends.
        """
        old = session.row
        session._data = {key: value for key, value in session.data.items() if key in keep}
        with self._database.transaction() as db:
            if old is not None:
                db.execute(delete(StaffSession).where(StaffSession.token_hash == old.token_hash))
            ends = old.expires_at if old is not None and old.agent_id == agent_id else None
            self._create(db, session, agent_id=agent_id, strong_at=strong_at, expires_at=ends)

    def end(self, session: AgentSession) -> None:
        """End this browser's session."""
        if session.row is not None:
            with self._database.transaction() as db:
                db.execute(delete(StaffSession).where(StaffSession.token_hash == session.row.token_hash))
        session.ended = True
        session._data = {}

    def _create(
        self,
        db: Session,
        session: AgentSession,
        *,
        agent_id: str | None = None,
        strong_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        now, token = datetime.now(UTC), secrets.token_urlsafe(32)
        ends = expires_at or now + self._settings.staff_session_absolute
        session.row = StaffRow(token_hash(token), agent_id, now, now, ends, strong_at, session.data)
        session.new_token = token
        db.execute(insert(StaffSession).values(**dataclasses.asdict(session.row)))


def end_sessions_of_agent(db: Session, agent_id: str) -> int:
    """End every session of an agent, in the caller's transaction. Returns how many there were."""
    ended = db.scalars(delete(StaffSession).where(StaffSession.agent_id == agent_id).returning(StaffSession.token_hash))
    return len(ended.all())
