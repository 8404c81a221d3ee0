"""The single sign-on addresses. Views carry out what the flow decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ..accounts.models import AccountKind
from ..login.next_step import AskPassword, AskProfile, Finish
from ..login.person import present
from ..ops.logs import bind_reference, current_reference, get_logger
from ..saml.messages import MessageRefused, OutgoingResponse, ReceivedMessage
from ..saml.requests import receive_post, receive_redirect
from ..web.current import browser_session, sessions
from ..web.errors import ERRORS, error_page
from ..web.headers import allow_form_action, script_nonce
from . import service, waiting
from .flow import Ask, Begun, Parts, Post, Stop, advance, begin, find_service
from .service import SignOn

log = get_logger("signon")
pages = Blueprint("signon", __name__)

MOST_WAITING = 10
"""Sign-ons of one browser that wait for the same activation, each in its tab."""


def parts() -> Parts:
    """The flow's parts, opened once for this process."""
    opened: Parts = current_app.extensions["preau.signon"]
    return opened


def recognise() -> None:
    """Before each request: know the sign-on that the address names, or the latest that this browser left for a page to finish.

    From here on everything is logged, audited and shown under its reference (``web.current.waiting``).
    """
    left: list[str] = session.get("signons") or [""]
    id_ = request.args.get("s", left[-1])
    if not id_:
        return
    with parts().database.session() as db:
        found = waiting.find(db, id_)
    if found is not None:
        g.waiting = found
        bind_reference(found.reference)


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
        begun = begin(parts(), db, received, reference=current_reference() or "", now=now)
        if isinstance(begun, Post):
            db.commit()  # a refused request is noted too: it is never answered twice
            return _post(begun)
        if proceed_at_once:
            g.waiting = waiting.unkept(begun.signon, begun.registered)
            return _proceed(db, begun, kept=False)
        service.keep(db, begun.signon)
        db.commit()
    return redirect(url_for(".proceed", s=begun.signon.id), 303)


@pages.get("/saml/sso/continue")
def proceed() -> ResponseReturnValue:
    """Go on with a sign-on of this browser: after the POST binding, after signing in, after a page to finish."""
    now = datetime.now(UTC)
    browser = sessions().ensure_row(browser_session()).session_index
    with parts().database.session() as db:
        signon = service.load(db, request.args.get("s", ""), browser=browser, now=now)
        if signon is None:
            db.rollback()
            return error_page("signon_lost")
        return _proceed(db, Begun(signon, find_service(parts(), db, signon.request.issuer)), kept=True)


@pages.get("/saml/sso/resume")
def resume() -> ResponseReturnValue:
    """Where pages outside of the flow send the person back: to the sign-on that waits, or to the account page."""
    *others, latest = session.get("signons") or [None]
    if latest is None:
        return redirect(url_for("portal.account"), 303)
    session["signons"] = others
    return redirect(url_for(".proceed", s=latest), 303)


def _proceed(db: Session, begun: Begun, *, kept: bool) -> ResponseReturnValue:
    """Carry out what the flow says, in the transaction that it used. ``kept``: the sign-on is in the database already."""
    now = datetime.now(UTC)
    outcome = advance(parts(), db, begun, present(browser_session()), now=now)
    if isinstance(outcome, Ask):
        return _wait(db, begun.signon, outcome, kept=kept, now=now)
    if isinstance(outcome, Post) and kept and not service.close(db, begun.signon.id, now=now):
        return error_page("signon_lost")
    db.commit()
    return _post(outcome) if isinstance(outcome, Post) else _stop(outcome, begun)


def _stop(outcome: Stop, begun: Begun) -> ResponseReturnValue:
    if outcome.back is None:
        return error_page(outcome.why.value)
    destination = outcome.back.outgoing.destination
    allow_form_action(_form_action(destination))
    page = render_template(
        "signon/refused_profile.html",
        service_name=begun.registered.name,
        accepted=[AccountKind(profile).label for profile in sorted(begun.registered.profiles)],
        account_url=url_for("portal.account"),
        back_form=(destination, _fields(outcome.back.outgoing)),
    )
    return page, ERRORS["profile_refused"].status


def _wait(db: Session, signon: SignOn, outcome: Ask, *, kept: bool, now: datetime) -> ResponseReturnValue:
    if not kept:
        # The note of the request first: sessions are written by a connection of their own.
        db.commit()
        service.keep(db, replace(signon, browser=sessions().ensure_row(browser_session()).session_index))
        db.flush()
    step = outcome.step
    log.info("signon.waiting", step=_name_of(step))
    if isinstance(step, Finish):
        db.commit()
        session["signons"] = [*(id_ for id_ in session.get("signons", ()) if id_ != signon.id), signon.id][-MOST_WAITING:]
        return redirect(url_for(step.endpoint), 303)
    if signon.request.force_authn:
        service.challenge(db, signon, now=now)
    db.commit()
    if isinstance(step, AskPassword):
        return redirect(url_for("login.password", profile=step.profile, s=signon.id), 303)
    return redirect(url_for("login.profile", s=signon.id), 303)


def _name_of(step: AskProfile | AskPassword | Finish) -> str:
    match step:
        case Finish():
            return step.endpoint
        case AskPassword():
            return "password"
        case AskProfile():
            return "profile"


def _post(outcome: Post) -> ResponseReturnValue:
    """The page that posts the answer to the service by itself, or by a button where scripts are off."""
    destination = outcome.outgoing.destination
    allow_form_action(_form_action(destination))
    return render_template(
        "signon/post.html",
        action=destination,
        fields=_fields(outcome.outgoing),
        service_name=outcome.service_name,
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


@pages.app_errorhandler(MessageRefused)
def _refused(exc: MessageRefused) -> ResponseReturnValue:
    """Nothing is sent anywhere: a local page with a reference number (security.md, decision 2)."""
    log.warning("message.refused", code=exc.code, detail=exc.detail)
    return error_page(exc.code if exc.code in ERRORS else "malformed_message")
