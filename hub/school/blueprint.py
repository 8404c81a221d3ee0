"""The blueprint that the pages of the desk add themselves to."""

from __future__ import annotations

from flask import Blueprint

pages = Blueprint("school", __name__, url_prefix="/school")
