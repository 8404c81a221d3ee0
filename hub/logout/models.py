"""Which services a session has reached, and logouts on their way."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment


class SessionParticipant(Base):
    """One identifier given to one service in one session. Outlives the session, to tell who may speak of it."""

    __tablename__ = "session_participant"

    session_index: Mapped[str] = mapped_column(String(64), primary_key=True)
    service_provider: Mapped[str] = mapped_column(String(1024), primary_key=True)
    name_id: Mapped[str] = mapped_column(String(256), primary_key=True, index=True)
    name_id_format: Mapped[str] = mapped_column(String(128))
    name_qualifier: Mapped[str] = mapped_column(String(1024))
    sp_name_qualifier: Mapped[str] = mapped_column(String(1024))
    at: Mapped[datetime] = mapped_column(Moment)
    """When it was last given."""
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    """End of the session at the latest."""
    left_at: Mapped[datetime | None] = mapped_column(Moment)
    """When a logout of the session began: the service is told once."""


class PendingLogout(Base):
    """A logout that is telling services. Bound to the first browser that continues it."""

    __tablename__ = "pending_logout"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    browser: Mapped[str | None] = mapped_column(String(64), index=True)
    """Session index of the browser that it belongs to, None until it is continued."""
    requester: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The request of a service that waits for an answer (``hub.logout.service``)."""
    participants: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The state of the machine (``hub.logout.machine``)."""
    version: Mapped[int] = mapped_column(default=1)
    """Grows with each change: of two changes at once, the second one starts again from the first."""
    reference: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
