"""The table of codes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment, new_id


class OneTimeCode(Base):
    """One code that was sent, or that looks as if it had been. The code itself is kept only as a keyed hash."""

    __tablename__ = "one_time_code"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    purpose: Mapped[str] = mapped_column(String(32))
    """The flow that asked; a code of one flow opens no other."""
    session_index: Mapped[str] = mapped_column(String(64))
    """The browser session that asked: a code is worth nothing elsewhere."""
    channel: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(String(254))
    subject: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the right code gives access to, in the words of the flow; None when nobody was found and nothing was sent."""
    code_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    tries: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
