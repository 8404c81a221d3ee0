"""Signing out: of the hub by its own page, from a service by SAML, and of the services one after the other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from ..ops.logs import bind_reference, current_reference, get_logger
from ..saml import logout as messages
from ..saml.logout import LogoutRefused, OutgoingLogout
from ..saml.messages import MessageRefused, ReceivedMessage
from ..saml.names import BINDING_POST
from ..web.current import browser_session, sessions
from ..web.errors import error_page
from ..web.headers import allow_form_action, script_nonce
from . import service
from .machine import Ending, Finish, Send, Told, Wait
from .service import Ongoing, Parts

log = get_logger("logout")
pages = Blueprint("logout", __name__)

SAID = {
    Told.PENDING: _l("en attente"),
    Told.ASKED: _l("en cours"),
    Told.LEFT: _l("déconnecté"),
    Told.REFUSED: _l("n'a pas pu vous déconnecter"),
    Told.SILENT: _l("n'a pas répondu"),
    Told.UNTOLD: _l("n'a pas été prévenu"),
}
"""How a page says what is known of a service."""


# The person ---------------------------------------------------------------------------------------------------------


@pages.get("/logout")
def confirm() -> ResponseReturnValue:
    """With the logout token of a living session: end that session, cookie or not (security.md, decision 7).

    Otherwise nothing happens but a page with one button, so that a stranger's image cannot sign anybody out; without a
    button when nobody is signed in.
    """
    token = request.args.get("token", "")
    if token and token.isprintable():
        now = datetime.now(UTC)
        with _parts().database.session() as db:
            ongoing = service.begin_by_token(_parts(), db, token, reference=_reference(), now=now)
            mine = browser_session().row
            if ongoing is not None and (mine is None or not browser_session().account_id or mine.token_hash in ongoing.ended):
                return _depart(db, ongoing, now=now)
            # The session of somebody else, who did not ask this browser to go round: over, and no more than that (LO-13).
            db.commit()
    return _nobody() if browser_session().account_id is None else render_template("logout/confirm.html", form=FlaskForm())


@pages.post("/logout")
def leave() -> ResponseReturnValue:
    """End this browser's session."""
    current, now = browser_session(), datetime.now(UTC)
    if current.row is None or current.account_id is None:
        return _nobody()
    with _parts().database.session() as db:
        ongoing = service.begin_for_browser(_parts(), db, current.row.session_index, reference=_reference(), now=now)
        return _depart(db, ongoing, now=now)


@pages.get("/logout/progress")
def progress() -> ResponseReturnValue:
    """Where the browser comes back to between two services; the person may go on without one, or stop (U-26)."""
    now = datetime.now(UTC)
    with _parts().database.session() as db:
        id_ = request.args.get("l", "")
        if len(id_) == 32 and id_.isalnum() and service.is_unclaimed(db, id_, now=now):
            service.claim(db, id_, browser=sessions().ensure_row(browser_session()).session_index)
            db.commit()
        row = browser_session().row
        ongoing = service.of_browser(db, row.session_index, now=now) if row else None
        if ongoing is None:
            return redirect(url_for(".confirm"), 303)
        bind_reference(ongoing.reference)
        if "stop" in request.args:
            ongoing = service.stop(db, ongoing)
        elif (skip := request.args.get("skip", "")).isdecimal():
            ongoing = service.skip(db, ongoing, int(skip[:4]))
        return _go_on(db, ongoing, now=now)


# The services -------------------------------------------------------------------------------------------------------


@pages.get("/saml/slo")
def slo_redirect() -> ResponseReturnValue:
    """A LogoutRequest or LogoutResponse in the query string."""
    received, is_request = messages.receive_redirect(request.query_string.decode("ascii", "replace"))
    return _asked(received) if is_request else _answered(received)


@pages.post("/saml/slo")
def slo_post() -> ResponseReturnValue:
    """A LogoutRequest or LogoutResponse in a form. No cookie comes with it: what needs the browser waits for the next page."""
    pairs = [(key, value) for key, values in request.form.lists() for value in values]
    received, is_request = messages.receive_post(pairs, request.query_string.decode("ascii", "replace"))
    return _asked(received) if is_request else _answered(received)


def _asked(received: ReceivedMessage) -> ResponseReturnValue:
    parts, now = _parts(), datetime.now(UTC)
    with parts.database.session() as db:
        registered = parts.registry.answerable(db, received.issuer)
        try:
            ongoing = service.begin_for_service(parts, db, received, registered, reference=_reference(), now=now)
        except LogoutRefused as error:
            db.commit()
            log.warning("logout.refused", service_provider=registered.entity_id, status=error.second or error.status, why=error.message)
            endpoint = messages.endpoint_for(registered.rules.descriptor, prefer=received.binding)
            if endpoint is None:
                return error_page("logout_refused")
            return _carry(parts.protocol.refuse(endpoint, error, now=now, relay_state=received.relay_state), registered.name)
        log.info("logout.asked", service_provider=registered.entity_id, sessions=len(ongoing.ended))
        return _depart(db, ongoing, now=now)


def _answered(received: ReceivedMessage) -> ResponseReturnValue:
    """Whatever the answer is worth, the browser goes on: a wrong one is logged and changes nothing (LO-11)."""
    parts, now = _parts(), datetime.now(UTC)
    with parts.database.session() as db:
        try:
            registered = parts.registry.answerable(db, received.issuer)
            response = parts.protocol.read_response(
                received, registered.rules, now=now, skew=parts.settings.clock_skew, lifetime=parts.settings.request_lifetime
            )
            wanted = service.answer(db, response.issuer, response.in_response_to, success=response.success, now=now)
            db.commit()
        except MessageRefused as error:
            log.warning("logout.answer_ignored", service_provider=received.issuer[:200], code=error.code, detail=error.detail)
        else:
            event = "logout.answered" if wanted else "logout.answer_ignored"
            log.info(event, service_provider=response.issuer, success=response.success)
    return redirect(url_for(".progress"), 303)


# What both share ----------------------------------------------------------------------------------------------------


def _depart(db: Session, ongoing: Ongoing, *, now: datetime) -> ResponseReturnValue:
    """The session is over: say so at once, or first send the browser round the services that can be told."""
    peeked, output = service.advance(_parts(), db, ongoing, now=now)
    if not isinstance(output, Finish):
        service.keep(db, ongoing, now=now)
    db.commit()
    current = browser_session()
    if current.row and current.row.token_hash in ongoing.ended:
        sessions().end(current)
    if isinstance(output, Finish):
        return _finish(db, peeked, output.ending, now=now)
    return redirect(url_for(".progress", l=ongoing.id), 303)


def _go_on(db: Session, ongoing: Ongoing, *, now: datetime) -> ResponseReturnValue:
    while True:
        ongoing, output = service.advance(_parts(), db, ongoing, now=now)
        if isinstance(output, Finish):
            db.commit()
            return _finish(db, ongoing, output.ending, now=now)
        message = service.message_for(_parts(), db, ongoing.logout.participants[output.index], now=now)
        if message is not None:
            db.commit()
            return _tell(db, ongoing, output, message, now=now)
        ongoing = service.skip(db, ongoing, output.index)


def _tell(db: Session, ongoing: Ongoing, output: Send | Wait, message: OutgoingLogout, *, now: datetime) -> ResponseReturnValue:
    """The page that stays on the screen while a service is asked. It leaves by itself the first time it is shown only:
    whoever comes back to it from a broken service is not sent there again."""
    log.info("logout.telling", service_provider=ongoing.logout.participants[output.index].service_provider)
    until = output.until if isinstance(output, Wait) else now + _parts().settings.logout_wait
    allow_form_action(_form_action(message.address))
    return render_template(
        "logout/progress.html",
        services=_results(db, ongoing),
        current=_name(db, ongoing.logout.participants[output.index].service_provider),
        address=message.address,
        fields=message.fields,
        leaves=isinstance(output, Send),
        skip_url=url_for(".progress", skip=output.index),
        stop_url=url_for(".progress", stop=1),
        wait=max(1, round((until - now).total_seconds())),
        script_nonce=script_nonce,
    )


def _finish(db: Session, ongoing: Ongoing, ending: Ending, *, now: datetime) -> ResponseReturnValue:
    reply = service.reply(_parts(), ongoing, now=now)
    if reply is None or ongoing.requester is None:
        return _done(_results(db, ongoing))
    name = _name(db, ongoing.requester.service_provider)
    if ending is Ending.ANSWER:
        return _carry(reply, name)
    allow_form_action(_form_action(reply.address))
    return _done(_results(db, ongoing), back=(name, reply.address, reply.fields))


def _done(results: list[tuple[str, str, bool]], *, back: Any = None) -> Response:
    """Signed out. A shared computer keeps nothing of the visit (LO-20); cookies are left to their owners, since the
    header would also take those of every other site of the same domain."""
    response = make_response(render_template("logout/done.html", services=results, back=back))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _nobody() -> ResponseReturnValue:
    return render_template("logout/nobody.html")


def _carry(message: OutgoingLogout, name: str) -> ResponseReturnValue:
    """Bring a message to a service, with nothing left to say to the person."""
    if message.binding != BINDING_POST:
        return redirect(message.address, 303)
    allow_form_action(_form_action(message.address))
    return render_template("signon/post.html", action=message.address, fields=message.fields, service_name=name, script_nonce=script_nonce)


def _results(db: Session, ongoing: Ongoing) -> list[tuple[str, str, bool]]:
    """Name of each service, what is known of it, and whether it is good news."""
    return [(_name(db, p.service_provider), SAID[p.state], p.state is Told.LEFT) for p in ongoing.logout.participants]


def _name(db: Session, entity_id: str) -> str:
    registered = _parts().registry.find(db, entity_id)
    return registered.name if registered else entity_id


def _form_action(address: str) -> str:
    """Browsers apply form-action to the redirects that follow too, so only the scheme can be named."""
    return f"{urlsplit(address).scheme}:"


def _reference() -> str:
    return current_reference() or ""


def _parts() -> Parts:
    opened: Parts = current_app.extensions["preau.logout"]
    return opened
