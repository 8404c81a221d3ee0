"""Writing audit rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from ..ops.logs import current_reference
from .models import AuditEvent


def record(session: Session, action: str, *, actor: str, account_id: str | None = None, school: str | None = None, **details: Any) -> None:
    """Add one audit row to the caller's transaction.

    ``action`` is a dotted name such as ``account.activated``; ``school`` is the UAI for whose journal the
    act is; ``details`` must be JSON values and never a secret.
    """
    session.add(
        AuditEvent(
            at=datetime.now(UTC),
            action=action,
            actor=actor,
            account_id=account_id,
            school=school,
            details=details,
            reference=current_reference(),
        )
    )
