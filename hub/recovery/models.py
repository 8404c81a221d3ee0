"""What somebody asked who forgot something: answered by the worker, so that the page tells nothing by its time (AC-02)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment, enum_column, new_id


class RecoveryKind(StrEnum):
    """What was forgotten, and how the answer travels (functional.md 4.6)."""

    IDENTIFIER_BY_MAIL = "identifier-mail"
    """R1."""
    IDENTIFIER_BY_SMS = "identifier-sms"
    """R2."""
    PASSWORD_BY_MAIL = "password-mail"  # noqa: S105 - a name
    """R3."""


class RecoveryRequest(Base):
    """One question as it was typed; the row goes with the answer."""

    __tablename__ = "recovery_request"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[RecoveryKind] = mapped_column(enum_column(RecoveryKind, 16))
    identifier: Mapped[str] = mapped_column(String(64), default="")
    target: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(Moment)
