"""Signing in with identifier and password (functional.md 2.3, 4.1; AC-01, AC-03, AC-40)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from backends import DirectoryError

from .. import audit, throttle
from ..instance import Instance
from ..ops.logs import get_logger
from ..settings import Settings
from ..throttle import Blocked, Visitor, door
from ..throttle.visitor import known_mark
from . import attachments, lifecycle
from .identifiers import canonical
from .lifecycle import Event, ImpossibleTransition
from .messages import message, too_early
from .models import Account, AccountKind, Notice, State
from .passwords import Passwords

log = get_logger("accounts")

IDENTIFIER_LENGTH = 64

NOBODY_SPECIAL = Visitor()
"""A try without browser and network: a command, a test."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The person proved who he or she is. What is left to do first: :func:`hub.activation.next_step.pending_step`."""

    account_id: str
    provisional: bool = False
    """Signed in with the provisional password: the activation has begun."""
    code: None = None
    message: None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody got in. ``code`` is of functional.md section 9: M07 whatever is wrong; M13 while this identifier has to wait, right or
    wrong, known or not; M12, M24, M25 and M26 only after a right password. ``message`` is its text."""

    code: str
    message: str
    account_id: None = None


SignIn = Accepted | Refused


@lru_cache(maxsize=4)
def passwords_of(settings: Settings) -> Passwords:
    """The password hasher of these settings, made once."""
    return Passwords(settings)


def sign_in(
    db: Session, instance: Instance, typed_identifier: str, password: str, *, now: datetime, visitor: Visitor = NOBODY_SPECIAL
) -> SignIn:
    """Check identifier and password and begin an activation where they are provisional.

    Unknown, wrong, not activated, deleted: the same answer after the same work, one argon2 verification at full cost and one
    of a provisional secret (AC-01). During a wait or a lock the verdict is not told, so nobody guesses faster than the waits
    allow (AC-03). Which page of the two profiles was used does not matter: the identifier says whose account it is, and a
    pupil on the guardians' page is helped, not punished. ``visitor`` says where the try comes from (AC-04 to AC-06).

    Commits the count of the try before it looks at the password, so that parallel guesses count, and gives it back after; the
    rest belongs to the caller's transaction. Never raises for what was typed.
    """
    settings = instance.settings
    identifier = canonical(typed_identifier)
    account = by_identifier(db, identifier)
    known = known_mark(instance, visitor, account.id, account.password_hash, now=now) if account else None
    passage = door.knock(db, instance, identifier, password, visitor, known=known, now=now)
    db.commit()

    notice = lifecycle.latest_notice(db, account) if account else None
    by_password, by_secret = _check(settings, account, notice, password)
    if isinstance(passage.counted, Blocked):
        outcome: SignIn = _too_early(passage.counted, now=now)
    elif account is None or not (by_password or by_secret):
        outcome = _wrong(db, settings, account, failures=passage.counted)
    else:
        door.succeeded(db, passage)
        db.commit()
        outcome = _let_in(db, instance, account, notice, password if by_password else None, now=now)
    if isinstance(outcome, Refused):
        _log_failure(outcome, passage.key, account)
    return outcome


def check_password(db: Session, instance: Instance, account: Account, password: str, *, now: datetime) -> Refused | None:
    """Check the current password of a signed-in person again, under the same limits as at the door (AC-52).

    None when it is right; the verdict is not told during a wait. Commits the count of the try.
    """
    key = throttle.key_of(instance, "login", account.identifier or account.id)
    counted = throttle.take(db, key, door.login_limit(instance.settings), now=now)
    db.commit()
    right = passwords_of(instance.settings).verify(account.password_hash, password)
    if right and not isinstance(counted, Blocked):
        throttle.clear(db, key)
        return None
    refused = _too_early(counted, now=now) if isinstance(counted, Blocked) else _refused("M07-current")
    _log_failure(refused, key, account)
    return refused


def by_identifier(db: Session, typed: str) -> Account | None:
    """The account with that identifier, None for nobody's.

    One query whatever was typed; what cannot be an identifier does not reach the database (PostgreSQL refuses NUL).
    """
    identifier = canonical(typed)
    possible = len(identifier) <= IDENTIFIER_LENGTH and identifier.isascii() and identifier.isprintable()
    return db.scalar(select(Account).where(Account.identifier == (identifier if possible else "")))


def _check(settings: Settings, account: Account | None, notice: Notice | None, password: str) -> tuple[bool, bool]:
    """Whether it is the account's password, or its provisional secret. Both are always computed."""
    passwords = passwords_of(settings)
    by_password = passwords.verify(account.password_hash if account else None, password)
    by_secret = passwords.verify_secret(notice.secret_hash if notice else None, password)
    return by_password, by_secret


def _wrong(db: Session, settings: Settings, account: Account | None, *, failures: int) -> Refused:
    """Nobody behind the identifier, or not the secret. The audit of a real account tells when its door closes for a while."""
    if account is not None and failures == settings.login_lock_after:
        audit.record(db, "account.locked", actor="system", account_id=account.id, failures=failures)
    return _refused("M07")


def _too_early(blocked: Blocked, *, now: datetime) -> Refused:
    return Refused("M13", too_early(blocked.until, now=now))


def _log_failure(refused: Refused, key: str, account: Account | None) -> None:
    """One line for the operator. What was typed is there only as its keyed hash: people type passwords there too (AC-48)."""
    log.info("login.failed", code=refused.code, typed=key, account=account.id if account else None, blocked=refused.code == "M13")


def _let_in(db: Session, instance: Instance, account: Account, notice: Notice | None, password: str | None, *, now: datetime) -> SignIn:
    """The person knows the secret: now the state of the account may be told."""
    closed = _why_closed(account)
    if closed:
        return _refused(closed)
    if _not_activated(account) and _activation_ends(account, notice, now) <= now:
        _expire(db, account, now=now)
        return _refused("M12", duration=f"{instance.settings.notices_validity_months} mois")
    actor = f"account:{account.id}"
    begins = account.state is State.INFORMED
    if begins:
        try:
            lifecycle.apply(db, account, Event.SIGN_IN_WITH_PROVISIONAL, actor=actor, now=now)
        except ImpossibleTransition:
            # The same person was faster in another window.
            db.refresh(account)
            if account.state is not State.ACTIVATING:
                return _refused("M07")
    else:
        _note_sign_in(db, instance, account, password, now=now)
    _propose_children(db, instance, account, now=now)
    return Accepted(account.id, provisional=begins)


def _why_closed(account: Account) -> str | None:
    if account.suspended:
        return "M24"
    if account.state.is_final:
        return "M26" if account.kind is AccountKind.STUDENT else "M25"
    return None


def _not_activated(account: Account) -> bool:
    return account.state in (State.KNOWN, State.INFORMED, State.ACTIVATING)


def _activation_ends(account: Account, notice: Notice | None, now: datetime) -> datetime:
    """Until when the activation may be finished: with the letter as long as that is valid, without one as long as was said."""
    return account.activation_ends_at or (notice.expires_at if notice else now)


def _expire(db: Session, account: Account, *, now: datetime) -> None:
    """What the hourly clean-up would do, in case the person comes first."""
    event = {State.INFORMED: Event.EXPIRE, State.ACTIVATING: Event.ABANDON}.get(account.state)
    if event is not None:
        lifecycle.apply(db, account, event, actor="system", now=now)


def _note_sign_in(db: Session, instance: Instance, account: Account, password: str | None, *, now: datetime) -> None:
    """Date it, and bring the hash to today's costs while the password is at hand (None: it was the provisional one)."""
    passwords = passwords_of(instance.settings)
    if password is not None and account.password_hash and passwords.needs_rehash(account.password_hash):
        account.password_hash = passwords.hash(password)
    if account.state is State.ACTIVE:
        account.last_sign_in_at = now
    audit.record(db, "account.signed_in", actor=f"account:{account.id}", account_id=account.id)


def _propose_children(db: Session, instance: Instance, account: Account, *, now: datetime) -> None:
    """Children are proposed at the sign-in, but a sick directory never blocks it: the pages ask again when they need it."""
    try:
        attachments.sync(db, account, instance.directory, now=now)
    except DirectoryError as exc:
        log.warning("attachments.not_synchronised", error=type(exc).__name__)


def _refused(code: str, **values: object) -> Refused:
    return Refused(code, message(code, **values))
