"""The single sign-on addresses. Views carry out what the flow decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ..login.next_step import AskPassword, AskProfile, Denial, Deny, Finish, Ready
from ..login.person import Present, present
from ..login.sessions import PreauSession, ServerSessions
from ..ops.logs import bind_reference, current_reference, get_logger
from ..ops.metrics import SIGNONS
from ..registry.service import RegisteredService
from ..saml import names
from ..saml.messages import MessageRefused, OutgoingResponse, ProtocolError, ReceivedMessage
from ..saml.requests import receive_post, receive_redirect
from ..web.errors import ERRORS, error_page
from ..web.headers import allow_form_action, script_nonce
from . import service
from .flow import Parts, answer, decide, find_service, receive, refusal
from .service import SignOn

log = get_logger("signon")
pages = Blueprint("signon", __name__)

PROFILE_LABELS = {"student": "Élève", "guardian": "Responsable d'élève"}


def parts() -> Parts:
    """The flow's parts, opened once for this process."""
    opened: Parts = current_app.extensions["preau.signon"]
    return opened


def _session() -> PreauSession:
    current: PreauSession = session._get_current_object()  # type: ignore[attr-defined]
    return current


@pages.get("/saml/sso")
def redirect_binding() -> ResponseReturnValue:
    """An AuthnRequest in the query string."""
    received = receive_redirect(request.query_string.decode("ascii", "replace"))
    return _begin(received, proceed_at_once=True)


@pages.post("/saml/sso")
def post_binding() -> ResponseReturnValue:
    """An AuthnRequest in a form. The browser sends no session cookie with a form of another site: hence the redirect."""
    pairs = [(key, value) for key, values in request.form.lists() for value in values]
    received = receive_post(pairs, request.query_string.decode("ascii", "replace"))
    return _begin(received, proceed_at_once=False)


def _begin(received: ReceivedMessage, *, proceed_at_once: bool) -> ResponseReturnValue:
    now = datetime.now(UTC)
    with parts().database.session() as db:
        registered = find_service(parts(), db, received.issuer)
        try:
            signon = receive(parts(), db, received, registered, reference=current_reference() or "", now=now)
        except ProtocolError as error:
            return _say_no(error, registered, received.relay_state)
        if proceed_at_once:
            return _proceed(db, signon, registered, kept=False)
        service.keep(db, signon)
        db.commit()
    return redirect(url_for(".proceed", s=signon.id), 303)


@pages.get("/saml/sso/continue")
def proceed() -> ResponseReturnValue:
    """Go on with a sign-on of this browser: after the POST binding, after signing in, after a page to finish."""
    now = datetime.now(UTC)
    browser = _sessions().ensure_row(_session()).session_index
    with parts().database.session() as db:
        signon = service.load(db, request.args.get("s", ""), browser=browser, now=now)
        if signon is None:
            db.rollback()
            return error_page("signon_lost")
        bind_reference(signon.reference)
        return _proceed(db, signon, find_service(parts(), db, signon.request.issuer), kept=True)


@pages.get("/saml/sso/resume")
def resume() -> ResponseReturnValue:
    """Where pages outside of the flow send the person back: to the sign-on that waits, or to the account page."""
    waiting = session.pop("signon", None)
    return redirect(url_for(".proceed", s=waiting) if waiting else url_for("portal.account"), 303)


def _proceed(db: Session, signon: SignOn, registered: RegisteredService, *, kept: bool) -> ResponseReturnValue:
    """Carry out the next step, all in one transaction."""
    someone = present(_session())
    step = decide(signon, registered, someone.facts if someone else None)
    if isinstance(step, Ready):
        assert someone is not None
        return _answer(db, signon, registered, someone, kept=kept)
    if isinstance(step, Deny):
        return _deny(db, signon, registered, step)
    return _wait(db, signon, step, kept=kept)


def _answer(db: Session, signon: SignOn, registered: RegisteredService, someone: Present, *, kept: bool) -> ResponseReturnValue:
    now = datetime.now(UTC)
    try:
        outcome = answer(parts(), db, signon, registered, someone.account, someone.session, now=now)
    except ProtocolError as error:
        db.commit()
        return _say_no(error, registered, signon.relay_state)
    if isinstance(outcome, Deny):
        return _deny(db, signon, registered, outcome)
    if kept and not service.close(db, signon.id, now=now):
        return error_page("signon_lost")
    db.commit()
    SIGNONS.labels("answered").inc()
    return _post(outcome, registered)


def _say_no(error: ProtocolError, registered: RegisteredService, relay_state: str | None) -> ResponseReturnValue:
    """Answer a trusted address with the SAML status of the refusal."""
    SIGNONS.labels("refused").inc()
    log.warning("signon.refused", service_provider=registered.entity_id, status=error.second or error.status, why=error.message)
    no = parts().identity_provider.refuse(error, registered.rules, now=datetime.now(UTC), relay_state=relay_state)
    return _post(no, registered)


def _deny(db: Session, signon: SignOn, registered: RegisteredService, step: Deny) -> ResponseReturnValue:
    db.commit()
    SIGNONS.labels(step.why.value).inc()
    log.info("signon.denied", service_provider=signon.request.issuer, why=step.why.value)
    if step.why is Denial.NO_PASSIVE:
        return _post(refusal(parts(), registered, signon, names.STATUS_NO_PASSIVE, "nobody is signed in"), registered)
    if step.why is not Denial.WRONG_PROFILE:
        return error_page(step.why.value)
    back = refusal(parts(), registered, signon, names.STATUS_REQUEST_DENIED, "the profile of the person is not accepted")
    allow_form_action(_form_action(back.destination))
    page = render_template(
        "signon/refused_profile.html",
        service_name=registered.name,
        accepted=[PROFILE_LABELS[profile] for profile in sorted(registered.profiles)],
        account_url=url_for("portal.account"),
        back_form=(back.destination, _fields(back)),
    )
    return page, ERRORS["profile_refused"].status


def _wait(db: Session, signon: SignOn, step: AskProfile | AskPassword | Finish, *, kept: bool) -> ResponseReturnValue:
    if not kept:
        # The note of the request first: sessions are written by a connection of their own.
        db.commit()
        signon = replace(signon, browser=_sessions().ensure_row(_session()).session_index)
        service.keep(db, signon)
        db.flush()
    if isinstance(step, Finish):
        db.commit()
        session["signon"] = signon.id
        return redirect(url_for(step.endpoint), 303)
    if signon.request.force_authn:
        service.challenge(db, signon, now=datetime.now(UTC))
    db.commit()
    if isinstance(step, AskPassword):
        return redirect(url_for("login.password", profile=step.profile, s=signon.id), 303)
    return redirect(url_for("login.profile", s=signon.id), 303)


def _post(outgoing: OutgoingResponse, registered: RegisteredService) -> ResponseReturnValue:
    """The page that posts the answer to the service by itself, or by a button where scripts are off."""
    allow_form_action(_form_action(outgoing.destination))
    return render_template(
        "signon/post.html",
        action=outgoing.destination,
        fields=_fields(outgoing),
        service_name=registered.name,
        script_nonce=script_nonce,
    )


def _fields(outgoing: OutgoingResponse) -> list[tuple[str, str]]:
    fields = [("SAMLResponse", outgoing.saml_response)]
    if outgoing.relay_state is not None:
        fields.append(("RelayState", outgoing.relay_state))
    return fields


def _form_action(destination: str) -> str:
    """Browsers apply form-action to the redirects that follow the post too, so only the scheme can be named."""
    return f"{urlsplit(destination).scheme}:"


def _sessions() -> ServerSessions:
    interface = current_app.session_interface
    assert isinstance(interface, ServerSessions)
    return interface


@pages.app_errorhandler(MessageRefused)
def _refused(exc: MessageRefused) -> ResponseReturnValue:
    """Nothing is sent anywhere: a local page with a reference number (security.md, decision 2)."""
    log.warning("message.refused", code=exc.code, detail=exc.detail)
    return error_page(exc.code if exc.code in ERRORS else "malformed_message")
