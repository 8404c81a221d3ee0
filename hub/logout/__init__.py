"""Signing out: the page with one button, and the address that services open (saml.md section 3)."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the sign-out address."""
    from .views import pages

    app.register_blueprint(pages)
