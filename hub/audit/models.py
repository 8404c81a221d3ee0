"""The audit tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment


class AuditEvent(Base):
    """One act on an account or on the hub: who did what to whom, as data; shown as a sentence by the reader."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    action: Mapped[str] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(80))
    """``account:<id>``, ``agent:<id>``, ``cli:<login>`` or ``system``."""
    account_id: Mapped[str | None] = mapped_column(String(32), index=True)
    school: Mapped[str | None] = mapped_column(String(16), index=True)
    """UAI of the school for which an agent acted: its journal (A-17) is made of these rows."""
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What changed, before and after; never a secret."""
    reference: Mapped[str | None] = mapped_column(String(32), index=True)
    """The correlation id of the request, shown to the user as reference number."""


class SignOnRecord(Base):
    """One answer given to a service: which account, which assertion, which attributes (names, never values)."""

    __tablename__ = "signon_record"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    account_id: Mapped[str] = mapped_column(String(32), index=True)
    service_provider: Mapped[str] = mapped_column(String(1024))
    request_id: Mapped[str] = mapped_column(String(256))
    assertion_id: Mapped[str] = mapped_column(String(64), index=True)
    session_index: Mapped[str] = mapped_column(String(64))
    attributes: Mapped[list[str]] = mapped_column(JSON)
    encrypted: Mapped[bool]
    reference: Mapped[str] = mapped_column(String(32))
