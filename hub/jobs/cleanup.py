"""What is over is erased, each hour (functional.md 4.10)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from .. import throttle
from ..accounts import lifecycle
from ..accounts.lifecycle import Event, ImpossibleTransition
from ..accounts.models import Account, MailToken, Notice, State
from ..audit import SignOnRecord
from ..codes.models import OneTimeCode
from ..db import Database
from ..errors import Refusal
from ..login.models import BrowserSession
from ..logout.models import PendingLogout, SessionParticipant
from ..messaging import jobs as outbox
from ..settings import Settings
from ..signon.models import PendingSignOn, SeenRequest
from ..staff.models import Invitation, StaffSession

KEEP_MAILS = timedelta(days=30)
KEEP_TOKENS = timedelta(days=2)
"""A used or expired link is remembered that long, to count how many were asked in a day."""
KEEP_CODES = timedelta(hours=1)
"""How long who comes late is told that the code is too old (M02)."""
KEEP_EXPIRED_SECRETS = timedelta(days=90)
"""How long the owner of an expired provisional password is told that it expired (M12) rather than that it is wrong."""


def clean_up(database: Database, settings: Settings, *, now: datetime) -> dict[str, int]:
    """Erase what is over. Returns how many rows of each kind were concerned."""
    counts = {"notices": expire_notices(database, now=now)}
    with database.transaction() as db:
        counts["sessions"] = _erase(db, BrowserSession, BrowserSession.expires_at <= now)
        counts["staff_sessions"] = _erase(db, StaffSession, StaffSession.expires_at <= now)
        counts["invitations"] = _erase(db, Invitation, Invitation.expires_at <= now)
        counts["sign_ons"] = _erase(db, PendingSignOn, PendingSignOn.expires_at <= now)
        counts["participants"] = _erase(db, SessionParticipant, SessionParticipant.expires_at <= now)
        counts["logouts"] = _erase(db, PendingLogout, PendingLogout.expires_at <= now)
        counts["seen_requests"] = _erase(db, SeenRequest, SeenRequest.expires_at <= now)
        counts["mail_tokens"] = _erase(db, MailToken, MailToken.expires_at <= now - KEEP_TOKENS)
        counts["codes"] = _erase(db, OneTimeCode, OneTimeCode.expires_at <= now - KEEP_CODES)
        counts["throttles"] = throttle.purge(db, now=now)
        counts["mails"] = outbox.purge(db, before=now - KEEP_MAILS)
        counts["sign_on_records"] = _erase(db, SignOnRecord, SignOnRecord.at <= now - settings.retention_auth_log)
        counts["secrets"] = _forget_expired_secrets(db, now=now)
    return counts


def expire_notices(database: Database, *, now: datetime) -> int:
    """Let the notices that are over expire, one transaction for each account. Returns how many."""
    living = select(Notice.account_id).where(Notice.account_id == Account.id, Notice.expires_at > now)
    by_notice = and_(Account.activation_ends_at.is_(None), ~living.exists())
    over = select(Account.id).where(
        Account.state.in_((State.INFORMED, State.ACTIVATING)), or_(by_notice, Account.activation_ends_at <= now)
    )
    with database.session() as db:
        ids = db.scalars(over).all()
    return sum(_expire(database, id_, now=now) for id_ in ids)


def _expire(database: Database, account_id: str, *, now: datetime) -> bool:
    try:
        with database.transaction() as db:
            account = db.get_one(Account, account_id)
            event = Event.EXPIRE if account.state is State.INFORMED else Event.ABANDON
            lifecycle.apply(db, account, event, actor="system", now=now)
    except (ImpossibleTransition, Refusal):
        return False  # the person or the school did something in the meantime
    return True


def _forget_expired_secrets(db: Session, *, now: datetime) -> int:
    old = select(Notice).where(Notice.secret_hash.is_not(None), Notice.expires_at <= now - KEEP_EXPIRED_SECRETS)
    notices = db.scalars(old).all()
    for notice in notices:
        notice.secret_hash = None
    return len(notices)


def _erase(db: Session, table: type, condition: object) -> int:
    return int(db.execute(delete(table).where(condition)).rowcount)  # type: ignore[arg-type, attr-defined]
