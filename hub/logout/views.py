"""Signing out of the hub."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from .. import audit
from ..web.current import browser_session, current_instance, sessions
from .service import end_by_token

pages = Blueprint("logout", __name__)


@pages.get("/logout")
def confirm() -> ResponseReturnValue:
    """With the logout token of a living session: end that session, cookie or not (security.md, decision 7).

    Otherwise nothing happens but a page with one button, so that a stranger's image cannot sign anybody out; without a
    button when nobody is signed in.
    """
    token = request.args.get("token", "")
    ended = end_by_token(current_instance().database, token) if token.isprintable() and token else None
    mine = browser_session()
    if ended is None:
        return _nobody() if mine.account_id is None else render_template("logout/confirm.html", form=FlaskForm())
    if mine.row is not None and mine.row.token_hash == ended:
        sessions().end(mine)
    return render_template("logout/done.html")


@pages.post("/logout")
def leave() -> ResponseReturnValue:
    """End this browser's session."""
    current = browser_session()
    if current.account_id is None:
        return _nobody()
    with current_instance().database.transaction() as db:
        audit.record(db, "session.ended", actor=f"account:{current.account_id}", account_id=current.account_id)
    sessions().end(current)
    return render_template("logout/done.html")


def _nobody() -> ResponseReturnValue:
    return render_template("logout/nobody.html")
