"""Who this browser's session says is there, with the account behind it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ..accounts.activation import pending_step
from ..accounts.models import Account, State
from .models import BrowserSession
from .next_step import SignedIn
from .sessions import PreauSession

GONE = frozenset((State.MERGED, State.CLOSED, State.PURGED))


@dataclass(frozen=True, slots=True)
class Present:
    """A signed-in person: the account, the session, and what the next step depends on."""

    account: Account
    session: BrowserSession
    facts: SignedIn


def present(db: Session, session: PreauSession) -> Present | None:
    """The person of this session; None when nobody is signed in or the account is gone from the database."""
    if session.account_id is None or session.row is None or session.row.authn_instant is None:
        return None
    account = db.get(Account, session.account_id)
    if account is None:
        return None
    facts = SignedIn(
        profile=account.kind.value,
        authn_instant=session.row.authn_instant,
        suspended=account.suspended,
        closed=account.state in GONE,
        unfinished=pending_step(account, session),
    )
    return Present(account, session.row, facts)
