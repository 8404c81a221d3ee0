"""The pages of the desk, one module for each part; importing a module registers its pages."""

from __future__ import annotations

from flask import Blueprint

pages = Blueprint("school", __name__, url_prefix="/school")

from . import choice, dashboard, journal  # noqa: E402, F401 - each adds its pages to the blueprint
