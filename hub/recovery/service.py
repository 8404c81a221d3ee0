"""Asking for what was forgotten, and choosing a new password (functional.md 4.6; AC-02, AC-14, AC-17, AC-18).

What a page answers depends on what was typed, never on whether somebody is behind it: questions are kept as they are, and the
worker answers them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backends.names import mail_key

from .. import audit, codes, throttle
from ..accounts import links
from ..accounts.credentials import choose_password
from ..accounts.identifiers import canonical
from ..accounts.links import Purpose
from ..accounts.models import Account, AccountKind, State
from ..accounts.people import people_of
from ..accounts.service import by_identifier
from ..codes import Channel, Judged
from ..instance import Instance
from ..messaging.service import wake_after_commit
from ..throttle import Blocked, Visitor
from .models import RecoveryKind, RecoveryRequest

PURPOSE = "recovery"


def ask(
    db: Session, instance: Instance, kind: RecoveryKind, *, target: str, identifier: str = "", visitor: Visitor, now: datetime
) -> Blocked | None:
    """Keep the question for the worker (R1 to R3), in the caller's transaction. Blocked when there were too many for that target.

    ``target`` is normalised: a mail key, or a mobile in E.164.
    """
    blocked = throttle.take_request(db, instance, visitor, now=now) or throttle.take_send(db, instance, target, now=now)
    if blocked:
        return blocked
    db.add(RecoveryRequest(kind=kind, identifier=canonical(identifier)[:64], target=target, created_at=now))
    wake_after_commit(db, instance.settings)
    return None


def ask_code(
    db: Session, instance: Instance, *, identifier: str, mobile: str, session_index: str, visitor: Visitor, now: datetime
) -> codes.Sent | Blocked:
    """Send a code to a guardian's proved number (R4), in the caller's transaction; the same work when there is nobody."""
    blocked = throttle.take_request(db, instance, visitor, now=now)
    if blocked:
        return blocked
    account = by_identifier(db, identifier)
    right = account is not None and account.kind is AccountKind.GUARDIAN and _may_reset(account) and has_mobile(instance, account, mobile)
    return codes.issue(
        db,
        instance,
        purpose=PURPOSE,
        channel=Channel.SMS,
        target=mobile,
        subject={"account": account.id} if account and right else None,
        session_index=session_index,
        now=now,
    )


def link_after_code(db: Session, instance: Instance, proof: Judged, *, now: datetime) -> str | None:
    """The token of the page of the new password, for who typed the right code; None when the account has changed meanwhile."""
    account = db.get(Account, proof.subject["account"])
    if account is None or not _may_reset(account) or not has_mobile(instance, account, proof.target):
        return None
    return links.issue(db, account, Purpose.RESET, proof.target, life=instance.settings.mail_token_reset, now=now)


def account_behind(db: Session, token: str, *, now: datetime) -> Account | None:
    """Whose password the link changes; None when it does not work, or the account may not be reset now. Changes nothing."""
    link = links.find(db, token, Purpose.RESET, now=now)
    account = db.get(Account, link.account_id) if link else None
    return account if account is not None and _may_reset(account) else None


def reset(db: Session, instance: Instance, token: str, password: str, *, now: datetime) -> Account | None:
    """Use the link up and keep the accepted password: sessions end, the owner is told, nobody is signed in (AC-18).

    None when the link no longer works. In the caller's transaction.
    """
    account = account_behind(db, token, now=now)
    if account is None or links.use(db, token, Purpose.RESET, now=now) is None:
        return None
    audit.record(db, "account.password_recovered", actor=f"account:{account.id}", account_id=account.id)
    choose_password(db, instance, account, password, now=now, imposed=True)
    return account


def by_mail(db: Session, address: str) -> list[Account]:
    """The open accounts that have proved that address, by identifier."""
    proved = (func.lower(Account.mail) == mail_key(address), Account.mail_confirmed_at.is_not(None))
    open_ = (Account.state == State.ACTIVE, Account.suspended.is_(False))
    return list(db.scalars(select(Account).where(*proved, *open_).order_by(Account.identifier)))


def by_mobile(db: Session, instance: Instance, mobile: str) -> list[Account]:
    """The open guardian accounts that have proved that number and still have it."""
    query = select(Account).where(Account.mobile == mobile, Account.state == State.ACTIVE, Account.suspended.is_(False))
    return [account for account in db.scalars(query.order_by(Account.identifier)) if has_mobile(instance, account, mobile)]


def has_mobile(instance: Instance, account: Account, mobile: str) -> bool:
    """Whether the account has proved that number and the school still gives it (4.7: a number that moved on proves nothing)."""
    if account.mobile != mobile or account.mobile_confirmed_at is None:
        return False
    return any(mobile in getattr(person, "mobiles", ()) for person in people_of(account, instance.directory))


def has_mail(account: Account, address: str) -> bool:
    """Whether the account has proved that address."""
    return account.mail is not None and account.mail_confirmed_at is not None and mail_key(account.mail) == mail_key(address)


def may_get_link(account: Account, address: str) -> bool:
    """Whether the link of R3 goes there: the account is open, has a password, and has proved that address."""
    return _may_reset(account) and has_mail(account, address)


def _may_reset(account: Account) -> bool:
    """Only what is active: a reset is no way around an activation, a suspension or FranceConnect (AC-17)."""
    return account.state is State.ACTIVE and not account.suspended and account.password_hash is not None
