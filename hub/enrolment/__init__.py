"""Self-enrolment of a guardian: who are you, and the code that proves it (functional.md 4.2). The activation takes over then."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages."""
    from .views import pages

    app.register_blueprint(pages)
