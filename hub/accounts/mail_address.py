"""The mail address of an account and the link that proves it (functional.md 4.4, 4.7; AC-13 to AC-15).

The link lives 24 hours, works once, and only its newest issue works. Opening it changes nothing: the page has a button.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from .. import audit, throttle
from ..instance import Instance
from ..messaging.service import queue_mail
from ..throttle import Blocked, Limit
from . import lifecycle, links
from .links import Purpose
from .messages import hours, too_early
from .models import Account, AccountKind
from .people import first_name, is_known_for_a_guardian, is_minor

ADDRESSES = 2
"""An account may send as many as to two addresses: who waits for a mail in vain must be able to correct a wrong address."""
GUESSED_ADDRESSES = Limit(lock_after=5, lock=timedelta(hours=1))
"""Addresses that a pupil may give which are no guardian's."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """How the mail speaks: to the owner of the account, or to a guardian about a pupil's account."""

    first_name: str
    is_guardian_of_owner: bool = False


def valid_address(typed: str) -> str | None:
    """The address in its normal form, None when it is none. Nothing is asked of the network."""
    try:
        return validate_email(typed.strip(), check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        return None


def problem(db: Session, instance: Instance, account: Account, typed: str, *, now: datetime) -> str | None:
    """Why an address cannot be the account's, None when it can.

    A pupil who tries one address after the other to learn a guardian's is stopped (AC-43).
    """
    address = valid_address(typed)
    if address is None:
        return "Cette adresse mail n'est pas complète. Exemple : camille@exemple.fr"
    if not needs_guardian_address(account, instance, now=now):
        return None
    key = throttle.key_of(instance, "guardian-mail", account.id)
    counted = throttle.take(db, key, GUESSED_ADDRESSES, now=now)
    if isinstance(counted, Blocked):
        return too_early(counted.until, now=now)
    if not is_known_for_a_guardian(account, instance.directory, address):
        return "L'école ne connaît pas cette adresse pour un de vos responsables. Vous pouvez aussi ne rien donner."
    throttle.clear(db, key)
    return None


def ask(db: Session, instance: Instance, account: Account, typed: str, *, now: datetime) -> str | None:
    """Send the confirmation link to an address without problem. None when it is on its way, else the message to show."""
    addressee = Addressee(first_name(account, instance.directory), needs_guardian_address(account, instance, now=now))
    address = valid_address(typed) or ""
    if send_link(db, instance, account, address, addressee, now=now):
        return None
    return "Nous avons déjà envoyé plusieurs mails. Attendez une heure avant d'en demander un autre."


def needs_guardian_address(account: Account, instance: Instance, *, now: datetime) -> bool:
    """Whether the address must be one of a guardian of this pupil (M29, O11)."""
    return account.kind is AccountKind.STUDENT and is_minor(account, instance, now=now)


def send_link(db: Session, instance: Instance, account: Account, address: str, addressee: Addressee, *, now: datetime) -> bool:
    """Keep ``address`` as pending and send it a fresh link; links sent before are void. False when too many were sent.

    The confirmed address, if there is one, stays in use until the click, and its owner is told (E6).
    """
    settings = instance.settings
    limits = ((address, 1), (f"account:{account.id}", ADDRESSES))
    if any(throttle.take_send(db, instance, target, times=times, now=now) for target, times in limits):
        return False
    token = links.issue(db, account, Purpose.CONFIRM, address, life=settings.mail_token_confirm, now=now)
    account.mail_pending = address
    queue_mail(
        db,
        settings,
        "confirm_address_guardian" if addressee.is_guardian_of_owner else "confirm_address",
        address,
        first_name=addressee.first_name,
        link=f"{settings.base_url}/activation/mail/{token}",
        life=hours(settings.mail_token_confirm),
    )
    if account.mail and account.mail_confirmed_at and account.mail != address:
        queue_mail(db, settings, "address_will_change", account.mail)
    audit.record(db, "account.mail_asked", actor=f"account:{account.id}", account_id=account.id)
    return True


def is_valid(db: Session, token: str, *, now: datetime) -> bool:
    """Whether the link would work now. Changes nothing."""
    return links.find(db, token, Purpose.CONFIRM, now=now) is not None


def confirm(db: Session, token: str, *, now: datetime) -> Account | None:
    """Use the link: the pending address becomes the account's, and a guardian's last step is done. None when it does not work.

    Two parallel uses: one succeeds.
    """
    link = links.use(db, token, Purpose.CONFIRM, now=now)
    if link is None:
        return None
    account = db.get_one(Account, link.account_id)
    account.mail, account.mail_confirmed_at = link.address, now
    if account.mail_pending == link.address:
        account.mail_pending = None
    links.void(db, account, now=now, purpose=Purpose.RESET)  # sent to an address that is no longer the account's
    audit.record(db, "account.mail_confirmed", actor=f"account:{account.id}", account_id=account.id)
    lifecycle.complete_guardian(db, account, now=now)
    return account
