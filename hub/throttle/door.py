"""What a password must pass before it is looked at: limits of the identifier, of the browser, of the network, of the password itself.

Everything is counted before the password is judged, and given back when it was right (docs/decisions).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..instance import Instance
from ..ops.logs import get_logger
from ..settings import Settings
from .service import Blocked, Limit, Rate, clear, give_back, key_of, spend, take
from .visitor import Visitor, network_of, times_as_much

log = get_logger("throttle")

ADDRESS_WINDOW = timedelta(minutes=10)
PASSWORD_WINDOW = timedelta(hours=1)
PASSWORD_BUCKET = 4
"""Hexadecimal digits that are kept of a password's keyed hash: 65,536 buckets. Enough to notice one password tried on many accounts,
too few to say which one it was."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One counted try."""

    key: str
    """Of the identifier, or of the known browser."""
    wide: tuple[str, ...]
    """Of what many people share: the network and the password."""
    counted: Blocked | int


def login_limit(settings: Settings) -> Limit:
    """How wrong passwords of one identifier are slowed down."""
    return Limit(settings.login_lock_after, settings.login_lock, settings.login_delay_from)


def knock(
    db: Session, instance: Instance, identifier: str, password: str, visitor: Visitor, *, known: str | None, now: datetime
) -> Passage:
    """Count one try. ``known`` is the mark of a browser that has signed in to this account before.

    Such a browser has a count of its own: neither a lock that others caused nor what comes from its network holds it up
    (AC-05, AC-06). Everybody else must pass the network, the password and the identifier, in that order; the first that is
    closed is told, and the later ones are not counted.
    """
    if known is not None:
        key = key_of(instance, "login-known", f"{identifier}\n{known}")
        return Passage(key, (), take(db, key, login_limit(instance.settings), now=now))
    key = key_of(instance, "login", identifier)
    wide = (_spend_address(db, instance, visitor, now), _spend_password(db, instance, password, now))
    keys = tuple(found for found, _ in wide)
    for _, closed in wide:
        if closed is not None:
            return Passage(key, keys, closed)
    return Passage(key, keys, take(db, key, login_limit(instance.settings), now=now))


def succeeded(db: Session, passage: Passage) -> None:
    """The password was right: nothing of the try counts. The caller commits at once: a whole school waits for the row of its network."""
    for key in passage.wide:  # in the order of knock(), so that two tries at once never wait for each other
        give_back(db, key)
    clear(db, passage.key)


def _spend_address(db: Session, instance: Instance, visitor: Visitor, now: datetime) -> tuple[str, Blocked | None]:
    settings = instance.settings
    most = settings.address_failures * times_as_much(settings, visitor.address)
    key = key_of(instance, "login-from", network_of(visitor.address))
    return key, _spend(db, key, Rate(most, ADDRESS_WINDOW), "address", now)


def _spend_password(db: Session, instance: Instance, password: str, now: datetime) -> tuple[str, Blocked | None]:
    bucket = key_of(instance, "password-bucket", password)[:PASSWORD_BUCKET]
    key = key_of(instance, "login-with", bucket)
    return key, _spend(db, key, Rate(instance.settings.same_password_failures, PASSWORD_WINDOW), "password", now)


def _spend(db: Session, key: str, rate: Rate, what: str, now: datetime) -> Blocked | None:
    counted = spend(db, key, rate, now=now)
    if isinstance(counted, Blocked):
        return counted
    if counted == rate.most:
        log.warning("login.many_failures", by=what, key=key, failures=counted)
    return None
