"""Préau, a SAML 2.0 federation hub for schools. ``create_app`` wires the parts together; every decision is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """The web application of one instance. Raises ConfigurationError when it may not start."""
    from .web.app import build

    return build(settings)
