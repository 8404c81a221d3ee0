"""Accounts: credentials, notices, attachments, activation and the one state machine of their life."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages of the activation."""
    from .views import pages

    app.register_blueprint(pages)
