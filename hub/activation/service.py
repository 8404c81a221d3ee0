"""What the pages of an activation carry out, one function for each answer that a person gives."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from .. import audit, throttle
from ..accounts import attachments, lifecycle
from ..accounts.attachments import Answer
from ..accounts.lifecycle import Event
from ..accounts.messages import message, minutes, too_early, tries_left
from ..accounts.models import Account, Attachment, AttachmentState, State
from ..accounts.pupil import students_of
from ..instance import Instance
from ..ops.logs import get_logger
from ..settings import Settings
from ..throttle import Blocked, Limit
from .next_step import children_done, facts_of

log = get_logger("activation")

TRIES = "birth_date_tries"
"""Key of the browser session: wrong dates given for each attachment."""


@dataclass(frozen=True, slots=True)
class ChildAnswer:
    """What a guardian answered for one child: a date, the box « not mine », or nothing."""

    attachment_id: str
    birth_date: date | None = None
    refused: bool = False


def give_birth_date(db: Session, instance: Instance, account: Account, given: date, *, now: datetime) -> str | None:
    """The pupil's birth date (U-13): the last step of an activation, or of a reset. None when it is right, else the message.

    Commits the count of the try before it judges, so that parallel tries count.
    """
    settings = instance.settings
    limit = Limit(settings.birthdate_attempts, settings.birthdate_pause)
    students = students_of(account, instance.directory)
    key = throttle.key_of(instance, "birth-date", account.id)
    counted = throttle.take(db, key, limit, now=now)
    db.commit()
    if isinstance(counted, Blocked):
        return too_early(counted.until, now=now)
    today = throttle.key_of(instance, "birth-date-day", account.id)
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
    if account.state is State.ACTIVE:
        account.birth_date_due = False
        audit.record(db, "account.birth_date_confirmed", actor=f"account:{account.id}", account_id=account.id)
    else:
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
