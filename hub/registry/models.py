"""The table of service providers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment, enum_column


class ServiceState(StrEnum):
    """Only an approved service provider is answered."""

    PENDING = "pending"
    APPROVED = "approved"
    DISABLED = "disabled"


class ServiceProvider(Base):
    """A service provider: its metadata, parsed once at import, and the choices of the registry."""

    __tablename__ = "service_provider"

    entity_id: Mapped[str] = mapped_column(String(1024), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    state: Mapped[ServiceState] = mapped_column(enum_column(ServiceState, 16), default=ServiceState.PENDING)
    metadata_xml: Mapped[str] = mapped_column(Text)
    descriptor: Mapped[dict[str, Any]] = mapped_column(JSON)
    dialect: Mapped[str] = mapped_column(String(32))
    profiles: Mapped[list[str]] = mapped_column(JSON)
    """Accepted profiles: ``student``, ``guardian``."""
    open_to_in_charge: Mapped[bool] = mapped_column(default=False)
    """Whether persons in charge reach it, and ties in charge are told to it (O13)."""
    attributes: Mapped[list[str] | None] = mapped_column(JSON)
    """Friendly names released; None: those of the dialect that need no special authorisation."""
    name_id_format: Mapped[str] = mapped_column(String(128))
    requests_signed: Mapped[bool] = mapped_column(default=False)
    sign_response: Mapped[bool] = mapped_column(default=True)
    sign_assertion: Mapped[bool] = mapped_column(default=True)
    accept_rsa_sha1: Mapped[bool] = mapped_column(default=False)
    legacy_acs_pair: Mapped[bool] = mapped_column(default=False)
    encryption_waived: Mapped[bool] = mapped_column(default=False)
    allow_cbc: Mapped[bool] = mapped_column(default=False)
    added_at: Mapped[datetime] = mapped_column(Moment)
    approved_at: Mapped[datetime | None] = mapped_column(Moment)
    version: Mapped[int] = mapped_column(default=1)
    """Grows with each change; workers keep the parsed row as long as it has not moved."""
