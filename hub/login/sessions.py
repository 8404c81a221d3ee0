"""The browser session: a random token in the cookie, everything else in the database.

A session row is written only when there is something to keep. Its token changes at every sign-in (RQ-74, AC-28), so a
token that somebody planted before is worth nothing after.
"""

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session as DbSession

from ..accounts.models import Account
from ..accounts.snapshot import COLUMNS, AccountSnapshot, snapshot
from ..db import Database
from ..settings import Settings
from ..web.kept_sessions import TOUCH_EVERY, KeptSession, KeptSessions, token_hash
from .models import BrowserSession


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session row at one moment."""

    token_hash: str
    session_index: str
    logout_token: str
    last_seen_at: datetime
    expires_at: datetime
    authn_instant: datetime | None
    authn_context: str | None
    data: dict[str, Any]
    account_id: str | None


_SESSION_COLUMNS = (
    BrowserSession.token_hash,
    BrowserSession.session_index,
    BrowserSession.logout_token,
    BrowserSession.last_seen_at,
    BrowserSession.expires_at,
    BrowserSession.authn_instant,
    BrowserSession.authn_context,
    BrowserSession.data,
    BrowserSession.account_id,
)
_OPEN = (
    select(*_SESSION_COLUMNS, *COLUMNS)
    .select_from(BrowserSession)
    .outerjoin(Account, Account.id == BrowserSession.account_id)
    .where(BrowserSession.token_hash == bindparam("token_hash"))
)
"""Session and account in one statement, made once: the read that every request of a signed-in person begins with."""


class PreauSession(KeptSession):
    """The session of a family's browser, over one row (or none yet)."""

    def __init__(self, row: StoredSession | None, account: AccountSnapshot | None = None) -> None:
        super().__init__(row.data if row else {}, new=row is None)
        self.row = row
        self.account = account
        """The signed-in account as it was when this request began."""

    @property
    def account_id(self) -> str | None:
        """Who is signed in, None for nobody."""
        return self.row.account_id if self.row and not self.ended else None


class ServerSessions(KeptSessions[PreauSession]):
    """Keeps sessions in the hub's database, so that every worker sees and ends the same ones."""

    kind = PreauSession

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__("preau", database, settings)

    def nobody(self) -> PreauSession:
        return PreauSession(None)

    def find(self, token: str, now: datetime) -> PreauSession:
        with self._database.session() as db:
            found = db.connection().execute(_OPEN, {"token_hash": token_hash(token)}).first()
            if found is None:
                return self.nobody()
            row = StoredSession(*found[: len(_SESSION_COLUMNS)])
            mine = BrowserSession.token_hash == row.token_hash
            # Nobody has signed in there yet: what waits is a sign-on, and it may take its whole time (RQ-76).
            idle = self._settings.session_idle if row.account_id else max(self._settings.session_idle, self._settings.signon_lifetime)
            if row.expires_at <= now or row.last_seen_at + idle <= now:
                db.execute(delete(BrowserSession).where(mine))
                db.commit()
                return self.nobody()
            account = snapshot(db, found[len(_SESSION_COLUMNS) :]) if row.account_id else None
            if row.last_seen_at + TOUCH_EVERY <= now:
                db.execute(update(BrowserSession).where(mine).values(last_seen_at=now))
                db.commit()
            return PreauSession(row, account)

    def write(self, session: PreauSession) -> None:
        with self._database.transaction() as db:
            if session.row is None:
                self._create(db, session)
            else:
                db.execute(update(BrowserSession).where(BrowserSession.token_hash == session.row.token_hash).values(data=session.data))

    def ensure_row(self, session: PreauSession) -> StoredSession:
        """The row of this browser, created now if it has none."""
        if session.row is None:
            with self._database.transaction() as db:
                self._create(db, session)
        assert session.row is not None
        return session.row

    def rotate(
        self, session: PreauSession, account_id: str, *, authn_instant: datetime, authn_context: str, keep: tuple[str, ...] = ()
    ) -> StoredSession:
        """Begin an authenticated session under a new token; the old row and token are gone.

        Of an anonymous session, or of the same person's, the keys in ``keep`` survive, and so do ``session_index``, to which
        pending sign-ons are bound, and the logout token that services hold. Of another person's nothing does (RQ-54).
        """
        old = session.row
        same_person = old is not None and old.account_id in (None, account_id)
        session._data = {key: value for key, value in session.data.items() if key in keep} if same_person else {}
        session.account = None
        with self._database.transaction() as db:
            if old is not None:
                gone = delete(BrowserSession).where(BrowserSession.token_hash == old.token_hash).returning(BrowserSession.token_hash)
                # A form sent twice: the first one has taken the session with its names along.
                same_person = same_person and db.execute(gone).first() is not None
            return self._create(
                db,
                session,
                account_id=account_id,
                session_index=old.session_index if old and same_person else None,
                logout_token=old.logout_token if old and same_person else None,
                authn_instant=authn_instant,
                authn_context=authn_context,
            )

    def end(self, session: PreauSession) -> None:
        """End this browser's session."""
        if session.row is not None:
            with self._database.transaction() as db:
                db.execute(delete(BrowserSession).where(BrowserSession.token_hash == session.row.token_hash))
        session.ended = True
        session._data = {}

    def _create(
        self,
        db: DbSession,
        session: PreauSession,
        *,
        account_id: str | None = None,
        session_index: str | None = None,
        logout_token: str | None = None,
        authn_instant: datetime | None = None,
        authn_context: str | None = None,
    ) -> StoredSession:
        now = datetime.now(UTC)
        token = secrets.token_urlsafe(32)
        row = StoredSession(
            token_hash=token_hash(token),
            session_index=session_index or "_" + secrets.token_hex(20),
            logout_token=logout_token or secrets.token_urlsafe(32),
            last_seen_at=now,
            expires_at=now + self._settings.session_absolute,
            authn_instant=authn_instant,
            authn_context=authn_context,
            data=session.data,
            account_id=account_id,
        )
        db.execute(insert(BrowserSession).values(created_at=now, **dataclasses.asdict(row)))
        session.row, session.new_token = row, token
        return row


def end_sessions_of(db: DbSession, account_id: str) -> int:
    """End every session of an account, in the caller's transaction. Returns how many there were."""
    ended = db.scalars(delete(BrowserSession).where(BrowserSession.account_id == account_id).returning(BrowserSession.token_hash))
    return len(ended.all())


def end_every_session(db: DbSession) -> int:
    """End the session of everybody who is signed in, in the caller's transaction. Returns how many there were."""
    ended = db.scalars(delete(BrowserSession).where(BrowserSession.account_id.is_not(None)).returning(BrowserSession.token_hash))
    return len(ended.all())
