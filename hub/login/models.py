"""The browser session, kept on the server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment


class BrowserSession(Base):
    """One browser. The cookie holds a random token; the row holds its hash and everything else."""

    __tablename__ = "browser_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    session_index: Mapped[str] = mapped_column(String(64), unique=True)
    """Named in assertions; says nothing about the cookie."""
    logout_token: Mapped[str] = mapped_column(String(64), unique=True)
    """Part of the FrEduUrlRetour address; serves only to end this session."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_seen_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    authn_instant: Mapped[datetime | None] = mapped_column(Moment)
    authn_context: Mapped[str | None] = mapped_column(String(128))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What Flask keeps in ``session``: the CSRF token and the progress of an activation."""
