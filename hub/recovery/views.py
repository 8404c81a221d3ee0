"""U-17 to U-19: identifier forgotten, password forgotten, a new password. The answer is the same whoever asks (AC-02)."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from ..accounts.credentials import password_problems
from ..accounts.messages import message, too_early
from ..accounts.models import AccountKind
from ..accounts.passwords import shortest_password
from ..activation.forms import NewPasswordForm
from ..codes import Channel, Judged
from ..codes.forms import MailTargetForm, MobileTargetForm, TargetForm
from ..codes.views import awaited, code_page, typed_target
from ..instance import Instance
from ..throttle import Blocked
from ..web.current import browser_session, current_instance, remember_browser, sessions, visitor
from ..web.errors import REFUSED, error_page
from . import service
from .forms import PasswordByMailForm, PasswordBySmsForm
from .models import RecoveryKind
from .service import PURPOSE

pages = Blueprint("recovery", __name__, url_prefix="/recovery")


@pages.route("/<any(guardian, student):profile>/identifier", methods=("GET", "POST"))
def identifier(profile: str) -> ResponseReturnValue:
    """U-17: the identifier comes by mail, or by SMS where that is open."""
    by_sms = _by_sms(profile, current_instance().settings.recovery_identifier_by_sms)
    form = MobileTargetForm() if by_sms else MailTargetForm()
    kind = RecoveryKind.IDENTIFIER_BY_SMS if by_sms else RecoveryKind.IDENTIFIER_BY_MAIL
    problem = None
    if form.validate_on_submit():
        problem = _ask(kind, form, by_sms=by_sms)
        if problem is None and not form.errors:
            return _answered(profile, by_sms=by_sms)
    return _form_page("recovery/identifier.html", profile, form, problem, by_sms, current_instance().settings.recovery_identifier_by_sms)


@pages.route("/<any(guardian, student):profile>/password", methods=("GET", "POST"))
def password(profile: str) -> ResponseReturnValue:
    """U-18: identifier and proved address, or number, give a way to a new password."""
    by_sms = _by_sms(profile, current_instance().settings.recovery_password_by_sms)
    form = PasswordBySmsForm() if by_sms else PasswordByMailForm()
    problem = None
    if form.validate_on_submit():
        typed = form.identifier.data or ""
        problem = _ask_code(form, typed) if by_sms else _ask(RecoveryKind.PASSWORD_BY_MAIL, form, by_sms=False, identifier=typed)
        if problem is None and not form.errors:
            return redirect(url_for(".code", s=request.args.get("s")), 303) if by_sms else _answered(profile, by_sms=False)
    return _form_page("recovery/password.html", profile, form, problem, by_sms, current_instance().settings.recovery_password_by_sms)


@pages.route("/code", methods=("GET", "POST"))
def code() -> ResponseReturnValue:
    """R4: the code of the SMS opens the page of the new password."""
    back_url = url_for(".password", profile="guardian", by="sms", s=request.args.get("s"))
    with current_instance().database.session() as db:
        row = awaited(db, PURPOSE)
        if row is None:
            return redirect(back_url, 303)
        return code_page(db, row, lambda proof, now: _accepted(db, proof, now), back_url=back_url, neutral=message("M10-sms"))


@pages.route("/password/<token>", methods=("GET", "POST"))
def new_password(token: str) -> ResponseReturnValue:
    """U-19. Mail scanners open the link too: only the form changes anything (AC-15)."""
    instance, now, form = current_instance(), datetime.now(UTC), NewPasswordForm()
    with instance.database.session() as db:
        account = service.account_behind(db, token, now=now)
        if account is None:
            return error_page("link_expired")
        if form.validate_on_submit():
            chosen = form.new_password.data or ""
            problems = password_problems(db, instance, account, chosen, form.confirmation.data or "", tell_present=False)
            if not problems:
                return _reset(db, instance, token, chosen, now)
            form.new_password.errors = problems
        page = render_template(
            "recovery/new_password.html",
            form=form,
            identifier=account.identifier,
            shortest=shortest_password(account.kind, instance.settings),
        )
        return page, REFUSED if form.errors else 200


def _reset(db: Session, instance: Instance, token: str, chosen: str, now: datetime) -> ResponseReturnValue:
    """Keep it, say so, and let this browser be known: a lock that others caused does not hold its owner up (AC-06)."""
    account = service.reset(db, instance, token, chosen, now=now)
    if account is None:
        db.rollback()
        return error_page("link_expired")
    db.commit()
    profile = "student" if account.kind is AccountKind.STUDENT else "guardian"
    page = render_template("recovery/done.html", message=message("M21"), login_url=url_for("login.password", profile=profile))
    return remember_browser(make_response(page), account.id, account.password_hash)


def _ask(kind: RecoveryKind, form: TargetForm, *, by_sms: bool, identifier: str = "") -> str | None:
    target = typed_target(form, Channel.SMS if by_sms else Channel.MAIL)
    if target is None:
        return None
    instance, now = current_instance(), datetime.now(UTC)
    with instance.database.session() as db:
        blocked = service.ask(db, instance, kind, target=target, identifier=identifier, visitor=visitor(), now=now)
        db.commit()
    return too_early(blocked.until, now=now) if blocked else None


def _ask_code(form: TargetForm, identifier: str) -> str | None:
    target = typed_target(form, Channel.SMS)
    if target is None:
        return None
    instance, now = current_instance(), datetime.now(UTC)
    index = sessions().ensure_row(browser_session()).session_index
    with instance.database.session() as db:
        sent = service.ask_code(db, instance, identifier=identifier, mobile=target, session_index=index, visitor=visitor(), now=now)
        db.commit()
    if isinstance(sent, Blocked):
        return too_early(sent.until, now=now)
    session[PURPOSE] = sent.id
    return None


def _accepted(db: Session, proof: Judged, now: datetime) -> ResponseReturnValue:
    token = service.link_after_code(db, current_instance(), proof, now=now)
    db.commit()
    session.pop(PURPOSE, None)
    return redirect(url_for(".new_password", token=token), 303) if token else error_page("link_expired")


def _by_sms(profile: str, open_: bool) -> bool:
    """Whether the page is the one of SMS: asked by its address, for guardians, where it is open."""
    if request.args.get("by") != "sms":
        return False
    if profile != "guardian" or not open_ or not current_instance().settings.offers_sms:
        raise NotFound
    return True


def _form_page(template: str, profile: str, form: TargetForm, problem: str | None, by_sms: bool, sms_open: bool) -> ResponseReturnValue:
    ways = [None, "sms"] if sms_open and profile == "guardian" and current_instance().settings.offers_sms else [None]
    signon_id = request.args.get("s")
    page = render_template(
        template,
        form=form,
        profile=profile,
        problem=problem,
        by_sms=by_sms,
        ways=[(way or "mail", url_for(request.endpoint or "", profile=profile, by=way, s=signon_id)) for way in ways],
        back_url=url_for("login.password", profile=profile, s=signon_id),
    )
    return page, REFUSED if problem or form.errors else 200


def _answered(profile: str, *, by_sms: bool) -> ResponseReturnValue:
    """M10 and M11, whoever asked."""
    return render_template(
        "recovery/asked.html",
        message=message("M10-sms" if by_sms else "M10"),
        help=None if by_sms else message("M11"),
        profile=profile,
        login_url=url_for("login.password", profile=profile, s=request.args.get("s")),
    )
