"""What every kind of server-side session shares: a random token in a cookie, everything else kept under the token's hash."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy.exc import SQLAlchemyError

from ..db import Database
from ..ops.logs import get_logger
from ..settings import Settings
from .errors import error_page

log = get_logger("web")

WITHOUT_SESSION = ("/static/", "/bootstrap/", "/healthz", "/readyz", "/metrics", "/saml/metadata")
"""Addresses that answer alike to everybody, database or not."""

TOUCH_EVERY = timedelta(seconds=60)
"""A session's last use is written at most that often: a sign-on stays cheap."""

_LONGEST_TOKEN = 100


def token_hash(token: str) -> str:
    """What the database keeps of a random token, of a cookie or of a link."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def cookie_name(name: str, settings: Settings) -> str:
    """The name of a cookie of ours: over https one that no other host can set."""
    return f"__Host-{name}" if settings.secure else name


class KeptSession(SessionMixin):
    """What Flask calls ``session``: a dictionary that is kept when it changes."""

    def __init__(self, data: dict[str, Any], *, new: bool) -> None:
        self._data = dict(data)
        self.modified = False
        self.accessed = False
        self.new = new
        self.ended = False
        self.new_token: str | None = None
        self.unavailable = False
        """The database did not answer: nobody can be told who is there, and no page of this request may guess."""

    def __getitem__(self, key: str) -> Any:
        self.accessed = True
        return self._data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.modified = True
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        self.modified = True
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def data(self) -> dict[str, Any]:
        """What is to be kept."""
        return self._data


S = TypeVar("S", bound=KeptSession)


class KeptSessions(SessionInterface, Generic[S]):
    """Opens and saves the sessions of one kind. Subclasses say where they are kept."""

    kind: type[S]

    def __init__(self, cookie: str, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.cookie_name = cookie_name(cookie, settings)

    @abstractmethod
    def nobody(self) -> S:
        """A session of which nothing is kept yet."""

    @abstractmethod
    def find(self, token: str, now: datetime) -> S:
        """The living session of that token, or :meth:`nobody`."""

    @abstractmethod
    def write(self, session: S) -> None:
        """Keep what the session holds."""

    def open_session(self, app: Flask, request: Request) -> S:
        token = request.cookies.get(self.cookie_name, "")
        if not token or len(token) > _LONGEST_TOKEN or request.path.startswith(WITHOUT_SESSION):
            return self.nobody()
        try:
            return self.find(token, datetime.now(UTC))
        except SQLAlchemyError as exc:
            log.error("session.not_opened", error=type(exc).__name__)
            session = self.nobody()
            session.unavailable = True
            return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, self.kind)
        if session.ended:
            self._set_cookie(response, "", max_age=0)
            return
        if session.modified and not session.unavailable:
            try:
                self.write(session)
            except SQLAlchemyError as exc:
                log.error("session.not_saved", error=type(exc).__name__)
                page, response.status_code = error_page("try_later")
                response.set_data(page)
                return
        if session.new_token:
            self._set_cookie(response, session.new_token)

    def _set_cookie(self, response: Response, value: str, max_age: int | None = None) -> None:
        response.set_cookie(self.cookie_name, value, max_age=max_age, path="/", secure=self._settings.secure, httponly=True, samesite="Lax")
