"""Forms of other sites are refused: by the token of the session, and by where the browser says that they come from (AC-32)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import BadRequest

from ..settings import Settings

OPEN_TO_OTHER_SITES = frozenset(("signon.post_binding", "logout.slo_post"))
"""Endpoints that services post to through the browser; each judges the message itself."""


class ForeignForm(BadRequest):
    """Another site sent this form: unlike one whose session is gone, nobody may begin it afresh unseen."""


def init_app(app: Flask) -> None:
    """Check every request that may change something."""
    settings: Settings = app.extensions["preau"].settings
    # The strict check of the library wants a Referer, which pages with a token in their address withhold.
    app.config.update(WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)
    app.extensions["csrf"] = CSRFProtect(app)
    parts = urlsplit(settings.base_url)
    own = f"{parts.scheme}://{parts.netloc}"

    @app.before_request
    def _same_site() -> None:
        if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in OPEN_TO_OTHER_SITES:
            return
        if is_foreign(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), own):
            raise ForeignForm


def is_foreign(origin: str | None, fetch_site: str | None, own: str) -> bool:
    """Whether the browser says that another site sent the form. Saying nothing (or ``null``) leaves the token to decide."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return True
    return origin not in (None, "null", own)
