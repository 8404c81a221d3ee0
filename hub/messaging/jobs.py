"""Sending what is due in the outbox."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from ..db import Database
from ..ops.logs import get_logger
from ..settings import Settings
from .models import OutgoingMail
from .transport import Transport, transport_of

log = get_logger("messaging")

CLAIM = timedelta(minutes=10)
"""A claimed mail is left alone that long: much longer than a transport may take, so no other worker sends it again."""
DELAYS = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240, 480, 720))
"""Waits after each failure; after the last one the mail is given up: the links inside have expired by then."""
BATCH = 100


def send_due(database: Database, settings: Settings, *, transport: Transport | None = None, now: datetime | None = None) -> int:
    """Send the mails that are due, oldest first. Returns how many left. Safe to run on several workers at once."""
    transport = transport or transport_of(settings)
    sent = 0
    for id_ in _due(database, now or datetime.now(UTC)):
        sent += _send_one(database, transport, id_, now or datetime.now(UTC))
    return sent


def _due(database: Database, now: datetime) -> list[str]:
    query = select(OutgoingMail.id).where(OutgoingMail.sent_at.is_(None), OutgoingMail.next_attempt_at <= now)
    with database.session() as db:
        return list(db.scalars(query.order_by(OutgoingMail.next_attempt_at).limit(BATCH)))


def _send_one(database: Database, transport: Transport, id_: str, now: datetime) -> bool:
    with database.transaction() as db:
        mail = _claim(db, id_, now)
    if mail is None:
        return False
    try:
        transport.send(mail)
    except (OSError, smtplib.SMTPException) as exc:
        _postpone(database, mail, _error(exc), now)
        return False
    _note_sent(database, mail, captured=transport.captures, now=now)
    return True


def _claim(db: Session, id_: str, now: datetime) -> OutgoingMail | None:
    """Take the mail for this worker; None when another one has it."""
    claimed = db.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == id_, OutgoingMail.sent_at.is_(None), OutgoingMail.next_attempt_at <= now)
        .values(attempts=OutgoingMail.attempts + 1, next_attempt_at=now + CLAIM)
    )
    return db.get(OutgoingMail, id_) if claimed.rowcount else None  # type: ignore[attr-defined]


def _note_sent(database: Database, mail: OutgoingMail, *, captured: bool, now: datetime) -> None:
    values = {"sent_at": now, "captured": captured, "next_attempt_at": None, "last_error": None}
    if not captured:
        values |= {"text": "", "html": ""}
    with database.transaction() as db:
        db.execute(update(OutgoingMail).where(OutgoingMail.id == mail.id).values(values))
    log.info("mail.sent", mail=mail.id, attempts=mail.attempts, captured=captured)


def _postpone(database: Database, mail: OutgoingMail, error: str, now: datetime) -> None:
    given_up = mail.attempts > len(DELAYS)
    values = {"last_error": error, "next_attempt_at": None if given_up else now + DELAYS[mail.attempts - 1]}
    if given_up:
        values |= {"text": "", "html": ""}
    with database.transaction() as db:
        db.execute(update(OutgoingMail).where(OutgoingMail.id == mail.id).values(values))
    log.warning("mail.given_up" if given_up else "mail.postponed", mail=mail.id, attempts=mail.attempts, error=error)


def _error(exc: Exception) -> str:
    """What failed, without the text of the server: it may repeat the address."""
    code = getattr(exc, "smtp_code", None)
    return f"{type(exc).__name__} {code}" if code else type(exc).__name__


def purge(db: Session, *, before: datetime) -> int:
    """Forget the mails that left, or were given up, before that moment. Returns how many."""
    over = or_(OutgoingMail.sent_at.is_not(None), OutgoingMail.next_attempt_at.is_(None))
    return int(db.execute(delete(OutgoingMail).where(over, OutgoingMail.created_at < before)).rowcount)  # type: ignore[attr-defined]
