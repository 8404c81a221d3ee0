"""Running the hub: logs, health."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the health addresses."""
    from .views import pages

    app.register_blueprint(pages)
