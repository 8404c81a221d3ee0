"""The signed-in account as Flask-Login's ``current_user``."""

from __future__ import annotations

from flask_login import UserMixin


class CurrentAccount(UserMixin):
    """Says that somebody is signed in, and who; pages read the rest from their session."""

    def __init__(self, account_id: str) -> None:
        self.id = account_id
