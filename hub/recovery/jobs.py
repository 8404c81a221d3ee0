"""Answering the questions of people who forgot something."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backends import Directory, DirectoryError

from .. import audit
from ..accounts import links
from ..accounts.links import Purpose
from ..accounts.messages import hours
from ..accounts.models import Account, AccountKind, AttachmentState
from ..accounts.people import first_name
from ..accounts.pupil import students_of
from ..accounts.service import by_identifier
from ..instance import Instance
from ..messaging.service import queue_mail, queue_sms
from ..ops.logs import get_logger
from . import service
from .models import RecoveryKind, RecoveryRequest

log = get_logger("recovery")

BATCH = 100


def answer_due(instance: Instance, *, now: datetime | None = None) -> int:
    """Answer the questions that wait, each in a transaction of its own. Returns how many. Safe on several workers at once.

    A question whose directory does not answer stays for the next minute; one that is too old to help goes.
    """
    now = now or datetime.now(UTC)
    with instance.database.session() as db:
        ids = db.scalars(select(RecoveryRequest.id).order_by(RecoveryRequest.created_at).limit(BATCH)).all()
    return sum(_answer(instance, id_, now) for id_ in ids)


def _answer(instance: Instance, id_: str, now: datetime) -> bool:
    try:
        with instance.database.transaction() as db:
            taken = db.execute(delete(RecoveryRequest).where(RecoveryRequest.id == id_).returning(RecoveryRequest)).scalar()
            if taken is None:
                return False
            if taken.created_at + instance.settings.mail_token_reset > now:
                _ANSWERS[taken.kind](db, instance, taken, now)
    except DirectoryError as exc:
        log.warning("recovery.postponed", error=type(exc).__name__)
        return False
    return True


def _identifier_by_mail(db: Session, instance: Instance, question: RecoveryRequest, now: datetime) -> None:
    """R1: the identifiers of one family, or none when the address serves several."""
    accounts = service.by_mail(db, question.target)
    if not accounts:
        return
    if is_one_family(accounts, instance.directory):
        identifiers = [(first_name(account, instance.directory), account.identifier) for account in accounts]
        queue_mail(db, instance.settings, "identifier", question.target, identifiers=identifiers)
    else:
        queue_mail(db, instance.settings, "identifier_school", question.target)
    for account in accounts:
        audit.record(db, "account.identifier_asked", actor="system", account_id=account.id, channel="mail")


def _identifier_by_sms(db: Session, instance: Instance, question: RecoveryRequest, _now: datetime) -> None:
    """R2: one guardian, one identifier; a number that two accounts have proved tells nothing."""
    accounts = service.by_mobile(db, instance, question.target)
    if len(accounts) == 1:
        queue_sms(db, instance.settings, "identifier", question.target, identifier=accounts[0].identifier)
        audit.record(db, "account.identifier_asked", actor="system", account_id=accounts[0].id, channel="sms")


def _password_by_mail(db: Session, instance: Instance, question: RecoveryRequest, now: datetime) -> None:
    """R3: the link, when identifier and proved address belong together. It lives from now on; links sent before are void."""
    settings = instance.settings
    account = by_identifier(db, question.identifier)
    if account is None or not service.may_get_link(account, question.target):
        return
    token = links.issue(db, account, Purpose.RESET, question.target, life=settings.mail_token_reset, now=now)
    queue_mail(
        db,
        settings,
        "reset_password",
        account.mail or "",
        link=f"{settings.base_url}/recovery/password/{token}",
        life=hours(settings.mail_token_reset),
        useful_until=now + settings.mail_token_reset,
    )
    audit.record(db, "account.reset_asked", actor="system", account_id=account.id, channel="mail")


_ANSWERS = {
    RecoveryKind.IDENTIFIER_BY_MAIL: _identifier_by_mail,
    RecoveryKind.IDENTIFIER_BY_SMS: _identifier_by_sms,
    RecoveryKind.PASSWORD_BY_MAIL: _password_by_mail,
}


def is_one_family(accounts: list[Account], directory: Directory) -> bool:
    """Whether one address may name all these accounts: one person's, or a guardian's with the children that he or she has proved,
    or brothers and sisters who have a guardian in common (functional.md 4.6, R1). Raises the directory's Unavailable."""
    guardians = [account for account in accounts if account.kind is AccountKind.GUARDIAN]
    pupils = [account for account in accounts if account.kind is AccountKind.STUDENT]
    if len(accounts) == 1:
        return True
    if len(guardians) > 1:
        return False
    if guardians:
        proved = {a.ine for a in guardians[0].attachments if a.state is AttachmentState.CONFIRMED}
        return all(pupil.ine in proved for pupil in pupils)
    of_each = [
        {tie.guardian for student in students_of(pupil, directory) for tie in directory.guardians_of(student.ref)} for pupil in pupils
    ]
    return bool(set.intersection(*of_each))
