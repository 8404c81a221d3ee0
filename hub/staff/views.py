"""Signing in as an agent (A-01, D-01): password, second factor, enrolment, signing out."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from ..login.forms import SignInForm
from ..web.current import current_instance
from ..web.errors import error_page
from . import factors, passkeys, service
from .blueprint import pages
from .forms import CodeForm, EnrolForm, PasskeyForm
from .gate import agent_page, next_address, open_page, staff_session, staff_sessions
from .models import Agent
from .scope import AgentFacts
from .security import KNOWN_KEY


@pages.get("")
@agent_page(strong=False)
def home(agent: AgentFacts) -> ResponseReturnValue:
    """To the choice of the school."""
    return redirect(url_for("school.choose"), 303)


@pages.route("/login", methods=("GET", "POST"))
@open_page
def login() -> ResponseReturnValue:
    """Login and password. Who has a second factor is asked for it next."""
    form = SignInForm()
    if form.validate_on_submit():
        instance, now = current_instance(), datetime.now(UTC)
        with instance.database.session() as db:
            outcome = service.sign_in(db, instance, form.username.data or "", form.password.data or "", now=now)
            enrolled = outcome.agent_id is not None and db.get_one(Agent, outcome.agent_id).has_second_factor
            db.commit()
        if outcome.agent_id is not None:
            staff_sessions().rotate(staff_session(), outcome.agent_id, strong_at=None)
            following = next_address()
            return redirect(url_for(".second_factor", next=following) if enrolled else following, 303)
    message = _("L'identifiant ou le mot de passe n'est pas bon. Après plusieurs erreurs, il faut attendre un peu.")
    page = render_template("staff/login.html", form=form, message=message if form.is_submitted() else None)
    return page, (403 if form.is_submitted() else 200)


@pages.route("/second-factor", methods=("GET", "POST"))
@agent_page(strong=False)
def second_factor(agent: AgentFacts) -> ResponseReturnValue:
    """The code of the authenticator, or a recovery code; asked again before acts on many people."""
    form = CodeForm()
    instance, now = current_instance(), datetime.now(UTC)
    with instance.database.session() as db:
        me = db.get_one(Agent, agent.id)
        right = form.validate_on_submit() and factors.check_code(db, instance, me, form.code.data or "", now=now)
        db.commit()
        enrolled, ceremony = me.has_second_factor, None if right else passkeys.ask(instance.settings, me)
    if right:
        staff_sessions().rotate(staff_session(), agent.id, strong_at=now)
        return redirect(next_address(), 303)
    message = _("Ce code n'est pas bon, ou il a déjà servi. Attendez le suivant. Après cinq erreurs, il faut attendre 15 minutes.")
    if ceremony is not None:
        staff_session()[KNOWN_KEY] = ceremony.challenge
    refused = form.is_submitted() or "refused" in request.args
    page = render_template(
        "staff/second_factor.html",
        form=form,
        enrolled=enrolled,
        passkey_form=PasskeyForm(),
        options=ceremony.options if ceremony else None,
        passkey_url=url_for(".passkey", next=next_address()),
        message=message if refused else None,
    )
    return page, (403 if refused else 200)


@pages.route("/enrol/<token>", methods=("GET", "POST"))
@open_page
def enrol(token: str) -> ResponseReturnValue:
    """Behind the one-time link: choose a password, tie an authenticator, write the recovery codes down."""
    instance, now, form = current_instance(), datetime.now(UTC), EnrolForm()
    with instance.database.session() as db:
        me = service.invited(db, token, now=now)
        if me is None:
            return error_page("link_expired")
        secret, problems = _pending_secret(), {}
        if form.validate_on_submit():
            given = service.Enrolment(form.password.data or "", form.confirmation.data or "", form.code.data or "")
            problems = service.enrolment_problems(db, instance, me, given, secret, now=now)
            codes = None if problems else service.enrol(db, instance, token, given, secret, now=now)
            db.commit()
            if codes is not None:
                staff_sessions().end(staff_session())
                return render_template("staff/recovery_codes.html", codes=codes, next_url=url_for(".login"), next_label=_("Se connecter"))
        for name, sentences in problems.items():
            form[name].errors = [_sentence(one) for one in sentences]
        uri = factors.provisioning_uri(secret, me.login, instance.settings.product_name)
        return render_template(
            "staff/enrol.html",
            form=form,
            agent_name=me.name,
            login=me.login,
            chooses_password=me.password_hash is None,
            shortest=instance.settings.password_min_staff,
            qr=factors.qr_image(uri),
            secret=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        ), (403 if form.is_submitted() else 200)


def _pending_secret() -> str:
    """The secret that this browser is about to keep, sealed in its session until the first code proves it."""
    instance, session = current_instance(), staff_session()
    if "enrolling" not in session:
        session["enrolling"] = factors.seal(instance, factors.new_totp_secret())
    return factors.opened(instance, session["enrolling"])


def _sentence(problem: str) -> str:
    match problem:
        case "wrong_code":
            said: str = _("Ce code n'est pas bon. Vérifiez l'heure de votre téléphone, puis tapez le code qui s'affiche.")
        case "wrong_password":
            said = _("Le mot de passe n'est pas bon.")
        case _:
            said = problem
    return said


@pages.post("/logout")
@open_page
def logout() -> ResponseReturnValue:
    """End the session."""
    staff_sessions().end(staff_session())
    return redirect(url_for(".login"), 303)
