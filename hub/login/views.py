"""The front door: choice of profile, password."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ..accounts.service import SignIn, sign_in
from ..ops.logs import bind_reference, get_logger
from ..registry.models import ServiceProvider
from ..saml import names
from ..signon import service as signons
from ..web.current import browser_session, current_instance, sessions
from .forms import SignInForm

log = get_logger("login")
pages = Blueprint("login", __name__, url_prefix="/login")


@pages.get("")
def profile() -> ResponseReturnValue:
    """U-01: who are you? A person who came by himself or herself and is signed in already may simply go on."""
    waiting = request.args.get("s")
    if not waiting and browser_session().account_id is not None:
        return render_template("login/already.html", next_url=url_for("signon.resume"), other_url=url_for("logout.confirm"))
    with current_instance().database.session() as db:
        service_name = _service_name(db, waiting)
    return render_template(
        "login/profile.html",
        guardian_url=url_for(".password", profile="guardian", s=waiting),
        student_url=url_for(".password", profile="student", s=waiting),
        service_name=service_name,
    )


@pages.route("/<any(guardian, student):profile>", methods=("GET", "POST"))
def password(profile: str) -> ResponseReturnValue:
    """U-02 and U-03: identifier and password."""
    form = SignInForm()
    waiting = request.args.get("s")
    message = None
    if form.validate_on_submit():
        with current_instance().database.session() as db:
            outcome = sign_in(db, current_instance(), form.username.data or "", form.password.data or "", now=datetime.now(UTC))
            db.commit()
        if outcome.account_id is not None:
            _welcome(outcome, waiting)
            return redirect(url_for("signon.proceed", s=waiting) if waiting else url_for("signon.resume"), 303)
        message = outcome.message
    elif form.is_submitted():
        if form.csrf_token.errors:
            abort(400)
        message = "Tapez votre identifiant et votre mot de passe."
    with current_instance().database.session() as db:
        service_name = _service_name(db, waiting)
    page = render_template(
        "login/password.html",
        form=form,
        profile=profile,
        message=message,
        advice="Après plusieurs erreurs, il faut attendre un peu entre deux essais." if message else None,
        change_url=url_for(".profile", s=waiting),
        service_name=service_name,
    )
    return page, (200 if request.method == "GET" else 422 if message is None else 403)


def _welcome(outcome: SignIn, waiting: str | None) -> None:
    """Begin the session of the person who proved who he is, under a new token; bring the waiting sign-on along."""
    assert outcome.account_id is not None
    current = browser_session()
    before = current.row.session_index if current.row else None
    row = sessions().rotate(
        current, outcome.account_id, authn_instant=datetime.now(UTC), authn_context=names.AC_PASSWORD_PROTECTED_TRANSPORT, keep=("signons",)
    )
    if waiting and before:
        with current_instance().database.transaction() as db:
            signons.hand_over(db, waiting, before=before, after=row.session_index)


def _service_name(db: Session, waiting: str | None) -> str | None:
    """Name of the service that asked, for the page; also logs the page under that sign-on's reference."""
    found = signons.peek(db, waiting) if waiting else None
    if found is None:
        return None
    entity_id, reference = found
    bind_reference(reference)
    row = db.get(ServiceProvider, entity_id)
    return row.name if row else None
