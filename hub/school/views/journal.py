"""Journal of the school (A-17)."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from ...staff.gate import desk_page
from ...staff.rights import Right
from ...staff.scope import Desk
from ...web.current import current_instance
from .. import journal as acts
from ..blueprint import pages


@pages.get("/<uai>/journal")
@desk_page(Right.READ_JOURNAL)
def journal(desk: Desk) -> ResponseReturnValue:
    """What was done for the school, the latest first."""
    with current_instance().database.session() as db:
        page = acts.journal(db, desk, before=request.args.get("before", type=int), action=request.args.get("action", "")[:64])
    return render_template("school/journal.html", journal=page)
