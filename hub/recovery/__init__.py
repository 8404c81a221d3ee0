"""Recovery of a forgotten identifier or password (functional.md 4.6)."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages."""
    from .views import pages

    app.register_blueprint(pages)
