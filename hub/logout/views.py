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

    Otherwise nothing happens but a page with one button, so that a stranger's image cannot sign anybody out.
    """
    token = request.args.get("token", "")
    ended = end_by_token(current_instance().database, token) if token.isprintable() and token else None
    if ended is None:
        return render_template("logout/confirm.html", form=FlaskForm())
    mine = browser_session().row
    if mine is not None and mine.token_hash == ended:
        sessions().end(browser_session())
    return render_template("logout/done.html")


@pages.post("/logout")
def leave() -> ResponseReturnValue:
    """End this browser's session."""
    current = browser_session()
    if current.account_id is not None:
        with current_instance().database.transaction() as db:
            audit.record(db, "session.ended", actor=f"account:{current.account_id}", account_id=current.account_id)
    sessions().end(browser_session())
    return render_template("logout/done.html")
