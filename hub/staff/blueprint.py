"""The blueprint of the pages by which agents sign in and look after their access."""

from __future__ import annotations

from flask import Blueprint

pages = Blueprint("staff", __name__, url_prefix="/staff")
