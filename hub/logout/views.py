"""Signing out of the hub."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from .. import audit
from ..instance import Instance
from ..login.sessions import PreauSession, ServerSessions
from .service import end_by_token

pages = Blueprint("logout", __name__)


@pages.get("/logout")
def confirm() -> ResponseReturnValue:
    """With the logout token of a living session: end that session, cookie or not (security.md, decision 7).

    Otherwise nothing happens but a page with one button, so that a stranger's image cannot sign anybody out.
    """
    token = request.args.get("token", "")
    if token and end_by_token(_instance().database, token):
        return _done()
    return render_template("logout/confirm.html", form=FlaskForm())


@pages.post("/logout")
def leave() -> ResponseReturnValue:
    """End this browser's session."""
    current: PreauSession = session._get_current_object()  # type: ignore[attr-defined]
    if current.account_id is not None:
        with _instance().database.transaction() as db:
            audit.record(db, "session.ended", actor=f"account:{current.account_id}", account_id=current.account_id)
    return _done()


def _done() -> ResponseReturnValue:
    current: PreauSession = session._get_current_object()  # type: ignore[attr-defined]
    sessions = current_app.session_interface
    assert isinstance(sessions, ServerSessions)
    sessions.end(current)
    return render_template("logout/done.html", return_url=None)


def _instance() -> Instance:
    instance: Instance = current_app.extensions["preau"]
    return instance
