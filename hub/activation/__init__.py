"""Activation: the pages from the first proof of who somebody is to an account that may be used."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the pages of the activation."""
    from .views import pages

    app.register_blueprint(pages)
