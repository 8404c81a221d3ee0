"""Sending what is due in the outbox."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from ..db import Database
from ..ops.logs import get_logger
from ..settings import Settings
from .models import OutgoingMail, OutgoingSms
from .transport import Transport, sms_transport_of, transport_of

log = get_logger("messaging")

CLAIM = timedelta(minutes=10)
"""A claimed message is left alone that long: much longer than a transport may take, so no other worker sends it again."""
DELAYS = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240, 480, 720))
"""Waits after each failure; after the last one the message is given up: the links inside have expired by then."""
BATCH = 100

Message = OutgoingMail | OutgoingSms
_NAMES: dict[type[Message], str] = {OutgoingMail: "mail", OutgoingSms: "sms"}


def send_due(
    database: Database,
    settings: Settings,
    *,
    transport: Transport | None = None,
    sms_transport: Transport | None = None,
    now: datetime | None = None,
) -> int:
    """Send the messages that are due, oldest first. Returns how many left. Safe to run on several workers at once."""
    ways: dict[type[Message], Transport] = {
        OutgoingMail: transport or transport_of(settings),
        OutgoingSms: sms_transport or sms_transport_of(settings),
    }
    sent = 0
    for table, way in ways.items():
        for id_ in _due(database, table, now or datetime.now(UTC)):
            sent += _send_one(database, table, way, id_, now or datetime.now(UTC))
    return sent


def _due(database: Database, table: type[Message], now: datetime) -> list[str]:
    query = select(table.id).where(table.sent_at.is_(None), table.next_attempt_at <= now)
    with database.session() as db:
        return list(db.scalars(query.order_by(table.next_attempt_at).limit(BATCH)))


def _send_one(database: Database, table: type[Message], transport: Transport, id_: str, now: datetime) -> bool:
    with database.transaction() as db:
        message = _claim(db, table, id_, now)
    if message is None:
        return False
    if not message.to:
        _note(database, message, {"next_attempt_at": None, **_erased(message)})
        return False
    if message.useful_until is not None and message.useful_until <= now:
        _give_up(database, message, "too late")
        return False
    try:
        transport.send(message)
    except (OSError, smtplib.SMTPException) as exc:
        _postpone(database, message, _error(exc), now)
        return False
    _note_sent(database, message, captured=transport.captures, now=now)
    return True


def _claim(db: Session, table: type[Message], id_: str, now: datetime) -> Message | None:
    """Take the message for this worker; None when another one has it."""
    claimed = db.execute(
        update(table)
        .where(table.id == id_, table.sent_at.is_(None), table.next_attempt_at <= now)
        .values(attempts=table.attempts + 1, next_attempt_at=now + CLAIM)
    )
    if not claimed.rowcount:  # type: ignore[attr-defined]
        return None
    found: Message | None = db.get(table, id_)  # type: ignore[assignment]
    return found


def _note_sent(database: Database, message: Message, *, captured: bool, now: datetime) -> None:
    values = {"sent_at": now, "captured": captured, "next_attempt_at": None, "last_error": None}
    if not captured:
        values |= _erased(message)
    _note(database, message, values)
    log.info(f"{_NAMES[type(message)]}.sent", id=message.id, attempts=message.attempts, captured=captured)


def _postpone(database: Database, message: Message, error: str, now: datetime) -> None:
    if message.attempts > len(DELAYS):
        _give_up(database, message, error)
        return
    _note(database, message, {"last_error": error, "next_attempt_at": now + DELAYS[message.attempts - 1]})
    log.warning(f"{_NAMES[type(message)]}.postponed", id=message.id, attempts=message.attempts, error=error)


def _give_up(database: Database, message: Message, error: str) -> None:
    _note(database, message, {"last_error": error, "next_attempt_at": None, **_erased(message)})
    log.warning(f"{_NAMES[type(message)]}.given_up", id=message.id, attempts=message.attempts, error=error)


def _erased(message: Message) -> dict[str, str]:
    return {"text": "", "html": ""} if isinstance(message, OutgoingMail) else {"text": ""}


def _note(database: Database, message: Message, values: dict[str, object]) -> None:
    with database.transaction() as db:
        db.execute(update(type(message)).where(type(message).id == message.id).values(values))


def _error(exc: Exception) -> str:
    """What failed, without the text of the server: it may repeat the address."""
    code = getattr(exc, "smtp_code", None)
    return f"{type(exc).__name__} {code}" if code else type(exc).__name__


def purge(db: Session, *, before: datetime) -> int:
    """Forget the messages that left, or were given up, before that moment. Returns how many."""
    return sum(_purge(db, table, before) for table in _NAMES)


def _purge(db: Session, table: type[Message], before: datetime) -> int:
    over = or_(table.sent_at.is_not(None), table.next_attempt_at.is_(None))
    return int(db.execute(delete(table).where(over, table.created_at < before)).rowcount)  # type: ignore[attr-defined]
