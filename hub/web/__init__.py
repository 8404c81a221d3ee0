"""What every page shares: security headers, error pages, static files, templates."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Wire what every page shares."""
    from . import csrf, errors, headers, language, static
    from .current import waiting

    app.context_processor(lambda: {"waiting": waiting()})
    language.init_app(app)
    static.init_app(app)
    headers.init_app(app)
    errors.init_app(app)
    csrf.init_app(app)
