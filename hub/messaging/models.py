"""The outbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment, new_id


class Outgoing:
    """A message to send. Once sent or given up, its text is erased: it may hold a link or a code (kept when it is captured)."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    to: Mapped[str] = mapped_column(String(254))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    useful_until: Mapped[datetime | None] = mapped_column(Moment)
    """When what it holds expires: it is given up then. None: it is worth all the tries."""
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    captured: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    last_error: Mapped[str | None] = mapped_column(String(255))


class OutgoingMail(Outgoing, Base):
    """A mail."""

    __tablename__ = "outgoing_mail"

    subject: Mapped[str] = mapped_column(String(200))
    html: Mapped[str] = mapped_column(Text)


class OutgoingSms(Outgoing, Base):
    """A text message to one mobile number (E.164)."""

    __tablename__ = "outgoing_sms"
