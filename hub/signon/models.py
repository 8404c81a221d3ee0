"""A sign-on on its way, kept on the server under an id that travels in addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, Moment


class PendingSignOn(Base):
    """A checked AuthnRequest that waits for its answer. Bound to the first browser that continues it (RQ-74)."""

    __tablename__ = "pending_signon"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    service_provider: Mapped[str] = mapped_column(String(1024))
    request_id: Mapped[str] = mapped_column(String(256))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The AuthnRequest as data (``hub.signon.service``)."""
    relay_state: Mapped[str | None] = mapped_column(String(2000))
    name_id_format: Mapped[str] = mapped_column(String(128))
    browser: Mapped[str | None] = mapped_column(String(64))
    """Session index of the browser that it belongs to, None until it is continued."""
    challenged_at: Mapped[datetime | None] = mapped_column(Moment)
    """When a fresh authentication was asked (ForceAuthn): only a later one answers."""
    reference: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)


class SeenRequest(Base):
    """A request id already received, so that a replay is refused on every worker (RQ-29)."""

    __tablename__ = "seen_request"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hash of issuer and request id."""
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
