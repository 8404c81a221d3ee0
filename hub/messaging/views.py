"""The captured mailbox of demonstrations: what would have been sent."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from .models import OutgoingMail

pages = Blueprint("mailbox", __name__)

SHOWN = 50


@pages.get("/demo/mailbox")
def mailbox() -> ResponseReturnValue:
    """The last mails, the newest first."""
    with current_app.extensions["preau"].database.session() as db:
        mails = db.scalars(select(OutgoingMail).order_by(OutgoingMail.created_at.desc(), OutgoingMail.id).limit(SHOWN)).all()
    return render_template("demo/mailbox.html", mails=mails)
