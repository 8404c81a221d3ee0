"""The page on which a code is typed, the same for every flow that sends one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from ..accounts.messages import message, minutes, too_early, tries_left
from ..throttle import Blocked
from ..web.current import browser_session, current_instance, visitor
from ..web.errors import REFUSED
from .forms import CodeForm, TargetForm
from .models import OneTimeCode
from .service import Channel, Judged, Wrong, find, issue_again, judge, masked, readable


def typed_target(form: TargetForm, channel: Channel) -> str | None:
    """The number or address in its normal form; None, said at the field, when it is none."""
    target = readable(channel, form.target.data or "")
    if target is None:
        example = _("Exemple : 06 12 34 56 78") if channel is Channel.SMS else _("Exemple : camille@exemple.fr")
        form.target.errors = [_("Vérifiez ce que vous avez écrit."), example]
    return target


def awaited(db: Session, purpose: str) -> OneTimeCode | None:
    """The code that this browser waits for; ``purpose`` is also the key of the browser session that names it."""
    row = browser_session().row
    return find(db, session.get(purpose), purpose=purpose, session_index=row.session_index if row else None)


def code_page(
    db: Session,
    row: OneTimeCode,
    accept: Callable[[Judged, datetime], ResponseReturnValue],
    *,
    back_url: str,
    neutral: str | None = None,
    total: int | None = None,
) -> ResponseReturnValue:
    """Show the page, send a new code, or let ``accept`` go on with the right one.

    ``neutral`` is said when the page must not tell whether a code left, ``total`` is the number of steps of a stepper.
    """
    form, problem, sent = CodeForm(), None, False
    if form.validate_on_submit():
        if "resend" in request.form:
            problem, row = _resend(db, row)
            sent = problem is None
        else:
            now = datetime.now(UTC)
            judged = judge(db, current_instance(), row, form.code.data or "", now=now)
            if isinstance(judged, Judged):
                return accept(judged, now)
            problem = _wrong(judged)
    left = max(row.expires_at - datetime.now(UTC), timedelta())
    page = render_template(
        "codes/code.html",
        form=form,
        resend=FlaskForm(),
        problem=problem,
        sent=sent,
        neutral=neutral,
        channel=row.channel,
        masked=masked(Channel(row.channel), row.target),
        life=minutes(left) if left else None,
        total=total,
        back_url=back_url,
    )
    return page, REFUSED if problem else 200


def _resend(db: Session, row: OneTimeCode) -> tuple[str | None, OneTimeCode]:
    """A new code to the same place; the former one is void."""
    now = datetime.now(UTC)
    sent = issue_again(db, current_instance(), row, visitor=visitor(), now=now)
    db.commit()
    if isinstance(sent, Blocked):
        return too_early(sent.until, now=now), row
    session[row.purpose] = sent.id
    return None, db.get_one(OneTimeCode, sent.id)


def _wrong(wrong: Wrong) -> str:
    """M02 or M03, with the tries that are left."""
    if wrong.too_old:
        return message("M02")
    return f"{message('M03')} {tries_left(wrong.left)}" if wrong.left else message("M03-over")
