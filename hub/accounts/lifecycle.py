"""The life of an account: the state machine of functional.md 4.1 as one table.

Nothing else changes ``Account.state``. Each change writes one audit row in the same transaction. An account row exists from
the first notice or activation on: no row is ``KNOWN`` (docs/decisions/accounts-are-created-at-first-notice.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from .. import audit
from ..errors import PreauError, Refusal
from ..login.sessions import end_sessions_of
from . import links
from .models import Account, AccountKind, AttachmentState, Notice, Origin, State


class Event(StrEnum):
    """What may happen to an account; the value is the name of the audit row."""

    INFORM = "account.informed"
    """A document with credentials is made, for the first time or again."""
    EXPIRE = "account.notice_expired"
    SIGN_IN_WITH_PROVISIONAL = "account.activation_begun"
    ENROL = "account.enrolled"
    """A guardian has proved names and a number or address that the school knows (4.2)."""
    COMPLETE = "account.activated"
    """The last step of the activation is done."""
    ABANDON = "account.activation_abandoned"
    """The notice, or the time for an activation without one, expired before the last step."""


class ImpossibleTransition(PreauError):
    """The event cannot happen in that state; also raised when another request has just changed the state."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.value} is impossible for an account that is {state.value}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class Moving:
    """What guards and effects work on."""

    db: Session
    account: Account
    now: datetime

    @property
    def notice(self) -> Notice | None:
        """The account's latest notice."""
        return latest_notice(self.db, self.account)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: from, event, to, what must hold, what is done besides."""

    source: State
    event: Event
    target: State
    guard: Callable[[Moving], bool] = lambda _moving: True
    effects: tuple[Callable[[Moving], None], ...] = ()


def _notice_expired(moving: Moving) -> bool:
    notice = moving.notice
    return notice is None or notice.expires_at <= moving.now


def _notice_valid(moving: Moving) -> bool:
    return not _notice_expired(moving)


def _activation_over(moving: Moving) -> bool:
    ends_at = moving.account.activation_ends_at
    return _notice_expired(moving) if ends_at is None else ends_at <= moving.now


def _steps_done(moving: Moving) -> bool:
    """The path rules of 4.2, 4.4 and 4.5 that the account itself shows; the student's birth date is checked by the step."""
    account = moving.account
    if account.password_hash is None:
        return False
    if account.kind is AccountKind.STUDENT:
        return True
    reached = account.mail_confirmed_at or (account.mobile_confirmed_at if account.origin is Origin.GUARDIAN else None)
    return reached is not None and any(a.state is AttachmentState.CONFIRMED for a in account.attachments)


def _note_informed(moving: Moving) -> None:
    moving.account.informed_at = moving.now
    moving.account.expired_at = None
    moving.account.origin = Origin.SCHOOL


def _note_expired(moving: Moving) -> None:
    moving.account.expired_at = moving.now
    moving.account.origin = Origin.UNKNOWN


def _end_notices(moving: Moving) -> None:
    """The hash of an expired secret opens nothing, but lets its owner be told that it expired (M12)."""
    for notice in moving.db.scalars(select(Notice).where(Notice.account_id == moving.account.id, Notice.ended_at.is_(None))):
        notice.ended_at = moving.now


def _void_secrets(moving: Moving) -> None:
    void_secrets(moving.db, moving.account, now=moving.now)


def _forget_progress(moving: Moving) -> None:
    """Partial data erased, nothing attached (functional.md 4.1, abandoned)."""
    account = moving.account
    account.password_hash = account.mail = account.mail_confirmed_at = account.mail_pending = None
    account.mobile = account.mobile_confirmed_at = account.activation_ends_at = None
    account.origin = Origin.UNKNOWN
    for attachment in list(account.attachments):
        moving.db.delete(attachment)
    account.attachments.clear()
    links.void(moving.db, account, now=moving.now)


def _end_sessions(moving: Moving) -> None:
    end_sessions_of(moving.db, moving.account.id)


def _note_activated(moving: Moving) -> None:
    moving.account.activated_at = moving.account.last_sign_in_at = moving.now
    moving.account.activation_ends_at = None


def _note_abandoned(moving: Moving) -> None:
    """Only a notice that expired is told of (M12, filter « notification expirée »)."""
    if moving.notice is not None:
        _note_expired(moving)


def _begin_enrolment(moving: Moving) -> None:
    """Who resumes keeps the children already proved; what was begun with a letter, by whoever held it, is forgotten."""
    if moving.account.origin is not Origin.GUARDIAN or moving.account.activation_ends_at is None:
        _forget_progress(moving)
    moving.account.origin = Origin.GUARDIAN


TABLE = (
    Rule(State.KNOWN, Event.INFORM, State.INFORMED, effects=(_note_informed,)),
    Rule(State.INFORMED, Event.INFORM, State.INFORMED, effects=(_note_informed,)),
    # A person who is stuck half-way starts over with a new document.
    Rule(State.ACTIVATING, Event.INFORM, State.INFORMED, effects=(_forget_progress, _end_sessions, _note_informed)),
    Rule(State.INFORMED, Event.EXPIRE, State.KNOWN, _notice_expired, (_end_notices, _note_expired)),
    Rule(State.INFORMED, Event.SIGN_IN_WITH_PROVISIONAL, State.ACTIVATING, _notice_valid),
    Rule(State.KNOWN, Event.ENROL, State.ACTIVATING, effects=(_void_secrets, _begin_enrolment)),
    Rule(State.INFORMED, Event.ENROL, State.ACTIVATING, effects=(_void_secrets, _begin_enrolment)),
    # Interrupted, and proved again; or begun with a letter and continued by who holds the number.
    Rule(State.ACTIVATING, Event.ENROL, State.ACTIVATING, effects=(_end_sessions, _void_secrets, _begin_enrolment)),
    Rule(State.ACTIVATING, Event.COMPLETE, State.ACTIVE, _steps_done, (_void_secrets, _note_activated)),
    # Its notice has expired, or was void since the enrolment: so KNOWN, whatever was before.
    Rule(State.ACTIVATING, Event.ABANDON, State.KNOWN, _activation_over, (_forget_progress, _end_sessions, _end_notices, _note_abandoned)),
)

_RULES = {(rule.source, rule.event): rule for rule in TABLE}


def transition(state: State, event: Event) -> State:
    """The state after ``event``. Pure. Raises ImpossibleTransition when the table has no such line."""
    return _rule(state, event).target


def apply(db: Session, account: Account, event: Event, *, actor: str, now: datetime, **details: Any) -> None:
    """Let ``event`` happen to ``account``: state, effects and one audit row, all in the caller's transaction.

    Raises ImpossibleTransition when the table has no such line or another request was faster, Refusal when the guard objects.
    """
    rule = _rule(account.state, event)
    moving = Moving(db, account, now)
    if not rule.guard(moving):
        raise Refusal(f"{event.value}: its conditions are not met")
    db.flush()
    moved = db.execute(update(Account).where(Account.id == account.id, Account.state == rule.source).values(state=rule.target))
    if not moved.rowcount:  # type: ignore[attr-defined]
        raise ImpossibleTransition(account.state, event)
    for effect in rule.effects:
        effect(moving)
    audit.record(db, event.value, actor=actor, account_id=account.id, before=rule.source.value, after=rule.target.value, **details)
    db.flush()


def complete_guardian(db: Session, account: Account, *, now: datetime) -> bool:
    """Complete the activation of a guardian whose last step is done, whichever it was. False when something is missing."""
    if account.kind is not AccountKind.GUARDIAN or account.state is not State.ACTIVATING or not _steps_done(Moving(db, account, now)):
        return False
    apply(db, account, Event.COMPLETE, actor=f"account:{account.id}", now=now)
    return True


def latest_notice(db: Session, account: Account) -> Notice | None:
    """The account's notice that counts: the one that has not ended, else the last one, so that it can be told to be too old."""
    order = (Notice.ended_at.is_not(None), Notice.created_at.desc())
    return db.scalar(select(Notice).where(Notice.account_id == account.id).order_by(*order).limit(1))


def void_secrets(db: Session, account: Account, *, now: datetime) -> None:
    """Destroy every provisional secret of the account: used, replaced or no longer needed (AC-21)."""
    for notice in db.scalars(select(Notice).where(Notice.account_id == account.id, Notice.secret_hash.is_not(None))):
        notice.secret_hash = None
        notice.ended_at = notice.ended_at or now


def _rule(state: State, event: Event) -> Rule:
    rule = _RULES.get((state, event))
    if rule is None:
        raise ImpossibleTransition(state, event)
    return rule
