"""Choosing a password, in an activation and later."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from .. import audit, throttle
from ..instance import Instance
from ..login.sessions import end_sessions_of
from ..messaging.service import queue_mail
from . import lifecycle, links
from .links import Purpose
from .messages import message
from .models import Account, AccountKind, State
from .notices import PARIS
from .passwords import problems
from .people import owner_of
from .service import passwords_of


def password_problems(
    db: Session, instance: Instance, account: Account, password: str, confirmation: str, *, tell_present: bool = True
) -> list[str]:
    """Why the chosen password is refused, as the sentences of M32; empty when it is accepted.

    Tells whether it is the present password of an active account: ask only once that one was given (:func:`check_password`), or with
    ``tell_present`` off.
    """
    if tell_present and _is_present_password(instance, account, password):
        return [message("M32-same")]
    if _is_provisional_secret(db, instance, account, password):
        return [message("M32-paper")]
    return problems(password, confirmation, owner_of(account, instance.directory), instance.settings)


def _is_present_password(instance: Instance, account: Account, password: str) -> bool:
    """In the middle of an activation the password just chosen may be given again."""
    return account.state is State.ACTIVE and passwords_of(instance.settings).verify(account.password_hash, password)


def _is_provisional_secret(db: Session, instance: Instance, account: Account, password: str) -> bool:
    """The paper has passed through other hands."""
    notice = lifecycle.latest_notice(db, account)
    return passwords_of(instance.settings).verify_secret(notice.secret_hash if notice else None, password)


def choose_password(db: Session, instance: Instance, account: Account, password: str, *, now: datetime, imposed: bool = False) -> None:
    """Keep the accepted password.

    A provisional secret is void from here on (4.4, AC-21). On an active account every session ends, links sent before are void
    (AC-14) and the owner is told. ``imposed``: after a reset or a forced change a pupil confirms the birth date too (O25).
    """
    account.password_hash = passwords_of(instance.settings).hash(password)
    account.must_change_password = False
    lifecycle.void_secrets(db, account, now=now)
    audit.record(db, "account.password_chosen", actor=f"account:{account.id}", account_id=account.id)
    if account.state is State.ACTIVE:
        end_sessions_of(db, account.id)
        links.void(db, account, now=now, purpose=Purpose.RESET)
        throttle.clear(db, throttle.key_of(instance, "login", account.identifier or ""))
        if imposed and account.kind is AccountKind.STUDENT and instance.settings.student_birthdate_confirm == "reset":
            account.birth_date_due = True
        if account.mail and account.mail_confirmed_at:
            day = now.astimezone(PARIS).strftime("%d/%m/%Y")
            queue_mail(db, instance.settings, "password_changed", account.mail, day=day)
