"""Who this browser's session says is there, with the account behind it."""

from __future__ import annotations

from dataclasses import dataclass

from ..accounts.snapshot import AccountSnapshot
from ..activation.next_step import pending_step
from .next_step import SignedIn
from .sessions import PreauSession, StoredSession


@dataclass(frozen=True, slots=True)
class Present:
    """A signed-in person: the account, the session, and what the next step depends on."""

    account: AccountSnapshot
    session: StoredSession
    facts: SignedIn


def present(session: PreauSession) -> Present | None:
    """The person of this session; None when nobody is signed in or the account is gone from the database."""
    account, row = session.account, session.row
    if account is None or row is None or row.authn_instant is None or session.ended:
        return None
    facts = SignedIn(
        profile=account.kind.value,
        authn_instant=row.authn_instant,
        suspended=account.suspended,
        closed=account.state.is_final,
        unfinished=pending_step(account, session),
    )
    return Present(account, row, facts)
