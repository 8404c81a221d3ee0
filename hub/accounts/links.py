"""Single-use links sent by mail (AC-14, AC-15): random, kept hashed, short-lived, each purpose with one valid link at a time.

Opening a link changes nothing; the page behind it has a button.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from ..web.kept_sessions import token_hash
from .models import Account, MailToken


class Purpose(StrEnum):
    """What a link does."""

    CONFIRM = "confirm"
    """Prove a mail address."""
    RESET = "reset"
    """Choose a new password (R3)."""


def issue(db: Session, account: Account, purpose: Purpose, address: str, *, life: timedelta, now: datetime) -> str:
    """A fresh token for a link to ``address``; those of the same purpose sent before are void."""
    void(db, account, now=now, purpose=purpose)
    token = secrets.token_urlsafe(32)
    row = MailToken(
        token_hash=token_hash(token), account_id=account.id, purpose=purpose.value, address=address, created_at=now, expires_at=now + life
    )
    db.add(row)
    return token


def find(db: Session, token: str, purpose: Purpose, *, now: datetime) -> MailToken | None:
    """The link if it would work now. Changes nothing."""
    return db.scalar(select(MailToken).where(*_usable(token, purpose, now)))


def use(db: Session, token: str, purpose: Purpose, *, now: datetime) -> MailToken | None:
    """Use the link up; None when it does not work. Two parallel uses: one succeeds."""
    used = db.execute(update(MailToken).where(*_usable(token, purpose, now)).values(used_at=now))
    return db.get_one(MailToken, token_hash(token), populate_existing=True) if used.rowcount else None  # type: ignore[attr-defined]


def void(db: Session, account: Account, *, now: datetime, purpose: Purpose | None = None) -> None:
    """Make the links of the account worthless, of one purpose or of all."""
    mine = [MailToken.account_id == account.id, MailToken.used_at.is_(None)]
    if purpose is not None:
        mine.append(MailToken.purpose == purpose.value)
    db.execute(update(MailToken).where(*mine).values(used_at=now))


def _usable(token: str, purpose: Purpose, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        MailToken.token_hash == token_hash(token),
        MailToken.purpose == purpose.value,
        MailToken.used_at.is_(None),
        MailToken.expires_at > now,
    )
