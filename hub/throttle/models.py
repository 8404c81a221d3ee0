"""The table of counted tries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment


class Throttle(Base):
    """Failures counted under a keyed hash of what was typed, existing or not (AC-01), shared by all workers."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_failure_at: Mapped[datetime] = mapped_column(Moment)
    blocked_until: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_throttle_last_failure_at", "last_failure_at"),)
