"""Pages for pupils and guardians outside of a sign-on."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages."""
    from .views import pages

    app.register_blueprint(pages)
