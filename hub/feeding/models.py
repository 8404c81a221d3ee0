"""Past deliveries, each with its report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment
from ..db.base import enum_column
from .report import Outcome


class AafDelivery(Base):
    """One try to import a delivery."""

    __tablename__ = "aaf_delivery"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    started_at: Mapped[datetime] = mapped_column(Moment, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(80))
    """``cli:<login>`` or ``system``."""
    name: Mapped[str] = mapped_column(Text)
    """Of the file or folder."""
    feed: Mapped[str] = mapped_column(String(32), index=True)
    """Empty as long as it is not known."""
    outcome: Mapped[Outcome] = mapped_column(enum_column(Outcome, 16))
    shrink_accepted: Mapped[bool]
    """A human said beforehand that a shrink is right."""
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


class AafSchoolReport(Base):
    """What one delivery says of one school."""

    __tablename__ = "aaf_school_report"

    delivery_id: Mapped[int] = mapped_column(ForeignKey("aaf_delivery.id", ondelete="CASCADE"), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    structure: Mapped[str] = mapped_column(String(32), primary_key=True)
    uai: Mapped[str] = mapped_column(String(16), index=True)
    name: Mapped[str] = mapped_column(Text)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
