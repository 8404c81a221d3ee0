"""U-05 and U-06: who are you, and the code. Nobody is signed in before the code came back."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from .. import codes
from ..accounts.lifecycle import ImpossibleTransition
from ..accounts.messages import message, too_early
from ..activation.next_step import path_length
from ..codes import Channel, Judged
from ..codes.views import awaited, code_page, typed_target
from ..login.views import go_on
from ..login.welcome import welcome
from ..throttle import Blocked
from ..web.current import browser_session, current_instance, sessions, visitor
from ..web.errors import REFUSED
from . import service
from .forms import IdentityForm, MailForm, MobileForm
from .service import PURPOSE, Claim, Stopped, Unknown

pages = Blueprint("enrolment", __name__, url_prefix="/activation")

TYPED = "enrolment_typed"
"""Key of the browser session: the names, for who goes back."""

_FORMS: dict[Channel, type[IdentityForm]] = {Channel.SMS: MobileForm, Channel.MAIL: MailForm}


@pages.get("/start")
def start() -> ResponseReturnValue:
    """To the first way that is open."""
    open_ = current_instance().settings.enrolment_channels
    return redirect(_identity_url(Channel(open_[0])) if open_ else url_for("portal.help"), 303)


@pages.route("/start/<any(sms, mail):channel>", methods=("GET", "POST"))
def identity(channel: str) -> ResponseReturnValue:
    """U-05: names and the number or address that the school knows."""
    chosen, open_ = Channel(channel), current_instance().settings.enrolment_channels
    if chosen not in open_ or browser_session().account_id is not None:
        return redirect(url_for("signon.resume" if chosen in open_ else ".start", s=request.args.get("s")), 303)
    form, problem = _FORMS[chosen](data=session.get(TYPED)), None
    if form.validate_on_submit():
        problem = _ask(chosen, form)
        if problem is None and not form.errors:
            return redirect(url_for(".code", s=request.args.get("s")), 303)
    page = render_template(
        "enrolment/identity.html",
        form=form,
        channel=chosen.value,
        problem=problem,
        total=path_length(),
        others=[(way, _identity_url(Channel(way))) for way in open_],
        back_url=url_for("login.password", profile="guardian", s=request.args.get("s")),
    )
    return page, REFUSED if problem or form.errors else 200


@pages.route("/code", methods=("GET", "POST"))
def code() -> ResponseReturnValue:
    """U-06: the code, or a new one."""
    instance = current_instance()
    with instance.database.session() as db:
        row = awaited(db, PURPOSE)
        if row is None:
            return redirect(url_for(".start", s=request.args.get("s")), 303)
        return code_page(
            db,
            row,
            lambda proof, now: _accepted(db, proof, now),
            back_url=_identity_url(Channel(row.channel)),
            neutral=message("M01c") if instance.settings.activation_neutral_messages else None,
            total=path_length(),
        )


@pages.get("/stopped/<any('M01-doubt', 'M01-again', M24, M25, M31):why>")
def stopped(why: str) -> ResponseReturnValue:
    """The person is known, and cannot enrol: what to do instead."""
    signon_id = request.args.get("s")
    return render_template(
        "enrolment/stopped.html",
        message=message(why),
        has_account=why == "M31",
        identifier_url=url_for("recovery.identifier", profile="guardian", s=signon_id),
        login_url=url_for("login.password", profile="guardian", s=signon_id),
        start_url=url_for(".start", s=signon_id) if why == "M01-again" else None,
    )


def _ask(channel: Channel, form: IdentityForm) -> str | None:
    """Judge the claim and send the code. What is wrong, None when the next page is due (or a field says it)."""
    target = typed_target(form, channel)
    if target is None:
        return None
    session[TYPED] = {"family_name": form.family_name.data, "given_name": form.given_name.data}
    claim = Claim(channel, target, form.family_name.data or "", form.given_name.data or "")
    instance, now = current_instance(), datetime.now(UTC)
    index = sessions().ensure_row(browser_session()).session_index
    with instance.database.session() as db:
        sent = service.begin(db, instance, claim, session_index=index, visitor=visitor(), now=now)
        db.commit()
    match sent:
        case Blocked(until):
            return too_early(until, now=now)
        case Unknown():
            return message(f"M01-{channel.value}")
        case codes.Sent(id_):
            session[PURPOSE] = id_
            return None


def _accepted(db: Session, proof: Judged, now: datetime) -> ResponseReturnValue:
    """The right code: the activation goes on, or the page says why not."""
    try:
        outcome = service.accept(db, current_instance(), proof, now=now)
    except ImpossibleTransition:  # the same person was faster in another window
        db.rollback()
        outcome = Stopped("M01-again")
    db.commit()
    session.pop(PURPOSE, None)
    session.pop(TYPED, None)
    if isinstance(outcome, Stopped):
        return redirect(url_for(".stopped", why=outcome.code, s=request.args.get("s")), 303)
    signon_id = request.args.get("s")
    welcome(outcome.account_id, signon_id)
    return go_on(signon_id)


def _identity_url(channel: Channel) -> str:
    return url_for(".identity", channel=channel.value, s=request.args.get("s"))
