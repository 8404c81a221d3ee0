"""What the pages of an activation carry out, one function for each answer that a person gives."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from backends import Directory, Guardian, NotFound, Person, Ref, Student, first_enrolment
from backends.names import mail_key

from .. import audit
from ..instance import Instance
from ..login.sessions import end_sessions_of
from ..messaging.service import queue_mail
from ..ops.logs import get_logger
from ..settings import Settings
from . import attachments, lifecycle, mail_address, throttle
from .activation import children_done, facts_of
from .attachments import Answer
from .continuity import current
from .lifecycle import Event
from .mail_address import Addressee
from .messages import message, minutes, tries_left
from .models import Account, AccountKind, Attachment, AttachmentState, State
from .notices import PARIS
from .passwords import Owner, problems
from .pupil import students_of
from .service import passwords_of
from .throttle import Blocked, Limit

log = get_logger("accounts")

TRIES = "birth_date_tries"
"""Key of the browser session: wrong dates given for each attachment."""

GUESSED_ADDRESSES = Limit(lock_after=5, lock=timedelta(hours=1))
"""Addresses that a pupil may give which are no guardian's."""


@dataclass(frozen=True, slots=True)
class ChildAnswer:
    """What a guardian answered for one child: a date, the box « not mine », or nothing."""

    attachment_id: str
    birth_date: date | None = None
    refused: bool = False


def password_problems(db: Session, instance: Instance, account: Account, password: str, confirmation: str) -> list[str]:
    """Why the chosen password is refused, as the sentences of M32; empty when it is accepted.

    Tells whether it is the present password of an active account: ask only once that one was given (:func:`check_password`).
    """
    if _is_present_password(instance, account, password):
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


def choose_password(db: Session, instance: Instance, account: Account, password: str, *, now: datetime) -> None:
    """Keep the accepted password.

    A provisional secret is void from here on (4.4, AC-21). On an active account every session ends and the owner is told.
    """
    account.password_hash = passwords_of(instance.settings).hash(password)
    account.must_change_password = False
    lifecycle.void_secrets(db, account, now=now)
    audit.record(db, "account.password_chosen", actor=f"account:{account.id}", account_id=account.id)
    if account.state is State.ACTIVE:
        end_sessions_of(db, account.id)
        if account.mail and account.mail_confirmed_at:
            day = now.astimezone(PARIS).strftime("%d/%m/%Y")
            queue_mail(db, instance.settings, "password_changed", account.mail, day=day)


def give_birth_date(db: Session, instance: Instance, account: Account, given: date, *, now: datetime) -> str | None:
    """The pupil's birth date (U-13): the last step of the activation. None when the account is now active, else the message.

    Commits the count of the try before it judges, so that parallel tries count.
    """
    settings = instance.settings
    limit = Limit(settings.birthdate_attempts, settings.birthdate_pause)
    students = students_of(account, instance.directory)
    key = throttle.throttle_key(instance.derive("throttle"), "birth-date", account.id)
    counted = throttle.take(db, key, limit, now=now)
    db.commit()
    if isinstance(counted, Blocked):
        return message("M13", wait=minutes(counted.until - now))
    today = throttle.throttle_key(instance.derive("throttle"), "birth-date-day", account.id)
    counted_today = throttle.take(db, today, Limit(settings.birthdate_attempts_day, timedelta(days=1)), now=now)
    db.commit()
    if isinstance(counted_today, Blocked):
        return message("M13-day")
    if not any(student.birth_date == given for student in students):
        audit.record(db, "account.wrong_birth_date", actor=f"account:{account.id}", account_id=account.id)
        left = settings.birthdate_attempts - counted
        log.info("birth_date.wrong", account=account.id, left=left)
        return f"{message('M04b')} {tries_left(left)}" if left > 0 else message("M13", wait=minutes(settings.birthdate_pause))
    throttle.clear(db, key)
    throttle.clear(db, today)
    lifecycle.apply(db, account, Event.COMPLETE, actor=f"account:{account.id}", now=now)
    return None


def answer_children(
    db: Session, instance: Instance, account: Account, answers: list[ChildAnswer], session: MutableMapping[str, Any], *, now: datetime
) -> dict[str, str]:
    """Confirm or refuse the proposed children. Returns the message to show beside each child whose date was wrong.

    Only children proposed to this very account are looked at, whatever the form says (AC-22, AC-24).
    """
    mine = {a.id: a for a in account.attachments if a.state is AttachmentState.PROPOSED}
    tries: dict[str, int] = dict(session.get(TRIES, {}))
    wrong: list[Attachment] = []
    for answer in answers:
        attachment = mine.get(answer.attachment_id)
        if attachment is None:
            continue
        if answer.refused:
            attachments.refuse(db, attachment, now=now)
        elif answer.birth_date is not None:
            outcome = attachments.confirm(
                db,
                attachment,
                answer.birth_date,
                directory=instance.directory,
                settings=instance.settings,
                tries_before=tries.get(attachment.id, 0),
                now=now,
            )
            if outcome is not Answer.RIGHT:
                tries[attachment.id] = tries.get(attachment.id, 0) + 1
                wrong.append(attachment)
    if tries:
        session[TRIES] = tries
    lifecycle.complete_guardian(db, account, now=now)
    enough = account.state is State.ACTIVE or children_done(facts_of(account, session, instance.settings.birthdate_policy))
    left = {attachment.id: _tries_left(attachment, tries[attachment.id], instance.settings) for attachment in wrong}
    for id_, n in left.items():
        log.info("birth_date.wrong", account=account.id, attachment=id_, left=n)
    return {id_: _wrong_date(n, enough=enough) for id_, n in left.items()}


def _tries_left(attachment: Attachment, tries: int, settings: Settings) -> int:
    """Dates that may still be given for this child: in this session and today, whichever is less."""
    if attachment.state is not AttachmentState.PROPOSED:
        return 0
    return min(settings.birthdate_attempts - tries, settings.birthdate_attempts_day - attachment.attempts)


def _wrong_date(left: int, *, enough: bool) -> str:
    """M04, with what the guardian can still do."""
    parts = (message("M04"), tries_left(left) if left else "", message("M04-enough") if enough else "")
    return " ".join(part for part in parts if part)


def mail_problem(db: Session, instance: Instance, account: Account, typed: str, *, now: datetime) -> str | None:
    """Why an address cannot be the account's, None when it can.

    A pupil who tries one address after the other to learn a guardian's is stopped (AC-43).
    """
    address = mail_address.valid_address(typed)
    if address is None:
        return "Cette adresse mail n'est pas complète. Exemple : camille@exemple.fr"
    if not needs_guardian_address(account, instance, now=now):
        return None
    key = throttle.throttle_key(instance.derive("throttle"), "guardian-mail", account.id)
    counted = throttle.take(db, key, GUESSED_ADDRESSES, now=now)
    if isinstance(counted, Blocked):
        return message("M13", wait=minutes(counted.until - now))
    if not is_known_for_a_guardian(account, instance.directory, address):
        return "L'école ne connaît pas cette adresse pour un de vos responsables. Vous pouvez aussi ne rien donner."
    throttle.clear(db, key)
    return None


def ask_mail(db: Session, instance: Instance, account: Account, typed: str, *, now: datetime) -> str | None:
    """Send the confirmation link to an address without problem. None when it is on its way, else the message to show."""
    addressee = Addressee(first_name(account, instance.directory), needs_guardian_address(account, instance, now=now))
    address = mail_address.valid_address(typed) or ""
    if mail_address.ask(db, instance.settings, account, address, addressee, now=now):
        return None
    return "Nous avons déjà envoyé plusieurs mails. Attendez une heure avant d'en demander un autre."


def needs_guardian_address(account: Account, instance: Instance, *, now: datetime) -> bool:
    """Whether the address must be one of a guardian of this pupil (M29, O11)."""
    return account.kind is AccountKind.STUDENT and is_minor(account, instance, now=now)


def is_minor(account: Account, instance: Instance, *, now: datetime) -> bool:
    """Whether a pupil is under the digital majority (M29). Without a birth date: yes."""
    students = students_of(account, instance.directory)
    dates = [student.birth_date for student in students if student.birth_date]
    return not dates or age(max(dates), now.astimezone(PARIS).date()) < instance.settings.digital_majority


def age(born: date, today: date) -> int:
    """Age in whole years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def is_known_for_a_guardian(account: Account, directory: Directory, address: str) -> bool:
    """Whether the directory knows that address for somebody who answers for this pupil today."""
    students = students_of(account, directory)
    refs = {tie.guardian for student in students for tie in directory.guardians_of(student.ref)}
    known = {mail_key(person.mail) for ref in refs if (person := current(ref, directory)) is not None and person.mail}
    return mail_key(address) in known


def people_of(account: Account, directory: Directory) -> list[Person]:
    """The current directory records behind an account."""
    if account.kind is AccountKind.STUDENT:
        return list(students_of(account, directory))
    found = (current(Ref.parse(record.ref), directory) for record in account.records)
    return [person for person in found if isinstance(person, Guardian)]


def first_name(account: Account, directory: Directory) -> str:
    """How a mail greets the owner; empty when the directory no longer knows the person."""
    people = people_of(account, directory)
    return people[0].given_name if people else ""


def owner_of(account: Account, directory: Directory) -> Owner:
    """What must not be used as the password of this account."""
    people = people_of(account, directory)
    students = [person for person in people if isinstance(person, Student)]
    names = {name for person in people for name in (person.family_name, person.given_name, person.birth_name) if name}
    return Owner(
        kind=account.kind,
        identifier=account.identifier or "",
        names=tuple(sorted(names)),
        birth_dates=tuple(student.birth_date for student in students if student.birth_date),
        schools=tuple(_school_names(students, directory)),
    )


def _school_names(students: list[Student], directory: Directory) -> list[str]:
    found = []
    for student in students:
        enrolment = first_enrolment(student)
        if enrolment:
            try:
                found.append(directory.school(enrolment.uai).name)
            except NotFound:
                continue
    return found
