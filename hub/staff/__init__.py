"""Agents: who they are, what they may do and for which school, how they sign in."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the sign-in pages, and refuse every page of the staff areas that does not say who may open it."""
    from . import security, views  # noqa: F401 - importing them fills the blueprint
    from .blueprint import pages
    from .gate import init_gate

    app.register_blueprint(pages)
    init_gate(app)
