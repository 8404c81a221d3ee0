"""Beginning the session of somebody who has just proved who he or she is."""

from __future__ import annotations

from datetime import UTC, datetime

from ..saml import names
from ..signon import service as signons
from ..web.current import browser_session, current_instance, sessions


def welcome(account_id: str, signon_id: str | None, *, authn_context: str = names.AC_PASSWORD_PROTECTED_TRANSPORT) -> None:
    """Give this browser a session of the account under a new token; the sign-on that waits comes along."""
    current = browser_session()
    before = current.row.session_index if current.row else None
    row = sessions().rotate(current, account_id, authn_instant=datetime.now(UTC), authn_context=authn_context, keep=("signons",))
    if signon_id and before:
        with current_instance().database.transaction() as db:
            signons.hand_over(db, signon_id, before=before, after=row.session_index)
