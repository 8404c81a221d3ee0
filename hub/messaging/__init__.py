"""Mails: an outbox in the database, sent by the worker."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Show the captured mails, where only this machine reaches the hub."""
    from ..instance import Instance
    from .views import pages

    instance: Instance = app.extensions["preau"]
    if instance.settings.shows_mailbox:
        app.register_blueprint(pages)
