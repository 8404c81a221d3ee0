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
    if token and end_by_token(current_instance().database, token):
        return _done()
    if browser_session().account_id is None:
        return render_template("logout/nobody.html")
    return render_template("logout/confirm.html", form=FlaskForm())


@pages.post("/logout")
def leave() -> ResponseReturnValue:
    """End this browser's session."""
    account_id = browser_session().account_id
    if account_id is None:
        return render_template("logout/nobody.html")
    with current_instance().database.transaction() as db:
        audit.record(db, "session.ended", actor=f"account:{account_id}", account_id=account_id)
    return _done()


def _done() -> ResponseReturnValue:
    sessions().end(browser_session())
    return render_template("logout/done.html")
