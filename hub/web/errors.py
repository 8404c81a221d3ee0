"""Error pages: what happened, who can act, and a reference number that is in the log. Never a stack trace."""

from __future__ import annotations

from flask import Flask, g, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from backends import DirectoryError

from ..ops.logs import current_reference, get_logger
from .catalogue import ERRORS, ErrorText
from .csrf import ForeignForm

log = get_logger("web")


REFUSED = 422
"""Status of a form shown again with what is wrong."""


def error_page(code: str, *, status: int | None = None, retry_url: str | None = None) -> tuple[str, int]:
    """The page of one entry of the error catalogue, with the reference of this request, which the log has too.

    ``retry_url`` is an address of ours where the same thing begins afresh.
    """
    entry = ERRORS[code]
    g.error_code = code
    status = status or entry.status
    rule = request.url_rule.rule if request.url_rule else request.path  # the rule, because an address may hold a token
    log.info("error.shown", code=code, status=status, path=rule)
    page = render_template("errors/error.html", error=entry, reference=current_reference() or "", retry_url=retry_url)
    return page, status


_CODES = {404: "not_found", 405: "not_found", 413: "too_large", 414: "too_large"}


def _code_of(status: int) -> str:
    return _CODES.get(status, "internal" if status >= 500 else "bad_request")


def init_app(app: Flask) -> None:
    """Turn every failure into a page of the catalogue."""

    @app.errorhandler(HTTPException)
    def _http(exc: HTTPException) -> tuple[str, int]:
        return error_page(_code_of(exc.code or 500), status=exc.code)

    @app.errorhandler(CSRFError)
    @app.errorhandler(ForeignForm)
    def _stale_form(_exc: HTTPException) -> tuple[str, int]:
        return error_page("csrf", retry_url=url_for(request.endpoint, **(request.view_args or {})) if request.endpoint else None)

    @app.errorhandler(DirectoryError)
    def _directory(exc: DirectoryError) -> tuple[str, int]:
        log.error("directory.failed", error=type(exc).__name__)
        return error_page("directory_unavailable")

    @app.errorhandler(SQLAlchemyError)
    def _database(exc: SQLAlchemyError) -> tuple[str, int]:
        log.error("database.failed", error=type(exc).__name__, orig=type(getattr(exc, "orig", None)).__name__)
        return error_page("try_later")

    @app.errorhandler(Exception)
    def _bug(exc: Exception) -> tuple[str, int]:
        log.exception("bug", error=type(exc).__name__)
        return error_page("internal")


__all__ = ["ERRORS", "ErrorText", "error_page", "init_app"]
