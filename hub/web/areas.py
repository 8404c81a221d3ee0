"""Which addresses are for families and which for agents: each kind has a cookie and a table of its own."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin

from .kept_sessions import KeptSession, KeptSessions

STAFF_AREAS = ("/staff", "/school", "/troubleshooting", "/academy", "/national")
"""Roots of the addresses that only agents use."""


def is_own_path(text: str) -> bool:
    """Whether that is a path of this site, whatever a browser makes of it: where somebody may be sent back to."""
    return text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()


def is_staff_address(path: str) -> bool:
    """Whether that path is under one of :data:`STAFF_AREAS`."""
    return path.startswith(tuple(f"{root}/" for root in STAFF_AREAS)) or path in STAFF_AREAS


class SessionsByArea(SessionInterface):
    """Opens the session of the area: a family's is nobody at the school's desk, and the other way round."""

    def __init__(self, families: KeptSessions[Any], staff: KeptSessions[Any]) -> None:
        self._families, self._staff = families, staff

    def _of(self, path: str) -> KeptSessions[Any]:
        return self._staff if is_staff_address(path) else self._families

    def open_session(self, app: Flask, request: Request) -> KeptSession:
        opened: KeptSession = self._of(request.path).open_session(app, request)
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        keeper = self._staff if isinstance(session, self._staff.kind) else self._families
        keeper.save_session(app, session, response)
