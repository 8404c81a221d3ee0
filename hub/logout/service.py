"""Ending a session by the token that its services hold."""

from __future__ import annotations

from sqlalchemy import delete, select

from .. import audit
from ..db import Database
from ..login.models import BrowserSession


def end_by_token(database: Database, token: str) -> str | None:
    """End the session of that logout token. Returns the hash of its cookie token, None when there is none, or no longer."""
    with database.transaction() as db:
        row = db.execute(select(BrowserSession.token_hash, BrowserSession.account_id).where(BrowserSession.logout_token == token)).first()
        if row is None:
            return None
        db.execute(delete(BrowserSession).where(BrowserSession.token_hash == row.token_hash))
        audit.record(db, "session.ended", actor=f"account:{row.account_id}", account_id=row.account_id, by="logout token")
        return str(row.token_hash)
