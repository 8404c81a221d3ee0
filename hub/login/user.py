"""The signed-in account as Flask-Login's ``current_user``."""

from __future__ import annotations

from flask_login import UserMixin

from ..accounts.models import Account


class CurrentAccount(UserMixin):
    """Read-only view of the account of this session."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.id = account.id
