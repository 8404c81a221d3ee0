"""Mails: an outbox in the database, sent by the worker."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Show the captured mails, where mails are captured and the profile is not production."""
    from ..instance import Instance
    from .views import pages

    instance: Instance = app.extensions["preau"]
    if instance.settings.captures_mail and instance.settings.profile in ("demo", "development"):
        app.register_blueprint(pages)
