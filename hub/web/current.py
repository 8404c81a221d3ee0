"""What belongs to the request that is being answered: the instance, the browser's session, the keeper of sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Response, current_app, g, request, session

from ..instance import Instance
from ..login.sessions import PreauSession, ServerSessions
from ..throttle.visitor import MOST_KNOWN, Visitor, known_mark, mark
from .kept_sessions import cookie_name

if TYPE_CHECKING:
    from ..signon.waiting import Waiting


KNOWN_LENGTH = 400
"""Longest cookie of known accounts that is read, in characters."""


def current_instance() -> Instance:
    """The instance behind this application."""
    found: Instance = current_app.extensions["preau"]
    return found


def browser_session() -> PreauSession:
    """The session of this browser, under its own type."""
    found: PreauSession = session._get_current_object()  # type: ignore[attr-defined]
    return found


def waiting() -> Waiting | None:
    """The sign-on that waits behind this page, None when there is none."""
    found: Waiting | None = g.get("waiting")
    return found


def visitor() -> Visitor:
    """Where this request comes from, as far as limits care. Behind a proxy the address is the one that the trusted proxy states."""
    marks = request.cookies.get(known_cookie(), "")[:KNOWN_LENGTH]
    return Visitor(request.remote_addr or "", tuple(mark for mark in marks.split("~") if mark))


def remember_browser(response: Response, account_id: str, password_hash: str | None) -> Response:
    """Let this browser be known for that account: it signs in even while others keep the identifier locked (AC-06)."""
    instance = current_instance()
    now, here = datetime.now(UTC), visitor()
    fresh = mark(instance, account_id, password_hash, now=now)
    former = known_mark(instance, here, account_id, password_hash, now=now)
    others = [found for found in here.known if found not in (fresh, former)]
    response.set_cookie(
        known_cookie(),
        "~".join([fresh, *others][:MOST_KNOWN]),
        max_age=instance.settings.known_browser_days * 86400,
        path="/",
        secure=instance.settings.secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def known_cookie() -> str:
    """Name of the cookie that says for which accounts a browser is known."""
    return cookie_name("preau-known", current_instance().settings)


def sessions() -> ServerSessions:
    """What begins, renews and ends sessions."""
    found: ServerSessions = current_app.extensions["family_sessions"]
    return found
