"""The captured mailbox of demonstrations: what would have been sent."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select

from .models import OutgoingMail, OutgoingSms
from .service import NOBODY

pages = Blueprint("mailbox", __name__)

SHOWN = 50


@pages.get("/demo/mailbox")
def mailbox() -> ResponseReturnValue:
    """The last SMS and mails, the newest first."""
    with current_app.extensions["preau"].database.session() as db:
        mails = db.scalars(select(OutgoingMail).where(OutgoingMail.to != NOBODY).order_by(*_newest(OutgoingMail)).limit(SHOWN)).all()
        texts = db.scalars(select(OutgoingSms).where(OutgoingSms.to != NOBODY).order_by(*_newest(OutgoingSms)).limit(SHOWN)).all()
    return render_template("demo/mailbox.html", mails=mails, texts=texts)


def _newest(table: type[OutgoingMail | OutgoingSms]) -> tuple[ColumnElement[Any], ...]:
    return table.created_at.desc(), table.id.asc()
