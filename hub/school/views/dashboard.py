"""Dashboard (A-03)."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from ...staff.gate import desk_page
from ...staff.rights import Right
from ...staff.scope import Desk
from ..blueprint import pages


@pages.get("/<uai>/")
@desk_page(Right.STATISTICS)
def dashboard(desk: Desk) -> ResponseReturnValue:
    """Where the desk begins."""
    return render_template("school/dashboard.html")
