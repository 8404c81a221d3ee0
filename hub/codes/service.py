"""Sending and judging codes (functional.md 4.2 A2; AC-02, AC-09 to AC-12).

Who asks for a code gets the same row, the same page and the same work whether somebody was found or not.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backends.names import mail_key
from backends.sdet.normalise import mobile

from .. import throttle
from ..accounts.mail_address import valid_address
from ..accounts.messages import minutes
from ..instance import Instance
from ..messaging.service import NOBODY, queue_mail, queue_sms
from ..throttle import Blocked, Rate, Visitor
from .models import OneTimeCode

DAY = timedelta(days=1)


class Channel(StrEnum):
    """By what a code travels."""

    SMS = "sms"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Sent:
    """A code is on its way, or it looks so."""

    id: str
    """What the browser session keeps of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The right code: what it gives access to."""

    channel: Channel
    target: str
    subject: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Not the right code."""

    left: int
    """Tries that are left; 0 when only a new code helps."""
    too_old: bool = False


def readable(channel: Channel, typed: str) -> str | None:
    """The number in E.164 or the address, None when it is none."""
    if channel is Channel.SMS:
        return mobile(typed)
    address = valid_address(typed)
    return mail_key(address) if address else None


def issue(
    db: Session,
    instance: Instance,
    *,
    purpose: str,
    channel: Channel,
    target: str,
    subject: dict[str, Any] | None,
    session_index: str,
    now: datetime,
) -> Sent | Blocked:
    """Send a fresh code to ``target`` for this browser session; the session's former ones of that purpose are void.

    With ``subject`` None nothing leaves. Blocked when that target was sent enough, matched or not, or the day's SMS are used up.
    In the caller's transaction.
    """
    settings = instance.settings
    blocked = throttle.take_send(db, instance, target, now=now) or (_day_is_over(db, instance, now) if channel is Channel.SMS else None)
    if blocked:
        return blocked
    db.execute(delete(OneTimeCode).where(OneTimeCode.session_index == session_index, OneTimeCode.purpose == purpose))
    code = f"{secrets.randbelow(10**settings.code_length):0{settings.code_length}}"
    row = OneTimeCode(
        purpose=purpose,
        session_index=session_index,
        channel=channel.value,
        target=target,
        subject=subject,
        code_hash="",
        created_at=now,
        expires_at=now + settings.code_life,
    )
    db.add(row)
    db.flush()
    row.code_hash = _hash(instance, row.id, code)
    queue = queue_sms if channel is Channel.SMS else queue_mail
    to = NOBODY if subject is None else target
    queue(db, settings, "code", to, code=code, life=minutes(settings.code_life), useful_until=row.expires_at)
    db.flush()
    return Sent(row.id)


def issue_again(db: Session, instance: Instance, row: OneTimeCode, *, visitor: Visitor, now: datetime) -> Sent | Blocked:
    """A new code to where the former one went (« Réessayer »); the former one is void."""
    return throttle.take_request(db, instance, visitor, now=now) or issue(
        db,
        instance,
        purpose=row.purpose,
        channel=Channel(row.channel),
        target=row.target,
        subject=row.subject,
        session_index=row.session_index,
        now=now,
    )


def find(db: Session, id_: str | None, *, purpose: str, session_index: str | None) -> OneTimeCode | None:
    """The code that this browser session waits for, None when it is another's, another flow's or gone."""
    if id_ is None or session_index is None:
        return None
    mine = (OneTimeCode.id == id_, OneTimeCode.purpose == purpose, OneTimeCode.session_index == session_index)
    return db.scalar(select(OneTimeCode).where(*mine, OneTimeCode.used_at.is_(None)))


def judge(db: Session, instance: Instance, row: OneTimeCode, typed: str, *, now: datetime) -> Judged | Wrong:
    """Judge what was typed for the code of :func:`find`. A right one is used up.

    Commits the count of the try before it judges, so that parallel guesses count (AC-09).
    """
    most = instance.settings.code_attempts
    open_ = (OneTimeCode.id == row.id, OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > now, OneTimeCode.tries < most)
    tries = db.execute(update(OneTimeCode).where(*open_).values(tries=OneTimeCode.tries + 1).returning(OneTimeCode.tries)).scalar()
    db.commit()
    if tries is None:
        return Wrong(0, too_old=expired(row, now=now))
    target = row.target
    right = hmac.compare_digest(row.code_hash, _hash(instance, row.id, "".join(typed.split())))
    if not right or row.subject is None:
        return Wrong(most - tries)
    used = db.execute(update(OneTimeCode).where(OneTimeCode.id == row.id, OneTimeCode.used_at.is_(None)).values(used_at=now, target=""))
    return Judged(Channel(row.channel), target, row.subject) if used.rowcount else Wrong(0)  # type: ignore[attr-defined]


def expired(row: OneTimeCode, *, now: datetime) -> bool:
    """Whether it is too old (M02)."""
    return row.expires_at <= now


def masked(channel: Channel, target: str) -> str:
    """Where the code went, for the eyes of who knows it already: ``••• 10``, ``c•••@famille.fr``."""
    if channel is Channel.MAIL:
        local, _, domain = target.partition("@")
        return f"{local[:1]}•••@{domain}"
    return f"••• {target[-2:]}"


def _day_is_over(db: Session, instance: Instance, now: datetime) -> Blocked | None:
    rate = Rate(instance.settings.sms_per_day, DAY)
    counted = throttle.spend(db, throttle.key_of(instance, "sms-day", "all"), rate, now=now)
    return counted if isinstance(counted, Blocked) else None


def _hash(instance: Instance, id_: str, code: str) -> str:
    """Keyed, because a million codes are tried in a second by who reads the table."""
    return instance.keyed_hash("one-time-code", id_, code)
