"""The front door: choice of profile, password."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError

from ..accounts.models import Account
from ..accounts.service import sign_in
from ..ops.logs import get_logger
from ..web.current import browser_session, current_instance, remember_browser, visitor, waiting
from ..web.errors import error_page
from .forms import SignInForm
from .welcome import welcome

log = get_logger("login")
pages = Blueprint("login", __name__, url_prefix="/login")


@pages.get("")
def profile() -> ResponseReturnValue:
    """U-01: who are you? A person who came by himself or herself and is signed in already may simply go on."""
    signon_id, service = request.args.get("s"), waiting()
    if not signon_id and browser_session().account_id is not None:
        return render_template("login/already.html", next_url=url_for("signon.resume"), other_url=url_for("logout.confirm"))
    return render_template(
        "login/profile.html",
        guardian_url=url_for(".password", profile="guardian", s=signon_id),
        student_url=url_for(".password", profile="student", s=signon_id),
        service_name=service.service_name if service else None,
    )


@pages.route("/<any(guardian, student):profile>", methods=("GET", "POST"))
def password(profile: str) -> ResponseReturnValue:
    """U-02 and U-03: identifier and password."""
    form = SignInForm()
    signon_id, service = request.args.get("s"), waiting()
    message = _("Recommencez : tapez de nouveau votre identifiant et votre mot de passe.") if "again" in request.args else None
    if form.validate_on_submit():
        with current_instance().database.session() as db:
            now, typed = datetime.now(UTC), (form.username.data or "", form.password.data or "")
            outcome = sign_in(db, current_instance(), *typed, now=now, visitor=visitor())
            db.commit()
            password_hash = db.get_one(Account, outcome.account_id).password_hash if outcome.account_id else None
        if outcome.account_id is not None:
            welcome(outcome.account_id, signon_id)
            return remember_browser(make_response(go_on(signon_id)), outcome.account_id, password_hash)
        message = outcome.message
    elif form.is_submitted():
        message = _("Tapez votre identifiant et votre mot de passe.")
    only_profile = service is not None and service.profiles == {profile}
    page = render_template(
        "login/password.html",
        form=form,
        profile=profile,
        message=message,
        advice=_("Après plusieurs erreurs, il faut attendre un peu entre deux essais.") if form.is_submitted() else None,
        change_url=None if only_profile else url_for(".profile", s=signon_id),
        service_name=service.service_name if service else None,
        identifier_url=url_for("recovery.identifier", profile=profile, s=signon_id),
        password_url=url_for("recovery.password", profile=profile, s=signon_id),
        enrol_url=_enrol_url(profile, signon_id),
    )
    return page, (403 if form.is_submitted() else 200)


@pages.errorhandler(CSRFError)
def start_again(_exc: CSRFError) -> ResponseReturnValue:
    """The session behind the form is gone: another tab signed in meanwhile, or its cookie went. Nobody is to blame.

    A second time in a row this browser keeps no cookie, and a page says so.
    """
    assert request.view_args is not None  # the only form of the front door has its profile in the address
    signon_id, profile = request.args.get("s"), request.view_args["profile"]
    if browser_session().account_id is not None:
        return go_on(signon_id)
    if "again" in request.args:
        return error_page("csrf", retry_url=url_for(".password", profile=profile, s=signon_id))
    log.info("login.again")
    return redirect(url_for(".password", profile=profile, s=signon_id, again=1), 303)


def _enrol_url(profile: str, signon_id: str | None) -> str | None:
    """« Je n'ai pas de compte », for guardians where a way to enrol is open (F036)."""
    open_ = profile == "guardian" and current_instance().settings.enrolment_channels
    return url_for("enrolment.start", s=signon_id) if open_ else None


def go_on(signon_id: str | None) -> ResponseReturnValue:
    """To the sign-on that waits, or to what waits behind the front door."""
    return redirect(url_for("signon.proceed", s=signon_id) if signon_id else url_for("signon.resume"), 303)
