"""What every page shares: security headers, error pages, static files, templates."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Wire what every page shares."""
    from flask_wtf.csrf import CSRFProtect

    from . import errors, headers, static
    from .current import waiting

    static.init_app(app)
    headers.init_app(app)
    errors.init_app(app)
    app.context_processor(lambda: {"waiting": waiting()})
    csrf = CSRFProtect(app)
    app.extensions["csrf"] = csrf
