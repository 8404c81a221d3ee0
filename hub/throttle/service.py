"""Tries counted under a keyed hash of what they aim at, existing or not, shared by all workers (AC-01, AC-03, AC-08).

A try is counted before it is judged, so that parallel guesses count too. A try made while blocked is not counted: nobody can
prolong the lock of somebody else (AC-06).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.orm import Session

from ..db.upsert import insert_for
from ..instance import Instance
from .models import Throttle, Window

FORGET_AFTER = timedelta(hours=24)
"""Failures older than that no longer count."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How tries are slowed down: a delay that doubles from the ``delay_from``-th (0: none), a lock from ``lock_after`` on."""

    lock_after: int
    lock: timedelta
    delay_from: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Something may be done ``most`` times in ``period``, which begins with the first time."""

    most: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class Blocked:
    """This try may not succeed."""

    until: datetime


def key_of(instance: Instance, purpose: str, subject: str) -> str:
    """The key of what is counted, unreadable without the instance's secret."""
    return instance.keyed_hash("throttle", purpose, subject)


def take(db: Session, key: str, limit: Limit, *, now: datetime) -> Blocked | int:
    """Count one try, in the caller's transaction: the number of the try, or Blocked when it came too early.

    A try that succeeds is taken back with :func:`clear`.
    """
    fresh = insert_for(db, Throttle).values(key=key, failures=1, last_failure_at=now, blocked_until=None)
    outdated = or_(Throttle.last_failure_at < now - FORGET_AFTER, Throttle.failures >= limit.lock_after)
    counted = fresh.on_conflict_do_update(
        index_elements=[Throttle.key],
        set_={"failures": case((outdated, 1), else_=Throttle.failures + 1), "last_failure_at": now, "blocked_until": None},
        where=or_(Throttle.blocked_until.is_(None), Throttle.blocked_until <= now),
    ).returning(Throttle.failures)
    failures = db.execute(counted).scalar()
    if failures is None:
        until = db.scalar(select(Throttle.blocked_until).where(Throttle.key == key))
        return Blocked(until or now)
    wait = _wait(failures, limit)
    if wait:
        db.execute(update(Throttle).where(Throttle.key == key).values(blocked_until=now + wait))
    return failures


def clear(db: Session, key: str) -> None:
    """Forget the tries: the last one succeeded."""
    db.execute(delete(Throttle).where(Throttle.key == key))


def spend(db: Session, key: str, rate: Rate, *, now: datetime) -> Blocked | int:
    """Count one use of what is rationed, in the caller's transaction: how many there were, or Blocked when there were enough.

    One statement, so that parallel uses count. The period is fixed by its first use: nobody prolongs it.
    """
    fresh = insert_for(db, Window).values(key=key, count=1, ends_at=now + rate.period)
    over = Window.ends_at <= now
    counted = fresh.on_conflict_do_update(
        index_elements=[Window.key],
        set_={"count": case((over, 1), else_=Window.count + 1), "ends_at": case((over, now + rate.period), else_=Window.ends_at)},
    ).returning(Window.count, Window.ends_at)
    count, ends_at = db.execute(counted).one()
    return count if count <= rate.most else Blocked(ends_at)


def give_back(db: Session, key: str) -> None:
    """Take one use back: it turned out not to count."""
    db.execute(update(Window).where(Window.key == key, Window.count > 0).values(count=Window.count - 1))


def purge(db: Session, *, now: datetime) -> int:
    """Forget what no longer counts. Returns how many rows went."""
    windows = db.execute(delete(Window).where(Window.ends_at <= now))
    old = delete(Throttle).where(
        Throttle.last_failure_at < now - FORGET_AFTER, or_(Throttle.blocked_until.is_(None), Throttle.blocked_until <= now)
    )
    return int(windows.rowcount + db.execute(old).rowcount)  # type: ignore[attr-defined]


def _wait(failures: int, limit: Limit) -> timedelta | None:
    if failures >= limit.lock_after:
        return limit.lock
    if limit.delay_from and failures >= limit.delay_from:
        return timedelta(seconds=2 ** (failures - limit.delay_from))
    return None
