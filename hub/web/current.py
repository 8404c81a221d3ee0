"""What belongs to the request that is being answered: the instance, the browser's session, the keeper of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app, g, session

from ..instance import Instance
from ..login.sessions import PreauSession, ServerSessions

if TYPE_CHECKING:
    from ..signon.waiting import Waiting


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


def sessions() -> ServerSessions:
    """What begins, renews and ends sessions."""
    found: ServerSessions = current_app.extensions["family_sessions"]
    return found
